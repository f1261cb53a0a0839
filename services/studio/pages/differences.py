"""How two revisions differ, in words: what was put in and taken out, thing by thing, and what stands elsewhere."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import json_format, struct_pb2

from rushes.storyboard.v1 import storyboard_pb2

_C = storyboard_pb2.Change
_PATH = re.compile(r"(?P<kind>\w+)(?:\[(?P<id>[^\]]+)\](?:\.(?P<field>\w+))?)?")
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
SECTIONS = {
    "film": "The film and its look",
    "characters": "Cast",
    "locations": "Places",
    "props": "Props",
    "scenes": "Scenes",
}
_ONE = {"characters": "character", "locations": "place", "props": "prop", "scenes": "scene"}
_WORDS = ("title", "subject", "action", "setting", "dialogue", "caption", "logline", "name", "profile", "description")
_LEFT_OUT = ("id", "identity_tag", "references", "seed")
_FIRST = ("title", "name", "subject", "action")
_NAMES = {"preset": "look", "size": "picture", "negative_prompt": "not to be seen"}
_VERBS = {_C.KIND_ADDED: "added", _C.KIND_REMOVED: "taken out", _C.KIND_MOVED: "moved"}
_LONGEST = 4000

Piece = tuple[str, str]
"""`ins`, `del` or nothing, and the words."""


class Field(NamedTuple):
    """One field that differs; a thing that is new or gone has one without a name for each of its words."""

    name: str
    pieces: Sequence[Piece]


class Thing(NamedTuple):
    """A scene, somebody or something that differs."""

    title: str
    verb: str
    fields: list[Field]


def sections(
    changes: Iterable[_C], before: storyboard_pb2.Storyboard, after: storyboard_pb2.Storyboard
) -> dict[str, list[Thing]]:
    """Everything that differs, by the heading it stands under; headings without differences are left out."""
    titles = {**_titles(before), **_titles(after)}
    found: dict[str, dict[str, Thing]] = {name: {} for name in SECTIONS}
    for change in changes:
        kind, id, field = _split(change.path)
        thing = found[kind].setdefault(id, Thing(titles.get(id, ""), _VERBS.get(change.kind, ""), []))
        if not thing.verb:
            found[kind][id] = thing = thing._replace(verb=_VERBS.get(change.kind, ""))
        thing.fields.extend(_fields(change, field))
    return {SECTIONS[kind]: list(things.values()) for kind, things in found.items() if things}


def summary(changes: Sequence[_C], numbers: Mapping[str, int]) -> str:
    """What changed, as one says it: `Words of scenes 3 and 4`; `numbers` are those of the scenes, by their ids."""
    said: dict[str, set[int]] = {}
    for change in changes:
        kind, id, field = _split(change.path)
        said.setdefault(_said(change.kind, kind, field), set()).add(numbers.get(id, 0))
    parts = [what.format(_which(scenes)) for what, scenes in said.items()]
    told = "; ".join(parts[:3]) + (f"; {len(parts) - 3} more" if len(parts) > 3 else "")
    return told[:1].upper() + told[1:]


def differing(before: str, after: str) -> list[Piece]:
    """The words of both, with what is only in one of them marked."""
    old, new = _TOKEN.findall(before[:_LONGEST]), _TOKEN.findall(after[:_LONGEST])
    pieces: list[Piece] = []
    for verb, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if verb == "equal":
            pieces.append(("", "".join(old[i:j])))
            continue
        pieces += [(mark, "".join(words)) for mark, words in (("del", old[i:j]), ("ins", new[k:m])) if words]
    return pieces


def _fields(change: _C, field: str) -> Iterator[Field]:
    before, after = _plain(change.before), _plain(change.after)
    if change.kind == _C.KIND_MOVED:
        yield Field("place", [("", f"from {_text(before)} to {_text(after)}")])
    elif change.kind == _C.KIND_CHANGED:
        yield Field(_name(field), differing(_text(before), _text(after)))
    else:
        mark, whole = ("ins", after) if change.kind == _C.KIND_ADDED else ("del", before)
        yield from (Field(_name(name), [(mark, text)]) for name, text in _written(whole))


def _written(thing: Any) -> list[tuple[str, str]]:
    """What somebody has written in it, the most telling first."""
    told = [(name, _text(value)) for name, value in thing.items() if name not in _LEFT_OUT and value != "SEAM_CUT"]
    places = {name: place for place, name in enumerate(_FIRST)}
    return sorted((it for it in told if it[1]), key=lambda it: places.get(it[0], len(places)))


def _said(change: _C.Kind.ValueType, kind: str, field: str) -> str:
    """A sentence with a place for the scenes' numbers."""
    if kind == "film":
        return "the look" if field in ("preset", "size") else f"the film's {_name(field)}"
    if change == _C.KIND_CHANGED and kind == "scenes":
        return ("words" if field in _WORDS else _name(field)) + " of {}"
    return f"{'{}' if kind == 'scenes' else _ONE[kind]} {_VERBS.get(change, 'changed')}"


def _which(scenes: set[int]) -> str:
    known = sorted(number for number in scenes if number)
    if not known:
        return "a scene"
    if len(known) > 4:
        return f"{len(known)} scenes"
    listed = ", ".join(map(str, known[:-1])) + (" and " if len(known) > 1 else "") + str(known[-1])
    return f"scene{'s' * (len(known) > 1)} {listed}"


def _name(field: str) -> str:
    return _NAMES.get(field, field.replace("_", " "))


def _split(path: str) -> tuple[str, str, str]:
    """Section, id and field of `scenes[scene_…].action`, or of `name`."""
    found = _PATH.fullmatch(path)
    if found and found["id"]:
        return found["kind"], found["id"], found["field"] or ""
    return "film", "", path


def _titles(board: storyboard_pb2.Storyboard) -> dict[str, str]:
    scenes = {it.id: f"{number:03} {it.title}".strip() for number, it in enumerate(board.scenes, 1)}
    return scenes | {it.id: it.name for kind in (board.characters, board.locations, board.props) for it in kind}


def _plain(value: struct_pb2.Value) -> Any:
    return json_format.MessageToDict(value) if value.WhichOneof("kind") else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return " x ".join(_text(it) for it in value.values())
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value).removeprefix("SEAM_").replace("LAST_FRAME", "last frame")
