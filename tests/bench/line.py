"""Drives jobs through the whole line: storyboard, quote, production, one paid call each, clip stored."""

import asyncio
import time
import uuid
from typing import NamedTuple

from libs import rpc
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2, quote_pb2
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import media_pb2
from services.cli import client
from tests.bench import limits

_CALL_S = 60


class Run(NamedTuple):
    """From the first create to the last clip stored, to the last create answered, and for each job; in seconds."""

    elapsed_s: float
    accepted_s: float
    latencies_s: list[float]


async def drive(services: client.Client, jobs: int, scenes: int) -> Run:
    """Film `jobs` scenes in productions of `scenes` each, all asked for at once."""
    ready = [await _quoted(services, scenes, number) for number in range(jobs // scenes)]
    began = time.monotonic()
    made = await asyncio.gather(
        *(
            services.jobs.CreateProduction(request, timeout=_CALL_S, metadata=rpc.bearer(services.token))
            for request in ready
        )
    )
    accepted = time.monotonic()
    production_ids = {one.production.id for one in made}
    await _filmed(services, production_ids)
    ended = time.monotonic()
    latencies = [await _latencies(services, production_id) for production_id in production_ids]
    return Run(ended - began, accepted - began, [latency for production in latencies for latency in production])


async def got_jobs(services: client.Client, calls: int) -> float:
    """How many times a second one job is read."""
    metadata = rpc.bearer(services.token)
    (job,) = (await services.call(services.jobs.ListJobs, job_service_pb2.ListJobsRequest(page_size=1))).jobs
    request = job_service_pb2.GetJobRequest(job_id=job.id)
    return await limits.rate(lambda: services.jobs.GetJob(request, timeout=_CALL_S, metadata=metadata), calls)


async def _quoted(services: client.Client, scenes: int, number: int) -> job_service_pb2.CreateProductionRequest:
    board = storyboard_pb2.Storyboard(name=f"Bench {number}", size=media_pb2.FrameSize(width=640, height=360))
    for scene in range(scenes):
        board.scenes.add(subject=f"A field, plate {scene}", title=str(scene)).duration.seconds = 1
    created = await services.storyboards.CreateStoryboard(
        storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=board),
        timeout=_CALL_S,
        metadata=rpc.bearer(services.token),
    )
    composed = await services.storyboards.ComposePrompts(
        storyboard_service_pb2.ComposePromptsRequest(storyboard_id=created.storyboard.id),
        timeout=_CALL_S,
        metadata=rpc.bearer(services.token),
    )
    items = [quote_pb2.QuoteItem(scene_id=one.scene_id, spec=one.spec) for one in composed.prompts]
    quoted = await services.gateway.CreateQuote(
        provider_gateway_service_pb2.CreateQuoteRequest(request_id=str(uuid.uuid4()), items=items),
        timeout=_CALL_S,
        metadata=rpc.bearer(services.token),
    )
    return job_service_pb2.CreateProductionRequest(
        request_id=str(uuid.uuid4()), storyboard_id=created.storyboard.id, revision=1, quote_id=quoted.quote.id
    )


async def _filmed(services: client.Client, production_ids: set[str]) -> None:
    """Wait until none of them is filming; the lists leave the jobs out, so that looking costs next to nothing."""
    request = job_service_pb2.ListProductionsRequest(page_size=200)
    while True:
        listed = await services.jobs.ListProductions(request, timeout=_CALL_S, metadata=rpc.bearer(services.token))
        filming = {one.id for one in listed.productions if one.state == job_pb2.Production.STATE_FILMING}
        if not filming & production_ids:
            return
        await asyncio.sleep(0.2)


async def _latencies(services: client.Client, production_id: str) -> list[float]:
    request = job_service_pb2.GetProductionRequest(production_id=production_id)
    got = await services.jobs.GetProduction(request, timeout=_CALL_S, metadata=rpc.bearer(services.token))
    return [_latency(job) for job in got.production.jobs]


def _latency(job: job_pb2.Job) -> float:
    assert job.state == job_pb2.Job.STATE_SUCCEEDED, job
    return (job.end_time.ToNanoseconds() - job.create_time.ToNanoseconds()) / 1e9
