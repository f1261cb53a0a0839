"""`python -m tests.crash.films`: kills the compiler and its workers at every place, and counts what was lost."""

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil

from libs import blobs, migrate
from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import film_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.cli import client, environment, health, house, issuer, postgres, processes, supervisor
from tests.crash import armed, places
from tests.e2e import waiting
from tests.unit.compiler import footage

ACTIONS = ("kill", "pause", "stumble", "kill its workers", "cancel")
NAMES = ("compiler-one", "compiler-two")
_WORKERS = 2
_TENANT = "local"
_LEASE_S = 3.0
_PAUSE_S = _LEASE_S + 1.5
_WITHIN_S = 120.0
_TRIES = 3
_ELSEWHERE = ("inbox.", "outbox.", "evict.")
"""Places to which a film does not lead, or only after a minute."""
_ONCE = ("clips.", "film.", "lease.")
"""How the places begin to which a film leads once."""

_LEFT = """
    SELECT 'a link' AS what FROM film_segments
    UNION ALL SELECT 'a lease of a film' FROM films WHERE ended_at IS NOT NULL AND lease_until > now()
    UNION ALL SELECT 'a lease of a piece' FROM segments WHERE lease_until > now()"""
_BEGUN = "SELECT coalesce(sum(attempts), 0) AS begun, count(*) AS pieces FROM segments WHERE state = 'DONE'"
_HURRY = "UPDATE {} SET next_action_at = now() WHERE next_action_at > now() AND lease_until IS NULL"
_AMONG = " AND state = 'QUEUED'"
_CUTS, _FADE = 3, 6
_SECONDS, _LONG_S = 3, 10
"""How long a clip is, and for a round whose work should take long enough for a lease to be renewed."""


def every() -> list[str]:
    """The places of the compiler to which a film leads."""
    return [place for place in places.of("compiler") if not place.partition(" ")[2].startswith(_ELSEWHERE)]


class Rig:
    """Database, bus, media store, and two compilers under `armed`."""

    def __init__(self, of: house.House, faults: armed.Faults, services: client.Client, database: Any) -> None:
        self.of, self.faults, self.services, self._database = of, faults, services, database
        self.files = blobs.open_store(environment.blobs_url(of))
        self._numbers = itertools.count()

    async def rows(self, query: str) -> list[Any]:
        """What the superuser sees in the compiler's database."""
        found: list[Any] = await self._database.fetch(query)
        return found

    async def call(self, verb: str, **fields: Any) -> Any:
        """One call, repeated until it is answered for good."""
        while True:
            try:
                return await self.services.call(
                    getattr(self.services.films, verb), getattr(pb, f"{verb}Request")(**fields)
                )
            except client.Refused as refused:
                if refused.is_definite:
                    raise
                await asyncio.sleep(0.2)

    async def clip(self, take: footage.Take) -> str:
        """A stored clip that was never seen before."""
        key = f"t/{_TENANT}/clips/{next(self._numbers)}.mp4"
        with tempfile.TemporaryDirectory() as folder:
            path = await asyncio.to_thread(footage.shoot, Path(folder) / "clip.mp4", take)
            await self.files.put_file(key, path, "video/mp4")
        return key

    def kill_workers(self) -> None:
        """Kill whatever the compilers have forked for an order."""
        for name in NAMES:
            with contextlib.suppress(psutil.Error, TypeError):
                for zygote in psutil.Process(self.faults.pid(name)).children():
                    for worker in zygote.children():
                        worker.kill()

    @property
    def temporary(self) -> list[Path]:
        """What lies where the compilers work."""
        return list(self.of.temporary.glob("rushes-compiler-*/"))

    @property
    def orders(self) -> list[Path]:
        """The folders of orders among it."""
        return list(self.of.temporary.glob("rushes-compiler-*/orders/*"))


