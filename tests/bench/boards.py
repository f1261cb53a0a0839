"""`python -m tests.bench.boards`: what a call costs among many storyboards, beside the same call among few."""

import argparse
import asyncio
import contextlib
import dataclasses
import statistics
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from libs import auth, db, migrate, rpc
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.cli import environment, house, postgres
from services.storyboard import api
from tests.bench import home, shelf

FEW = 200
_FAR = 20
_MANY = "storyboard_many"


class Anybody:
    """Believes the token: it is the tenant."""

    async def verify(self, token: str) -> auth.Caller:
        """The caller."""
        return auth.Caller(token, "ada", frozenset({"owner"}))


@dataclasses.dataclass
class Place:
    """A storyboard service on a database, and some of the storyboards that are in it."""

    stub: pb_grpc.StoryboardServiceStub
    ids: list[str]
    far: str = ""
    page: int = 0
    """How many are asked for: as many as the few have, so that both answers are of one size."""
    board: pb.Storyboard = dataclasses.field(default_factory=pb.Storyboard)

    async def __call__(self, verb: str, **fields: Any) -> Any:
        request = getattr(service_pb, f"{verb}Request")(**fields)
        return await getattr(self.stub, verb)(request, metadata=rpc.bearer(shelf.OURS), timeout=30)

    async def look(self) -> None:
        """Learn a page token from far down, and a board to edit."""
        for _ in range(200):
            answer = await self("ListStoryboards", page_size=_FAR, page_token=self.far)
            self.far = answer.next_page_token or self.far
        self.board = (await self("GetStoryboard", storyboard_id=self.ids[0])).storyboard


Call = Callable[[Place, int], Any]


def calls() -> dict[str, tuple[int, Call]]:
    """What is measured, by its name, and how often."""

    def search(query: str) -> tuple[int, Call]:
        return 150, lambda place, _: place("ListStoryboards", query=query, page_size=place.page)

    word = shelf.VOCABULARY
    return {
        "get": (500, lambda place, n: place("GetStoryboard", storyboard_id=place.ids[n % len(place.ids)])),
        "list, first page of 50": (150, lambda place, _: place("ListStoryboards", page_size=place.page)),
        "list, a page far down": (150, lambda place, _: place("ListStoryboards", page_token=place.far, page_size=_FAR)),
        "list, deleted only": (150, _deleted),
        "search, the commonest word": search(word[0]),
        "search, a common word": search(word[100]),
        "search, a rare word": search(word[15_000]),
        "search, three letters": search(word[500][:3]),
        "search, two common words": search(f"{word[100]} {word[101]}"),
        "search, two rarer words": search(f"{word[1000]} {word[1001]}"),
        "search, nothing found": search("qqq"),
        "change a word of a scene": (200, _change),
        "move a scene": (200, _move),
    }


async def _deleted(place: Place, _: int) -> Any:
    return await place("ListStoryboards", state=pb.Storyboard.STATE_DELETED, page_size=place.page)


async def _change(place: Place, number: int) -> Any:
    scene = pb.Scene(id=place.board.scenes[0].id, mood=f"mood {number}")
    return await place("UpdateScene", storyboard_id=place.board.id, scene=scene, update_mask={"paths": ["mood"]})


async def _move(place: Place, number: int) -> Any:
    scene = place.board.scenes[number % len(place.board.scenes)]
    return await place("MoveScene", storyboard_id=place.board.id, scene_id=scene.id)


async def main() -> None:
    """Fill two databases, and ask both in turn: what disturbs one disturbs the other."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--boards", type=int, default=100_000)
    many = arguments.parse_args().boards
    async with home.running([]) as of, contextlib.AsyncExitStack() as open_places:
        begun = time.monotonic()
        places = [
            await open_places.enter_async_context(_place(of, name, count))
            for name, count in (("storyboard", FEW), (_MANY, many))
        ]
        print(f"{many:,} storyboards and {FEW}, filled in {time.monotonic() - begun:.0f} s; ms\n")
        print(f"| call | p50 of {FEW} | of {many:,} | p99 of {FEW} | of {many:,} | p99, ratio |\n|" + "---|" * 6)
        for name, (times, call) in calls().items():
            for place in places:
                place.page = 0
            found = len(getattr(await call(places[0], 0), "storyboards", [0]))
            for place in places:
                place.page = max(1, found)
            few, lots = await _measure(places, times, call)
            cuts = [value for cut in (49, 98) for value in (few[cut], lots[cut])]
            told = f"{name}, {found} found" if found != 1 else name
            print(f"| {told} | " + " | ".join(f"{cut:.1f}" for cut in cuts) + f" | {lots[98] / few[98]:.2f} |")


async def _measure(places: list[Place], times: int, call: Call) -> list[list[float]]:
    """The percentiles of each place, in milliseconds."""
    taken: list[list[float]] = [[] for _ in places]
    for number in range(-10, times):  # the first ten only warm up
        for place, latencies in zip(places, taken, strict=True):
            begun = time.perf_counter()
            await call(place, number)
            if number >= 0:
                latencies.append((time.perf_counter() - begun) * 1e3)
    return [statistics.quantiles(latencies, n=100) for latencies in taken]


@contextlib.asynccontextmanager
async def _place(of: house.House, name: str, count: int) -> AsyncIterator[Place]:
    admin = await postgres.connect(of)
    try:
        if name == _MANY:
            await admin.execute(f"CREATE DATABASE {name} OWNER storyboard_owner TEMPLATE storyboard_empty")
        else:
            await migrate.upgrade(environment.database_url(of, "storyboard", "storyboard_owner"), "storyboard")
            await admin.execute("CREATE DATABASE storyboard_empty OWNER storyboard_owner TEMPLATE storyboard")
    finally:
        await admin.close()
    url, owner_url = (
        environment.database_url(of, "storyboard", role).removesuffix("storyboard") + name
        for role in ("storyboard", "storyboard_owner")
    )
    owner = await asyncpg.connect(owner_url.replace("+asyncpg", ""), timeout=60)
    try:
        ids = await shelf.fill(owner, count)
    finally:
        await owner.close()
    async with _serving(url) as stub:
        place = Place(stub, ids)
        await place.look()
        yield place


@contextlib.asynccontextmanager
async def _serving(url: str) -> AsyncIterator[pb_grpc.StoryboardServiceStub]:
    database, stop = db.Database(url), asyncio.Event()
    answers = api.StoryboardApi(database, "sandbox/reel-1", lambda: datetime.now(UTC))
    servicer = rpc.Servicer(pb_grpc.add_StoryboardServiceServicer_to_server, answers, api.NAME)
    server = rpc.Server("127.0.0.1:0", "storyboard", [servicer], Anybody(), database.answers)
    running = asyncio.create_task(server.run(stop))
    while not server.port:  # noqa: ASYNC110, it is a turn or two of the loop
        await asyncio.sleep(0)
    try:
        async with rpc.connect(f"127.0.0.1:{server.port}") as channel:
            yield pb_grpc.StoryboardServiceStub(channel)
    finally:
        stop.set()
        await running
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
