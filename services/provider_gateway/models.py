"""The catalogue's entries towards callers: as messages, and against what a clip asks for."""

from collections.abc import Collection
from datetime import UTC, date, datetime

from rushes.provider_gateway.v1 import model_pb2, quote_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.provider_gateway import catalogue, wire

_STATES = {
    "available": model_pb2.Model.STATE_AVAILABLE,
    "deprecated": model_pb2.Model.STATE_DEPRECATED,
    "retired": model_pb2.Model.STATE_RETIRED,
    "unconfigured": model_pb2.Model.STATE_UNCONFIGURED,
}


def message(model: catalogue.Model, configured: Collection[str], today: date) -> model_pb2.Model:
    """A model as callers see it."""
    return model_pb2.Model(
        id=model.id,
        title=model.title,
        endpoint=model.endpoint,
        state=_STATES[catalogue.state(model, configured, today)],
        duration_seconds=model.durations,
        sizes=[_size(size) for size in model.sizes],
        audio=model.audio,
        silent=model.silent,
        first_frame=model.first_frame,
        last_frame=model.last_frame,
        seed=model.seed,
        negative_prompt=model.negative_prompt,
        prices=_prices(model),
        play_money=model.play_money,
        release_time=wire.time(_midnight(model.released)),
        retire_time=wire.time(_midnight(model.retires)),
        replacement=model.replacement or "",
        source=model.source,
        check_time=wire.time(_midnight(model.checked_at)),
    )


def is_usable(model: model_pb2.Model) -> bool:
    """Whether it can be bought here today."""
    return model.state in (model_pb2.Model.STATE_AVAILABLE, model_pb2.Model.STATE_DEPRECATED)


def violations(model: catalogue.Model, spec: clip_pb2.ClipSpec) -> list[tuple[str, str]]:
    """Every field of the spec that the model cannot do, with what it can."""
    return catalogue.violations(
        model,
        prompt=spec.prompt,
        negative_prompt=spec.negative_prompt,
        seconds=wire.seconds(spec),
        width=spec.size.width,
        height=spec.size.height,
        seed=spec.seed if spec.HasField("seed") else None,
        audio=spec.audio,
        first_frame=spec.HasField("first_frame"),
        last_frame=spec.HasField("last_frame"),
        references=len(spec.references),
    )


def priced(model: catalogue.Model, item: quote_pb2.QuoteItem) -> quote_pb2.QuoteItem:
    """The item with the most it can cost, and the digest that binds it to its spec."""
    size = item.spec.size
    micros, currency = catalogue.most_micros(model, wire.seconds(item.spec), size.width, size.height)
    return quote_pb2.QuoteItem(
        scene_id=item.scene_id,
        spec=item.spec,
        most_you_can_pay=wire.money(micros, currency),
        digest=wire.spec_digest(item.spec),
    )


def _prices(model: catalogue.Model) -> list[model_pb2.Price]:
    per_second = model.micros_per_second
    if isinstance(per_second, int):
        return [model_pb2.Price(per_second=wire.money(per_second, model.currency))]
    return [
        model_pb2.Price(size=_size(size), per_second=wire.money(micros, model.currency))
        for size, micros in per_second.items()
    ]


def _size(size: catalogue.Size) -> media_pb2.FrameSize:
    return media_pb2.FrameSize(width=size.width, height=size.height)


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
