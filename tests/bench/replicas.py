"""`make bench-replicas`: each service's own work done by 1, 2 and 4 of its processes, as ratios of what one does."""

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import os
import platform
import socket
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import aiohttp
import grpc.aio

from libs import rpc
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2, storyboard_service_pb2_grpc
from services.cli import client, environment, health, house, processes
from tests.bench import census, films, home, limits, line, reels

_ALL = ("storyboard", "studio", "job", "provider_gateway", "compiler")
# Where jobs are made there is no compiler: it would cut films out of their clips while they are counted.
_LINE = ("sandbox", "provider_gateway", "storyboard", "job", "studio")
_HOUSES = {"compiler": ("compiler", "studio"), "studio": (*_LINE, "compiler")}
_SCENES = 50
_CLIPS, _CLIP_S = 4, 4
_FADES = range(8, 48)
_CALL_S = 60

Work = Callable[[Sequence[str]], Awaitable[int]]
"""Does some work with the processes at these addresses; returns how many units of it."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one unit took: on the wall, and of the processor in the service, in PostgreSQL and in everything."""

    wall_s: float
    service_cpu_s: float
    postgres_cpu_s: float
    all_cpu_s: float


async def main() -> None:
    """Measure every service some rounds long, 1, 2 and 4 processes in turn, and print the medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--services", nargs="+", default=_ALL)
    arguments.add_argument("--replicas", nargs="+", type=int, default=[1, 2, 4])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--calls", type=int, default=2000, help="of the storyboard service and the studio")
    arguments.add_argument("--jobs", type=int, default=300, help="made by the line, for job and provider_gateway")
    arguments.add_argument("--films", type=int, default=2, help="cut at once by the compiler")
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_SANDBOX_INSTANT": "true", "RUSHES_SANDBOX_LATENCY": "0", "RUSHES_LOG_LEVEL": "WARNING"}
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, medians of {asked.rounds} rounds\n")
    print("| service | work | processes | per second, of one's | CPU per unit, of one's: service | PostgreSQL | all |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for service in asked.services:
        async with home.running(_HOUSES.get(service, _LINE)) as of, client.connect(of) as services:
            unit, work = await _WORKS[service](of, services, asked)
            _report(service, unit, await _measured(of, service, work, asked.replicas, asked.rounds))


async def _boards(of: house.House, services: client.Client, asked: argparse.Namespace) -> tuple[str, Work]:
    board = storyboard_pb2.Storyboard(name="Bench")
    for scene in range(20):
        board.scenes.add(subject=f"A field, plate {scene}").duration.seconds = 4
    request = storyboard_service_pb2.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=board)
    made = await services.call(services.storyboards.CreateStoryboard, request)
    get = storyboard_service_pb2.GetStoryboardRequest(storyboard_id=made.storyboard.id)
    metadata = rpc.bearer(services.token)

    async def work(addresses: Sequence[str]) -> int:
        async with _balanced(addresses) as channel:
            stub = storyboard_service_pb2_grpc.StoryboardServiceStub(channel)
            await limits.rate(lambda: stub.GetStoryboard(get, timeout=_CALL_S, metadata=metadata), asked.calls)
        return int(asked.calls)

    return "GetStoryboard", work


def _balanced(addresses: Sequence[str]) -> grpc.aio.Channel:
    """A channel as services have it: round robin over every process."""
    return rpc.connect(f"ipv4:{','.join(addresses)}")


async def _pages(of: house.House, services: client.Client, asked: argparse.Namespace) -> tuple[str, Work]:
    async def work(addresses: Sequence[str]) -> int:
        turns = itertools.cycle(addresses)
        async with aiohttp.ClientSession() as session:

            async def page() -> None:
                async with session.get(f"http://{next(turns)}/") as answer:
                    await answer.read()

            await limits.rate(page, asked.calls // 4)
        return int(asked.calls // 4)

    return "a page", work


async def _jobs(of: house.House, services: client.Client, asked: argparse.Namespace) -> tuple[str, Work]:
    async def work(_: Sequence[str]) -> int:
        await line.drive(services, asked.jobs, _SCENES)
        return int(asked.jobs)

    return "a job through the line", work


async def _films(of: house.House, services: client.Client, asked: argparse.Namespace) -> tuple[str, Work]:
    bench = films.Bench(of, services)
    clips = await asyncio.to_thread(reels.shoot, of.folder, _CLIPS, _CLIP_S)
    fades = itertools.cycle(_FADES)  # else the pieces of one film would be those of the next

    async def work(_: Sequence[str]) -> int:
        kept = [await bench.keep(clips) for _ in range(asked.films)]
        await asyncio.gather(*(bench.film(keys, next(fades)) for keys in kept))
        return int(asked.films)

    return f"a film of {_CLIPS} clips", work


_WORKS = {"storyboard": _boards, "studio": _pages, "job": _jobs, "provider_gateway": _jobs, "compiler": _films}


async def _measured(
    of: house.House, service: str, work: Work, counts: Sequence[int], rounds: int
) -> Mapping[int, Sequence[Sample]]:
    samples: dict[int, list[Sample]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            async with _replicas(of, service, count - 1) as others:
                await work([of.address(service), *(one.program.address for one in others)])  # warm
                samples[count].append(await _sample(of, service, work, others))
    return samples


async def _sample(of: house.House, service: str, work: Work, others: Sequence[processes.Child]) -> Sample:
    def used() -> dict[str, float]:
        more = [{"name": f"{service}-{number}", "pid": one.pid} for number, one in enumerate(others)]
        return {name: use.cpu_s for name, use in census.take([*home.processes(of), *more]).items()}

    addresses = [of.address(service), *(one.program.address for one in others)]
    before, began = used(), time.monotonic()
    units = await work(addresses)
    wall_s, after = time.monotonic() - began, used()
    spent = {name: after[name] - before[name] for name in after}
    own = sum(seconds for name, seconds in spent.items() if name.partition("-")[0] == service)
    return Sample(wall_s / units, own / units, spent["postgres"] / units, sum(spent.values()) / units)


@contextlib.asynccontextmanager
async def _replicas(of: house.House, service: str, more: int) -> AsyncIterator[Sequence[processes.Child]]:
    """So many processes of this service beside the house's own, healthy."""
    async with contextlib.AsyncExitStack() as stack:
        children = [
            processes.Child(_program(of, service, number), of.log(f"{service}-{number}"), _noted)
            for number in range(more)
        ]
        for child in children:
            child.start()
            stack.push_async_callback(child.stop)
        for child in children:
            await child.ready.wait()
        yield children


