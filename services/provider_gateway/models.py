"""The catalogue's entries towards callers: as messages, and against what a clip asks for."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime

from libs import errors, moments
from rushes.provider_gateway.v1 import model_pb2, quote_pb2
from rushes.type.v1 import clip_pb2, media_pb2, money_pb2
from services.provider_gateway import catalogue, limits, prices, wire

_STATES = {
    "available": model_pb2.Model.STATE_AVAILABLE,
    "deprecated": model_pb2.Model.STATE_DEPRECATED,
    "retired": model_pb2.Model.STATE_RETIRED,
    "unconfigured": model_pb2.Model.STATE_UNCONFIGURED,
}
_MILLION = 1_000_000
_UNITS = {
    "second": (model_pb2.Price.UNIT_SECOND, 1),
    "clip": (model_pb2.Price.UNIT_CLIP, 1),
    "image": (model_pb2.Price.UNIT_IMAGE, 1),
    "token": (model_pb2.Price.UNIT_TOKEN, _MILLION),
    "byte": (model_pb2.Price.UNIT_BYTE, _MILLION),
}


def message(model: catalogue.Model, state: catalogue.State) -> model_pb2.Model:
    """A model as callers see it."""
    return model_pb2.Model(
        id=model.id,
        family=model.family,
        title=model.title,
        endpoint=model.endpoint,
        state=_STATES[state],
        duration_seconds=model.durations,
        duration_rules=[
            model_pb2.DurationRule(case=_case(rule.when), duration_seconds=rule.durations) for rule in model.rules
        ],
        sizes=[_size(size) for size in model.sizes],
        shapes=[
            model_pb2.Shape(size=_size(size), resolution=resolution, aspect=limits.aspect(size))
            for size, resolution in model.sizes.items()
        ],
        audio=model.audio,
        silent=model.silent,
        first_frame=model.first_frame,
        last_frame=model.last_frame,
        references=model.references,
        seed=model.seed,
        negative_prompt=model.negative_prompt,
        prompt_characters=model.prompt_characters,
        prices=_prices(model),
        play_money=model.play_money,
        release_time=moments.stamp(_midnight(model.released)),
        deprecate_time=moments.stamp(_midnight(model.deprecated)),
        retire_time=moments.stamp(_midnight(model.retires)),
        replacement=model.replacement or "",
        source=model.source,
        check_time=moments.stamp(_midnight(model.checked_at)),
    )


def is_usable(model: model_pb2.Model) -> bool:
    """Whether it can be bought here today."""
    return model.state in (model_pb2.Model.STATE_AVAILABLE, model_pb2.Model.STATE_DEPRECATED)


def violations(model: catalogue.Model, spec: clip_pb2.ClipSpec) -> list[tuple[str, str]]:
    """Every field of the spec that the model cannot do, with what it can."""
    return limits.violations(model, _asked(spec))


def check(model: catalogue.Model, spec: clip_pb2.ClipSpec) -> None:
    """See once more that the model can do it, with the frames that seams have added. Raises ClipRefused."""
    if found := violations(model, spec):
        raise catalogue.ClipRefused([errors.Violation(field, why) for field, why in found], model=model.id)


def priced(model: catalogue.Model, item: quote_pb2.QuoteItem) -> quote_pb2.QuoteItem:
    """The item with the most it can cost, whatever frames seams add to it, and the digest that binds it to its spec."""
    most = max(prices.most_micros(model, one) for one in limits.with_seams(model, _asked(item.spec)))
    return quote_pb2.QuoteItem(
        scene_id=item.scene_id,
        spec=item.spec,
        most_you_can_pay=wire.money(*most),
        digest=wire.spec_digest(item.spec),
    )


def _asked(spec: clip_pb2.ClipSpec) -> limits.Asked:
    return limits.Asked(
        prompt=spec.prompt,
        negative_prompt=spec.negative_prompt,
        seconds=wire.seconds(spec),
        size=limits.Size(spec.size.width, spec.size.height),
        seed=spec.seed if spec.HasField("seed") else None,
        audio=spec.audio,
        first_frame=spec.HasField("first_frame"),
        last_frame=spec.HasField("last_frame"),
        references=len(spec.references),
    )


def _prices(model: catalogue.Model) -> Iterator[model_pb2.Price]:
    for price in model.prices:
        unit, units = _UNITS[price.per]
        amount = money_pb2.Money(currency=model.currency, micros=math.ceil(price.costs * units * _MILLION))
        held: list[limits.Size | None] = [size for size, name in model.sizes.items() if name in price.when.resolution]
        for size in held or [None]:
            yield model_pb2.Price(
                size=_size(size) if size else None,
                per_second=amount if price.per == "second" else None,
                unit=unit,
                amount=amount,
                units=units,
                case=_case(price.when.model_copy(update={"resolution": ()})),
            )


def _case(when: limits.When) -> model_pb2.Case | None:
    if when == limits.When():
        return None
    return model_pb2.Case(
        resolutions=when.resolution,
        duration_seconds=when.seconds,
        audio=when.audio,
        images=when.images,
        last_frame=when.last_frame,
    )


def _size(size: limits.Size) -> media_pb2.FrameSize:
    return media_pb2.FrameSize(width=size.width, height=size.height)


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
