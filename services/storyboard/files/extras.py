"""What a format has no words for: said beside the board as fields of our own, so that a round trip loses nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.storyboard.files import draft, plain

NAMED = {"cast": "characters", "location": "locations", "props": "props"}
"""Fields of a scene that name things of the board, and where those are."""


def left(wanted: Mapping[str, Any], read: Mapping[str, Any], but: Sequence[str] = ()) -> dict[str, Any]:
    """The fields that were not read as they are wanted; empty for one that should say nothing."""
    names = dict.fromkeys((*wanted, *read))
    return {
        name: wanted.get(name, "")
        for name in names
        if name not in but and plain.texts(wanted.get(name, "")) != plain.texts(read.get(name, ""))
    }


def lay(told: draft.Draft, loc: draft.Loc, over: Any, line: int, written: Sequence[str] = ()) -> None:
    """Put fields over what was read there; what is `written` in the format's own words too is warned of."""
    if not isinstance(over, dict):
        told.warn(loc, f"what is said to rushes is {draft.shown(over)}, not fields; it is passed over", line)
        return
    into = told.raw
    for step in loc:
        into = into[step]  # type: ignore[index]
    for name, value in over.items():
        if name in written and into.get(name) != value:
            told.warn((*loc, name), "is said twice, and what is said to rushes is taken; remove one of the two", line)
        told.lines[(*loc, name)] = line
        if value == "":
            into.pop(name, None)
        else:
            into[name] = value


def complete(told: draft.Draft) -> None:
    """Add the people, places and things that scenes name and nobody described."""
    for field, kind in NAMED.items():
        things = told.raw.setdefault(kind, [])
        if not isinstance(things, list):
            continue
        known = {_name(it) for it in things}
        for index, scene in enumerate(told.raw.get("scenes", ())):
            for name in _named(scene.get(field)):
                if name not in known:
                    known.add(name)
                    told.lines[(kind, len(things))] = told.line(("scenes", index, field))
                    things.append({"name": name})
        if not things:
            del told.raw[kind]


def _name(thing: Any) -> str:
    name = thing.get("name") if isinstance(thing, dict) else None
    return name.strip() if isinstance(name, str) else ""


def _named(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]