def _noted() -> None:
    pass


def _program(of: house.House, service: str, number: int) -> processes.Program:
    with contextlib.ExitStack() as free:
        listeners = [free.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        address, metrics = (f"127.0.0.1:{one.getsockname()[1]}" for one in listeners)
    told = environment.of_service(of, service) | {"RUSHES_LISTEN": address, "RUSHES_METRICS_LISTEN": metrics}
    told.pop("RUSHES_CALLBACKS_LISTEN", None)  # every order names the first one's
    speaks_http = service in house.HTTP_SERVICES
    return processes.Program(
        name=f"{service}-{number}",
        address=address,
        command=(sys.executable, "-m", f"services.{service}"),
        environment=told,
        healthy=lambda: health.answers(f"http://{address}/") if speaks_http else health.serving(address),
    )


def _report(service: str, unit: str, samples: Mapping[int, Sequence[Sample]]) -> None:
    base = samples[min(samples)]
    for count, found in samples.items():
        ratios = [
            statistics.median(
                pick(one) / pick(first) if pick(first) else 1.0 for one, first in zip(found, base, strict=True)
            )
            for pick in (
                lambda it: 1 / it.wall_s,
                lambda it: it.service_cpu_s,
                lambda it: it.postgres_cpu_s,
                lambda it: it.all_cpu_s,
            )
        ]
        own = statistics.median(one.service_cpu_s for one in found) * 1000
        cells = " | ".join(f"{ratio:.2f}" for ratio in ratios[2:])
        print(
            f"| {service} | {unit} | {count} | {ratios[0]:.2f} | {ratios[1]:.2f} ({own:.2f} ms) | {cells} |", flush=True
        )


if __name__ == "__main__":
    asyncio.run(main())
