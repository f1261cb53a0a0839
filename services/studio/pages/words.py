"""Says amounts, times and states as people read them; the filters of the templates."""

import datetime
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf import duration_pb2, timestamp_pb2

from rushes.type.v1 import money_pb2

_PLAY = "XTS"
"""The code that ISO 4217 keeps for tests: what the sandbox takes."""
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


class State(NamedTuple):
    """How a state is shown: its word, its icon, and one of five hues: idle, run, ok, bad, you."""

    word: str
    icon: str
    hue: str


STATES = {
    "draft": State("Not started", "circle-dashed", "idle"),
    "queued": State("In line", "clock", "idle"),
    "waiting_link": State("Waits for another", "link", "idle"),
    "submitting": State("Sending", "arrow-right", "run"),
    "generating": State("Generating", "sweep", "run"),
    "retry_wait": State("Trying again", "loop", "run"),
    "fetching": State("Saving the clip", "arrow-down", "run"),
    "unconfirmed": State("Checking with the provider", "circle-help", "you"),
    "done": State("Done", "check", "ok"),
    "picked": State("Picked", "check", "you"),
    "changed": State("Changed", "triangle-alert", "you"),
    "failed": State("Failed", "x", "bad"),
    "cancelled": State("Stopped", "slash", "idle"),
}
"""The thirteen states of a scene or take; colour is never alone."""


def money(amount: money_pb2.Money) -> str:
    """`$0.80`, and `$0.0042` where two digits would hide it; rounded up, for it is what a person may have to pay."""
    sign = "-" if amount.micros < 0 else ""
    micros = abs(amount.micros)
    step = 100 if 0 < micros < 10_000 else 10_000
    digits = 4 if step == 100 else 2
    told = f"{math.ceil(micros / step) / 10**digits:,.{digits}f}"
    if amount.currency == _PLAY:
        return f"{sign}{told} play money"
    symbol = _SIGNS.get(amount.currency)
    return f"{sign}{symbol}{told}" if symbol else f"{sign}{told} {amount.currency}".strip()


def timecode(length: duration_pb2.Duration | float) -> str:
    """`0:08`, `1:02:03`: a length in seconds."""
    seconds = round(length if isinstance(length, float | int) else length.ToMilliseconds() / 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def size(count: int) -> str:
    """`214 MB`, in powers of ten as disks are sold."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.3g} {unit}"
    return f"{count} bytes"


def at(moment: timestamp_pb2.Timestamp) -> str:
    """The moment in ISO 8601, for `datetime` of a <time>; the browser says it in the reader's own zone."""
    return moment.ToDatetime(datetime.UTC).isoformat(timespec="seconds") if moment.seconds else ""


def slate(number: int) -> str:
    """A scene's number as on a slate: `007`."""
    return f"{number:03}"


FILTERS: dict[str, Callable[[Any], Any]] = {
    "money": money, "timecode": timecode, "size": size, "at": at, "slate": slate,
}  # fmt: skip
"""By the name that templates use."""
