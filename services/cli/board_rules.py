"""What a board must be, said to a person: the rules between its fields, and plain words for a field that is wrong."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pydantic
import pydantic_core

from services.cli import board

Loc = tuple[str | int, ...]
Broken = tuple[Loc, str, str]
"""Where, what is wrong, and the remedy."""

_GROUPS: Mapping[str, type[pydantic.BaseModel]] = {
    "characters": board.Character,
    "locations": board.Location,
    "props": board.Prop,
    "scenes": board.Scene,
}
# What people write instead, where the spelling is too far away to guess.
_MEANT = {
    "aspect_ratio": "aspect",
    "description": "profile",
    "length": "duration",
    "look": "preset",
    "prompt": "subject",
    "seconds": "duration",
    "style": "preset",
    "seem": "seam",
    "title": "name",
    "transition": "seam",
}
_NO_NUMBER = ("is {given}, not a whole number", "Write digits only, such as 4.")
_NO_GROUP = ("is {given}, not a group of fields", "Write fields such as `name: ...` below it.")
_WORDS = {
    "missing": ("is missing", "Add it."),
    "string_too_short": ("is empty", "Write something."),
    "string_too_long": ("has more than {max_length} characters", "Shorten it."),
    "string_type": ("is {given}, not text", "Write plain text."),
    "string_pattern_mismatch": ("is {given}", "Write width x height in pixels, such as 1920x1080."),
    "int_parsing": _NO_NUMBER,
    "int_type": _NO_NUMBER,
    "int_from_float": _NO_NUMBER,
    "int_parsing_size": _NO_NUMBER,
    "greater_than_equal": ("is {raw}, which is too small", "Use {ge} or more."),
    "less_than_equal": ("is {raw}, which is too large", "Use {le} or less."),
    "bool_parsing": ("is {given}", "Use true or false."),
    "bool_type": ("is {given}", "Use true or false."),
    "list_type": ("is {given}, not a list", "Start each entry on its own line with a dash."),
    "too_short": ("is empty", "Add at least one."),
    "too_long": ("has {actual_length} entries, at most {max_length} are allowed", "Remove some."),
}
"""What is wrong and the remedy, by pydantic's type of error."""


def broken(raw: Any) -> Iterator[Broken]:
    """The rules between fields; what is not of its kind is passed over, for it is told elsewhere."""
    if not isinstance(raw, dict):
        return
    for group in ("characters", "locations", "props"):
        yield from _repeated(group, raw)
    for index, scene in _entries(raw, "scenes"):
        at = ("scenes", index)
        yield from _strangers((*at, "cast"), scene.get("cast"), _names(raw, "characters"), "character")
        yield from _strangers((*at, "props"), scene.get("props"), _names(raw, "props"), "prop")
        yield from _stranger((*at, "location"), scene.get("location"), _names(raw, "locations"), "location")
        if index == 0 and scene.get("seam") in ("last_frame", "shared_keyframe"):
            yield (*at, "seam"), f"is {scene['seam']}, but no scene comes before the first", "Use cut."
    yield from _size(raw)


def explain(fault: pydantic_core.ErrorDetails) -> Broken:
    """A field that is not what it should be."""
    loc, given, facts = fault["loc"], fault["input"], fault.get("ctx", {})
    if fault["type"] == "extra_forbidden":
        return loc, "is no field of a board", _did_you_mean(str(loc[-1]), _fields(loc), "Remove it.")
    if fault["type"] == "literal_error":
        allowed = [word.strip("'") for word in facts["expected"].replace(" or ", ", ").split(", ")]
        choice = f"Use one of: {', '.join(allowed)}."
        return loc, f"is {_shown(given)}", _did_you_mean(str(given), allowed, choice)
    wrong, remedy = _WORDS.get(fault["type"], _NO_GROUP)
    return loc, wrong.format(given=_shown(given), raw=given, **facts), remedy.format(**facts)


def _repeated(group: str, raw: Mapping[str, Any]) -> Iterator[Broken]:
    seen: set[str] = set()
    for index, entry in _entries(raw, group):
        name = entry.get("name")
        if isinstance(name, str) and name.strip() in seen:
            yield (group, index, "name"), f"is {_shown(name)}, the name of another one", "Names are unique: change one."
        seen.add(str(name).strip())


def _strangers(at: Loc, given: Any, known: list[str], noun: str) -> Iterator[Broken]:
    for index, name in enumerate(given if isinstance(given, list) else []):
        yield from _stranger((*at, index), name, known, noun)
        if name in given[:index]:
            yield (*at, index), f"names {_shown(name)} twice", "Remove one."


def _stranger(at: Loc, name: Any, known: list[str], noun: str) -> Iterator[Broken]:
    if isinstance(name, str) and name.strip() not in known:
        remedy = _did_you_mean(name, known, f"Add it to the board's {noun}s, or correct it.")
        yield at, f"names {_shown(name)}, which is no {noun} of the board", remedy


def _size(raw: Mapping[str, Any]) -> Iterator[Broken]:
    width, by, height = str(raw.get("size", "")).partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        return
    if "aspect" in raw:
        yield ("size",), "is given together with aspect", "Keep one of the two."
    if any(int(side) % 2 or not 128 <= int(side) <= 7680 for side in (width, height)):
        yield ("size",), f"is {width}x{height}", "Both numbers are even, from 128 to 7680."


def _entries(raw: Mapping[str, Any], group: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = raw.get(group)
    if isinstance(entries, list):
        yield from ((index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict))


def _names(raw: Mapping[str, Any], group: str) -> list[str]:
    return [entry["name"].strip() for _, entry in _entries(raw, group) if isinstance(entry.get("name"), str)]


def _fields(loc: Loc) -> Iterable[str]:
    return (_GROUPS[str(loc[0])] if len(loc) > 1 else board.Board).model_fields


def _did_you_mean(given: str, known: Iterable[str], otherwise: str) -> str:
    spellings = {name.casefold(): name for name in known}
    spellings |= {said: spellings[meant] for said, meant in _MEANT.items() if meant in spellings}
    near = difflib.get_close_matches(given.casefold(), spellings, n=1, cutoff=0.6)
    return f"Did you mean {spellings[near[0]]}?" if near else otherwise


def _shown(given: Any) -> str:
    if isinstance(given, str):
        return repr(given if len(given) <= 60 else given[:59] + "…")
    return "a list" if isinstance(given, list) else "a group of fields"
