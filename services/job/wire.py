"""Productions and jobs between protobuf and the domain; checks requests, does no I/O."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf import duration_pb2
from google.protobuf.message import Message

from libs import errors, moments
from rushes.job.v1 import events_pb2, job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_service_pb2
from rushes.type.v1 import clip_pb2, edit_list_pb2, fault_pb2, media_pb2, money_pb2
from services.job import domain, estimate, lifecycle


class BadRequest(errors.Invalid):
    """The request cannot be accepted as it is; correct these fields."""


def check_create_production(request: job_service_pb2.CreateProductionRequest) -> None:
    """Raises BadRequest with every violation."""
    found = []
    try:
        uuid.UUID(request.request_id)
    except ValueError:
        found.append(errors.Violation("request_id", "should be a UUID that you choose once for this production"))
    if not request.storyboard_id:
        found.append(errors.Violation("storyboard_id", "should name the storyboard to film"))
    if request.revision < 1:
        found.append(errors.Violation("revision", "should be at least 1"))
    if not request.quote_id and not request.plan_digest:
        found.append(errors.Violation("quote_id", "should name a quote from ProviderGatewayService.CreateQuote"))
    if found:
        raise BadRequest(found)


def digest(request: job_service_pb2.CreateProductionRequest) -> bytes:
    """What a repeat of the request must equal."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def scenes(composed: storyboard_service_pb2.ComposePromptsResponse) -> list[domain.Scene]:
    """What a revision asks for, in film order."""
    return [
        domain.Scene(
            scene_id=prompt.scene_id,
            title=prompt.title,
            seam=domain.Seam(prompt.seam),
            spec=prompt.spec.SerializeToString(deterministic=True),
            digest=prompt.digest,
            model=prompt.spec.model,
            seconds=prompt.spec.duration.seconds,
            caption=prompt.caption,
            size=(prompt.spec.size.width, prompt.spec.size.height),
        )
        for prompt in composed.prompts
    ]


def check_quote_fits(quote: quote_pb2.Quote, wanted: Sequence[domain.Scene]) -> None:
    """Raises QuoteChanged when the quote is for anything but these scenes."""
    if {(one.scene_id, one.digest) for one in wanted} != {(item.scene_id, item.digest) for item in quote.items}:
        raise domain.QuoteChanged(quote_id=quote.id)


def prices(quote: quote_pb2.Quote, wanted: Iterable[domain.Scene]) -> dict[str, int]:
    """What a take of each of these scenes can cost, in micros. Raises QuoteChanged when the quote leaves one out."""
    items = {(item.scene_id, item.digest): item.most_you_can_pay.micros for item in quote.items}
    try:
        return {one.scene_id: items[one.scene_id, one.digest] for one in wanted}
    except KeyError:
        raise domain.QuoteChanged(quote_id=quote.id) from None


def check_quote_alive(quote: quote_pb2.Quote, now: datetime) -> None:
    """Raises QuoteExpired."""
    if quote.expire_time.ToDatetime(now.tzinfo) <= now:
        raise domain.QuoteExpired(quote_id=quote.id)


def clip_requested(production: domain.Production, job: domain.Job) -> events_pb2.ClipRequested:
    """The order for the job's clip, with the frame it starts on."""
    event = events_pb2.ClipRequested(
        tenant_id=job.tenant_id,
        job_id=job.id,
        attempt=job.attempt,
        production_id=job.production_id,
        storyboard_id=production.storyboard_id,
        scene_id=job.scene_id,
        quote_id=production.quote_id,
        spec=_spec(job),
        last_frame_wanted=job.last_frame_wanted,
    )
    return event


