"""What the services say as a person reads it: places in the board, moments, and money."""

import re
from collections.abc import Sequence

from google.protobuf import timestamp_pb2

from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import money_pb2
from services.cli import yaml_file

_PLAY_MONEY = "XTS"
_IN_PLAY_MONEY = " in play money"


def items(prompts: Sequence[storyboard_pb2.ComposedPrompt]) -> list[quote_pb2.QuoteItem]:
    """What CreateQuote prices: one clip for each composed prompt."""
    return [quote_pb2.QuoteItem(scene_id=prompt.scene_id, spec=prompt.spec) for prompt in prompts]


def place(field: str) -> yaml_file.Loc:
    """Where in the board a request's field is: `storyboard.scenes[2].cast[0]`, or `items[2].spec.duration`."""
    words = re.findall(r"[a-z_]+|\d+", re.sub(r"^items\[", "scenes[", field))
    return tuple(int(word) if word.isdecimal() else word for word in words if word not in ("storyboard", "spec"))


def clock(at: timestamp_pb2.Timestamp) -> str:
    """A moment."""
    return f"{at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"


def amount(of: money_pb2.Money) -> str:
    """Money for a person, exact, with two decimals or more."""
    units, micros = divmod(of.micros, 1_000_000)
    number = f"{units}.{f'{micros:06}'.rstrip('0').ljust(2, '0')}"
    if of.currency == _PLAY_MONEY:
        return f"{number}{_IN_PLAY_MONEY}"
    return f"${number}" if of.currency == "USD" else f"{number} {of.currency}"


def spent(cost: money_pb2.Money, most: money_pb2.Money) -> str:
    """What was charged and what can be, the play money named once: it fits beside a title on a narrow terminal."""
    return f"{amount(cost).removesuffix(_IN_PLAY_MONEY)} of up to {amount(most)}"
