"""The verbs of operating against a house: how it does, what it was told, and a copy of it that is brought back."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli import backup, exits, house, postgres, supervisor

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Room for another house; PostgreSQL's user must pass through it."""
    with tempfile.TemporaryDirectory(prefix="rushes-copy-") as made:
        yield Path(made)


def test_how_every_service_does(run: Run) -> None:
    told = json.loads(run("ops", "status", "--json")[1])
    assert list(told) == list(house.DATABASES)
    assert all(one["schema_fits"] for one in told.values())
    assert "schema 0" in run("ops", "status")[1]
    assert run("ops", "stuck", "--overdue", "3600")[1] == "nothing is stuck\n"


def test_what_a_service_was_told_but_no_secret(run: Run, folder: Path) -> None:
    told = run("ops", "config", "provider_gateway")[1]
    assert "RUSHES_LISTEN=127.0.0.1:" in told
    assert not [name for name, secret in house.load(folder).secrets.items() if secret in told]
    assert run("ops", "config", "nobody")[0] == 2


def test_the_log_level_and_the_outbox(run: Run) -> None:
    assert "DEBUG → INFO" in run("ops", "log-level", "job", "debug")[1] + run("ops", "log-level", "job", "info")[1]
    assert "events are published again" in run("ops", "replay", "job", "--since", "2026-01-01")[1]
    assert run("ops", "replay", "job")[0] == 2


def test_a_copy_is_brought_back_to_a_new_house(run: Run, folder: Path, elsewhere: Path) -> None:
    copy, home = elsewhere / "copy", elsewhere / "home"
    assert run("ops", "backup", str(copy))[0] == 0
    assert run("ops", "backup", str(copy))[0] == 5
    assert run("ops", "restore", str(copy))[0] == 5, "that house runs"
    here = asyncio.run(_counted(house.load(folder)))
    said: list[str] = []
    asyncio.run(backup.bring_back(home, copy, said.append))
    assert "it looks for what it bought since" in said[-1]
    with pytest.raises(exits.Ended, match="no complete copy"):
        asyncio.run(backup.bring_back(home, elsewhere / "none", said.append))
    of = house.load(home)
    assert dict(of.secrets) == dict(house.load(folder).secrets)
    assert of.vault.read_text() == house.load(folder).vault.read_text()
    assert asyncio.run(_standing(of)) == here


async def _standing(of: house.House) -> list[int]:
    kept = supervisor.Supervisor(of, (), print)
    try:
        await kept.start()
        return await _counted(of)
    finally:
        await kept.stop()


async def _counted(of: house.House) -> list[int]:
    """How many rows there are of what is kept for good."""
    found = []
    for service, table in (("storyboard", "storyboards"), ("job", "jobs"), ("provider_gateway", "submissions")):
        connection = await postgres.connect(of, database=service)
        found.append(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        await connection.close()
    return found
