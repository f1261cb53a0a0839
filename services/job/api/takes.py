"""Verbs of takes: reading, choosing between them, and writing on them."""

import dataclasses
from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, errors, failpoints, paging
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.job import continuity, domain, follow, store, takes, wire
from services.job.api import desk

_LONGEST_NOTE = 2000


class Takes(desk.Desk):
    """Get, list, pick, unpick and note."""

    async def GetTake(self, request: pb.GetTakeRequest, context: desk.Context) -> pb.GetTakeResponse:
        """One take."""
        return pb.GetTakeResponse(take=await self._take(request.take_id))

    async def ListTakes(self, request: pb.ListTakesRequest, context: desk.Context) -> pb.ListTakesResponse:
        """Newest first."""
        bound = f"takes {request.storyboard_id} {request.scene_id} {request.picked_only}"
        page = paging.by_id(request.page_size, request.page_token, bound)
        if not request.storyboard_id:
            raise wire.BadRequest([errors.Violation("storyboard_id", "should name the storyboard")])
        tenant_id = auth.caller().tenant_id
        asked = (request.storyboard_id, request.scene_id, request.picked_only)
        async with self.database.tenant(tenant_id) as conn:
            found = await takes.page(conn, tenant_id, *asked, page.below, page.most)
            stale = await _stale(conn, tenant_id, request.storyboard_id, found)
        shown, more = page.cut(found)
        return pb.ListTakesResponse(takes=[wire.take(one, one.id in stale) for one in shown], next_page_token=more)

    async def PickTake(self, request: pb.PickTakeRequest, context: desk.Context) -> pb.PickTakeResponse:
        """Make it the one of its scene, in every production that still films too."""
        tenant_id, now = auth.caller().tenant_id, self.clock()
        async with self.database.tenant(tenant_id) as conn:
            take = await takes.get(conn, tenant_id, request.take_id)
            locked = await store.lock_filming(conn, tenant_id, take.storyboard_id, [take.production_id])
            before = await takes.pick(conn, tenant_id, take)
            was_picked, take = take.picked, dataclasses.replace(take, picked=True)
            held = {one.id: follow.Held(one, now) for one in locked.values()}
            await _mark(conn, [take, *before], held)
            await _fill(conn, take, {key: one for key, one in held.items() if one.production.state in domain.FILMS})
            picked = await takes.picked(conn, tenant_id, take.storyboard_id)
            failpoints.reach("pick.before_commit")
        if not was_picked:
            desk.note("take_picked", take_id=take.id)
        stale = continuity.stale(picked)
        return pb.PickTakeResponse(take=wire.take(take, take.id in stale), stale_take_ids=sorted(stale))

    async def UnpickTake(self, request: pb.UnpickTakeRequest, context: desk.Context) -> pb.UnpickTakeResponse:
        """Leave its scene without one."""
        tenant_id, now = auth.caller().tenant_id, self.clock()
        async with self.database.tenant(tenant_id) as conn:
            take = await takes.get(conn, tenant_id, request.take_id)
            locked = await store.lock_filming(conn, tenant_id, take.storyboard_id, [take.production_id])
            await takes.leave(conn, take)
            held = {one.id: follow.Held(one, now) for one in locked.values()}
            await _mark(conn, [take], held)
            films = [one for one in held.values() if one.production.state in domain.FILMS]
            slots = await takes.slots(conn, [one.production.id for one in films]) if films else {}
            emptied = [dataclasses.replace(slot, take_id=None) for slot in slots.values() if slot.take_id == take.id]
            await takes.fill(conn, emptied)
            await follow.settle(conn, {slot.production_id: held[slot.production_id] for slot in emptied})
            failpoints.reach("unpick.before_commit")
        if take.picked:
            desk.note("take_unpicked", take_id=take.id)
        return pb.UnpickTakeResponse(take=await self._take(take.id))

    async def NoteTake(self, request: pb.NoteTakeRequest, context: desk.Context) -> pb.NoteTakeResponse:
        """Write on it."""
        if len(request.note) > _LONGEST_NOTE:
            raise wire.BadRequest([errors.Violation("note", f"should be at most {_LONGEST_NOTE} characters")])
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            take = await takes.get(conn, tenant_id, request.take_id)
            await takes.note(conn, take, request.note)
        return pb.NoteTakeResponse(take=await self._take(take.id))

    async def _take(self, take_id: str) -> job_pb2.Take:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            take = await takes.get(conn, tenant_id, take_id)
            stale = await _stale(conn, tenant_id, take.storyboard_id, [take])
        return wire.take(take, take.id in stale)


async def _stale(conn: AsyncConnection, tenant_id: str, storyboard_id: str, found: Sequence[domain.Take]) -> set[str]:
    """Which of these start on what is no longer picked."""
    known = {take.id: take for take in [*found, *await takes.picked(conn, tenant_id, storyboard_id)]}
    return continuity.stale(list(known.values()))


async def _mark(conn: AsyncConnection, changed: Collection[domain.Take], held: follow.Productions) -> None:
    """Let those who watch see it: the jobs of these takes have changed."""
    jobs = await store.jobs_by_id(conn, {take.job_id for take in changed})
    await follow.save_jobs(conn, [job for job in jobs.values() if job.production_id in held], held)


async def _fill(conn: AsyncConnection, take: domain.Take, held: follow.Productions) -> None:
    """Fill its scene in the productions that still film, and go on from there. Raises TakeWithoutLastFrame."""
    if not held:
        return
    slots = await takes.slots(conn, list(held))
    mine = {place: slot for place, slot in slots.items() if slot.scene_id == take.scene_id}
    for production_id, number in mine:
        after = slots.get((production_id, number + 1))
        if after and after.seam == domain.Seam.LAST_FRAME and not after.take_id and not take.last_frame:
            raise domain.TakeWithoutLastFrame(take_id=take.id, production_id=production_id)
    await takes.fill(conn, [dataclasses.replace(slot, take_id=take.id) for slot in mine.values()])
    await follow.unlock(conn, dict.fromkeys(mine, take), held)
    await follow.settle(conn, {production_id: held[production_id] for production_id, _ in mine})
