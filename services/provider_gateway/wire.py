"""Models, quotes, submissions and budgets between protobuf and the domain; checks requests, does no I/O."""

import hashlib
import pathlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.message import Message

from libs import errors, moments
from rushes.job.v1 import events_pb2 as job_events_pb2
from rushes.provider_gateway.v1 import events_pb2, provider_gateway_service_pb2, quote_pb2, submission_pb2
from rushes.type.v1 import clip_pb2, media_pb2, money_pb2
from services.provider_gateway import catalogue, domain, limits, providers

CURRENCY = "USD"
"""The installation's currency."""

PLAY_CURRENCY = "XTS"
"""ISO 4217's code for testing: what the sandbox is paid in."""

QUOTE_LASTS = timedelta(minutes=15)
MOST_ITEMS = 1000


class BadRequest(errors.Invalid):
    """The request cannot be accepted as it is; correct these fields."""


def check_create_quote(
    request: provider_gateway_service_pb2.CreateQuoteRequest, tenant_id: str
) -> list[errors.Violation]:
    """What is wrong with a request of this tenant before any model is looked at."""
    found = []
    try:
        uuid.UUID(request.request_id)
    except ValueError:
        found.append(errors.Violation("request_id", "should be a UUID that you choose once for this quote"))
    if not 1 <= len(request.items) <= MOST_ITEMS:
        found.append(errors.Violation("items", f"should be 1 to {MOST_ITEMS} clips"))
    seen: set[str] = set()
    for index, item in enumerate(request.items):
        if not item.scene_id:
            found.append(errors.Violation(f"items[{index}].scene_id", "should name the scene"))
        elif item.scene_id in seen:
            found.append(errors.Violation(f"items[{index}].scene_id", f"{item.scene_id} is named twice"))
        seen.add(item.scene_id)
        found += _foreign_stills(item.spec, tenant_id, f"items[{index}].spec")
    return found


def check_order(event: job_events_pb2.ClipRequested) -> None:
    """See that its stills are its tenant's own. Raises BadRequest."""
    if found := list(_foreign_stills(event.spec, event.tenant_id, "spec")):
        raise BadRequest(found)


def _foreign_stills(spec: clip_pb2.ClipSpec, tenant_id: str, at: str) -> Iterator[errors.Violation]:
    """A key says whose it is: nobody films what lies with another tenant."""
    stills = {name: getattr(spec, name) for name in ("first_frame", "last_frame") if spec.HasField(name)}
    stills |= {f"references[{index}]": still for index, still in enumerate(spec.references)}
    for name, still in stills.items():
        if not still.key.startswith(f"t/{tenant_id}/"):
            yield errors.Violation(f"{at}.{name}.key", "should be the key of a still of yours")


def digest(message: Message) -> bytes:
    """What a repeat of the request must equal."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).digest()


def spec_digest(spec: clip_pb2.ClipSpec) -> str:
    """Names a clip by what is asked for; the storyboard service computes the same."""
    return hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()


def likeness(spec: clip_pb2.ClipSpec, model: str) -> str:
    """The same for all clips that a provider's list may not tell apart: lists show neither seeds nor frames."""
    shown = clip_pb2.ClipSpec(model=model, prompt=spec.prompt.strip(), duration=spec.duration, size=spec.size)
    return spec_digest(shown)


def seconds(spec: clip_pb2.ClipSpec) -> int:
    """The clip's length; a fraction of a second rounds up, and the model's durations then refuse it."""
    return spec.duration.seconds + (1 if spec.duration.nanos else 0)


def quote(
    quote_id: str, items: list[quote_pb2.QuoteItem], play_money: bool, warnings: list[str], now: datetime
) -> quote_pb2.Quote:
    """A quote over priced items of one currency."""
    whole = hashlib.sha256("".join(sorted(f"{item.scene_id} {item.digest}" for item in items)).encode()).hexdigest()
    total = sum(item.most_you_can_pay.micros for item in items)
    return quote_pb2.Quote(
        id=quote_id,
        items=items,
        most_you_can_pay=money(total, items[0].most_you_can_pay.currency),
        play_money=play_money,
        digest=whole,
        warnings=warnings,
        create_time=moments.stamp(now),
        expire_time=moments.stamp(now + QUOTE_LASTS),
    )


