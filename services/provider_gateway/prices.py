"""What a clip can cost at most: prices by unit and by case, added up without rounding."""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Literal

import pydantic

from services.provider_gateway import limits

Unit = Literal["second", "clip", "image", "token", "byte"]
PRINCIPAL: tuple[Unit, ...] = ("second", "clip", "token")
"""The units that pay for the clip itself; the others come on top."""
_MICROS = 1_000_000
_TOKEN_PIXELS = 1024


def _amount(given: object) -> Fraction:
    if not (isinstance(given, str) and re.fullmatch(r"\d{1,6}(\.\d{1,15})?", given)):
        raise ValueError('should be a decimal in quotes, such as "0.10": a number would not be exact')
    return Fraction(given)


class Price(limits.Read):
    """One line of a price list: `costs` is a decimal, in units of the currency, `per` unit.

    `second`: of clip. `clip`: whatever its length. `image`: for each still that goes with the order.
    `byte`: of the prompt in UTF-8, where providers count tokens of text; no text has more tokens than bytes.
    `token`: of video, a token for every 1024 pixels of every frame, which is how Seedance is sold
    (https://www.volcengine.com/docs/82379/1544106). A clip has one frame more than its seconds have, as invoices show.
    """

    per: Unit
    costs: Annotated[Fraction, pydantic.PlainValidator(_amount)]
    when: limits.When = limits.When()
    fps: int = pydantic.Field(default=24, ge=1, strict=True)
    """Frames in a second; for tokens."""
    pixels: int = pydantic.Field(default=0, ge=0, strict=True)
    """A picture may come out larger than was asked for, such as after a first frame's shape; never larger than this."""


class Priced(limits.Limits):
    """What a model makes at one endpoint, and what it asks for it."""

    currency: str = pydantic.Field(pattern=r"^[A-Z]{3}$")
    prices: tuple[Price, ...]


_COUNTS: Mapping[Unit, Callable[[Price, limits.Asked], int]] = {
    "second": lambda price, asked: asked.seconds,
    "clip": lambda price, asked: 1,
    "image": lambda price, asked: asked.images,
    "byte": lambda price, asked: len(asked.prompt.encode()),
    "token": lambda price, asked: _tokens(price, asked),
}


def _tokens(price: Price, asked: limits.Asked) -> int:
    pixels = max(asked.size.width * asked.size.height, price.pixels)
    return math.ceil(Fraction(pixels * (price.fps * asked.seconds + 1), _TOKEN_PIXELS))


def applying(model: Priced, asked: limits.Asked) -> list[Price]:
    """The lines of the price list that hold for this order. Raises KeyError for a size the model does not make."""
    return [price for price in model.prices if price.when.fits(asked, model.sizes[asked.size])]


def most_micros(model: Priced, asked: limits.Asked) -> tuple[int, str]:
    """The most an order can cost, in micros of a currency: of each unit its dearest line, rounded up at the end.

    Raises KeyError for a size the model does not make.
    """
    dearest: dict[Unit, Fraction] = {}
    for price in applying(model, asked):
        cost = price.costs * _COUNTS[price.per](price, asked)
        dearest[price.per] = max(cost, dearest.get(price.per, Fraction(0)))
    return math.ceil(sum(dearest.values()) * _MICROS), model.currency


def contradictions(model: Priced) -> Iterator[tuple[str, str]]:
    """What a price list says against its model: the field, and what is wrong with it."""
    for price in model.prices:
        yield from limits.strange(model, price.when, "prices")
    for asked in _cases(model):
        if not any(price.per in PRINCIPAL for price in applying(model, asked)):
            case = limits.When(resolution=(model.sizes[asked.size],), audio=asked.audio, images=asked.images > 0)
            yield "prices", f"there is none for {asked.seconds} s {case}"


def _cases(model: Priced) -> Iterator[limits.Asked]:
    """One order of every kind that prices can tell apart."""
    sizes = {resolution: size for size, resolution in model.sizes.items()}
    by_length = any(price.when.seconds for price in model.prices)
    lengths = model.durations if by_length else model.durations[:1]
    for size, seconds, audio in itertools.product(sizes.values(), lengths, {model.audio, not model.silent}):
        plain = limits.Asked("", "", seconds, size, None, audio, False, False, 0)
        yield from (asked for asked in limits.with_seams(model, plain) if asked.first_frame or not asked.last_frame)
