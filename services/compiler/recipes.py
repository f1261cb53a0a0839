"""Recipes: everything that decides the bytes of one piece of a film, and the address that follows from it."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pydantic

from services.compiler.edit import Card, Fit, JoinKind

RENDERER = 1
"""Raised by every change that makes other bytes of the same recipe: old pieces are then made anew."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The picture a film is made in: size in square pixels, exact frames per second, and how colours are kept."""

    width: int
    height: int
    fps: Fraction
    matrix: str = "bt709"


@dataclass(frozen=True, slots=True)
class House:
    """A whole clip in the house format: `frames` pictures of the film's size and rate, a key picture each second."""

    source: str
    profile: Profile
    frames: int
    fit: Fit
    parameter_id: int


@dataclass(frozen=True, slots=True)
class Edge:
    """How a layer comes or goes, and in how many frames: a dip against its colour, all else against the layer below."""

    kind: JoinKind
    frames: int


@dataclass(frozen=True, slots=True)
class Words:
    """A caption drawn on pictures `start` up to `end` of the piece."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One cut as far as a piece shows it: pictures `start` up to `end` of the piece, either may lie outside of it.

    Picture `first` of the source is shown at `start`. Where two layers meet, the later one comes by its `lead`.
    """

    source: str | Card
    first: int
    start: int
    end: int
    lead: Edge | None
    tail: Edge | None


@dataclass(frozen=True, slots=True)
class Render:
    """Pictures that are drawn and encoded: joins, cards, captions, and what could not be copied around them."""

    profile: Profile
    frames: int
    parameter_id: int
    layers: tuple[Layer, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound of one cut: frames `start` up to `end` of the film, from the source's frame `first` on.

    `lead` and `tail` are how many frames it takes to come and go; `crossed` when the neighbour is heard meanwhile.
    `source` None is silent.
    """

    source: str | None
    first: int
    start: int
    end: int
    gain_db: float
    lead: int
    tail: int
    lead_crossed: bool
    tail_crossed: bool


@dataclass(frozen=True, slots=True)
class Bed:
    """Music under all of the film; fades in frames."""

    source: str
    gain_db: float
    fade_in: int
    fade_out: int
    duck_db: float


@dataclass(frozen=True, slots=True)
class Voice:
    """A narration from a frame of the film on."""

    source: str
    start: int
    gain_db: float


@dataclass(frozen=True, slots=True)
class Sound:
    """All that is heard in a film of so many frames, brought to one loudness (LUFS)."""

    fps: Fraction
    frames: int
    heard: tuple[Heard, ...]
    bed: Bed | None
    voices: tuple[Voice, ...]
    loudness: float


@dataclass(frozen=True, slots=True)
class Run:
    """Pictures copied into the film as they are: `frames` of a source from `first` on, which is a key picture."""

    source: str
    first: int
    frames: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A cut's place in the film, counted from 1, and its name; its frames are `start` up to `end`."""

    number: int
    title: str
    start: int
    end: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Subtitle:
    """A caption of the soft track, by frames of the film."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A stretch of a film's pictures, looked through before there is a film; frames count from the first of `runs`.

    Something ends before each of `joins`, or begins with it. Of each of `scenes`, its frames `start` up to `end`, a
    still is kept as large as on the contact sheet of a film of `all_scenes`, and a small one at each of `small`;
    `poster`: also one of the first scene, as large as it is.
    """

    profile: Profile
    runs: tuple[Run, ...]
    joins: tuple[int, ...]
    scenes: tuple[tuple[int, int], ...]
    all_scenes: int
    small: tuple[int, ...]
    poster: bool

    @property
    def frames(self) -> int:
        """How many pictures its runs have."""
        return sum(run.frames for run in self.runs)


@dataclass(frozen=True, slots=True)
class Proven:
    """The address of a proof, and the frame of the film that its first run begins with."""

    source: str
    at: int


@dataclass(frozen=True, slots=True)
class Film:
    """The finished file: pictures run by run, one sound, chapters and captions.

    `ahead` is how many frames decoding runs ahead of showing: the most that any of its runs needs. `generated`: it
    bears the mark of what AI has made. `proofs` are of all of its pictures, in order.
    """

    title: str
    profile: Profile
    runs: tuple[Run, ...]
    ahead: int
    sound: str
    loudness: float
    chapters: tuple[Chapter, ...]
    subtitles: tuple[Subtitle, ...]
    language: str
    generated: bool
    proofs: tuple[Proven, ...] = ()

    @property
    def frames(self) -> int:
        """How many pictures the film has."""
        return sum(run.frames for run in self.runs)

    @property
    def seconds(self) -> Fraction:
        """How long the film is."""
        return self.frames / self.profile.fps


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP: sources under the names they get in it, and files of which the whole text is here."""

    sources: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A ZIP of a finished film of so many frames as a web server streams it: HLS, as it is and in half the size."""

    source: str
    profile: Profile
    frames: int


@dataclass(frozen=True, slots=True)
class Still:
    """One picture of a clip, `longest` pixels at most on its longer side; 0 for all there are.

    At `seconds`, or the last, or else the first key picture that shows something.
    """

    source: str
    seconds: Fraction | None
    last: bool
    longest: int


ENCODE_STEPS = 12
"""How many pictures are copied in the time that one is encoded."""

Recipe = House | Render | Sound | Proof | Film | Archive | Stream | Still

_KINDS: dict[str, type[Recipe]] = {
    kind.__name__: kind for kind in (House, Render, Sound, Proof, Film, Archive, Stream, Still)
}


def address(recipe: Recipe) -> str:
    """The sha256, in hex, of everything that decides the bytes: the same recipe is the same piece, for ever."""
    return hashlib.sha256(f"{RENDERER} {line(recipe)}".encode()).hexdigest()


def steps(recipe: Recipe) -> int:
    """How much work it is, in pictures copied: encoding one takes about as long as copying twelve."""
    match recipe:
        case House() | Render():
            return recipe.frames * ENCODE_STEPS
        case Archive():
            return max(1, len(recipe.sources))
        case Still():
            return 1
        case _:
            return recipe.frames


def line(recipe: Recipe) -> str:
    """The recipe as one line of JSON, always the same for the same recipe."""
    told = {"kind": type(recipe).__name__} | dataclasses.asdict(recipe)
    return json.dumps(told, sort_keys=True, separators=(",", ":"), default=str)


def needs(recipe: Recipe) -> tuple[str, ...]:
    """The addresses and digests that must be at hand to make it, each once, in order."""
    match recipe:
        case House(source=source):
            found: list[Any] = [source]
        case Render(layers=layers):
            found = [layer.source for layer in layers]
        case Sound(heard=heard, bed=bed, voices=voices):
            found = [*(cut.source for cut in heard), bed and bed.source, *(voice.source for voice in voices)]
        case Archive(sources=sources):
            found = [source for _, source in sources]
        case Stream(source=source) | Still(source=source):
            found = [source]
        case Proof(runs=runs):
            found = [run.source for run in runs]
        case Film(runs=runs, sound=sound, proofs=proofs):
            found = [*(run.source for run in runs), sound, *(one.source for one in proofs)]
    return tuple(dict.fromkeys(source for source in found if isinstance(source, str)))


def read(text: str | bytes) -> Recipe:
    """The recipe of a line. Raises ValueError for anything else."""
    told = json.loads(text)
    kind = _KINDS[told.pop("kind")]
    return pydantic.TypeAdapter(kind).validate_python(told)
