"""What follows when something happens in a production: scenes are filled, unlocked or stranded, films asked for."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import failpoints, outbox, telemetry
from rushes.job.v1 import events_pb2
from services.job import continuity, domain, gauges, lifecycle, store, takes, wire

Place = tuple[str, int]
"""A production's id and a scene's number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A production under its lock, and when and in which trace something happens to it; None is the running one."""

    production: domain.Production
    now: datetime
    headers: Mapping[str, str] | None = None


Productions = Mapping[str, Held]
"""By id."""


async def save_jobs(conn: AsyncConnection, jobs: Sequence[domain.Job], held: Productions) -> None:
    """Write jobs under the locks of their productions."""
    await store.save_jobs(conn, jobs, {one.production.id: one.production.version for one in held.values()})
    for job in jobs:
        gauges.moved(conn, job, held[job.production_id].now)


async def keep_takes(conn: AsyncConnection, jobs: Sequence[domain.Job], held: Productions) -> dict[Place, domain.Take]:
    """Keep the takes of jobs that have just got them, and fill their scenes; returns what was filled."""
    slots = await takes.slots(conn, {job.production_id for job in jobs}) if jobs else {}
    kept, filled = list[domain.Job](), dict[Place, domain.Take]()
    for job in jobs:
        assert job.take is not None
        place = (job.production_id, job.scene_number)
        fills = lifecycle.fills(job, slots.get(place), held[job.production_id].production)
        if fills:
            slots[place] = dataclasses.replace(slots[place], take_id=job.take.id)
            filled[place] = job.take
        kept.append(dataclasses.replace(job, take=dataclasses.replace(job.take, picked=fills)))
    await save_jobs(conn, kept, held)
    await takes.insert(conn, kept)
    await takes.fill(conn, [slots[place] for place in filled])
    failpoints.reach("take.kept")
    return filled


async def unlock(conn: AsyncConnection, filled: Mapping[Place, domain.Take], held: Productions) -> None:
    """Let the scenes start that wait for the last frames of these takes."""
    filming = {place: take for place, take in filled.items() if held[place[0]].production.state in domain.FILMS}
    framed = {place: take for place, take in filming.items() if take.last_frame}
    if not framed:
        return
    for job in await store.waiting_in(conn, {production_id for production_id, _ in framed}):
        take = framed.get((job.production_id, job.scene_number - 1))
        if take is not None and job.seam == domain.Seam.LAST_FRAME:
            await start(conn, lifecycle.unlock(job, take, held[job.production_id].now), held[job.production_id])


async def release(conn: AsyncConnection, held: Held) -> None:
    """The production goes on: ask for everything that can be made now."""
    jobs = await store.waiting_in(conn, [held.production.id])
    for job in jobs:
        released = lifecycle.released(job, held.now)
        if released is not job:
            await start(conn, released, held)


async def start(conn: AsyncConnection, job: domain.Job, held: Held) -> None:
    """Ask for a job's clip, unless its production is held back."""
    after = lifecycle.held(job, held.production.state, held.now)
    await save_jobs(conn, [after], {held.production.id: held})
    if after.state is domain.JobState.RUNNING:
        await say(conn, wire.clip_requested(held.production, after), held)


async def strand(conn: AsyncConnection, production_ids: set[str], held: Productions) -> None:
    """End the jobs of these productions that wait for what can never come: whole chains at a time."""
    if not production_ids:
        return
    slots = await takes.slots(conn, production_ids)
    for production_id in sorted(production_ids):
        one = held[production_id]
        jobs = await store.jobs_of(conn, one.production)
        places = [slot for (of, _), slot in slots.items() if of == production_id]
        lost = [lifecycle.strand(job, one.now) for job in continuity.stranded(places, jobs)]
        await save_jobs(conn, lost, held)


async def after_cancel(conn: AsyncConnection, job: domain.Job, held: Held) -> None:
    """One job was cancelled: the gateway is told, or what hangs on it is stranded."""
    if job.state is domain.JobState.CANCELING:
        await say(conn, events_pb2.CancelRequested(tenant_id=job.tenant_id, job_id=job.id), held)
        return
    await strand(conn, {job.production_id}, {job.production_id: held})
    await settle(conn, {job.production_id: held})


async def settle(conn: AsyncConnection, held: Productions) -> dict[str, domain.Production]:
    """See what becomes of these productions, and ask for the films of those that are complete; returns them all."""
    tallies = await store.tallies(conn, held) if held else {}
    after = {}
    for production_id, one in held.items():
        after[production_id] = lifecycle.settle(one.production, tallies[production_id], one.now)
        if after[production_id] is not one.production:
            await store.save_production(conn, after[production_id])
            gauges.settled(conn, after[production_id])
            if after[production_id].state is domain.ProductionState.COMPILING:
                await say(conn, await film_of(conn, after[production_id]), one)
    failpoints.reach("settle.done")
    return after


async def film_of(conn: AsyncConnection, production: domain.Production) -> events_pb2.FilmRequested:
    """The order for the film of the takes that fill the production's scenes."""
    slots = list((await takes.slots(conn, [production.id])).values())
    found = await takes.by_id(conn, {slot.take_id for slot in slots if slot.take_id})
    made_of = await takes.specs(conn, found)
    scenes = [(slot, found[slot.take_id], made_of[slot.take_id]) for slot in slots if slot.take_id]
    return wire.film_requested(production, scenes)


async def say(conn: AsyncConnection, event: Message, held: Held) -> None:
    """Say it in the trace of what it follows from."""
    if held.headers is None:
        await outbox.put(conn, event)
        return
    with telemetry.span(f"decide {event.DESCRIPTOR.full_name}", held.headers):
        await outbox.put(conn, event)
