"""What the job service does about the facts it hears."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from google.protobuf import timestamp_pb2
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, ids, outbox, telemetry
from rushes.compiler.v1.events_pb2 import FilmCompleted, FilmFailed, FilmProgressed
from rushes.provider_gateway.v1.events_pb2 import ClipStored, SubmissionFailed, SubmissionStateChanged
from rushes.provider_gateway.v1.submission_pb2 import Submission
from services.job import domain, store, wire

Decide = Callable[[domain.Job, Any, datetime], domain.Job]


class Moved(NamedTuple):
    """A job that an event has changed."""

    before: domain.Job
    after: domain.Job
    production: domain.Production
    headers: Mapping[str, str]


async def on_clips_stored(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """Paid clips are kept: they are their scenes' takes, and unlock the scenes that start on their last frames."""
    moved = await _apply(conn, heard, _clip_stored)
    filming = [one for one in moved if one.production.state is domain.ProductionState.FILMING]
    await _unlock(conn, {one.after.id: one for one in filming if one.after.last_frame_wanted})
    await _settle(conn, moved)


async def on_submissions_failed(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """No clips: try again where that helps, else the jobs end, and with them those that wait for their takes."""
    moved = await _apply(conn, heard, _submission_failed)
    for one in moved:
        if one.after.state is domain.JobState.RUNNING:
            await _say(conn, one, wire.clip_requested(one.production, one.after))
    await _strand(conn, {one.after.id: one for one in moved if one.after.state in domain.JOB_ENDS})
    await _settle(conn, moved)


async def on_submissions_moved(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
    """The paid calls moved on: let those who watch see it."""
    await _apply(conn, heard, _submission_moved)


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
    return domain.clip_stored(job, take, event.cost.micros, now)


def _submission_failed(job: domain.Job, event: SubmissionFailed, now: datetime) -> domain.Job:
    if event.attempt != job.attempt:
        return job
    cost = event.cost.micros if event.HasField("cost") else None
    charged = "unknown" if cost is None else "yes" if cost else "no"
    fault = domain.Fault(event.reason, event.message, {"charged": charged, "submission_id": event.submission_id})
    return domain.submission_failed(job, fault, cost, event.retryable, now)


def _submission_moved(job: domain.Job, event: SubmissionStateChanged, now: datetime) -> domain.Job:
    if event.attempt != job.attempt:
        return job
    state = Submission.State.Name(event.state).removeprefix("STATE_")
    until = event.retry_time.ToDatetime(UTC).isoformat() if event.HasField("retry_time") else ""
    parked = domain.Fault(event.reason, event.message, {"retry_time": until}) if state == "PARKED" else None
    return domain.submission_moved(job, state, event.version, parked, now)


async def _apply(conn: AsyncConnection, heard: Sequence[bus.Heard], decide: Decide) -> list[Moved]:
    """Decide about each event's job, under the locks of their productions, and save those that change."""
    job_ids = {event.job_id for event, _ in heard}
    productions = await store.lock_productions_of(conn, job_ids)
    jobs = await store.jobs_by_id(conn, job_ids)
    moved: dict[str, Moved] = {}
    for event, headers in heard:
        job = jobs.get(event.job_id)
        if job is None or job.tenant_id != event.tenant_id:
            continue
        after = decide(job, event, _when(event.event_time))
        if after is not job:
            jobs[job.id] = after
            moved[job.id] = Moved(job, after, productions[job.production_id], headers)
    await _save_jobs(conn, [one.after for one in moved.values()], productions)
    return list(moved.values())


async def _unlock(conn: AsyncConnection, takes: Mapping[str, Moved]) -> None:
    if not takes:
        return
    for waiting in await store.waiting_for(conn, takes):
        one = takes[waiting.waits_for or ""]
        assert one.after.take is not None
        unlocked = domain.unlock(waiting, one.after.take, one.after.updated_at)
        if unlocked is not waiting:
            await _save_jobs(conn, [unlocked], {one.production.id: one.production})
            await _say(conn, one, wire.clip_requested(one.production, unlocked))


async def _strand(conn: AsyncConnection, ended: Mapping[str, Moved]) -> None:
    """Whole chains at a time: who waits for a stranded job is stranded too."""
    while ended:
        following = {}
        for waiting in await store.waiting_for(conn, ended):
            one = ended[waiting.waits_for or ""]
            stranded = domain.strand(waiting, one.after.updated_at)
            if stranded is not waiting:
                await _save_jobs(conn, [stranded], {one.production.id: one.production})
                following[stranded.id] = one._replace(before=waiting, after=stranded)
        ended = following


async def _settle(conn: AsyncConnection, moved: Sequence[Moved]) -> None:
    """See what becomes of the productions whose jobs have ended; ask for the film of those that are complete."""
    of_production = {one.production.id: one for one in moved if one.after.state in domain.JOB_ENDS}
    tallies = await store.tallies(conn, of_production) if of_production else {}
    for production_id, one in of_production.items():
        after = domain.settle(one.production, tallies[production_id], one.after.updated_at)
        await _save(conn, one.production, after)
        if after.state is domain.ProductionState.COMPILING and after is not one.production:
            await _say(conn, one, wire.film_requested(after, await store.jobs_of(conn, after)))


async def _say(conn: AsyncConnection, because: Moved, event: Message) -> None:
    with telemetry.span(f"decide {event.DESCRIPTOR.full_name}", because.headers):
        await outbox.put(conn, event)


async def _save_jobs(
    conn: AsyncConnection, jobs: Sequence[domain.Job], productions: Mapping[str, domain.Production]
) -> None:
    await store.save_jobs(conn, jobs, {production.id: production.version for production in productions.values()})


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