def submission_of(
    event: job_events_pb2.ClipRequested,
    item: quote_pb2.QuoteItem,
    model: catalogue.Model,
    account: str,
    new_id: str,
    traceparent: str,
    now: datetime,
    doubted_from: datetime | None = None,
) -> domain.Submission:
    """The intent that an order becomes; `doubted_from` as in a submission."""
    return domain.Submission(
        id=new_id,
        tenant_id=event.tenant_id,
        job_id=event.job_id,
        attempt=event.attempt,
        production_id=event.production_id,
        storyboard_id=event.storyboard_id,
        scene_id=event.scene_id,
        model=model.id,
        endpoint=model.endpoint,
        wire_model=model.wire_model,
        spec=event.spec.SerializeToString(deterministic=True),
        likeness=likeness(event.spec, model.id),
        last_frame_wanted=event.last_frame_wanted,
        traceparent=traceparent,
        account=account,
        currency=item.most_you_can_pay.currency,
        reserved_micros=item.most_you_can_pay.micros,
        created_at=now,
        updated_at=now,
        next_action_at=now,
        doubted_from=doubted_from,
    )


def quoted_item(items: Mapping[str, quote_pb2.QuoteItem], event: job_events_pb2.ClipRequested) -> quote_pb2.QuoteItem:
    """The quote's item for this order: the same spec, but for the frames that seams add. Raises QuoteItemMissing."""
    spec = clip_pb2.ClipSpec()
    spec.CopyFrom(event.spec)
    spec.ClearField("first_frame")
    spec.ClearField("last_frame")
    item = items.get(event.scene_id)
    if item is None or item.digest != spec_digest(spec):
        raise domain.QuoteItemMissing(quote_id=event.quote_id, scene_id=event.scene_id)
    return item


def picture(submission: domain.Submission) -> limits.Size:
    """The size of the picture that is asked for."""
    size = clip_pb2.ClipSpec.FromString(submission.spec).size
    return limits.Size(size.width, size.height)


def ordered_seconds(submission: domain.Submission) -> int:
    """How long the clip should be."""
    return seconds(clip_pb2.ClipSpec.FromString(submission.spec))


def frame_keys(submission: domain.Submission) -> tuple[str, str]:
    """The keys of the stills the clip starts and ends on; empty for none."""
    spec = clip_pb2.ClipSpec.FromString(submission.spec)
    return spec.first_frame.key, spec.last_frame.key


def order(
    submission: domain.Submission,
    frames: tuple[pathlib.Path | None, pathlib.Path | None],
    form: Mapping[str, str],
    callback_url: str | None = None,
) -> providers.Order:
    """What is written to the provider."""
    spec = clip_pb2.ClipSpec.FromString(submission.spec)
    return providers.Order(
        submission_id=submission.id,
        wire_model=submission.wire_model,
        prompt=spec.prompt,
        negative_prompt=spec.negative_prompt,
        seconds=seconds(spec),
        width=spec.size.width,
        height=spec.size.height,
        seed=spec.seed if spec.HasField("seed") else None,
        audio=spec.audio,
        first_frame=frames[0],
        last_frame=frames[1],
        form=form,
        callback_url=callback_url,
    )


_TOLD = (
    domain.State.PARKED,
    domain.State.INTENT,
    domain.State.ACCEPTED,
    domain.State.UNKNOWN,
    domain.State.PROVIDER_DONE,
)
"""The states on the way that others hear of."""


def news(value: domain.Submission) -> Message | None:
    """What others should hear of a submission that has just come to its present state; None when nothing."""
    if value.state is domain.State.STORED and value.clip:
        return _clip_stored(value, value.clip)
    if value.state in _TOLD:
        return _moved(value)
    return submission_failed(value, value.fault) if value.fault else None


def _moved(value: domain.Submission) -> events_pb2.SubmissionStateChanged:
    event = events_pb2.SubmissionStateChanged(
        tenant_id=value.tenant_id,
        job_id=value.job_id,
        submission_id=value.id,
        attempt=value.attempt,
        state=submission_pb2.Submission.State.Value(f"STATE_{value.state}"),
        version=value.version,
        event_time=moments.stamp(value.updated_at),
        account=value.account,
    )
    if value.fault:
        event.reason, event.message = value.fault.reason, value.fault.message
        event.retry_time.MergeFrom(moments.stamp(value.next_action_at) or timestamp_pb2.Timestamp())
    return event


