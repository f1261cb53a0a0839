"""What an edit list asks for: takes and cards in order, how they are joined, and what is heard."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction


class Fit(enum.StrEnum):
    """How a clip of another shape fills the picture: all of it in bars, cut off, or on its own blurred enlargement."""

    PAD = "PAD"
    CROP = "CROP"
    BLUR = "BLUR"


class JoinKind(enum.StrEnum):
    """How one cut becomes the next."""

    CROSSFADE = "CROSSFADE"
    DIP_TO_BLACK = "DIP_TO_BLACK"
    DIP_TO_WHITE = "DIP_TO_WHITE"
    WIPE_LEFT = "WIPE_LEFT"
    WIPE_RIGHT = "WIPE_RIGHT"
    WIPE_UP = "WIPE_UP"
    WIPE_DOWN = "WIPE_DOWN"


DIPS = frozenset({JoinKind.DIP_TO_BLACK, JoinKind.DIP_TO_WHITE})
"""Kinds that show one cut at a time; all others show two at once."""


@dataclass(frozen=True, slots=True)
class Join:
    """A kind of join and how many frames it takes."""

    kind: JoinKind
    frames: int

    @property
    def overlap(self) -> int:
        """How many frames show both cuts."""
        return 0 if self.kind in DIPS else self.frames


@dataclass(frozen=True, slots=True)
class Scene:
    """What an entry of the edit list stands for; the title names its chapter, and may be empty."""

    scene_id: str
    take_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Trim:
    """The frames of a clip that are used; `frames` None takes all that follow."""

    first: int = 0
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Words on one colour; colours as `#rrggbb`."""

    text: str
    subtext: str
    frames: int
    background: str
    ink: str


@dataclass(frozen=True, slots=True)
class Caption:
    """A text under the picture, by frames of its cut; `frames` None shows it to the cut's end."""

    text: str
    first: int = 0
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One cut: a stored clip under its blob key, or a card."""

    scene: Scene
    source: str | Card
    trim: Trim = Trim()
    join: Join | None = None
    gain_db: float = 0.0
    fit: Fit = Fit.PAD
    captions: tuple[Caption, ...] = ()


@dataclass(frozen=True, slots=True)
class Music:
    """A stored sound under the whole film; fades in frames, `duck_db` how far it steps back for other sounds."""

    source: str
    gain_db: float
    fade_in: int
    fade_out: int
    duck_db: float


@dataclass(frozen=True, slots=True)
class Narration:
    """A stored voice that starts at a frame of the film."""

    source: str
    first: int
    gain_db: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What the edit list asks of the picture; None takes what most clips have."""

    size: tuple[int, int] | None = None
    fps: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A whole edit list. Loudness in LUFS (EBU R128); `language` a BCP 47 tag, or empty.

    `generated`: a model made some of it, and the film has to say so.
    """

    title: str
    entries: tuple[Entry, ...]
    wish: Wish = Wish()
    ending: Join | None = None
    music: Music | None = None
    narrations: tuple[Narration, ...] = ()
    loudness: float = -14.0
    burnt: bool = False
    language: str = ""
    generated: bool = False


def sources(wanted: Edit) -> tuple[str, ...]:
    """Every stored file it names, each once, in order."""
    return tuple(dict.fromkeys((*pictures(wanted), *sounds(wanted))))


def pictures(wanted: Edit) -> tuple[str, ...]:
    """Every stored file whose pictures it shows, each once, in order."""
    return tuple(dict.fromkeys(entry.source for entry in wanted.entries if isinstance(entry.source, str)))


def sounds(wanted: Edit) -> tuple[str, ...]:
    """Every stored file that it lets be heard beside its clips, each once, in order."""
    music = [wanted.music.source] if wanted.music else []
    return tuple(dict.fromkeys((*music, *(voice.source for voice in wanted.narrations))))


def scene_of(wanted: Edit, keys: Collection[str]) -> Scene:
    """The first scene that uses one of these files; the music and the narrations are no scene, but have a name."""
    scenes = (entry.scene for entry in wanted.entries if entry.source in keys)
    return next(scenes, Scene("", "", "music or narration"))
