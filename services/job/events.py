"""What the job service does about the facts it hears."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, ids, outbox
from rushes.compiler.v1.events_pb2 import FilmCompleted, FilmFailed, FilmProgressed
from rushes.provider_gateway.v1.events_pb2 import ClipStored, SubmissionFailed, SubmissionStateChanged
from rushes.provider_gateway.v1.submission_pb2 import Submission
from services.job import domain, store, wire


async def on_clip_stored(conn: AsyncConnection, event: ClipStored) -> None:
    """A paid clip is kept: it is the scene's take, and unlocks the scenes that start on its last frame."""
    now = _when(event.event_time)
    production = await store.lock_production_of(conn, event.tenant_id, event.job_id)
    if production is None:
        return
    job = await store.get_job(conn, event.tenant_id, event.job_id)
    last_frame = wire.media(event.last_frame) if event.HasField("last_frame") else None
    take = domain.Take(ids.new("take"), wire.media(event.clip, event.duration), last_frame, True, now)
    after = domain.clip_stored(job, take, event.cost.micros, now)
    if after is job:
        return
    await store.save_job(conn, after, production.version)
    if job.last_frame_wanted and production.state is domain.ProductionState.FILMING:
        for waiting in await store.waiting_for(conn, job):
            unlocked = domain.unlock(waiting, take, now)
            await store.save_job(conn, unlocked, production.version)
            await outbox.put(conn, wire.clip_requested(production, unlocked))
    await _settle(conn, production, now)


async def on_submission_failed(conn: AsyncConnection, event: SubmissionFailed) -> None:
    """No clip: try again where that helps, else the job ends, and with it those that wait for its take."""
    now = _when(event.event_time)
    production = await store.lock_production_of(conn, event.tenant_id, event.job_id)
    if production is None:
        return
    job = await store.get_job(conn, event.tenant_id, event.job_id)
    if event.attempt != job.attempt:
        return
    cost = event.cost.micros if event.HasField("cost") else None
    charged = "unknown" if cost is None else "yes" if cost else "no"
    fault = domain.Fault(event.reason, event.message, {"charged": charged, "submission_id": event.submission_id})
    after = domain.submission_failed(job, fault, cost, event.retryable, now)
    if after is job:
        return
    await store.save_job(conn, after, production.version)
    if after.state is domain.JobState.RUNNING:
        await outbox.put(conn, wire.clip_requested(production, after))
        return
    await _strand(conn, after, production, now)
    await _settle(conn, production, now)


async def on_submission_state_changed(conn: AsyncConnection, event: SubmissionStateChanged) -> None:
    """The paid call moved on: let those who watch see it."""
    production = await store.lock_production_of(conn, event.tenant_id, event.job_id)
    if production is None:
        return
    job = await store.get_job(conn, event.tenant_id, event.job_id)
    state = Submission.State.Name(event.state).removeprefix("STATE_")
    after = domain.submission_moved(job, state, event.version, _when(event.event_time))
    if after is not job:
        await store.save_job(conn, after, production.version)


async def on_film_progressed(conn: AsyncConnection, event: FilmProgressed) -> None:
    """The film is being cut."""
    production = await _lock_production_of_film(conn, event)
    if production:
        now = _when(event.event_time)
        await _save(conn, production, domain.film_progressed(production, event.film_id, event.progress, now))


async def on_film_completed(conn: AsyncConnection, event: FilmCompleted) -> None:
    """The film is there."""
    production = await _lock_production_of_film(conn, event)
    if production:
        await _save(conn, production, domain.film_completed(production, event.film_id, _when(event.event_time)))


async def on_film_failed(conn: AsyncConnection, event: FilmFailed) -> None:
    """The film cannot be cut."""
    production = await _lock_production_of_film(conn, event)
    if production:
        fault = domain.Fault(event.reason, event.message)
        now = _when(event.event_time)
        await _save(conn, production, domain.film_failed(production, event.film_id, fault, now))


HANDLERS: Mapping[type[Message], bus.Handler] = {
    ClipStored: on_clip_stored,
    SubmissionFailed: on_submission_failed,
    SubmissionStateChanged: on_submission_state_changed,
    FilmProgressed: on_film_progressed,
    FilmCompleted: on_film_completed,
    FilmFailed: on_film_failed,
}


async def _strand(conn: AsyncConnection, job: domain.Job, production: domain.Production, now: datetime) -> None:
    for waiting in await store.waiting_for(conn, job):
        stranded = domain.strand(waiting, now)
        if stranded is not waiting:
            await store.save_job(conn, stranded, production.version)
            await _strand(conn, stranded, production, now)


async def _settle(conn: AsyncConnection, production: domain.Production, now: datetime) -> None:
    after = domain.settle(production, await store.tally(conn, production), now)
    await _save(conn, production, after)
    if after.state is domain.ProductionState.COMPILING and after is not production:
        await outbox.put(conn, wire.film_requested(after, await store.jobs_of(conn, after)))


async def _save(conn: AsyncConnection, before: domain.Production, after: domain.Production) -> None:
    if after is not before:
        await store.save_production(conn, after)


async def _lock_production_of_film(conn: AsyncConnection, event: Any) -> domain.Production | None:
    """None for a film that is nobody's production."""
    if not event.production_id:
        return None
    try:
        return await store.lock_production(conn, event.tenant_id, event.production_id)
    except domain.ProductionNotFound:
        return None


def _when(stamp: timestamp_pb2.Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)