@contextlib.asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Rig]:
    """A rig in this folder, which other users must be able to pass through, with both compilers healthy."""
    of = house.prepare(house.make_folder(folder / "home"), print)
    issuer.prepare(of, datetime.now(UTC))
    of.temporary.mkdir(exist_ok=True)
    faults = armed.Faults(folder / "faults")
    faults.make()
    kept = supervisor.Supervisor(of, [], print)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kept.stop)
        await kept.start()
        await migrate.upgrade(environment.database_url(of, "compiler", "compiler_owner"), "compiler")
        database = await postgres.connect(of, database="compiler")
        stack.push_async_callback(database.close)
        for program in _programs(of, folder):
            child = processes.Child(program, of.log(program.name), lambda: None)
            stack.push_async_callback(child.stop)
            child.start()
            await waiting.until(f"a healthy {program.name}", program.healthy, _WITHIN_S)
        yield Rig(of, faults, await stack.enter_async_context(client.connect(of)), database)


def _programs(of: house.House, folder: Path) -> list[processes.Program]:
    told = environment.of_service(of, "compiler") | {
        "RUSHES_LEASE_S": str(_LEASE_S),
        "RUSHES_COMPILER_WORKERS": str(_WORKERS),
        "RUSHES_WORK_FOLDER": str(of.temporary),
    }
    other = told | {"RUSHES_LISTEN": "127.0.0.1:0", "RUSHES_METRICS_LISTEN": "127.0.0.1:0"}
    return [_program(of, folder, name, one) for name, one in zip(NAMES, (told, other), strict=True)]


