"""`python -m tests.bench.rest`: what a read by REST costs beside the gRPC call behind it, in CPU of the house."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

import httpx

from rushes.job.v1 import job_service_pb2
from rushes.storyboard.v1 import storyboard_service_pb2
from services.cli import client, house
from tests.bench import census, home

_SERVICES = ("sandbox", "provider_gateway", "storyboard", "job", "compiler", "studio")
_COUNTED = ("postgres", "storyboard", "job", "studio")
"""Those who do something about a read; the others only tick."""
_BOARDS, _SCENES, _AT_ONCE, _FIRST = 20, 5, 8, 100

Read = Callable[[int], Awaitable[object]]


async def main() -> None:
    """Measure each pair one after the other, several times over: only their ratio means something."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--reads", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_LOG_LEVEL": "WARNING"}
    async with home.running(_SERVICES) as of, client.connect(of) as services:
        headers = {"authorization": f"Bearer {services.token}"}
        limits = httpx.Limits(max_connections=_AT_ONCE)
        async with httpx.AsyncClient(base_url=f"http://{of.address('studio')}", headers=headers, limits=limits) as rest:
            boards = [await _board(rest) for _ in range(_BOARDS)]
            pairs = _pairs(services, rest, boards)
            spent = {name: [0.0, 0.0] for name in pairs}
            for read in [read for pair in pairs.values() for read in pair]:
                await _cpu_ms(of, read, _FIRST)  # statements are prepared, connections are open
            for _ in range(asked.rounds):
                for name, pair in pairs.items():
                    for side, read in enumerate(pair):
                        spent[name][side] += await _cpu_ms(of, read, asked.reads)
    for name, (grpc_ms, rest_ms) in spent.items():
        each = [ms / asked.rounds / asked.reads for ms in (grpc_ms, rest_ms)]
        print(f"{name}: gRPC {each[0]:.2f} CPU-ms, REST {each[1]:.2f} CPU-ms, {each[1] / each[0]:.2f} times")


def _pairs(services: client.Client, rest: httpx.AsyncClient, boards: list[str]) -> Mapping[str, tuple[Read, Read]]:
    one, many = storyboard_service_pb2.GetStoryboardRequest, storyboard_service_pb2.ListStoryboardsRequest
    productions = job_service_pb2.ListProductionsRequest(page_size=_BOARDS)
    board = services.storyboards
    return {
        "get a storyboard": (
            lambda turn: services.call(board.GetStoryboard, one(storyboard_id=boards[turn % _BOARDS])),
            lambda turn: rest.get(f"/v1/storyboards/{boards[turn % _BOARDS]}"),
        ),
        f"list {_BOARDS} storyboards": (
            lambda turn: services.call(board.ListStoryboards, many(page_size=_BOARDS)),
            lambda turn: rest.get("/v1/storyboards", params={"page_size": _BOARDS}),
        ),
        "list productions": (
            lambda turn: services.call(services.jobs.ListProductions, productions),
            lambda turn: rest.get("/v1/productions", params={"page_size": _BOARDS}),
        ),
    }


async def _cpu_ms(of: house.House, read: Read, reads: int) -> float:
    """What so many reads cost those who answer them; the caller's own cost is left out on both sides."""

    async def worker(first: int) -> None:
        for turn in range(first, reads, _AT_ONCE):
            await read(turn)

    before = census.take(home.processes(of))
    await asyncio.gather(*map(worker, range(_AT_ONCE)))
    after = census.take(home.processes(of))
    return sum(after[name].cpu_s - before[name].cpu_s for name in _COUNTED) * 1000


async def _board(rest: httpx.AsyncClient) -> str:
    scenes = [{"subject": "A lighthouse", "action": "its lamp turns", "duration": "1s"} for _ in range(_SCENES)]
    made = await rest.post("/v1/storyboards", json={"name": "Read", "scenes": scenes})
    return str(made.raise_for_status().json()["id"])


if __name__ == "__main__":
    asyncio.run(main())
