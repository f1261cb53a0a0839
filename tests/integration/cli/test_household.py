"""Houses of PostgreSQL and NATS alone: started, broken, healed, and left without a trace."""

import asyncio
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.cli import doctor, exits, house, keeper, nats, postgres, state, status, supervisor, visit
from tests import homes

_KEEP = """
import asyncio, sys
from pathlib import Path
from services.cli import exits, keeper

def note(text):
    print(text, file=sys.stderr)

try:
    asyncio.run(keeper.keep(
        Path(sys.argv[1]), note, lambda of: print("ready", flush=True), services=(), while_used="used" in sys.argv
    ))
except exits.Ended as ended:
    sys.exit(str(ended))
"""
Keeping = subprocess.Popen[str]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110, what we wait for is another process
            await asyncio.sleep(0.02)


def pids_in(folder: Path) -> list[int]:
    """Every process that has the folder on its command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with homes.folder("rushes-cli-") as made:
        yield Path(made) / "home"


@pytest.fixture
async def running(folder: Path) -> AsyncIterator[supervisor.Supervisor]:
    kept = supervisor.Supervisor(house.prepare(house.make_folder(folder), print), [], print)
    try:
        await kept.start()
        yield kept
    finally:
        await kept.stop()


def keep(folder: Path, *words: str) -> Keeping:
    """A supervisor in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _KEEP, str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


async def ready(process: Keeping) -> None:
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "ready\n"


async def test_a_house_heals_and_two_live_side_by_side(running: supervisor.Supervisor, folder: Path) -> None:
    other = house.prepare(house.make_folder(folder.with_name("other")), print)
    second = supervisor.Supervisor(other, [], print)
    try:
        await second.start()
        assert await postgres.healthy(other)
        assert await nats.healthy(house.load(folder))
        asked = await postgres.connect(other, "job", "job")
        for name, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")):
            assert await asked.fetchval("SELECT current_setting($1)", name) == value
        await asked.close()
    finally:
        await second.stop()
    database, bus = running.children
    for child in (database, bus):
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
    await until(lambda: all(child.restarts >= 1 and child.healthy for child in (database, bus)))
    shutil.rmtree(folder / "nats" / "jetstream")
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    await until(lambda: all(child.restarts >= 2 and child.healthy for child in (database, bus)))
    assert await postgres.healthy(house.load(folder))
    before = database.pid  # and a server that another supervisor left is ended before ours begins
    await postgres.program(house.load(folder), _nothing, print).prepare()
    await until(lambda: database.pid not in (before, None) and database.healthy)


async def _nothing() -> None:
    pass


async def test_a_service_may_only_touch_rows_of_its_own_database(home: house.House) -> None:
    owner = await postgres.connect(home, "job_owner", "job")
    await owner.execute("CREATE TABLE thing (id int)")
    service = await postgres.connect(home, "job", "job")
    await service.execute("INSERT INTO thing VALUES (1)")
    for forbidden in ("CREATE TABLE other (id int)", "DROP TABLE thing", "TRUNCATE thing", "CREATE ROLE x"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(forbidden)
    await service.close()
    await owner.execute("DROP TABLE thing")
    await owner.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await postgres.connect(home, "job", "compiler")
    assert home.secrets["job"] not in home.log("postgres").read_text()


async def test_a_house_for_visitors_from_up_to_the_last_one_leaving(folder: Path) -> None:
    house.make_folder(folder)
    async with state.using(folder):
        kept = keep(folder, "used")
        await ready(kept)
        with keep(folder) as second:
            _, complaint = await asyncio.to_thread(second.communicate)
        assert "is already running" in complaint
        told = state.read(folder)
        assert told is not None
        assert (told.pid, told.while_used) == (kept.pid, True)
        rows = await status.rows(house.load(folder), told.processes)
        assert [(row.name, row.healthy, row.restarts) for row in rows] == [("postgres", True, 0), ("nats", True, 0)]
        now = datetime.datetime.now(datetime.UTC)
        assert {finding.wrong async for finding in doctor.examine(folder, now)} == {""}
        async with state.using(folder):
            pass
        assert kept.poll() is None
    with kept:
        assert await asyncio.to_thread(kept.wait, 20) == 0
    assert pids_in(folder) == []
    assert not await visit.stop(folder)


async def test_the_log_of_the_house_says_what_ended_and_why_it_stopped(folder: Path) -> None:
    with keep(folder) as kept:
        await ready(kept)
        told = state.read(folder)
        assert told is not None
        (killed,) = (one["pid"] for one in told.processes if one["name"] == "nats")
        os.kill(killed, signal.SIGKILL)
        await until(lambda: (folder / "logs" / "house.log").read_text().count("process_started") == 3)
        kept.terminate()
        await asyncio.to_thread(kept.wait, 20)
    lines = [json.loads(line) for line in (folder / "logs" / "house.log").read_text().splitlines()]
    ended, why = (next(one for one in lines if one["action"] == it) for it in ("process_ended", "house_told_to_stop"))
    assert (ended["program"], ended["why"]) == ("nats", "it ended with code -9")
    assert why["signal"] == "SIGTERM"
    assert [one["action"] for one in lines].count("process_stopped") == 2


async def test_nothing_is_left_of_a_killed_supervisor_and_the_next_one_recovers(folder: Path) -> None:
    with keep(folder) as first:
        await ready(first)
        first.kill()
    await until(lambda: pids_in(folder) == [])
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")  # a pid that is another's now
    with keep(folder) as second:
        await ready(second)
        shutil.rmtree(folder, ignore_errors=True)  # a home that is deleted ends its house
        await asyncio.to_thread(second.wait, 30)
    assert pids_in(folder) == []


async def test_no_house_on_a_full_disk(folder: Path) -> None:
    with pytest.raises(exits.Ended, match="choose another folder with --home"):
        await keeper.keep(folder, print, print, services=(), enough_disk_bytes=2**62)


async def test_a_house_that_cannot_start_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSHES_SANDBOX_LATENCY", "-1")
    with pytest.raises(exits.Ended, match=r"sandbox does not start: .*RUSHES_SANDBOX_LATENCY"):
        await keeper.keep(folder, print, print, services=("sandbox",))
    assert pids_in(folder) == []
