"""What a board must be, said to a person: the rules between its fields."""

from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
import pydantic_core

from services.cli import board, field_words, yaml_file

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


def broken(raw: Any) -> Iterator[yaml_file.Broken]:
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


def explain(fault: pydantic_core.ErrorDetails) -> yaml_file.Broken:
    """A field that is not what it should be."""
    return field_words.explain(fault, "a board", _fields(fault["loc"]), _MEANT)


def _repeated(group: str, raw: Mapping[str, Any]) -> Iterator[yaml_file.Broken]:
    seen: set[str] = set()
    for index, entry in _entries(raw, group):
        name = entry.get("name")
        if isinstance(name, str) and name.strip() in seen:
            yield (
                (group, index, "name"),
                f"is {field_words.shown(name)}, the name of another one",
                "Names are unique: change one.",
            )
        seen.add(str(name).strip())


def _strangers(at: yaml_file.Loc, given: Any, known: list[str], noun: str) -> Iterator[yaml_file.Broken]:
    for index, name in enumerate(given if isinstance(given, list) else []):
        yield from _stranger((*at, index), name, known, noun)
        if name in given[:index]:
            yield (*at, index), f"names {field_words.shown(name)} twice", "Remove one."


def _stranger(at: yaml_file.Loc, name: Any, known: list[str], noun: str) -> Iterator[yaml_file.Broken]:
    if isinstance(name, str) and name.strip() not in known:
        remedy = field_words.did_you_mean(name, known, f"Add it to the board's {noun}s, or correct it.", _MEANT)
        yield at, f"names {field_words.shown(name)}, which is no {noun} of the board", remedy


def _size(raw: Mapping[str, Any]) -> Iterator[yaml_file.Broken]:
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


def _fields(loc: yaml_file.Loc) -> Mapping[str, pydantic.fields.FieldInfo]:
    return (_GROUPS[str(loc[0])] if len(loc) > 1 else board.Board).model_fields
