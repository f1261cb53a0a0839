"""Tells two versions of a storyboard apart, field by field, and makes the one from the other again: pure."""

import bisect
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.storyboard import domain

KINDS = ("characters", "locations", "props", "scenes")
"""The fields of a storyboard that hold things with ids, in an order."""

_SINGLE = tuple(field.name for field in dataclasses.fields(domain.Content) if field.name not in KINDS)

Path = tuple[str, ...]
"""`("name",)`; `("scenes", id, "action")`; `("scenes", id)` for a whole scene; `("scenes",)` for the order of them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; before is None where it was not there, after where it is no more. An order is a tuple of ids."""

    path: Path
    before: Any
    after: Any


def changes(before: domain.Content, after: domain.Content) -> list[Change]:
    """All that differs, none of it twice."""
    found = [Change((name,), getattr(before, name), getattr(after, name)) for name in _SINGLE]
    found = [change for change in found if change.before != change.after]
    for kind in KINDS:
        if getattr(before, kind) != getattr(after, kind):
            found += _of_kind(kind, by_id(before, kind), by_id(after, kind))
    return found


def by_id(content: domain.Content, kind: str) -> dict[str, Any]:
    """The things of a kind by their ids, in order."""
    return {thing.id: thing for thing in getattr(content, kind)}


def _of_kind(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    if list(before) != list(after):
        yield Change((kind,), tuple(before), tuple(after))
    for id in dict.fromkeys((*before, *after)):
        old, new = before.get(id), after.get(id)
        if old is None or new is None:
            yield Change((kind, id), old, new)
            continue
        for field in dataclasses.fields(old):
            was, is_now = getattr(old, field.name), getattr(new, field.name)
            if was != is_now:
                yield Change((kind, id, field.name), was, is_now)


def patched(content: domain.Content, differences: Sequence[Change]) -> domain.Content:
    """The content with these changes made to it; what they do to things that are gone is passed over."""
    single: dict[str, Any] = {change.path[0]: change.after for change in differences if change.path[0] in _SINGLE}
    kinds: dict[str, Any] = {
        kind: _patched(content, kind, [change for change in differences if change.path[0] == kind]) for kind in KINDS
    }
    return dataclasses.replace(content, **single, **kinds)


def _patched(content: domain.Content, kind: str, differences: Sequence[Change]) -> tuple[Any, ...]:
    things, order = by_id(content, kind), [thing.id for thing in getattr(content, kind)]
    for change in differences:
        match change.path:
            case (_, id) if change.after is None:
                things.pop(id, None)
            case (_, id):
                things[id] = change.after
            case (_, id, field) if id in things:
                things[id] = dataclasses.replace(things[id], **{field: change.after})
    for change in differences:
        if change.path == (kind,):
            order = _reordered(order, change.before, change.after)
    return tuple(things[id] for id in order if id in things)


def _reordered(order: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What was moved or added between before and after is put behind the same thing here; the rest stays."""
    placed = moved(before, after) | (set(after) - set(before))
    gone = set(before) - set(after)
    result = [id for id in order if id not in placed and id not in gone]
    last = -1
    for id in after:
        if id in placed:
            last += 1
            result.insert(last, id)
        elif id in result:
            last = result.index(id)
    return result


def moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """The fewest of those in both that must be taken out and put elsewhere, for the one order to become the other."""
    places = {id: place for place, id in enumerate(before)}
    common = [id for id in after if id in places]
    return set(common) - set(_longest_rising(common, places))


def _longest_rising(ids: Sequence[str], places: Mapping[str, int]) -> Iterator[str]:
    """The longest run of ids whose places rise: patience sorting, with a way back."""
    ends: list[int] = []
    last_of: list[str] = []
    come_from: dict[str, str | None] = {}
    for id in ids:
        pile = bisect.bisect_left(ends, places[id])
        ends[pile : pile + 1] = [places[id]]
        last_of[pile : pile + 1] = [id]
        come_from[id] = last_of[pile - 1] if pile else None
    at = last_of[-1] if last_of else None
    while at is not None:
        yield at
        at = come_from[at]
