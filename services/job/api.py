"""JobService: one method per RPC."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import grpc
import grpc.aio

from libs import auth, db, errors, failpoints, ids, outbox, paging, rpc
from rushes.job.v1 import events_pb2, job_pb2, job_service_pb2, job_service_pb2_grpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2, quote_pb2
from rushes.storyboard.v1 import storyboard_service_pb2
from services.job import domain, store, wire

_LOOK_EVERY_S = 0.25
_HEARTBEAT_S = 20.0
_CALL_S = 10.0

Context = grpc.aio.ServicerContext[Any, Any]
_Code = grpc.StatusCode


class JobApi(job_service_pb2_grpc.JobServiceServicer):
    """Answers callers; `clock` tells the time, `draining` ends the watches of a server that is going away."""

    def __init__(self, database: db.Database, storyboards: Any, gateway: Any, clock: Callable[[], datetime]) -> None:
        self._database, self._storyboards, self._gateway, self._clock = database, storyboards, gateway, clock
        self.draining = asyncio.Event()

    async def CreateProduction(
        self, request: job_service_pb2.CreateProductionRequest, context: Context
    ) -> job_service_pb2.CreateProductionResponse:
        """Plan the jobs of a revision and ask for every clip that can be made now."""
        wire.check_create_production(request)
        if replayed := await self._replayed(request):
            return job_service_pb2.CreateProductionResponse(production=replayed)
        quote = await self._quote(request.quote_id)
        now = self._clock()
        wire.check_quote_alive(quote, now)
        composed = await self._composed(request)
        production = domain.Production(
            id=ids.new("prod"),
            tenant_id=auth.caller().tenant_id,
            storyboard_id=request.storyboard_id,
            revision=request.revision,
            title=composed.storyboard_name,
            quote_id=quote.id,
            currency=quote.most_you_can_pay.currency,
            most_micros=quote.most_you_can_pay.micros,
            created_at=now,
            updated_at=now,
        )
        jobs = domain.plan(production, wire.scenes(composed, quote), ids.new)
        async with self._database.tenant(production.tenant_id) as conn:
            created = await store.insert_production_once(
                conn, production, jobs, request.request_id, wire.digest(request)
            )
            if created:
                await outbox.put(conn, *_orders(production, jobs))
            failpoints.reach("production.before_commit")
        failpoints.reach("production.committed")
        message = wire.production(production, 0, jobs) if created else await self._replayed(request)
        return job_service_pb2.CreateProductionResponse(production=message)

    async def GetProduction(
        self, request: job_service_pb2.GetProductionRequest, context: Context
    ) -> job_service_pb2.GetProductionResponse:
        """The production with its jobs."""
        message, _ = await self._snapshot(request.production_id)
        return job_service_pb2.GetProductionResponse(production=message)

    async def ListProductions(
        self, request: job_service_pb2.ListProductionsRequest, context: Context
    ) -> job_service_pb2.ListProductionsResponse:
        """Newest first, without jobs."""
        page = paging.by_id(request.page_size, request.page_token, f"productions {request.storyboard_id}")
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.list_productions(conn, tenant_id, request.storyboard_id, page.below, page.most)
            costs = await store.cost_micros(conn, [one.id for one in found])
        shown, more = page.cut(found)
        messages = [wire.production(one, costs.get(one.id, 0)) for one in shown]
        return job_service_pb2.ListProductionsResponse(productions=messages, next_page_token=more)

    async def WatchProduction(
        self, request: job_service_pb2.WatchProductionRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchProductionResponse]:
        """What is, then what changes, until nothing can change any more."""
        bound = f"watch {request.production_id}"
        if request.resume_token:
            (seen,) = paging.decode(request.resume_token, bound)
        else:
            snapshot, seen = await self._snapshot(request.production_id)
            yield job_service_pb2.WatchProductionResponse(resume_token=paging.encode([seen], bound), snapshot=snapshot)
        quiet_s = 0.0
        while True:
            before, token = seen, paging.encode([seen], bound)
            production, cost, jobs = await self._changes(request.production_id, seen)
            seen = production.version
            if seen != before:
                token, quiet_s = paging.encode([seen], bound), 0.0
                for job in jobs:
                    # The old token until all of this version is out: a cut in between sends it again.
                    message = wire.job(job)
                    yield job_service_pb2.WatchProductionResponse(
                        resume_token=paging.encode([before], bound), job=message
                    )
                yield job_service_pb2.WatchProductionResponse(
                    resume_token=token, production=wire.production(production, cost)
                )
            if production.state in domain.PRODUCTION_ENDS:
                return
            quiet_s += await self._pause()
            if quiet_s >= _HEARTBEAT_S:
                quiet_s = 0.0
                yield job_service_pb2.WatchProductionResponse(resume_token=token)

    async def CancelProduction(
        self, request: job_service_pb2.CancelProductionRequest, context: Context
    ) -> job_service_pb2.CancelProductionResponse:
        """Stop what can be stopped for nothing; what is paid is finished and kept."""
        tenant_id, now = auth.caller().tenant_id, self._clock()
        async with self._database.tenant(tenant_id) as conn:
            production = await store.lock_production(conn, tenant_id, request.production_id)
            cancelled = domain.cancel(production, now)
            if cancelled is not production:
                jobs = [domain.cancel_job(job, now) for job in await store.jobs_of(conn, production)]
                await store.save_jobs(conn, jobs, {production.id: production.version})
                running = [job.id for job in jobs if job.state is domain.JobState.CANCELING]
                await outbox.put(
                    conn, *(events_pb2.CancelRequested(tenant_id=tenant_id, job_id=job_id) for job_id in running)
                )
                tallies = await store.tallies(conn, [production.id])
                settled = domain.settle(cancelled, tallies[production.id], now)
                await store.save_production(conn, settled)
            failpoints.reach("cancel.before_commit")
        failpoints.reach("cancel.committed")
        message, _ = await self._snapshot(request.production_id)
        return job_service_pb2.CancelProductionResponse(production=message)

    async def GetJob(self, request: job_service_pb2.GetJobRequest, context: Context) -> job_service_pb2.GetJobResponse:
        """One job."""
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            job = await store.get_job(conn, tenant_id, request.job_id)
        return job_service_pb2.GetJobResponse(job=wire.job(job))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, f"jobs {request.state}")
        name = job_pb2.Job.State.Name(request.state).removeprefix("STATE_")
        state = domain.JobState(name) if request.state else None
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.list_jobs(conn, tenant_id, state, page.below, page.most)
        shown, more = page.cut(found)
        return job_service_pb2.ListJobsResponse(jobs=map(wire.job, shown), next_page_token=more)

    async def _replayed(self, request: job_service_pb2.CreateProductionRequest) -> job_pb2.Production | None:
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.find_requested(conn, tenant_id, request.request_id)
        if found is None:
            return None
        production, digest = found
        if digest != wire.digest(request):
            raise domain.RequestIdReused(request_id=request.request_id)
        message, _ = await self._snapshot(production.id)
        return message

    async def _quote(self, quote_id: str) -> quote_pb2.Quote:
        request = provider_gateway_service_pb2.GetQuoteRequest(quote_id=quote_id)
        missing = domain.QuoteNotFound(quote_id=quote_id)
        with _meaning({_Code.NOT_FOUND: missing, _Code.INVALID_ARGUMENT: missing}):
            response = await self._gateway.GetQuote(request, timeout=_CALL_S, metadata=rpc.bearer())
        quote: quote_pb2.Quote = response.quote
        return quote

    async def _composed(
        self, request: job_service_pb2.CreateProductionRequest
    ) -> storyboard_service_pb2.ComposePromptsResponse:
        asked = storyboard_service_pb2.ComposePromptsRequest(
            storyboard_id=request.storyboard_id, revision=request.revision
        )
        missing = domain.StoryboardNotFound(storyboard_id=request.storyboard_id, revision=request.revision)
        # A revision without scenes cannot be composed, and no quote was made for it.
        unfit = domain.QuoteChanged(quote_id=request.quote_id)
        told = {_Code.NOT_FOUND: missing, _Code.INVALID_ARGUMENT: missing, _Code.FAILED_PRECONDITION: unfit}
        with _meaning(told):
            response = await self._storyboards.ComposePrompts(asked, timeout=_CALL_S, metadata=rpc.bearer())
        composed: storyboard_service_pb2.ComposePromptsResponse = response
        return composed

    async def _snapshot(self, production_id: str) -> tuple[job_pb2.Production, int]:
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            production = await store.get_production(conn, tenant_id, production_id)
            jobs = await store.jobs_of(conn, production)
        cost = sum(job.cost_micros or 0 for job in jobs)
        return wire.production(production, cost, jobs), production.version

    async def _changes(self, production_id: str, seen: int) -> tuple[domain.Production, int, list[domain.Job]]:
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            production = await store.get_production(conn, tenant_id, production_id)
            if production.version == seen:
                return production, 0, []
            jobs = await store.jobs_of(conn, production, changed_after=seen)
            costs = await store.cost_micros(conn, [production_id])
        return production, costs.get(production_id, 0), jobs

    async def _pause(self) -> float:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self.draining.wait()
            raise rpc.ServerDraining
        return _LOOK_EVERY_S


def _orders(production: domain.Production, jobs: list[domain.Job]) -> list[events_pb2.ClipRequested]:
    return [wire.clip_requested(production, job) for job in jobs if job.state is domain.JobState.RUNNING]


@contextlib.contextmanager
def _meaning(told: Mapping[grpc.StatusCode, errors.Error]) -> Iterator[None]:
    """What our caller is told when a neighbour answers with one of these codes."""
    try:
        yield
    except grpc.aio.AioRpcError as fault:
        if error := told.get(fault.code()):
            raise error from fault
        raise
