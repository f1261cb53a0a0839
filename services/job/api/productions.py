"""Verbs of productions: reading, and holding back, letting go and stopping them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, failpoints, outbox, paging
from rushes.job.v1 import events_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.job import domain, follow, gauges, lifecycle, store, wire
from services.job.api import desk


class Productions(desk.Desk):
    """Get, list, pause, resume, approve and cancel."""

    async def GetProduction(self, request: pb.GetProductionRequest, context: desk.Context) -> pb.GetProductionResponse:
        """The production with its jobs."""
        message, _ = await self.snapshot(request.production_id)
        return pb.GetProductionResponse(production=message)

    async def ListProductions(
        self, request: pb.ListProductionsRequest, context: desk.Context
    ) -> pb.ListProductionsResponse:
        """Newest first, without jobs."""
        page = paging.by_id(request.page_size, request.page_token, f"productions {request.storyboard_id}")
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await store.list_productions(conn, tenant_id, request.storyboard_id, page.below, page.most)
            costs = await store.cost_micros(conn, [one.id for one in found])
        shown, more = page.cut(found)
        messages = [wire.production(one, costs.get(one.id, 0)) for one in shown]
        return pb.ListProductionsResponse(productions=messages, next_page_token=more)

    async def PauseProduction(
        self, request: pb.PauseProductionRequest, context: desk.Context
    ) -> pb.PauseProductionResponse:
        """Ask for nothing more; what is asked for is finished and kept."""
        async with self.holding(request.production_id) as (conn, held):
            paused = lifecycle.pause(held.production, held.now)
            await store.save_production(conn, paused)
            failpoints.reach("pause.before_commit")
        _note("production_paused", held.production, paused)
        message, _ = await self.snapshot(request.production_id)
        return pb.PauseProductionResponse(production=message)

    async def ResumeProduction(
        self, request: pb.ResumeProductionRequest, context: desk.Context
    ) -> pb.ResumeProductionResponse:
        """Go on where it was paused."""
        async with self.holding(request.production_id) as (conn, held):
            resumed = lifecycle.resume(held.production, held.now)
            await store.save_production(conn, resumed)
            await self._go_on(conn, follow.Held(resumed, held.now))
            failpoints.reach("resume.before_commit")
        _note("production_resumed", held.production, resumed)
        message, _ = await self.snapshot(request.production_id)
        return pb.ResumeProductionResponse(production=message)

    async def ApproveProduction(
        self, request: pb.ApproveProductionRequest, context: desk.Context
    ) -> pb.ApproveProductionResponse:
        """Let it spend."""
        async with self.holding(request.production_id) as (conn, held):
            approved = lifecycle.approve(held.production, auth.caller().subject, held.now)
            await store.save_production(conn, approved)
            await self._go_on(conn, follow.Held(approved, held.now))
            if approved is not held.production:
                await _approval(conn, approved)
            failpoints.reach("approve.before_commit")
        _note("production_approved", held.production, approved)
        message, _ = await self.snapshot(request.production_id)
        return pb.ApproveProductionResponse(production=message)

    async def CancelProduction(
        self, request: pb.CancelProductionRequest, context: desk.Context
    ) -> pb.CancelProductionResponse:
        """Stop what can be stopped for nothing; what is paid is finished and kept."""
        async with self.holding(request.production_id) as (conn, held):
            before = held.production
            cancelled = lifecycle.cancel(before, held.now)
            if cancelled is not before:
                await store.save_production(conn, cancelled)
                gauges.settled(conn, cancelled)
                held = follow.Held(cancelled, held.now)
                jobs = [lifecycle.cancel_job(job, held.now) for job in await store.jobs_of(conn, cancelled)]
                await follow.save_jobs(conn, jobs, {cancelled.id: held})
                running = [job.id for job in jobs if job.state is domain.JobState.CANCELING]
                tenant_id = cancelled.tenant_id
                await outbox.put(
                    conn, *(events_pb2.CancelRequested(tenant_id=tenant_id, job_id=job_id) for job_id in running)
                )
                await follow.settle(conn, {cancelled.id: held})
            money = _money(await store.jobs_of(conn, cancelled))
            failpoints.reach("cancel.before_commit")
        failpoints.reach("cancel.committed")
        _note("production_cancelled", before, cancelled)
        message, _ = await self.snapshot(request.production_id)
        spent, at_stake, saved = (wire.money(micros, held.production.currency) for micros in money)
        return pb.CancelProductionResponse(production=message, spent=spent, at_stake=at_stake, saved=saved)

    @staticmethod
    async def _go_on(conn: AsyncConnection, held: follow.Held) -> None:
        """Ask for what has waited, and see whether it has all that it needs already."""
        if held.production.state is domain.ProductionState.FILMING:
            await follow.release(conn, held)
            await follow.settle(conn, {held.production.id: held})


def _note(action: str, before: domain.Production, after: domain.Production) -> None:
    """Whoever repeats it does nothing."""
    if after is not before:
        desk.note(action, production_id=after.id)


async def _approval(conn: AsyncConnection, of: domain.Production) -> None:
    most, currency = of.most_micros, of.currency
    await audit.note(conn, of.tenant_id, "production_approved", of.id, most_micros=most, currency=currency)


def _money(jobs: Sequence[domain.Job]) -> tuple[int, int, int]:
    """What was charged; what may still be charged; what was quoted and never will be."""
    spent = sum(job.cost_micros or 0 for job in jobs)
    at_stake = sum(job.quoted_micros for job in jobs if lifecycle.may_be_charged(job))
    quoted = sum(job.quoted_micros for job in jobs)
    return spent, at_stake, max(0, quoted - spent - at_stake)
