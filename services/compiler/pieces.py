"""Divides a film into what is copied from its clips and what has to be drawn and encoded between."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.compiler import timeline
from services.compiler.edit import DIPS, Card
from services.compiler.recipes import Edge, Layer, Profile, Render, Run, Words
from services.compiler.timeline import Place

_SHORTEST_COPY = 12  # frames: an encoder's start costs more than a shorter run would save
_LONGEST_RENDER = 36  # frames: longer stretches are shared among workers


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where a cut's pictures come from: the address of a file, its length, and its pictures that stand on their own."""

    source: str
    frames: int
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Copy:
    start: int
    run: Run

    @property
    def end(self) -> int:
        return self.start + self.run.frames


def divide(
    places: Sequence[Place], pictures: Sequence[Pictures | None], burnt: bool, profile: Profile, parameter_id: int
) -> Iterator[Run | Render]:
    """The film from its first frame to its last, copies and renders in turn; `pictures` is None for a card."""
    at = 0
    for copy in _copies(places, pictures, burnt):
        yield from _renders(places, pictures, burnt, profile, parameter_id, at, copy.start)
        yield copy.run
        at = copy.end
    yield from _renders(places, pictures, burnt, profile, parameter_id, at, places[-1].end)


def uncopied(one: Place, pictures: Pictures, burnt: bool) -> int:
    """How many frames that nothing is drawn on could not be copied all the same."""
    stretches = list(timeline.untouched(one, burnt))
    copied = [copy for stretch in stretches if (copy := _copy(one, pictures, *stretch))]
    return sum(end - start for start, end in stretches) - sum(copy.run.frames for copy in copied)


def _copies(places: Sequence[Place], pictures: Sequence[Pictures | None], burnt: bool) -> Iterator[_Copy]:
    for one, source in zip(places, pictures, strict=True):
        for stretch in timeline.untouched(one, burnt) if source else ():
            if source and (copy := _copy(one, source, *stretch)):
                yield copy


def _copy(one: Place, pictures: Pictures, start: int, end: int) -> _Copy | None:
    """The groups of pictures that lie whole in this stretch of the film."""
    to_source = one.first - one.start
    first = next((key for key in pictures.keys if key >= start + to_source), pictures.frames)
    ends = (*pictures.keys, pictures.frames)
    last = max((key for key in ends if key <= end + to_source), default=0)
    whole = (first, last) == (start + to_source, end + to_source)
    if last - first < (1 if whole else _SHORTEST_COPY):
        return None
    return _Copy(first - to_source, Run(pictures.source, first, last - first))


def _renders(
    places: Sequence[Place],
    pictures: Sequence[Pictures | None],
    burnt: bool,
    profile: Profile,
    parameter_id: int,
    start: int,
    end: int,
) -> Iterator[Render]:
    for first, last in _parts(places, start, end):
        seen = [pair for pair in zip(places, pictures, strict=True) if pair[0].start < last and pair[0].end > first]
        layers = tuple(_layer(one, source, first, last) for one, source in seen)
        words = tuple(word for one, _ in seen for word in _words(one, first, last)) if burnt else ()
        yield Render(profile, last - first, parameter_id, layers, words)


def _parts(places: Sequence[Place], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretch divided at plain cuts, for a scene begins with a key picture, and then into like parts."""
    cuts = [one.start for one in places if one.overlap == 0 and start < one.start < end]
    for first, last in zip([start, *cuts], [*cuts, end], strict=True):
        count = -(-(last - first) // _LONGEST_RENDER)
        edges = [first + (last - first) * part // count for part in range(count + 1)] if count else []
        yield from itertools.pairwise(edges)


def _layer(one: Place, pictures: Pictures | None, first: int, last: int) -> Layer:
    """The cut by the frames of the piece; what the piece does not show of it must not be in its address."""
    start, end, source_first = one.start - first, one.end - first, one.first
    lead = Edge(one.comes.kind, one.lead) if one.comes and one.lead and start + one.lead > 0 else None
    dips = one.goes and one.goes.kind in DIPS and one.tail and end - one.tail < last - first
    tail = Edge(one.goes.kind, one.tail) if one.goes and dips else None
    if lead is None and start < 0:
        start, source_first = 0, source_first - start
    if tail is None:
        end = min(end, last - first)
    if isinstance(one.entry.source, Card) or pictures is None:
        return Layer(_still(one.entry.source), 0, start, end, lead, tail)
    return Layer(pictures.source, source_first, start, end, lead, tail)


def _still(source: str | Card) -> str | Card:
    """A card looks the same however long it is shown."""
    return source if isinstance(source, str) else Card(source.text, source.subtext, 0, source.background, source.ink)


def _words(one: Place, first: int, last: int) -> Iterator[Words]:
    for text, start, end in timeline.captions(one):
        if start < last and end > first:
            yield Words(text, max(start - first, 0), min(end, last) - first)
