"""`python -m tests.bench.watchers`: what a thousand watchers of one production cost the job service."""

import argparse
import asyncio
import os
import time
import uuid
from collections import Counter
from typing import Any

import grpc.aio
from google.protobuf import duration_pb2

from libs import rpc
from rushes.job.v1 import job_service_pb2, job_service_pb2_grpc
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2
from rushes.type.v1 import media_pb2
from services.cli import client, house
from tests.bench import census, home

_SERVICES = ("sandbox", "provider_gateway", "storyboard", "job")
_CONNECTIONS = 10
_CUTS: Counter[str] = Counter()


async def main() -> None:
    """Measure the job service at rest, watched, and watched while clips are made."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--watchers", type=int, default=1000)
    arguments.add_argument("--scenes", type=int, default=50)
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_SANDBOX_LATENCY": "4", "RUSHES_LOG_LEVEL": "WARNING"}
    async with home.running(_SERVICES) as of, client.connect(of) as services:
        before = census.take(home.processes(of))["job"]
        production_id = await _begun(services, asked.scenes)
        started = time.monotonic()
        seen = await _watched(of, services.token, production_id, asked.watchers, asked.scenes)
        elapsed_s, after = time.monotonic() - started, census.take(home.processes(of))["job"]
        cpu_s = after.cpu_s - before.cpu_s
        print(
            f"{asked.watchers} watchers saw {sum(seen)} messages in {elapsed_s:.1f} s, {min(seen)} to {max(seen)} each"
        )
        print(f"streams that were opened again: {dict(_CUTS)}")
        print(f"the job service: {cpu_s:.1f} CPU s, {cpu_s / sum(seen) * 1e6:.0f} µs a message")
        print(f"its memory: {before.rss_bytes >> 20} MiB before, {after.rss_bytes >> 20} MiB after")


async def _watched(of: house.House, token: str, production_id: str, watchers: int, scenes: int) -> list[int]:
    """How many messages each watcher saw until every clip was stored."""
    # Channels to one address share a connection unless they are told not to, and a connection has 1000 streams.
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(of.address("job"), options=own) for _ in range(_CONNECTIONS)]
    try:
        return await asyncio.gather(
            *(_watch(channels[one % _CONNECTIONS], token, production_id, scenes) for one in range(watchers))
        )
    finally:
        for channel in channels:
            await channel.close()


async def _watch(channel: grpc.aio.Channel, token: str, production_id: str, scenes: int) -> int:
    stub, messages, done, seen = job_service_pb2_grpc.JobServiceStub(channel), 0, set[str](), ""
    while len(done) < scenes:
        request = job_service_pb2.WatchProductionRequest(production_id=production_id, resume_token=seen)
        stream: Any = stub.WatchProduction(request, metadata=rpc.bearer(token))
        try:
            while len(done) < scenes and (news := await stream.read()) is not grpc.aio.EOF:
                messages, seen = messages + 1, news.resume_token
                done |= {job.id for job in [*news.snapshot.jobs, news.job] if job.HasField("take")}
        except grpc.aio.AioRpcError as fault:
            _CUTS[fault.code().name] += 1
            await asyncio.sleep(0.2)
        finally:
            stream.cancel()
    return messages


async def _begun(services: client.Client, scenes: int) -> str:
    shots = [
        storyboard_pb2.Scene(subject=f"A lighthouse, {number}", duration=duration_pb2.Duration(seconds=1))
        for number in range(scenes)
    ]
    size = media_pb2.FrameSize(width=640, height=360)
    board = storyboard_pb2.Storyboard(name="Watched", scenes=shots, size=size)
    request = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=board)
    made = (await services.call(services.storyboards.CreateStoryboard, request)).storyboard
    asked = job_service_pb2.PlanProductionRequest(storyboard_id=made.id, revision=made.revision)
    plan = (await services.call(services.jobs.PlanProduction, asked)).plan
    begin = job_service_pb2.CreateProductionRequest(
        request_id=str(uuid.uuid4()),
        storyboard_id=made.id,
        revision=made.revision,
        quote_id=plan.quote_id,
        plan_digest=plan.digest,
    )
    production_id: str = (await services.call(services.jobs.CreateProduction, begin)).production.id
    return production_id


if __name__ == "__main__":
    asyncio.run(main())
