"""`make bench`: prints the figures of docs/benchmarks.md, everything measured in one run on one machine."""

import argparse
import asyncio
import os
import platform
import statistics

from services.cli import client, environment, house
from tests.bench import census, home, limits, line

# The compiler is left out: it would cut films out of the one second of every clip while the clips are still counted.
_CALLS = 4000
_ROUNDS = 5
_SERVICES = ("sandbox", "provider_gateway", "storyboard", "job", "studio")


async def main() -> None:
    """Start a house with an instant provider, measure the bare limits, then the line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=3000)
    arguments.add_argument("--scenes", type=int, default=100, help="scenes in each production")
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_SANDBOX_LATENCY": "0", "RUSHES_LOG_LEVEL": "WARNING"}
    async with home.running(_SERVICES) as of:
        await _measure(of, asked.jobs, asked.scenes)


async def _measure(of: house.House, jobs: int, scenes: int) -> None:
    bare = {
        "echo RPC + one insert": await limits.echo_rpc_with_insert(environment.database_url(of, "job", "job_owner")),
        "JetStream publish, fsync each": await limits.jetstream_publish(environment.nats_url(of)),
    }
    async with client.connect(of) as services:
        await line.drive(services, scenes, scenes)  # warm: connections, plans, caches
        before = census.take(home.processes(of))
        run = await line.drive(services, jobs, scenes)
        after = census.take(home.processes(of))
        reads = [(await limits.echo_rpc(), await line.got_jobs(services, _CALLS)) for _ in range(_ROUNDS)]
    _report(bare, reads, run, {name: (after[name].cpu_s - before[name].cpu_s, after[name].rss_bytes) for name in after})


def _report(
    bare: dict[str, float],
    reads: list[tuple[float, float]],
    run: line.Run,
    used: dict[str, tuple[float, int]],
) -> None:
    jobs = len(run.latencies_s)
    cuts = statistics.quantiles(run.latencies_s, n=100)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {jobs} jobs in {run.elapsed_s:.1f} s\n")
    print("| bare limit | per second |\n|---|---|")
    for name, rate in bare.items():
        print(f"| {name} | {rate:,.0f} |")
    parts = [got / echo for echo, got in reads]
    print(f"\n| in turns, medians of {_ROUNDS} | |\n|---|---|")
    print(f"| echo RPC, per second | {statistics.median(echo for echo, _ in reads):,.0f} |")
    print(f"| GetJob, per second | {statistics.median(got for _, got in reads):,.0f} |")
    lowest, median, highest = min(parts), statistics.median(parts), max(parts)
    print(f"| GetJob, of the echo RPC's; lowest, highest | {median:.2f}; {lowest:.2f}, {highest:.2f} |")
    print("\n| the line | |\n|---|---|")
    print(f"| jobs accepted per second, all productions asked for at once | {jobs / run.accepted_s:,.0f} |")
    print(f"| jobs per second | {jobs / run.elapsed_s:.0f} |")
    print(f"| create to stored, p50 / p99 | {cuts[49]:.2f} s / {cuts[98]:.2f} s |")
    print("\n| process | CPU-ms per job | memory |\n|---|---|---|")
    for name, (cpu_s, rss) in sorted(used.items(), key=lambda item: -item[1][0]):
        print(f"| {name} | {cpu_s / jobs * 1000:.2f} | {rss >> 20} MiB |")
    print(f"| all | {sum(cpu_s for cpu_s, _ in used.values()) / jobs * 1000:.2f} | |")


if __name__ == "__main__":
    asyncio.run(main())
