"""The plan of a film: which clip goes where, to the frame, and which pictures can be copied as they are."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from services.compiler import parameters

_COPIED_PROFILES = ("Constrained Baseline", "Main", "High")


@dataclass(frozen=True, slots=True)
class Profile:
    """The picture a film is made in: size in square pixels, and exact frames per second."""

    width: int
    height: int
    fps: Fraction


@dataclass(frozen=True, slots=True)
class Wish:
    """What the edit list asks of the picture; None takes what most clips have."""

    size: tuple[int, int] | None = None
    fps: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a probe found in one clip.

    `width` and `height` are as shown: upright, in square pixels. `steady`: every picture sits on the grid of
    `fps`. `plain`: stored as shown (not turned, not squeezed, nothing hidden by an edit list) and starting on
    an IDR picture. `rotation`: clockwise degrees that turn the stored picture upright. `reorder`: how many
    pictures decoding runs ahead of showing. `parameters`: the `avcC` of H.264, else empty. `matrix`: how
    colours are kept.
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    seconds: Fraction
    codec: str
    profile: str
    pixels: str
    parameters: bytes
    steady: bool
    plain: bool
    rotation: int
    matrix: str
    reorder: int
    sound: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What an entry of the edit list stands for; the title names its chapter, and may be empty."""

    scene_id: str
    take_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Clip:
    """One entry of the edit list with what was found in its media."""

    scene: Scene
    facts: Facts


@dataclass(frozen=True, slots=True)
class Cut:
    """One clip's place in the film, counted from 1, to the frame; `conform` says why it cannot be copied."""

    number: int
    clip: Clip
    start: int
    frames: int
    conform: tuple[str, ...]

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.start + self.frames

    @property
    def title(self) -> str:
        """The chapter's title."""
        return self.clip.scene.title or f"Scene {self.number}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A film to the frame. `parameter_id` is the H.264 parameter set id for the clips that are encoded."""

    title: str
    profile: Profile
    cuts: tuple[Cut, ...]
    parameter_id: int

    @property
    def frames(self) -> int:
        """How many pictures the film has."""
        return self.cuts[-1].end

    @property
    def seconds(self) -> Fraction:
        """How long the film is."""
        return self.frames / self.profile.fps

    def at(self, frame: int) -> Cut:
        """The cut that shows this frame."""
        return next(cut for cut in self.cuts if frame < cut.end)


def plan(title: str, clips: Sequence[Clip], wish: Wish) -> Plan:
    """Place the clips, at least one, one after the other. The same input is always the same plan.

    Clips are copied only when they all share one set of parameters: the set that fills most seconds wins, the
    other clips are conformed to the house format.
    """
    profile = _profile(clips, wish)
    obstacles = [_obstacles(clip.facts, profile) for clip in clips]
    copyable = [clip for clip, why in zip(clips, obstacles, strict=True) if not why]
    weights = _seconds((clip.facts.parameters for clip in copyable), copyable)
    kept = max(weights, key=weights.__getitem__, default=None)
    cuts: list[Cut] = []
    for number, (clip, why) in enumerate(zip(clips, obstacles, strict=True), 1):
        if not why and clip.facts.parameters != kept:
            why = ("its encoder settings differ from those of most clips",)
        frames = nearest(clip.facts.seconds * profile.fps) if why else clip.facts.frames
        cuts.append(Cut(number, clip, cuts[-1].end if cuts else 0, max(1, frames), why))
    return Plan(title, profile, tuple(cuts), parameters.free_id(kept))


def nearest(number: Fraction) -> int:
    """The nearest integer, halves up: the one rounding of frames and samples."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def _profile(clips: Sequence[Clip], wish: Wish) -> Profile:
    weights = _seconds(((clip.facts.width, clip.facts.height, clip.facts.fps) for clip in clips), clips)
    width, height, fps = max(weights, key=weights.__getitem__)
    width, height = wish.size or (width, height)
    return Profile(max(2, width // 2 * 2), max(2, height // 2 * 2), wish.fps or fps)


def _obstacles(facts: Facts, profile: Profile) -> tuple[str, ...]:
    """Why this clip's pictures cannot be copied into a film of this profile."""
    size, wanted = f"{facts.width}x{facts.height}", f"{profile.width}x{profile.height}"
    checks = [
        (facts.codec == "h264" and facts.profile in _COPIED_PROFILES, f"it is {facts.codec} {facts.profile}"),
        (facts.pixels == "yuv420p", f"its pixels are {facts.pixels}"),
        (bool(facts.parameters), "its parameter sets are not kept apart from its pictures"),
        (size == wanted, f"its picture is {size}, the film's {wanted}"),
        (facts.fps == profile.fps, f"it runs at {facts.fps} frames a second, the film at {profile.fps}"),
        (facts.steady, "its frame rate varies"),
        (facts.plain, "its pictures are turned, squeezed, trimmed or do not start on their own"),
    ]
    return tuple(why for fine, why in checks if not fine)


T = TypeVar("T", bound=Hashable)


def _seconds(keys: Iterable[T], clips: Sequence[Clip]) -> dict[T, Fraction]:
    """How many seconds of film each key stands for, the earliest key first."""
    seconds: dict[T, Fraction] = defaultdict(Fraction)
    for key, clip in zip(keys, clips, strict=True):
        seconds[key] += clip.facts.seconds
    return seconds
