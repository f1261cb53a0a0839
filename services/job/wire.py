"""Productions and jobs between protobuf and the domain; checks requests, does no I/O."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf import duration_pb2, timestamp_pb2

from libs import errors
from rushes.job.v1 import events_pb2, job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import clip_pb2, edit_list_pb2, fault_pb2, media_pb2, money_pb2
from services.job import domain


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
    if not request.quote_id:
        found.append(errors.Violation("quote_id", "should name a quote from ProviderGatewayService.CreateQuote"))
    if found:
        raise BadRequest(found)


def digest(request: job_service_pb2.CreateProductionRequest) -> bytes:
    """What a repeat of the request must equal."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def scenes(composed: storyboard_service_pb2.ComposePromptsResponse, quote: quote_pb2.Quote) -> list[domain.Scene]:
    """What to film and what it may cost. Raises QuoteChanged when the quote is for anything else."""
    items = {item.scene_id: item for item in quote.items}
    if {(p.scene_id, p.digest) for p in composed.prompts} != {(i.scene_id, i.digest) for i in quote.items}:
        raise domain.QuoteChanged(quote_id=quote.id)
    return [_scene(prompt, items[prompt.scene_id]) for prompt in composed.prompts]


def _scene(prompt: storyboard_pb2.ComposedPrompt, item: quote_pb2.QuoteItem) -> domain.Scene:
    return domain.Scene(
        scene_id=prompt.scene_id,
        title=prompt.title,
        seam=prompt.seam,
        starts_on_last_frame=prompt.seam == clip_pb2.SEAM_LAST_FRAME,
        spec=prompt.spec.SerializeToString(deterministic=True),
        quoted_micros=item.most_you_can_pay.micros,
    )


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


def film_requested(production: domain.Production, jobs: Sequence[domain.Job]) -> events_pb2.FilmRequested:
    """The order for the film of these jobs' takes, in scene order."""
    cuts = [
        edit_list_pb2.Cut(scene_id=job.scene_id, take_id=job.take.id, title=job.scene_title, clip=_blob(job.take.clip))
        for job in jobs
        if job.take
    ]
    edit_list = edit_list_pb2.EditList(title=production.title, cuts=cuts)
    return events_pb2.FilmRequested(
        tenant_id=production.tenant_id,
        production_id=production.id,
        request_id=production.id,
        edit_list=edit_list,
    )


def production(value: domain.Production, cost_micros: int, jobs: Sequence[domain.Job] = ()) -> job_pb2.Production:
    """A production as callers see it."""
    message = job_pb2.Production(
        id=value.id,
        storyboard_id=value.storyboard_id,
        revision=value.revision,
        title=value.title,
        quote_id=value.quote_id,
        state=job_pb2.Production.State.Value(f"STATE_{value.state}"),
        jobs=[job(one) for one in jobs],
        film_id=value.film_id,
        most_you_can_pay=_money(value.most_micros, value.currency),
        cost=_money(cost_micros, value.currency),
        error=_fault(value.fault),
        create_time=_time(value.created_at),
        update_time=_time(value.updated_at),
        end_time=_time(value.ended_at),
    )
    if value.film_progress is not None:
        message.film_progress = value.film_progress
    return message


def job(value: domain.Job) -> job_pb2.Job:
    """A job as callers see it."""
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
        quoted=_money(value.quoted_micros, value.currency),
        cost=_money(value.cost_micros, value.currency),
        take=_take(value),
        error=_fault(value.fault),
        create_time=_time(value.created_at),
        update_time=_time(value.updated_at),
        end_time=_time(value.ended_at),
        parked=_fault(value.parked),
    )


_PARKED_FOR = {
    "BUDGET_EXCEEDED": job_pb2.Job.WAIT_REASON_BUDGET,
    "SPENDING_STOPPED": job_pb2.Job.WAIT_REASON_SWITCH,
}


def _wait_reason(value: domain.Job) -> job_pb2.Job.WaitReason.ValueType:
    if value.state is domain.JobState.WAITING:
        return job_pb2.Job.WAIT_REASON_SEAM
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
        spec.first_frame.CopyFrom(_blob(value.first_frame))
    return spec


def _take(value: domain.Job) -> job_pb2.Take | None:
    if value.take is None:
        return None
    duration = duration_pb2.Duration()
    duration.FromTimedelta(timedelta(seconds=value.take.clip.seconds))
    return job_pb2.Take(
        id=value.take.id,
        job_id=value.id,
        scene_id=value.scene_id,
        clip=_blob(value.take.clip),
        duration=duration,
        picked=value.take.picked,
        create_time=_time(value.take.created_at),
    )


def _blob(value: domain.Media) -> media_pb2.Blob:
    return media_pb2.Blob(
        key=value.key, content_type=value.content_type, size_bytes=value.size_bytes, sha256=value.sha256
    )


def _fault(value: domain.Fault | None) -> fault_pb2.Fault | None:
    return fault_pb2.Fault(reason=value.reason, message=value.message, metadata=value.metadata) if value else None


def _money(micros: int | None, currency: str) -> money_pb2.Money | None:
    return money_pb2.Money(currency=currency, micros=micros) if micros is not None else None


def _time(value: datetime | None) -> timestamp_pb2.Timestamp | None:
    if value is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(value)
    return stamp
