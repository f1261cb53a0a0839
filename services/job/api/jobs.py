"""Verbs of jobs: reading, stopping, and taking up again without paying twice."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, failpoints, ids, paging, reads, rpc
from rushes.job.v1 import events_pb2, job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.job import domain, follow, lifecycle, retries, store, takes, wire
from services.job.api import desk


class Jobs(desk.Desk):
    """Get, list, cancel and retry."""

    async def GetJob(self, request: pb.GetJobRequest, context: desk.Context) -> pb.GetJobResponse:
        """One job."""
        return pb.GetJobResponse(job=wire.job(await self._job(request.job_id), self.clock()))

    async def ListJobs(self, request: pb.ListJobsRequest, context: desk.Context) -> pb.ListJobsResponse:
        """Newest first."""
        narrowed = (
            f" {request.production_id} {request.stuck_only}" if request.production_id or request.stuck_only else ""
        )
        page = paging.by_id(request.page_size, request.page_token, f"jobs {request.state}{narrowed}")
        name = job_pb2.Job.State.Name(request.state).removeprefix("STATE_")
        state = domain.JobState(name) if request.state else None
        tenant_id, now = auth.caller().tenant_id, self.clock()
        silent = now - lifecycle.STUCK_AFTER if request.stuck_only else None
        async with self.database.tenant(tenant_id) as conn:
            found = await store.list_jobs(conn, tenant_id, state, page.below, page.most, request.production_id, silent)
        shown, more = page.cut(found)
        return pb.ListJobsResponse(jobs=[wire.job(job, now) for job in shown], next_page_token=more)

    async def CancelJob(self, request: pb.CancelJobRequest, context: desk.Context) -> pb.CancelJobResponse:
        """Stop it where that is free; what is paid is finished and kept."""
        job = await self._job(request.job_id)
        async with self.holding(job.production_id) as (conn, held):
            job = (await store.jobs_by_id(conn, [job.id]))[job.id]
            cancelled = lifecycle.cancel_job(job, held.now)
            if cancelled is job and job.state not in (domain.JobState.CANCELING, domain.JobState.CANCELED):
                raise domain.JobAlreadyFinished(job_id=job.id, state=job.state)
            if cancelled is not job:
                await follow.save_jobs(conn, [cancelled], {job.production_id: held})
                await follow.after_cancel(conn, cancelled, held)
            failpoints.reach("cancel_job.before_commit")
        if cancelled is not job:
            desk.note("job_cancelled", job_id=job.id)
        return pb.CancelJobResponse(job=wire.job(await self._job(job.id), self.clock()))

    async def RetryJob(self, request: pb.RetryJobRequest, context: desk.Context) -> pb.RetryJobResponse:
        """Take it up at the step where it stands."""
        job = await self._job(request.job_id)
        step = retries.step(job)
        if step is retries.Step.LOOKED_AGAIN:
            look = gateway_pb2.ReconcileSubmissionRequest(submission_id=job.submission_id)
            with desk.meaning({desk.Code.FAILED_PRECONDITION: retries.no_longer(job)}):
                await self.gateway.ReconcileSubmission(look, timeout=desk.CALL_S, metadata=rpc.bearer())
        elif step is retries.Step.FETCHED_AGAIN:
            fetch = gateway_pb2.FetchSubmissionRequest(submission_id=job.submission_id)
            with desk.meaning({desk.Code.FAILED_PRECONDITION: retries.no_longer(job)}):
                await self.gateway.FetchSubmission(fetch, timeout=desk.CALL_S, metadata=rpc.bearer())
        elif again := await self._again(job, step):
            job = again
            failpoints.reach("retry.committed")
        else:
            return await self.RetryJob(request, context)
        desk.note("job_retried", job_id=job.id, step=step)
        message = wire.job(await self._job(job.id), self.clock())
        return pb.RetryJobResponse(step=pb.RetryJobResponse.Step.Value(f"STEP_{step}"), job=message)

    async def _again(self, job: domain.Job, step: retries.Step) -> domain.Job | None:
        """Repeat the order, or begin a new job where nothing was charged; the job that goes on.

        None when it stands at another step by now. Raises what `retries.step` raises.
        """
        async with self.holding(job.production_id) as (conn, held):
            job = (await store.jobs_by_id(conn, [job.id]))[job.id]
            if retries.step(job) is not step:  # its clip may have come while we waited for the lock
                return None
            if not job.ended_at:
                await _repeat(conn, job, held)
                return job
            jobs = await store.jobs_of(conn, held.production)
            if instead := next((one for one in jobs if one.retries == job.id), None):
                return instead
            slots = list((await takes.slots(conn, [job.production_id])).values())
            found = await takes.by_id(conn, {slot.take_id for slot in slots if slot.take_id})
            revived = retries.revive(held.production, job, jobs, slots, found, ids.new, held.now)
            filled = {(slot.production_id, slot.scene_number): found[slot.take_id] for slot in slots if slot.take_id}
            await _begin(conn, revived, filled, held)
            failpoints.reach("retry.before_commit")
            return revived[0]

    @functools.cached_property
    def _reads(self) -> reads.Reads[domain.Job]:
        return reads.Reads(self.database, store.find_jobs)

    async def _job(self, job_id: str) -> domain.Job:
        job = await self._reads.get(auth.caller().tenant_id, job_id)
        if job is None:
            raise domain.JobNotFound(job_id=job_id)
        return job


async def _repeat(conn: AsyncConnection, job: domain.Job, held: follow.Held) -> None:
    """Say again what was asked for: the gateway knows an attempt that it has heard of."""
    await follow.save_jobs(conn, [dataclasses.replace(job, updated_at=held.now)], {job.production_id: held})
    await follow.say(conn, wire.clip_requested(held.production, job), held)
    if job.state is domain.JobState.CANCELING:
        await follow.say(conn, events_pb2.CancelRequested(tenant_id=job.tenant_id, job_id=job.id), held)


async def _begin(
    conn: AsyncConnection, jobs: Sequence[domain.Job], filled: Mapping[follow.Place, domain.Take], held: follow.Held
) -> None:
    await store.add_jobs(conn, jobs, held.production.version)
    for job in jobs:
        if job.state is domain.JobState.RUNNING:
            await follow.say(conn, wire.clip_requested(held.production, job), held)
    await follow.unlock(conn, filled, {held.production.id: held})  # what is filled comes no more
    await follow.settle(conn, {held.production.id: held})
