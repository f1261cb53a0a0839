"""`python -m tests.bench.jobs`: what a call costs among a million jobs, beside the same call among few."""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg

from libs import rpc
from rushes.job.v1 import job_service_pb2 as pb
from services.cli import client, environment, house
from tests.bench import home, line

_SERVICES = ("sandbox", "provider_gateway", "storyboard", "job")
_SCENES, _TIMES, _AT_ONCE = 100, 300, 500

_COPIED = {
    "productions": {"id": "'prod_' || n", "request_id": "'bench-' || n", "storyboard_id": "'sb_' || n"},
    "jobs": {"id": "'job_' || n || right(id, 6)", "production_id": "'prod_' || n", "storyboard_id": "'sb_' || n"},
    "takes": {
        "id": "'take_' || n || right(id, 6)",
        "job_id": "'job_' || n || right(job_id, 6)",
        "production_id": "'prod_' || n",
        "storyboard_id": "'sb_' || n",
    },
    "slots": {"production_id": "'prod_' || n", "take_id": "'take_' || n || right(take_id, 6)"},
}
"""What is another in each copy of a production; `n` is its number, as long as an id is and before all real ones."""

Call = Callable[[], Awaitable[Any]]


async def main() -> None:
    """Film one production of a hundred scenes, measure, copy it until there are so many jobs, and measure again."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=1_000_000)
    many = arguments.parse_args().jobs
    os.environ |= {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_LOG_LEVEL": "WARNING"}
    async with home.running(_SERVICES) as of, client.connect(of) as services:
        await line.drive(services, _SCENES, _SCENES)
        calls = await _calls(services)
        few = await _measured(calls)
        began = time.monotonic()
        await _filled(of, many // _SCENES)
        print(f"{many:,} jobs, filled in {time.monotonic() - began:.0f} s; milliseconds\n")
        lots = await _measured(calls)
    print(f"| call | p50 of {_SCENES} | of {many:,} | p99 of {_SCENES} | of {many:,} | p99, ratio |\n|" + "---|" * 6)
    for name, before in few.items():
        after = lots[name]
        cuts = [values[cut] for cut in (49, 98) for values in (before, after)]
        print(f"| {name} | " + " | ".join(f"{cut:.1f}" for cut in cuts) + f" | {after[98] / before[98]:.2f} |")


async def _calls(services: client.Client) -> Mapping[str, Call]:
    jobs, metadata = services.jobs, rpc.bearer(services.token)
    (production,) = (await services.call(jobs.ListProductions, pb.ListProductionsRequest(page_size=1))).productions
    (job,) = (await services.call(jobs.ListJobs, pb.ListJobsRequest(page_size=1))).jobs
    asked = {
        "GetJob": pb.GetJobRequest(job_id=job.id),
        "GetProduction, 100 scenes": pb.GetProductionRequest(production_id=production.id),
        "ListJobs, 50": pb.ListJobsRequest(),
        "ListJobs, failed ones": pb.ListJobsRequest(state=job.STATE_FAILED),
        "ListProductions, 50": pb.ListProductionsRequest(),
        "ListTakes, 50": pb.ListTakesRequest(storyboard_id=production.storyboard_id),
        "PlanProduction, 100 scenes": pb.PlanProductionRequest(storyboard_id=production.storyboard_id, revision=1),
    }

    def unary(name: str, request: Any) -> Call:
        verb = getattr(jobs, name.partition(",")[0])
        return lambda: verb(request, metadata=metadata, timeout=60)

    async def watch() -> None:
        stream = jobs.WatchProduction(pb.WatchProductionRequest(production_id=production.id), metadata=metadata)
        await stream.read()
        stream.cancel()

    return {name: unary(name, request) for name, request in asked.items()} | {"WatchProduction, its start": watch}


async def _measured(calls: Mapping[str, Call]) -> dict[str, list[float]]:
    """The percentiles of each call in milliseconds, asked for in turn."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-10, _TIMES):  # the first ten only warm up
        for name, call in calls.items():
            began = time.perf_counter()
            await call()
            if number >= 0:
                taken[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.quantiles(values, n=100) for name, values in taken.items()}


async def _filled(of: house.House, copies: int) -> None:
    url = environment.database_url(of, "job", "job_owner").replace("+asyncpg", "")
    connection = await asyncpg.connect(url, timeout=60)
    try:
        await connection.execute("SET statement_timeout = 0")
        for table in _COPIED:
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            await connection.execute(f"CREATE TEMP TABLE one_{table} AS SELECT * FROM {table}")
        for first in range(0, copies, _AT_ONCE):
            for table, other in _COPIED.items():
                await connection.execute(
                    await _copying(connection, table, other), first, min(first + _AT_ONCE, copies) - 1
                )
        for table in _COPIED:
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _copying(connection: asyncpg.Connection, table: str, other: Mapping[str, str]) -> str:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema = 'public'"
    names = [row["column_name"] for row in await connection.fetch(query, table)]
    values = ", ".join(other.get(name, f'"{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    numbered = "(SELECT '0' || lpad(g::text, 19, '0') AS n FROM generate_series($1::int, $2::int) AS g) AS copies"
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM one_{table}, {numbered}"


if __name__ == "__main__":
    asyncio.run(main())
