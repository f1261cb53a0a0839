"""Rows that many ask for at once: read together, tenants apart, and nobody pays for another's trouble."""

import asyncio

import pytest
import sqlalchemy as sa

from libs import db, reads
from services.storyboard import store
from tests.integration.libs import test_db


class Finder:
    """Finds names of storyboards without asking whose they are, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, set[str]]] = []

    async def __call__(self, conn, tenant_id, ids):
        self.asked.append((tenant_id, set(ids)))
        query = sa.select(store.STORYBOARDS.c.id, store.STORYBOARDS.c.name)
        return dict(map(tuple, await conn.execute(query.where(db.one_of(store.STORYBOARDS.c.id, ids)))))


@pytest.fixture
async def place(database):
    place = await database("storyboard")
    for tenant in ("acme", "other"):
        async with place.database.tenant(tenant) as conn:
            await test_db.insert(conn, tenant)
    return place


@pytest.fixture
def finder() -> Finder:
    return Finder()


@pytest.fixture
def boards(place, finder) -> reads.Reads[str]:
    return reads.Reads(place.database, finder)


async def test_who_asks_at_once_is_answered_at_once_each_tenant_of_its_own(boards, finder):
    asked = [(tenant, f"sb_{whose}") for tenant in ("acme", "other") for whose in ("acme", "other", "nobody")]
    answers = await asyncio.gather(*(boards.get(*one) for one in asked * 3))
    assert answers == ["acme", None, None, None, "other", None] * 3
    assert sorted(finder.asked) == [(tenant, {"sb_acme", "sb_other", "sb_nobody"}) for tenant in ("acme", "other")]


async def test_what_was_committed_before_the_question_is_read(boards, place):
    async def renamed(number: int) -> None:
        async with place.database.tenant("acme") as conn:
            await conn.execute(sa.update(store.STORYBOARDS).values(name=f"{number:03}"))
        assert (await boards.get("acme", "sb_acme") or "") >= f"{number:03}"

    async def ask() -> None:
        for _ in range(100):
            await boards.get("acme", "sb_acme")

    async def rename() -> None:
        for number in range(50):
            await renamed(number)

    await asyncio.gather(ask(), ask(), rename())


async def test_a_crowd_that_does_not_end_holds_nobody_up(boards):
    crowd = [asyncio.create_task(boards.get("acme", "sb_acme"))]
    while not crowd[0].done():
        crowd.append(asyncio.create_task(boards.get("acme", "sb_acme")))
        for _ in range(20):
            await asyncio.sleep(0)
    assert set(await asyncio.gather(*crowd)) == {"acme"}


async def test_one_who_leaves_takes_nobody_along(boards):
    leaving, staying = (asyncio.create_task(boards.get("acme", "sb_acme")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "acme"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_an_id_that_cannot_be_is_refused_alone(boards):
    outcomes = await asyncio.gather(
        boards.get("acme", "sb_acme"), boards.get("acme", "nul\x00"), return_exceptions=True
    )
    assert outcomes[0] == "acme"
    assert isinstance(outcomes[1], db.TextInvalid)


async def test_a_read_that_failed_stands_in_nobody_s_way(finder):
    away = db.Database("postgresql+asyncpg://nobody:x@127.0.0.1:1/nothing")
    lost = reads.Reads(away, finder)
    for _ in range(2):
        outcomes = await asyncio.gather(*(lost.get("acme", "sb_1") for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [db.DatabaseAway] * 3
    assert not finder.asked
    await away.close()
