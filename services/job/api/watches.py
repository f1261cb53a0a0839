"""Verbs that watch: what is, then what changes, in order, each change once however often the stream is cut."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from libs import auth, paging, rpc
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.job import changes, domain, estimate, feeds, measures, wire
from services.job.api import desk

_LOOK_EVERY_S = 0.25
_HEARTBEAT_S = 20.0

_MOST_CHANGES = 1000
"""Productions that may have changed since a token; with more of them it is of no use."""

_Steps = list[pb.WatchProductionResponse]


class _Looked(NamedTuple):
    """Where a watcher is after this, what it is told, and whether that is all."""

    seen: changes.Place
    steps: _Steps
    is_over: bool


_Change = job_pb2.Production | job_pb2.Job | pb.Resync | None


class Watches(desk.Desk):
    """Watch a production, a storyboard's productions, or the tenant's jobs."""

    @functools.cached_property
    def _feed(self) -> feeds.Feed:
        return feeds.Feed(self.database, _LOOK_EVERY_S)

    async def WatchProduction(
        self, request: pb.WatchProductionRequest, context: desk.Context
    ) -> AsyncIterator[pb.WatchProductionResponse]:
        """What is, then what changes, until nothing can change any more."""
        bound, production_id = f"watch {request.production_id}", request.production_id
        seen = _place(paging.decode(request.resume_token, bound)) if request.resume_token else None
        with self._feed.following(production_id):
            while True:
                seen, steps, is_over = await self._look(production_id, seen, bound)
                for step in steps:
                    yield step
                if is_over:
                    return
                heartbeat = pb.WatchProductionResponse(resume_token=paging.encode(seen, bound))
                while not await self._news(production_id, seen):
                    yield heartbeat

    async def WatchStoryboard(
        self, request: pb.WatchStoryboardRequest, context: desk.Context
    ) -> AsyncIterator[pb.WatchStoryboardResponse]:
        """What films, then whatever changes in it."""
        bound = f"storyboard {request.storyboard_id}"
        async for token, change in self._changes(request.storyboard_id, request.resume_token, bound):
            yield pb.WatchStoryboardResponse(resume_token=token, **_named(change))

    async def WatchJobs(
        self, request: pb.WatchJobsRequest, context: desk.Context
    ) -> AsyncIterator[pb.WatchJobsResponse]:
        """What is made, then whatever changes in it."""
        async for token, change in self._changes("", request.resume_token, "jobs"):
            if not isinstance(change, job_pb2.Production):
                yield pb.WatchJobsResponse(resume_token=token, **_named(change))

    async def _look(self, production_id: str, seen: changes.Place | None, bound: str) -> _Looked:
        tenant_id = auth.caller().tenant_id
        if seen is None:
            return await self._anew(production_id, bound, [])

        async def read() -> _Looked | None:
            async with self.database.tenant(tenant_id) as conn:
                found = await changes.since(conn, tenant_id, production_id, seen)
                if seen.version > found.production.version:
                    return None
                made = {job.model for job in found.jobs if job.state is domain.JobState.SUCCEEDED}
                paces = estimate.paces(await measures.seconds(conn, tenant_id, made))
            return self._looked(found, paces, seen, bound)

        looked = await self._feed.shared(production_id, (tenant_id, seen), read)
        if looked is None:
            return await self._anew(production_id, bound, [pb.WatchProductionResponse(resync=pb.Resync())])
        return looked

    def _looked(
        self, found: changes.Changed, paces: Sequence[estimate.Pace], seen: changes.Place, bound: str
    ) -> _Looked:
        """The same messages for all who are at the same place."""
        steps = []
        for job in found.jobs:
            token = paging.encode(changes.place(job), bound)
            steps.append(pb.WatchProductionResponse(resume_token=token, job=wire.job(job, self.clock())))
        after = changes.Place(found.production.version, changes.LAST)
        if after != seen:
            message = wire.production(found.production, found.cost_micros)
            message.paces.extend(map(wire.pace, paces))
            steps.append(pb.WatchProductionResponse(resume_token=paging.encode(after, bound), production=message))
        return _Looked(after, steps, found.production.state in domain.PRODUCTION_ENDS)

    async def _anew(self, production_id: str, bound: str, before: _Steps) -> _Looked:
        # Many begin at once: they share one reading, and go on from its version.
        whose, read = auth.caller().tenant_id, functools.partial(self.snapshot, production_id)
        snapshot, version = await self._feed.shared(production_id, whose, read)
        seen = changes.Place(version, changes.LAST)
        step = pb.WatchProductionResponse(resume_token=paging.encode(seen, bound), snapshot=snapshot)
        return _Looked(seen, [*before, step], snapshot.HasField("end_time"))

    async def _news(self, production_id: str, seen: changes.Place) -> bool:
        """Wait for a newer version; False when it is time to show that we are alive. Raises ServerDraining."""
        news = asyncio.ensure_future(self._feed.newer(production_id, seen.version))
        draining = asyncio.ensure_future(self.draining.wait())
        try:
            await asyncio.wait({news, draining}, timeout=_HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if draining.done():
                raise rpc.ServerDraining
            return news.done()
        finally:
            news.cancel()
            draining.cancel()
            await asyncio.gather(news, draining, return_exceptions=True)

    async def _changes(self, storyboard_id: str, token: str, bound: str) -> AsyncIterator[tuple[str, _Change]]:
        """Each change with its token; None says that nothing has happened for a while."""
        tenant_id, quiet_s = auth.caller().tenant_id, 0.0
        seen = _place(paging.decode(token, bound)) if token else None
        while True:
            async with self.database.tenant(tenant_id) as conn:
                upto = await changes.horizon(conn)
                found = await changes.everywhere(conn, tenant_id, storyboard_id, seen, upto, _MOST_CHANGES)
            if found is None:
                seen = None
                yield "", pb.Resync()
                continue
            for at, row in found:
                quiet_s = 0.0
                yield paging.encode(at, bound), self._message(row)
            seen = max(seen or changes.Place(0, ""), changes.Place(upto - 1, changes.LAST + changes.LAST))
            quiet_s += await self._pause()
            if quiet_s >= _HEARTBEAT_S:
                quiet_s = 0.0
                yield paging.encode(seen, bound), None

    def _message(self, row: changes.Row) -> job_pb2.Production | job_pb2.Job:
        if isinstance(row, domain.Job):
            return wire.job(row, self.clock())
        return wire.production(row.production, row.cost_micros)

    async def _pause(self) -> float:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self.draining.wait()
            raise rpc.ServerDraining
        return _LOOK_EVERY_S


def _place(told: tuple[Any, ...]) -> changes.Place:
    """The place in a token; the first release wrote down the version alone."""
    return changes.Place(told[0], told[1] if len(told) > 1 else changes.LAST)


def _named(change: _Change) -> dict[str, Any]:
    """The change as the field of an answer."""
    if change is None:
        return {}
    return {type(change).__name__.lower(): change}