def film_requested(
    production: domain.Production, scenes: Iterable[tuple[domain.Slot, domain.Take, bytes]]
) -> events_pb2.FilmRequested:
    """The order for the film of the takes that fill these scenes, in film order, with what each was made of."""
    cuts = [
        edit_list_pb2.Cut(
            scene_id=slot.scene_id,
            take_id=take.id,
            title=slot.scene_title,
            clip=blob(take.clip),
            captions=[edit_list_pb2.Caption(text=slot.caption)] if slot.caption else [],
            provenance=_provenance(take, spec),
        )
        for slot, take, spec in scenes
    ]
    edit_list = edit_list_pb2.EditList(title=production.title, cuts=cuts)
    return events_pb2.FilmRequested(
        tenant_id=production.tenant_id,
        production_id=production.id,
        request_id=production.id,
        edit_list=edit_list,
        storyboard_id=production.storyboard_id,
    )


def _provenance(take: domain.Take, spec: bytes) -> edit_list_pb2.Provenance:
    prompt = clip_pb2.ClipSpec.FromString(spec).prompt
    return edit_list_pb2.Provenance(
        provider=take.model.partition("/")[0],
        model=take.model,
        prompt_sha256=hashlib.sha256(prompt.encode()).hexdigest(),
        create_time=moments.stamp(take.created_at),
    )


def production(
    value: domain.Production,
    cost_micros: int,
    jobs: Sequence[job_pb2.Job] = (),
    slots: Iterable[domain.Slot] = (),
) -> job_pb2.Production:
    """A production as callers see it."""
    message = job_pb2.Production(
        id=value.id,
        storyboard_id=value.storyboard_id,
        revision=value.revision,
        title=value.title,
        quote_id=value.quote_id,
        state=job_pb2.Production.State.Value(f"STATE_{value.state}"),
        jobs=jobs,
        film_id=value.film_id,
        most_you_can_pay=money(value.most_micros, value.currency),
        cost=money(cost_micros, value.currency),
        error=_fault(value.fault),
        create_time=moments.stamp(value.created_at),
        update_time=moments.stamp(value.updated_at),
        end_time=moments.stamp(value.ended_at),
        scenes=[_scene(slot) for slot in slots],
        version=value.version,
        auto_pick=job_pb2.AutoPick.Value(f"AUTO_PICK_{value.auto_pick}"),
        model=value.model,
        resolution=value.resolution,
        approved_by=value.approved_by,
    )
    if value.film_progress is not None:
        message.film_progress = value.film_progress
    return message


def time_left(value: estimate.Left) -> job_pb2.TimeLeft:
    """How long it still takes."""
    return job_pb2.TimeLeft(least=length(value.least_s), most=length(value.most_s), samples=value.samples)


def pace(value: estimate.Pace) -> job_pb2.Pace:
    """How long a model takes."""
    return job_pb2.Pace(model=value.model, p50=length(value.p50_s), p90=length(value.p90_s), samples=value.samples)


def _scene(slot: domain.Slot) -> job_pb2.ProductionScene:
    return job_pb2.ProductionScene(
        scene_id=slot.scene_id,
        scene_number=slot.scene_number,
        scene_title=slot.scene_title,
        seam=clip_pb2.Seam.ValueType(slot.seam),
        action=job_pb2.ScenePlan.Action.Value(f"ACTION_{slot.action}"),
        reason=job_pb2.ScenePlan.Reason.Value(f"REASON_{slot.reason}"),
        take_id=slot.take_id or "",
    )


def job(value: domain.Job, now: datetime | None = None) -> job_pb2.Job:
    """A job as callers see it; without `now` nothing is said about its being stuck."""
    return job_pb2.Job(
        id=value.id,
        production_id=value.production_id,
        scene_id=value.scene_id,
        scene_number=value.scene_number,
        scene_title=value.scene_title,
        seam=clip_pb2.Seam.ValueType(value.seam),
        state=job_pb2.Job.State.Value(f"STATE_{value.state}"),
        wait_reason=_wait_reason(value),
        submission_state=value.submission_state,
        spec=_spec(value),
        quoted=money(value.quoted_micros, value.currency),
        cost=money(value.cost_micros, value.currency),
        take=take(value.take) if value.take else None,
        error=_fault(value.fault),
        create_time=moments.stamp(value.created_at),
        update_time=moments.stamp(value.updated_at),
        end_time=moments.stamp(value.ended_at),
        parked=_fault(value.parked),
        take_number=value.take_number,
        version=value.changed_in,
        submission_id=value.submission_id,
        held=money(value.quoted_micros if lifecycle.holds_money(value) else None, value.currency),
        account=value.account,
        stuck=now is not None and lifecycle.is_stuck(value, now),
        accept_time=moments.stamp(value.accepted_at),
    )


