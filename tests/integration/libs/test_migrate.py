"""Any number of replicas may migrate at once, any number of times."""

import asyncio
import uuid

import asyncpg
import pytest

from libs import migrate
from services.cli import environment, postgres


@pytest.fixture
async def owner_url(home):
    """An empty database of the storyboard service, as its owner sees it."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    connection = await postgres.connect(home)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" OWNER storyboard_owner')
        yield environment.database_url(home, "storyboard", "storyboard_owner").rpartition("/")[0] + f"/{name}"
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def fetch(url, query):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_migrating_again_changes_nothing(owner_url):
    versions = []
    for _ in range(2):
        await migrate.upgrade(owner_url, "storyboard")
        versions.append(await fetch(owner_url, "SELECT version_num FROM alembic_version"))
    assert versions[0] == versions[1]
    assert len(versions[0]) == 1


async def test_replicas_that_start_together(owner_url):
    await asyncio.gather(*(migrate.upgrade(owner_url, "storyboard") for _ in range(4)))
    assert len(await fetch(owner_url, "SELECT version_num FROM alembic_version")) == 1
    tables = await fetch(owner_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert ("storyboards",) in tables


async def test_a_migration_that_fails_leaves_nothing(owner_url):
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE dead_letters (in_the_way text)")
    await connection.close()
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate.upgrade(owner_url, "storyboard")
    assert await fetch(owner_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("dead_letters",)]


def test_the_command_names_its_services(monkeypatch):
    monkeypatch.setattr("sys.argv", ["migrate", "nothing"])
    with pytest.raises(SystemExit, match=r"usage: python -m libs.migrate SERVICE, .*storyboard"):
        migrate.main()
