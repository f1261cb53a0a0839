"""Places the cuts of an edit list in the film, to the frame, and finds where nothing is drawn over a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.compiler import domain
from services.compiler.edit import DIPS, Card, Edit, Entry, Join


@dataclass(frozen=True, slots=True)
class Place:
    """Where one cut is seen: frames `start` up to `end` of the film, from its source's frame `first` on.

    `comes` and `goes` are its joins with its neighbours; `lead` and `tail` are how many of its frames they take.
    """

    number: int
    entry: Entry
    start: int
    frames: int
    first: int
    comes: Join | None
    goes: Join | None
    lead: int
    tail: int

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.start + self.frames

    @property
    def overlap(self) -> int:
        """How many frames show the cut before as well."""
        return self.comes.overlap if self.comes else 0

    @property
    def title(self) -> str:
        """What the cut is called: its scene's title, or a card's words."""
        source, given = self.entry.source, self.entry.scene.title
        words = source.text.split("\n")[0] if isinstance(source, Card) else ""
        return given or words or f"Scene {self.number}"


def place(edit: Edit, available: Sequence[int]) -> tuple[Place, ...]:
    """Place every entry; `available` says how many frames each has.

    Raises domain.TrimBeyondClip and domain.JoinTooLong.
    """
    places: list[Place] = []
    for index, (entry, frames) in enumerate(zip(edit.entries, available, strict=True)):
        last = index + 1 == len(edit.entries)
        goes = edit.ending if last else edit.entries[index + 1].join
        used = _used(entry, frames, index + 1)
        (_, lead), (tail, _) = _sides(entry.join, index == 0), _sides(goes, last)
        start = places[-1].end - (entry.join.overlap if entry.join else 0) if places else 0
        one = Place(index + 1, entry, start, used, entry.trim.first, entry.join, goes, lead, tail)
        if one.lead + one.tail > one.frames:
            raise domain.JoinTooLong(number=one.number, title=one.title, frames=one.frames, taken=one.lead + one.tail)
        places.append(one)
    return tuple(places)


def captions(one: Place) -> Iterator[tuple[str, int, int]]:
    """Each caption's text, its first frame in the film, and the frame after its last."""
    for caption in one.entry.captions:
        start = min(one.start + caption.first, one.end)
        end = one.end if caption.frames is None else min(start + caption.frames, one.end)
        if start < end:
            yield caption.text, start, end


def untouched(one: Place, burnt: bool) -> Iterator[tuple[int, int]]:
    """The stretches of the film that show this clip and nothing else: no join, no card, no words."""
    if isinstance(one.entry.source, Card):
        return
    start = one.start + one.lead
    for _, first, end in captions(one) if burnt else ():
        if start < first:
            yield start, min(first, one.end - one.tail)
        start = max(start, end)
    if start < one.end - one.tail:
        yield start, one.end - one.tail


def _used(entry: Entry, available: int, number: int) -> int:
    trim = entry.trim
    frames = available - trim.first if trim.frames is None else trim.frames
    if frames < 1 or trim.first + frames > available:
        raise domain.TrimBeyondClip(number=number, title=entry.scene.title, available=available)
    return frames


def _sides(join: Join | None, alone: bool) -> tuple[int, int]:
    """How many frames it takes of the cut before and of the coming one: half in each when it is a dip between two."""
    if join is None:
        return 0, 0
    if join.kind in DIPS and not alone:
        return join.frames // 2, join.frames - join.frames // 2
    return join.frames, join.frames


def nearest(number: Fraction) -> int:
    """The nearest integer, halves up: the one rounding of frames and samples."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)
