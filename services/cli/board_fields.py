"""A field of a stored board as a person names it, `scenes[2].action`, and a value as a person types it."""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import duration_pb2, message
from google.protobuf.descriptor import FieldDescriptor

from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.cli import exits

_PATH = re.compile(r"(scenes|characters|locations|props)\[([^\]]+)\]\.([a-z_]+)")
_SINGLE = ("name", "logline", "preset", "size", "model", "silent")
_OF_THINGS = {"characters": ("name", "profile"), "locations": ("name", "description"), "props": ("name", "description")}


def split(path: str) -> tuple[str, str, str]:
    """`scenes[2].action` as ("scenes", "2", "action"), `name` as ("", "", "name"). Raises Ended with USAGE."""
    match = _PATH.fullmatch(path)
    kind, which, field = match.groups() if match else ("", "", path)
    known = _known(kind)
    if field not in known:
        where = f"{kind}[…]." if kind else ""
        raise exits.Ended(f"{path}: there is no such field; write one of {_listed(where, known)}.", exits.Code.USAGE)
    return kind, which, field


def find(board: storyboard_pb2.Storyboard, kind: str, which: str) -> Any:
    """The thing of a kind with this id or name, or at this place counted from 0. Raises Ended with NOT_FOUND."""
    things = getattr(board, kind)
    named = [it for it in things if which in (it.id, getattr(it, "name", it.id))]
    if named:
        return named[0]
    if which.isdecimal() and int(which) < len(things):
        return things[int(which)]
    raise exits.Ended(
        f"{kind}[{which}]: there is none; `rushes board show {board.id}` lists them.", exits.Code.NOT_FOUND
    )


def put(into: message.Message, field: str, text: str) -> None:
    """Set a field to what was typed; an empty text clears it. Raises Ended with USAGE."""
    of = into.DESCRIPTOR.fields_by_name[field]
    into.ClearField(field)
    if text == "":
        return
    if of.is_repeated:
        getattr(into, field).extend(word.strip() for word in text.split(",") if word.strip())
    elif of.message_type is not None:
        getattr(into, field).CopyFrom(_message(field, text))
    else:
        setattr(into, field, _scalar(of, text))


def rename(scenes: Iterable[storyboard_pb2.Scene], kind: str, before: str, after: str) -> None:
    """Call a character, location or prop by its new name wherever a scene names it."""
    for scene in scenes:
        if kind == "locations":
            scene.location = after if scene.location == before else scene.location
            continue
        names = scene.cast if kind == "characters" else scene.props
        names[:] = [after if name == before else name for name in names]


def _scalar(of: Any, text: str) -> Any:
    if of.enum_type is not None:
        return _seam(text)
    if of.type == FieldDescriptor.TYPE_BOOL:
        if text not in ("true", "false"):
            raise exits.Ended(f"{of.name}: write true or false.", exits.Code.USAGE)
        return text == "true"
    if of.type == FieldDescriptor.TYPE_INT64:
        return _number(of.name, text)
    return text


def _seam(text: str) -> int:
    name = f"SEAM_{text.upper()}"
    if name not in clip_pb2.Seam.keys()[1:]:
        known = ", ".join(one.removeprefix("SEAM_").lower() for one in clip_pb2.Seam.keys()[1:])
        raise exits.Ended(f"seam: write one of {known}.", exits.Code.USAGE)
    return int(clip_pb2.Seam.Value(name))


def _message(field: str, text: str) -> message.Message:
    if field == "duration":
        return duration_pb2.Duration(seconds=_number(field, text.removesuffix("s").strip()))
    width, _, height = text.partition("x")
    return media_pb2.FrameSize(width=_number(field, width), height=_number(field, height))


def _number(field: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        wanted = "width x height, such as 1920x1080" if field == "size" else "a whole number, such as 4"
        raise exits.Ended(f"{field}: write {wanted}.", exits.Code.USAGE)
    return int(text)


def _known(kind: str) -> tuple[str, ...]:
    if kind == "scenes":
        return tuple(name for name in storyboard_pb2.Scene.DESCRIPTOR.fields_by_name if name != "id")
    return _OF_THINGS.get(kind, _SINGLE)


def _listed(where: str, known: tuple[str, ...]) -> str:
    more = "" if where else ", or scenes[…].…, characters[…].…, locations[…].…, props[…].…"
    return ", ".join(where + name for name in known) + more
