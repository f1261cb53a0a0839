"""What the job service does about the facts it hears."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, failpoints, ids
from rushes.compiler.v1.events_pb2 import FilmCompleted, FilmFailed, FilmProgressed
from rushes.provider_gateway.v1.events_pb2 import ClipStored, SubmissionFailed, SubmissionStateChanged
from rushes.provider_gateway.v1.submission_pb2 import Submission
from services.job import domain, follow, gauges, lifecycle, store, wire

Decide = Callable[[domain.Job, Any, datetime], domain.Job]


async def on_clips_stored(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """Paid clips are kept: they fill their scenes, and unlock the scenes that start on their last frames."""
    moved, held = await _apply(conn, heard, _clip_stored)
    filled = await follow.keep_takes(conn, moved, held)
    await follow.unlock(conn, filled, held)
    await _settle(conn, moved, held)
    failpoints.reach("stored.before_commit")


async def on_submissions_failed(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """No clips: try again where that helps, else the jobs end, and with them those that wait for their takes."""
    moved, held = await _apply(conn, heard, _submission_failed)
    await follow.save_jobs(conn, [job for job in moved if job.state in domain.JOB_ENDS], held)
    for job in moved:
        if job.state is domain.JobState.RUNNING:
            await follow.start(conn, job, held[job.production_id])
    ended = {job.production_id for job in moved if job.state in domain.JOB_ENDS}
    await follow.strand(conn, ended, held)
    await _settle(conn, moved, held)
    failpoints.reach("failed.before_commit")


async def on_submissions_moved(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """The paid calls moved on: let those who watch see it."""
    moved, held = await _apply(conn, heard, _submission_moved)
    await follow.save_jobs(conn, moved, held)


async def on_film_progressed(conn: AsyncConnection, event: FilmProgressed) -> None:
    """The film is being cut."""
    production = await _lock_production_of_film(conn, event)
    if production:
        now = _when(event.event_time)
        await _save(conn, production, lifecycle.film_progressed(production, event.film_id, event.progress, now))


async def on_film_completed(conn: AsyncConnection, event: FilmCompleted) -> None:
    """The film is there."""
    production = await _lock_production_of_film(conn, event)
    if production:
        await _save(conn, production, lifecycle.film_completed(production, event.film_id, _when(event.event_time)))


async def on_film_failed(conn: AsyncConnection, event: FilmFailed) -> None:
    """The film cannot be cut."""
    production = await _lock_production_of_film(conn, event)
    if production:
        fault = domain.Fault(event.reason, event.message)
        now = _when(event.event_time)
        await _save(conn, production, lifecycle.film_failed(production, event.film_id, fault, now))


HANDLERS: Mapping[type[Message], bus.Handler] = {
    ClipStored: bus.Together(on_clips_stored),
    SubmissionFailed: bus.Together(on_submissions_failed),
    SubmissionStateChanged: bus.Together(on_submissions_moved),
    FilmProgressed: on_film_progressed,
    FilmCompleted: on_film_completed,
    FilmFailed: on_film_failed,
}


def _clip_stored(job: domain.Job, event: ClipStored, now: datetime) -> domain.Job:
    last_frame = wire.media(event.last_frame) if event.HasField("last_frame") else None
    take = domain.Take(ids.new("take"), wire.media(event.clip, event.duration), last_frame, True, now)
    return lifecycle.clip_stored(job, take, event.cost.micros, now)


def _submission_failed(job: domain.Job, event: SubmissionFailed, now: datetime) -> domain.Job:
    if event.attempt != job.attempt:
        return job
    cost = event.cost.micros if event.HasField("cost") else None
    charged = "unknown" if cost is None else "yes" if cost else "no"
    fault = domain.Fault(event.reason, event.message, {"charged": charged, "submission_id": event.submission_id})
    return lifecycle.submission_failed(job, fault, cost, event.retryable, now)


def _submission_moved(job: domain.Job, event: SubmissionStateChanged, now: datetime) -> domain.Job:
    if event.attempt != job.attempt:
        return job
    state = Submission.State.Name(event.state).removeprefix("STATE_")
    until = event.retry_time.ToDatetime(UTC).isoformat() if event.HasField("retry_time") else ""
    waits = state == "PARKED" or (state == "PROVIDER_DONE" and event.reason)  # its paid clip cannot be downloaded yet
    parked = domain.Fault(event.reason, event.message, {"retry_time": until}) if waits else None
    return lifecycle.submission_moved(job, state, event.version, parked, now)


async def _apply(
    conn: AsyncConnection, heard: Sequence[bus.Heard], decide: Decide
) -> tuple[list[domain.Job], dict[str, follow.Held]]:
    """Decide about each event's job under the locks of their productions; the jobs that change, not saved yet."""
    job_ids = {event.job_id for event, _ in heard}
    productions = await store.lock_productions_of(conn, job_ids)
    jobs = await store.jobs_by_id(conn, job_ids)
    moved, held = dict[str, domain.Job](), dict[str, follow.Held]()
    for event, headers in heard:
        job = jobs.get(event.job_id)
        if job is None or job.tenant_id != event.tenant_id:
            continue
        after = decide(job, event, _when(event.event_time))
        if after is not job:
            known_by = (event.submission_id or after.submission_id, event.account or after.account)
            after = dataclasses.replace(after, submission_id=known_by[0], account=known_by[1])
            jobs[job.id] = moved[job.id] = after
            held[job.production_id] = follow.Held(productions[job.production_id], after.updated_at, headers)
    return list(moved.values()), held


async def _settle(conn: AsyncConnection, moved: Sequence[domain.Job], held: follow.Productions) -> None:
    """See what becomes of the productions whose jobs have ended."""
    ended = {job.production_id for job in moved if job.state in domain.JOB_ENDS}
    await follow.settle(conn, {production_id: held[production_id] for production_id in ended})


async def _save(conn: AsyncConnection, before: domain.Production, after: domain.Production) -> None:
    if after is not before:
        await store.save_production(conn, after)
        gauges.settled(conn, after)


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