_HELD_FOR = {
    domain.Hold.NOTHING: job_pb2.Job.WAIT_REASON_UNSPECIFIED,
    domain.Hold.SEAM: job_pb2.Job.WAIT_REASON_SEAM,
    domain.Hold.APPROVAL: job_pb2.Job.WAIT_REASON_APPROVAL,
    domain.Hold.PAUSED: job_pb2.Job.WAIT_REASON_PAUSED,
}
_PARKED_FOR = {
    "BUDGET_EXCEEDED": job_pb2.Job.WAIT_REASON_BUDGET,
    "SPENDING_STOPPED": job_pb2.Job.WAIT_REASON_SWITCH,
}


def _wait_reason(value: domain.Job) -> job_pb2.Job.WaitReason.ValueType:
    if value.state is domain.JobState.WAITING:
        return _HELD_FOR[value.hold]
    if value.parked:
        return _PARKED_FOR.get(value.parked.reason, job_pb2.Job.WAIT_REASON_UNSPECIFIED)
    return job_pb2.Job.WAIT_REASON_UNSPECIFIED


def media(blob: media_pb2.Blob, duration: duration_pb2.Duration | None = None) -> domain.Media:
    """A stored file."""
    seconds = duration.ToTimedelta().total_seconds() if duration else 0.0
    return domain.Media(blob.key, blob.content_type, blob.size_bytes, blob.sha256, seconds)


def _spec(value: domain.Job) -> clip_pb2.ClipSpec:
    spec = clip_pb2.ClipSpec.FromString(value.spec)
    if value.first_frame:
        spec.first_frame.CopyFrom(blob(value.first_frame))
    if value.last_frame:
        spec.last_frame.CopyFrom(blob(value.last_frame))
    return spec


def take(value: domain.Take, is_stale: bool = False) -> job_pb2.Take:
    """A take as callers see it."""
    return job_pb2.Take(
        id=value.id,
        job_id=value.job_id,
        scene_id=value.scene_id,
        clip=blob(value.clip),
        duration=length(value.clip.seconds),
        picked=value.picked,
        create_time=moments.stamp(value.created_at),
        storyboard_id=value.storyboard_id,
        production_id=value.production_id,
        note=value.note,
        digest=value.digest,
        last_frame=blob(value.last_frame) if value.last_frame else None,
        input_take_id=value.input_take_id,
        stale=is_stale,
        model=value.model,
        cost=money(value.cost_micros, value.currency),
        scene_number=value.scene_number,
        scene_title=value.scene_title,
    )


def length(seconds: float) -> duration_pb2.Duration:
    """A length of time."""
    duration = duration_pb2.Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def blob(value: domain.Media) -> media_pb2.Blob:
    """A stored file."""
    return media_pb2.Blob(
        key=value.key, content_type=value.content_type, size_bytes=value.size_bytes, sha256=value.sha256
    )


def _fault(value: domain.Fault | None) -> fault_pb2.Fault | None:
    return fault_pb2.Fault(reason=value.reason, message=value.message, metadata=value.metadata) if value else None


def money(micros: int | None, currency: str) -> money_pb2.Money | None:
    """An amount; None stays None."""
    return money_pb2.Money(currency=currency, micros=micros) if micros is not None else None


def between(request: Message) -> tuple[datetime | None, datetime | None]:
    """The `start_time` and `end_time` of a request; None for one that is absent. Raises BadRequest."""
    told, faults = dict[str, datetime | None](), []
    for field in ("start_time", "end_time"):
        try:
            told[field] = getattr(request, field).ToDatetime(UTC) if request.HasField(field) else None
        except ValueError:
            faults.append(errors.Violation(field, "should be a moment between the years 1 and 9999"))
    if faults:
        raise BadRequest(faults)
    return told["start_time"], told["end_time"]
