"""Tenants apart, events after the commit, and a database that is away."""

import asyncio
import datetime
import random

import asyncpg
import pytest
import sqlalchemy as sa

from libs import db
from services.storyboard import domain, store

NOW = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


def board(tenant: str) -> domain.Storyboard:
    return domain.created(domain.Content(name=tenant), tenant, lambda prefix: f"{prefix}_{tenant}", NOW)


async def insert(conn, tenant: str) -> None:
    request_id = "7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10"
    await store.insert_once(conn, board(tenant), "ada", "CreateStoryboard", request_id, "digest")


async def tenants(conn) -> set[str]:
    """Whose rows are seen by a query that forgot to ask for one tenant."""
    boards = (await conn.execute(sa.select(store.STORYBOARDS.c.tenant_id))).scalars().all()
    revisions = (await conn.execute(sa.select(store.REVISIONS.c.tenant_id))).scalars().all()
    assert set(boards) == set(revisions)
    return set(boards)


@pytest.fixture
async def place(database):
    place = await database("storyboard")
    for tenant in ("acme", "other"):
        async with place.database.tenant(tenant) as conn:
            await insert(conn, tenant)
    return place


async def test_a_tenant_sees_its_own_and_the_house_sees_all(place):
    async with place.database.tenant("acme") as conn:
        assert await tenants(conn) == {"acme"}
    async with place.database.house() as conn:
        assert await tenants(conn) == {"acme", "other"}


async def test_a_tenant_can_neither_write_nor_change_for_another(place):
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        async with place.database.tenant("acme") as conn:
            await insert(conn, "third")
    async with place.database.tenant("acme") as conn:
        changed = await conn.execute(sa.update(store.STORYBOARDS).values(name="taken"))
        assert changed.rowcount == 1


async def test_without_a_scope_nothing_is_seen(place):
    url = place.url.replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM storyboards") == 0
        async with connection.transaction():
            await connection.execute("SELECT set_config('rushes.tenant', 'acme', true)")
            assert await connection.fetchval("SELECT count(*) FROM storyboards") == 1
        assert await connection.fetchval("SELECT count(*) FROM storyboards") == 0, "the scope ends with it"
    finally:
        await connection.close()


@pytest.mark.parametrize(("frozen", "seen"), [(True, "acme"), (False, "changed")])
async def test_a_frozen_transaction_sees_one_moment(place, frozen, seen):
    name = sa.select(store.STORYBOARDS.c.name)
    async with place.database.tenant("acme", frozen=frozen) as conn:
        assert (await conn.execute(name)).scalar_one() == "acme"
        async with place.database.tenant("acme") as other:
            await other.execute(sa.update(store.STORYBOARDS).values(name="changed"))
        assert (await conn.execute(name)).scalar_one() == seen


async def test_the_role_of_a_service_cannot_change_its_tables(place):
    for statement in ("DROP TABLE storyboards", "ALTER TABLE storyboards DISABLE ROW LEVEL SECURITY"):
        with pytest.raises(sa.exc.ProgrammingError, match="must be owner"):
            async with place.database.house() as conn:
                await conn.execute(sa.text(statement))
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        async with place.database.house() as conn:
            await conn.execute(sa.text("CREATE TABLE mine (id text)"))


async def test_an_error_rolls_back_and_gives_the_connection_back(place):
    async def fail():
        async with place.database.tenant("acme") as conn:
            await conn.execute(sa.update(store.STORYBOARDS).values(name="gone"))
            raise ZeroDivisionError

    for _ in range(10):  # more than the pool has
        with pytest.raises(ZeroDivisionError):
            await fail()
    async with place.database.tenant("acme") as conn:
        assert (await conn.execute(sa.select(store.STORYBOARDS.c.name))).scalar_one() == "acme"


async def test_a_database_that_is_away():
    away = db.Database("postgresql+asyncpg://nobody:x@127.0.0.1:1/nothing")
    with pytest.raises(db.DatabaseAway):
        async with away.tenant("acme"):
            pass
    assert not await away.answers()
    await away.close()


async def test_a_connection_that_is_cut_in_the_middle_of_the_work(place):
    async def cut_off():
        async with place.database.house() as conn:
            mine = (await conn.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
            async with place.database.house() as other:
                await other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
            await conn.execute(sa.text("SELECT 1"))

    with pytest.raises(db.DatabaseAway):
        await cut_off()


@pytest.mark.parametrize("state", ["40P01", "53100", "55P03"])
async def test_what_passes_is_nobodys_fault(place, state):
    """Others wait in a circle with us, the disk is full, a lock was waited for too long."""
    with pytest.raises(db.DatabaseAway):
        async with place.database.house() as conn:
            await conn.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"))


async def test_a_connection_that_was_cut_is_replaced(place):
    cut = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user"
    )
    async with place.database.house() as conn:
        await conn.execute(sa.text(cut))
    async with place.database.tenant("acme") as conn:
        assert await tenants(conn) == {"acme"}


async def test_answers_only_once_the_schema_is_there(place):
    assert await place.database.answers()
    owner = db.Database(place.owner_url)
    async with owner.house() as conn:
        await conn.execute(sa.text("DROP TABLE alembic_version"))
    await owner.close()
    assert not await place.database.answers()


async def test_a_role_that_row_level_security_does_not_hold_is_never_ready(place, caplog):
    owner = db.Database(place.owner_url)
    assert not await owner.answers()
    await owner.close()
    assert {record.message for record in caplog.records} == {"row_level_security_is_off"}


async def test_no_scope_outlives_a_transaction_that_was_cancelled_anywhere(place):
    """Ten callers of two tenants on eight connections; more than half are cut off at some moment of their own."""
    dice, foreign, done = random.Random(38), 0, 0

    async def look(tenant):
        nonlocal foreign, done
        async with place.database.tenant(tenant) as conn:
            foreign += await tenants(conn) != {tenant}
            done += 1

    for _ in range(30):
        callers = [asyncio.create_task(look(dice.choice(["acme", "other"]))) for _ in range(10)]
        for caller in callers:
            if dice.random() < 0.6:
                await asyncio.sleep(dice.random() * 0.002)
                caller.cancel()
        ended = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(one) for one in ended} <= {type(None), asyncio.CancelledError}
    assert done > 50
    assert foreign == 0
    engine = place.database._scoped
    async with engine.connect() as conn, conn.begin():
        assert await tenants(conn) == set()