def _program(of: house.House, folder: Path, name: str, told: dict[str, str]) -> processes.Program:
    return processes.Program(
        name=name,
        address=told["RUSHES_LISTEN"],
        command=(sys.executable, "-m", "tests.crash.armed", "compiler", str(folder / "faults"), name),
        environment=told,
        healthy=lambda: health.serving(of.address("compiler")),
        stops=((signal.SIGKILL, 5.0),),
    )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was wrong after a round, and whether its fault did not come up."""

    wrong: tuple[str, ...]
    missed: bool


async def play(rig: Rig, place: str, action: str, seed: int) -> Outcome:
    """One film, and one fault on its way."""
    chance = random.Random(f"{place} {action} {seed}")
    begun_before = await _begun(rig)
    seconds = _LONG_S if "lease." in place else _SECONDS
    cuts = await _cuts(rig, chance, seconds)
    how = chance.choice(list(armed.STUMBLES))
    nth = 1 if place.partition(" ")[2].startswith(_ONCE) else chance.randint(1, 2)
    rig.faults.arm(armed.Fault(place, action if action in armed.ACTIONS else "pass", nth, how))
    asked = edit_list_pb2.EditList(title=f"{place} {action} {uuid.uuid4().hex}", cuts=cuts)
    film = (await rig.call("CreateFilm", request_id=str(uuid.uuid4()), edit_list=asked)).film
    done = await _seen_through(rig, film.id, action)
    hits, _ = len(rig.faults.hits()), rig.faults.disarm()
    wrong = [*await _wrong_with(rig, done, action, seconds), *await _left(rig)]
    twice = (await _begun(rig)) - begun_before
    if twice > hits * _WORKERS * (len(NAMES) if action == "kill its workers" else 1):
        wrong.append(f"{twice} pieces were made twice")
    return Outcome(tuple(wrong), not hits)


async def _cuts(rig: Rig, chance: random.Random, seconds: int) -> list[edit_list_pb2.Cut]:
    """Clips of two sizes, with a crossfade between each two."""
    cuts = []
    for number in range(_CUTS):
        size = ((320, 192), (640, 384))[number == 1]
        take = footage.Take(
            seconds=Fraction(seconds), size=size, first_number=chance.randrange(180), level=chance.random()
        )
        blob = media_pb2.Blob(key=await rig.clip(take))
        cuts.append(edit_list_pb2.Cut(scene_id=f"sc_{number}", take_id="take", title=f"Scene {number}", clip=blob))
        if number:
            cuts[-1].join.CopyFrom(edit_list_pb2.Join(kind=edit_list_pb2.Join.KIND_CROSSFADE, frames=_FADE))
    return cuts


async def _seen_through(rig: Rig, film_id: str, action: str) -> film_pb2.Film:
    acting = asyncio.create_task(_act(rig, film_id, action))
    try:
        async with asyncio.timeout(_WITHIN_S):
            while True:
                film: film_pb2.Film = (await rig.call("GetFilm", film_id=film_id)).film
                if film.HasField("end_time"):
                    return film
                for table, also in (("films", _AMONG), ("segments", "")):
                    await rig.rows(_HURRY.format(table) + also)
                await asyncio.sleep(0.05)
    finally:
        acting.cancel()
        for hit in rig.faults.hits():
            _wake(hit.pid)
        await asyncio.wait([acting])


async def _act(rig: Rig, film_id: str, action: str) -> None:
    """Once the fault has gone off, do what the process cannot do itself."""
    while not rig.faults.hits():  # noqa: ASYNC110, another process
        await asyncio.sleep(0.02)
    if action == "pause":
        await asyncio.sleep(_PAUSE_S)
        _wake(rig.faults.hits()[0].pid)
    if action == "kill its workers":
        rig.kill_workers()
    if action == "cancel":
        with contextlib.suppress(client.Refused):  # it was done already
            await rig.call("CancelFilm", film_id=film_id)


def _wake(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


async def _begun(rig: Rig) -> int:
    """How often a piece that is there was begun more than once."""
    (row,) = await rig.rows(_BEGUN)
    return int(row["begun"] - row["pieces"])


async def _wrong_with(rig: Rig, film: film_pb2.Film, action: str, seconds: int) -> list[str]:
    if film.state == film_pb2.Film.STATE_CANCELED and action == "cancel":
        return []
    if film.state != film_pb2.Film.STATE_COMPLETED:
        return [f"the film is {film_pb2.Film.State.Name(film.state)}: {film.error.message}"]
    key = film.video.url.partition("/media/")[2].partition("?")[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        await rig.files.get_file(key, path)
        seen = len(await asyncio.to_thread(footage.numbers, path))
    planned = _CUTS * seconds * 24 - (_CUTS - 1) * _FADE
    return [] if seen == film.frames == planned else [f"{seen} pictures of {planned}"]


async def _left(rig: Rig) -> list[str]:
    """What is there although everything is over, a little later."""

    async def is_clean() -> bool:
        return not (await rig.rows(_LEFT) or rig.orders or len(rig.temporary) > len(NAMES))

    try:
        await waiting.until("nothing left", is_clean, _WITHIN_S)
    except AssertionError:
        return [row["what"] for row in await rig.rows(_LEFT)] or [str(path) for path in rig.orders or rig.temporary]
    return []


async def run(seeds: int, only: str) -> tuple[int, list[str], list[str]]:
    """Every place with every action and every seed: how many rounds, what was wrong, what did not come up."""
    count, wrong, missed = 0, list[str](), list[str]()
    with tempfile.TemporaryDirectory(prefix="rushes-crash-", ignore_cleanup_errors=True) as folder:
        async with standing(Path(folder)) as rig:
            todo = itertools.product(range(seeds), every(), ACTIONS)
            for seed, place, action in [one for one in todo if only in f"{one[1]} {one[2]}"]:
                began, outcome = time.monotonic(), await tried(rig, place, action, seed)
                said = "; ".join(outcome.wrong) or ("not hit" if outcome.missed else "fine")
                print(f"{time.monotonic() - began:5.1f} s  {place} {action} (seed {seed}): {said}", flush=True)
                count += 1
                wrong += [f"{place} {action}: {one}" for one in outcome.wrong]
                missed += [f"{place} {action}"] if outcome.missed else []
    return count, wrong, missed


async def tried(rig: Rig, place: str, action: str, seed: int) -> Outcome:
    """A round whose fault was not hit is played again: what was counted on did not come up in it."""
    for turn in range(_TRIES):
        outcome = await play(rig, place, action, seed + 1000 * turn)
        if outcome.wrong or not outcome.missed:
            break
    return outcome


def main() -> None:
    """Play them all; ends with 1 when a promise was broken, or a place was not reached."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--only", default="", help="Only the rounds whose place and action hold this.")
    asked = arguments.parse_args()
    count, wrong, missed = asyncio.run(run(asked.seeds, asked.only))
    print(
        f"{count} rounds at {len(every())} places, {len(missed)} not hit, {len(wrong)} wrong", *wrong, *missed, sep="\n"
    )
    sys.exit(bool(wrong or missed))


if __name__ == "__main__":
    main()
