"""Houses of PostgreSQL and NATS alone: started, broken, healed, and left without a trace."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.cli import doctor, exits, house, keeper, nats, postgres, state, status, supervisor, visit

_KEEP = """
import asyncio, sys
from pathlib import Path
from services.cli import exits, keeper
try:
    asyncio.run(keeper.keep(Path(sys.argv[1]), print, lambda of: print("ready", flush=True), services=()))
except exits.Ended as ended:
    sys.exit(str(ended))
"""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
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
    """Not pytest's own: PostgreSQL's user must pass through it."""
    with tempfile.TemporaryDirectory(prefix="rushes-cli-") as made:
        yield Path(made) / "home"


@pytest.fixture
async def running(folder: Path) -> AsyncIterator[supervisor.Supervisor]:
    kept = supervisor.Supervisor(house.prepare(house.make_folder(folder), print), [], print)
    try:
        await kept.start()
        yield kept
    finally:
        await kept.stop()


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _KEEP, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_a_house_heals_and_two_live_side_by_side(running: supervisor.Supervisor, folder: Path) -> None:
    database, bus = running.children
    of = house.load(folder)
    with tempfile.TemporaryDirectory(prefix="rushes-cli-") as other:
        second = supervisor.Supervisor(house.prepare(house.make_folder(Path(other)), print), [], print)
        try:
            await second.start()
            assert await nats.healthy(of)
            assert await postgres.healthy(house.load(Path(other)))
        finally:
            await second.stop()

    for child in (database, bus):
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
    await until(lambda: all(child.restarts >= 1 and child.healthy for child in (database, bus)))
    assert await status.probe(of, "postgres")
    assert await status.probe(of, "nats")


async def test_deleted_folders_are_made_again(running: supervisor.Supervisor, folder: Path) -> None:
    database, bus = running.children
    shutil.rmtree(folder / "nats" / "jetstream")
    shutil.rmtree(folder / "postgres", ignore_errors=True)
    await until(lambda: all(child.restarts >= 1 and child.healthy for child in (database, bus)))
    connection = await postgres.connect(house.load(folder), "job", "job")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_service_may_only_touch_rows_of_its_own_database(running: supervisor.Supervisor, folder: Path) -> None:
    of = house.load(folder)
    owner = await postgres.connect(of, "job_owner", "job")
    await owner.execute("CREATE TABLE thing (id int)")
    await owner.close()
    service = await postgres.connect(of, "job", "job")
    await service.execute("INSERT INTO thing VALUES (1)")
    for forbidden in ("CREATE TABLE other (id int)", "DROP TABLE thing", "TRUNCATE thing", "CREATE ROLE x"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(forbidden)
    await service.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await postgres.connect(of, "job", "compiler")
    settings = await postgres.connect(of)
    for name, value in (("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")):
        assert await settings.fetchval("SELECT current_setting($1)", name) == value
    await settings.close()
    assert "SCRAM" not in (folder / "logs" / "postgres.log").read_text()


async def test_up_twice_status_doctor_down(folder: Path) -> None:
    with start(folder) as first:
        assert line(first) == "ready" or line(first) == "ready"
        with start(folder) as second:
            _, complaint = await asyncio.to_thread(second.communicate)
        assert "is already running" in complaint
        told = state.read(folder)
        assert told is not None
        assert told.pid == first.pid
        of = house.load(folder)
        rows = await status.rows(of, told)
        assert [(row.name, row.healthy, row.restarts) for row in rows] == [("postgres", True, 0), ("nats", True, 0)]
        assert [finding.wrong async for finding in doctor.examine(folder, _now())] == [""] * len(
            [finding async for finding in doctor.examine(folder, _now())]
        )
        assert await visit.stop(folder)
        assert first.wait(20) == 0
    assert pids_in(folder) == []
    assert not await visit.stop(folder)


async def test_nothing_is_left_of_a_killed_supervisor_and_the_next_one_recovers(folder: Path) -> None:
    with start(folder) as first:
        while line(first) != "ready":
            pass
        first.kill()
    await until(lambda: pids_in(folder) == [])
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")  # a pid that is another's now
    with start(folder) as second:
        assert line(second) == "ready"
        second.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(second.wait, 20) == 0
    assert pids_in(folder) == []


async def test_a_house_whose_home_is_deleted_ends(folder: Path) -> None:
    with start(folder) as kept:
        while line(kept) != "ready":
            pass
        shutil.rmtree(folder, ignore_errors=True)
        await asyncio.to_thread(kept.wait, 30)
    assert pids_in(folder) == []


async def test_no_house_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "ENOUGH_DISK_BYTES", 2**62)
    with pytest.raises(exits.Ended, match="choose another folder with --home"):
        await keeper.keep(folder, print, print, services=())


def _now() -> "__import__('datetime').datetime":
    import datetime

    return datetime.datetime.now(datetime.UTC)


def test_the_state_is_json(folder: Path) -> None:
    house.make_folder(folder)
    state.write(folder, "starting", True, [])
    assert json.loads((folder / "state.json").read_text())["while_used"] is True
