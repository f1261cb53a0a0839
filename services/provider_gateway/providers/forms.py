"""How one model names the parts of an order, where the models of a seller do not agree: reviewed data of the catalogue.

A form maps a part to the model's field; dots lead into objects (`settings.audio`), and an empty name says that it has
no such field. The parts: prompt, negative_prompt, seconds, shape (16:9), side (720p), width, height, seed, audio,
first_frame, last_frame. Besides:

- `seconds_as`: `number` (8), `text` ("8") or `text_s` ("8s");
- a side or a shape, such as `2160p` or `427:240`: what the model calls it, such as `4k` or `16:9`;
- `framed_model`: the wire model for orders with a first frame, where it is another;
- `framed_omits`: the parts, with spaces between, that such orders leave out, because the picture decides;
- `frames` and `picture`, at Runware: its list of pictures, and the field of each.
"""

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from services.provider_gateway import providers

_FRAMES = ("first_frame", "last_frame")
_SECONDS: Mapping[str, Callable[[int], int | str]] = {"number": int, "text": str, "text_s": "{}s".format}
_PARTS = {
    *("prompt", "negative_prompt", "seconds", "shape", "side", "width", "height", "seed", "audio"),
    *_FRAMES,
}
_KEYS = _PARTS | {"seconds_as", "framed_model", "framed_omits", "frames", "picture"}
_TRANSLATED = re.compile(r"\d+p|\d+:\d+")


def faults(form: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a form, for whoever wrote it."""
    for name in form:
        if name not in _KEYS and not _TRANSLATED.fullmatch(name):
            yield f"{name} is no part of an order; there are {', '.join(sorted(_KEYS))}, sides and shapes"
    if form.get("seconds_as", "number") not in _SECONDS:
        yield f"seconds_as should be one of {', '.join(_SECONDS)}"
    if unknown := set(form.get("framed_omits", "").split()) - _PARTS:
        yield f"framed_omits names {', '.join(sorted(unknown))}, which is no part of an order"


def data_url(path: Path | None) -> str | None:
    """A PNG or JPEG file as a `data:` address; None for no file. Blocks: call it in a thread. Raises OSError."""
    if path is None:
        return None
    content = path.read_bytes()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def model(order: providers.Order) -> str:
    """The wire model of this order."""
    return (order.first_frame and order.form.get("framed_model")) or order.wire_model


def fill(
    order: providers.Order, usual: Mapping[str, str], first: str | None = None, last: str | None = None
) -> dict[str, Any]:
    """The model's own fields for this order; `usual` is what its dialect mostly says, `first` and `last` the frames."""
    names = {**usual, **order.form}
    omitted = names.get("framed_omits", "").split() if order.first_frame else []
    filled: dict[str, Any] = {}
    for part, value in (_parts(order, names) | {"first_frame": first, "last_frame": last}).items():
        if value is not None and names.get(part) and part not in omitted:
            put(filled, names[part].split("."), value)
    return filled


def same(order: providers.Order, usual: Mapping[str, str], theirs: Any) -> bool:
    """Whether these fields, read in a provider's history, can be those of this order.

    Histories shorten and replace pictures: of those only it counts whether they are there.
    """
    if not isinstance(theirs, dict):
        return False
    names = {**usual, **order.form}
    ours = fill(order, usual)
    frames = {part: names[part] for part in _FRAMES if names.get(part)}
    pictured = all(bool(theirs.get(name)) == bool(getattr(order, part)) for part, name in frames.items())
    return pictured and all(theirs.get(name) == value for name, value in ours.items())


def _parts(order: providers.Order, names: Mapping[str, str]) -> dict[str, Any]:
    divisor, side = math.gcd(order.width, order.height), f"{min(order.width, order.height)}p"
    shape = f"{order.width // divisor}:{order.height // divisor}"
    return {
        "prompt": order.prompt,
        "negative_prompt": order.negative_prompt or None,
        "seconds": _SECONDS.get(names.get("seconds_as", ""), int)(order.seconds),
        "shape": names.get(shape, shape),
        "side": names.get(side, side),
        "width": order.width,
        "height": order.height,
        "seed": order.seed,
        "audio": order.audio,
    }


def put(into: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a field, in as many objects as its path has names before the last."""
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value
