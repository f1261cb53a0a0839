"""Forms of the editor as messages: every field of a scene, a thing or the storyboard, as people type it."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import duration_pb2
from starlette import datastructures

from rushes.type.v1 import clip_pb2
from services.studio.rest import refusals

_LISTS = ("cast", "props")
_MOST_SECONDS = 10_000


def fill(into: Any, form: datastructures.FormData, names: Sequence[str]) -> None:
    """Set these fields from the form; one that it does not have is emptied. Raises Refusal naming what is no number."""
    errors: list[Mapping[str, str]] = []
    for name in names:
        into.ClearField(name)
        texts = [str(it).replace("\r\n", "\n") for it in form.getlist(name)]
        try:
            _set(into, name, texts)
        except ValueError:
            errors.append({"pointer": f"/{name}", "detail": "should be a whole number"})
    if errors:
        raise refusals.bad_request(errors)


def _set(into: Any, name: str, texts: Sequence[str]) -> None:
    text = texts[0].strip() if texts else ""
    if name in _LISTS:
        getattr(into, name).extend(text for text in texts if text)
    elif name == "duration" and text:
        into.duration.CopyFrom(duration_pb2.Duration(seconds=min(int(text), _MOST_SECONDS)))
    elif name == "seed" and text:
        into.seed = max(-(2**63), min(int(text), 2**63 - 1))
    elif name == "seam" and text in clip_pb2.Seam.keys():
        into.seam = clip_pb2.Seam.Value(text)
    elif name == "size" and text:
        width, _, height = text.partition("x")
        into.size.width, into.size.height = int(width), int(height)
    elif name == "silent":
        into.silent = bool(text)
    elif text:
        setattr(into, name, text)