def submission_failed(value: domain.Submission, fault: domain.Fault) -> events_pb2.SubmissionFailed:
    """The paid call ended without a clip."""
    return events_pb2.SubmissionFailed(
        tenant_id=value.tenant_id,
        job_id=value.job_id,
        submission_id=value.id,
        attempt=value.attempt,
        state=submission_pb2.Submission.State.Value(f"STATE_{value.state}"),
        reason=fault.reason,
        message=fault.message,
        retryable=fault.retryable and value.cancel_wanted_at is None,
        cost=money(value.cost_micros, value.currency),
        event_time=moments.stamp(value.updated_at),
        account=value.account,
    )


def order_refused(event: job_events_pb2.ClipRequested, error: errors.Error, currency: str, now: datetime) -> Message:
    """No paid call was opened for this order; nothing is charged."""
    return events_pb2.SubmissionFailed(
        tenant_id=event.tenant_id,
        job_id=event.job_id,
        attempt=event.attempt,
        reason=error.reason,
        message=str(error),
        cost=money(0, currency),
        event_time=moments.stamp(now),
    )


def submission(value: domain.Submission) -> submission_pb2.Submission:
    """A submission as callers see it."""
    message = submission_pb2.Submission(
        id=value.id,
        job_id=value.job_id,
        attempt=value.attempt,
        production_id=value.production_id,
        model=value.model,
        endpoint=value.endpoint,
        state=submission_pb2.Submission.State.Value(f"STATE_{value.state}"),
        provider_job_id=value.provider_job_id or "",
        reserved=money(value.reserved_micros, value.currency),
        cost=money(value.cost_micros, value.currency),
        clip=blob(value.clip.media) if value.clip else None,
        create_time=moments.stamp(value.created_at),
        send_time=moments.stamp(value.sent_at),
        update_time=moments.stamp(value.updated_at),
        clip_expire_time=moments.stamp(value.clip_expires_at),
        retry_time=moments.stamp(value.next_action_at),
        version=value.version,
        account=value.account,
        thumbnail=blob(value.clip.thumbnail) if value.clip and value.clip.thumbnail else None,
        cancel_time=moments.stamp(value.cancel_wanted_at),
        storyboard_id=value.storyboard_id,
        scene_id=value.scene_id,
    )
    if value.fault:
        message.error.reason, message.error.message = value.fault.reason, value.fault.message
    return message


def evidence(submission_id: str, id: str, value: domain.Evidence) -> submission_pb2.Evidence:
    """A piece of evidence as callers see it."""
    return submission_pb2.Evidence(
        id=id,
        submission_id=submission_id,
        kind=submission_pb2.Evidence.Kind.Value(f"KIND_{value.kind}"),
        provider_job_id=value.provider_job_id,
        note=value.note,
        create_time=moments.stamp(value.at),
    )


def _clip_stored(value: domain.Submission, clip: domain.Clip) -> events_pb2.ClipStored:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(clip.seconds * 1e9))
    return events_pb2.ClipStored(
        tenant_id=value.tenant_id,
        job_id=value.job_id,
        submission_id=value.id,
        attempt=value.attempt,
        clip=blob(clip.media),
        duration=duration,
        size=media_pb2.FrameSize(width=clip.width, height=clip.height),
        last_frame=blob(clip.last_frame) if clip.last_frame else None,
        cost=money(value.cost_micros, value.currency),
        event_time=moments.stamp(value.updated_at),
        account=value.account,
    )


def blob(value: domain.Media) -> media_pb2.Blob:
    """A stored file."""
    return media_pb2.Blob(
        key=value.key, content_type=value.content_type, size_bytes=value.size_bytes, sha256=value.sha256
    )


def money(micros: int | None, currency: str) -> money_pb2.Money | None:
    """An amount; None stays None."""
    return money_pb2.Money(currency=currency, micros=micros) if micros is not None else None
