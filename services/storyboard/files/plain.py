"""A board in the words of a board file, and back: what every format comes from and goes to."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration

from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.type.v1 import clip_pb2, media_pb2
from services.storyboard import domain, wire
from services.storyboard.files import draft

ASPECTS = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (1080, 1080)}
"""The picture each aspect is made in, width and height in pixels."""

TEXTS = (
    "title", "subject", "action", "setting", "camera", "lighting", "mood", "dialogue",
    "location", "model", "negative_prompt", "caption",
)  # fmt: skip
"""The fields of a scene that are single texts."""

_SEAMS = {
    "cut": clip_pb2.SEAM_CUT,
    "last_frame": clip_pb2.SEAM_LAST_FRAME,
    "shared_keyframe": clip_pb2.SEAM_SHARED_KEYFRAME,
}
_GUESSES = 100
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_TAG = re.compile(r"character:[\w-]{1,2000}_id:[0-9a-f]{8}")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_SIZE = re.compile(r"([1-9][0-9]{2,3})x([1-9][0-9]{2,3})")


def of(content: domain.Content) -> dict[str, Any]:
    """The board as it would be written by hand: what says nothing is left out."""
    size = content.size
    board = {
        "name": content.name,
        "logline": content.logline,
        "preset": content.preset,
        "model": content.model,
        "size": f"{size.width}x{size.height}" if size else "",
        "silent": content.silent,
        "characters": [_thing(it, "profile", "identity_tag") for it in content.characters],
        "locations": [_thing(it, "description") for it in content.locations],
        "props": [_thing(it, "description") for it in content.props],
        "scenes": [_scene(it) for it in content.scenes],
    }
    return {key: value for key, value in board.items() if value}


def texts(value: Any) -> Any:
    """The same as a file reads: numbers and flags are texts."""
    if isinstance(value, dict):
        return {key: texts(it) for key, it in value.items()}
    if isinstance(value, list):
        return [texts(it) for it in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _thing(thing: Any, *names: str) -> dict[str, Any]:
    plain = {name: getattr(thing, name) for name in ("name", *names) if getattr(thing, name)}
    if stills := getattr(thing, "references", ()):
        plain["references"] = [{name: getattr(it, name) for name in _STILL} for it in stills]
    return plain


def _scene(scene: domain.Scene) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(scene, name) for name in TEXTS}
    plain |= {"duration": scene.seconds, "cast": list(scene.cast), "props": list(scene.props)}
    plain["seam"] = "" if scene.seam is domain.Seam.CUT else scene.seam.value
    plain = {key: value for key, value in plain.items() if value}
    return plain if scene.seed is None else plain | {"seed": scene.seed}


def content(told: draft.Draft) -> domain.Content:
    """The board that a draft describes. Raises FileFaulty with every fault."""
    reader = _Reader(told)
    fields = reader.fields(told.raw, (), _BOARD)
    aspect = fields.pop("aspect", None)
    if aspect and "size" in fields:
        told.fault(("size",), "is given together with aspect; keep one of the two")
    elif aspect:
        fields["size"] = aspect
    faults = wire.Faults()
    read = wire.content(pb.Storyboard(**fields), faults, "")
    known = {loc for _, loc, _ in told.faults}  # what cannot be read is missing too
    for violation in faults.found:
        if (loc := _loc(violation.field)) not in known:
            told.fault(loc, violation.description)
    told.end()
    return reader.tagged(read)


def _loc(path: str) -> draft.Loc:
    """`.scenes[2].cast[0]` as a place in the board; of a size, only that there is one."""
    words = re.findall(r"[a-z_]+|\d+", path)
    return tuple(int(word) if word.isdecimal() else word for word in (words[:1] if words[0] == "size" else words))


class _Reader:
    """Reads what is written in a board; what is faulty is told, and left out."""

    def __init__(self, told: draft.Draft) -> None:
        self._told, self._tags = told, dict[str, str]()

    def tagged(self, read: domain.Content) -> domain.Content:
        """The characters with the tags they came with: they are who they were."""
        people = (dataclasses.replace(it, identity_tag=self._tags.get(it.name, "")) for it in read.characters)
        return dataclasses.replace(read, characters=tuple(people))

    def _remedy(self, given: str, known: Mapping[str, Any], otherwise: str) -> str:
        """Of very many faults, only the first are worth a guess."""
        return otherwise if len(self._told.faults) > _GUESSES else draft.did_you_mean(given, known, otherwise)

    def fields(self, raw: Any, loc: draft.Loc, known: Mapping[str, "_Read"]) -> dict[str, Any]:
        if not isinstance(raw, dict):
            self._told.fault(loc, f"is {draft.shown(raw)}, not a group of fields; write fields such as name: ...")
            return {}
        read = {}
        for key, value in raw.items():
            if key not in known:
                remedy = self._remedy(key, known, "remove it")
                self._told.fault((*loc, key), f"is no field of a board; {remedy}")
            elif (told := known[key](self, value, (*loc, key))) is not None:
                read[key] = told
        return read

    def each(self, raw: Any, loc: draft.Loc, read: Callable[[Any, draft.Loc], Any]) -> list[Any] | None:
        if not isinstance(raw, list):
            self._told.fault(loc, f"is {draft.shown(raw)}, not a list; write a list")
            return None
        return [told for index, it in enumerate(raw) if (told := read(it, (*loc, index))) is not None]

    def text(self, raw: Any, loc: draft.Loc) -> str | None:
        if not isinstance(raw, str):
            self._told.fault(loc, f"is {draft.shown(raw)}, not text; write plain text")
            return None
        if raw.isascii() or not _HALVES.search(raw):
            return raw
        self._told.fault(loc, "holds half a character; write it anew")
        return None

    def names(self, raw: Any, loc: draft.Loc) -> list[str] | None:
        return self.each(raw, loc, self.text)

    def one_of(self, raw: Any, loc: draft.Loc, known: Mapping[str, Any]) -> Any:
        text = self.text(raw, loc)
        if text is None:
            return None
        if text.strip().lower() not in known:
            remedy = self._remedy(text, known, f"use one of {', '.join(known)}")
            self._told.fault(loc, f"is {draft.shown(text)}; {remedy}")
        return known.get(text.strip().lower())

    def whole(self, raw: Any, loc: draft.Loc) -> int | None:
        text = (self.text(raw, loc) or "").strip()
        if not _WHOLE.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
            self._told.fault(loc, f"is {draft.shown(raw)}, not a whole number; write digits only, such as 4")
            return None
        return int(text)

    def duration(self, raw: Any, loc: draft.Loc) -> Duration | None:
        seconds = self.whole(raw, loc)
        return None if seconds is None else Duration(seconds=max(-1, min(seconds, 10**6)))

    def size(self, raw: Any, loc: draft.Loc) -> media_pb2.FrameSize | None:
        match = _SIZE.fullmatch((self.text(raw, loc) or "").strip())
        if match is None:
            self._told.fault(loc, f"is {draft.shown(raw)}; write width x height in pixels, such as 1920x1080")
            return None
        return media_pb2.FrameSize(width=int(match[1]), height=int(match[2]))

    def aspect(self, raw: Any, loc: draft.Loc) -> media_pb2.FrameSize | None:
        found = self.one_of(raw, loc, ASPECTS)
        return found and media_pb2.FrameSize(width=found[0], height=found[1])

    def characters(self, raw: Any, loc: draft.Loc) -> list[pb.Character] | None:
        return self.each(raw, loc, self._character)

    def _character(self, raw: Any, loc: draft.Loc) -> pb.Character:
        fields = self.fields(raw, loc, _CHARACTER)
        tag = fields.pop("identity_tag", "")
        if tag and not _TAG.fullmatch(tag):
            self._told.fault((*loc, "identity_tag"), "should be the character:…_id:… of an export; remove it")
        self._tags.setdefault(fields.get("name", "").strip(), tag)
        return pb.Character(**fields)


_HALVES = re.compile("[\ud800-\udfff]")
_Read = Callable[[_Reader, Any, draft.Loc], Any]
_STILL: Mapping[str, _Read] = {
    "key": _Reader.text, "content_type": _Reader.text, "size_bytes": _Reader.whole, "sha256": _Reader.text
}  # fmt: skip


def _group(kind: Any, known: Mapping[str, _Read]) -> _Read:
    """Reads a list of such things."""
    return lambda reader, raw, loc: reader.each(raw, loc, lambda it, at: kind(**reader.fields(it, at, known)))


_SHOWN: Mapping[str, _Read] = {"references": _group(media_pb2.Blob, _STILL)}
_DESCRIBED: Mapping[str, _Read] = {"name": _Reader.text, "description": _Reader.text}
_CHARACTER = {"name": _Reader.text, "profile": _Reader.text, "identity_tag": _Reader.text, **_SHOWN}
_SCENE: Mapping[str, _Read] = {
    **dict.fromkeys(TEXTS, _Reader.text),
    "duration": _Reader.duration,
    "seam": lambda reader, raw, loc: reader.one_of(raw, loc, _SEAMS),
    "cast": _Reader.names,
    "props": _Reader.names,
    "seed": _Reader.whole,
}
_BOARD: Mapping[str, _Read] = {
    **dict.fromkeys(("name", "logline", "preset", "model"), _Reader.text),
    "size": _Reader.size,
    "aspect": _Reader.aspect,
    "silent": lambda reader, raw, loc: reader.one_of(raw, loc, _FLAGS),
    "characters": _Reader.characters,
    "locations": _group(pb.Location, {**_DESCRIBED, **_SHOWN}),
    "props": _group(pb.Prop, _DESCRIBED),
    "scenes": _group(pb.Scene, _SCENE),
}
