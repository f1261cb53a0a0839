"""A database that was restored from an older copy: what it forgot is found under its name, and bought once."""

import asyncio

import pytest
import sqlalchemy as sa

from libs import ids
from services.provider_gateway import domain, memory, store, whereabouts
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S = domain.State
ELSEWHERE = "where the copy was taken"


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def move(gateway, place=ELSEWHERE):
    """As a copy that is restored: the row says where it was taken."""
    async with gateway.database.house() as conn:
        await conn.execute(sa.update(whereabouts.WHEREABOUTS).values(place=place))


async def look(gateway):
    assert await memory.Memory(gateway.database).look() == 0


async def restored_at(gateway):
    async with gateway.database.house() as conn:
        return await whereabouts.restored_at(conn)


async def test_a_database_that_stays_where_it_is_remembers(gateway, crew):
    for _ in range(3):
        await look(gateway)
    assert await restored_at(gateway) is None
    await gateway.hear(*await gateway.orders(house.spec()))
    await crew.finish()
    (one,) = await gateway.submissions()
    assert (one.state, one.doubted_from) == (S.STORED, None)


async def test_no_two_databases_are_in_one_place(gateway, database):
    other = (await database("provider_gateway")).database
    places = set()
    for one in (gateway.database, other):
        async with one.house() as conn:
            places.add((await conn.execute(sa.select(whereabouts.HERE))).scalar())
    assert len(places) == 2


async def test_nothing_is_sent_from_a_copy_and_what_was_unsent_is_looked_for(gateway, crew):
    await look(gateway)
    await gateway.hear(*await gateway.orders(house.once("unsent")))
    await move(gateway)
    assert await crew.driver().claim() == 0, "not even before anybody has looked"
    await look(gateway)
    (doubted,) = await gateway.submissions()
    assert (doubted.state, doubted.fault.reason) == (S.UNKNOWN, "OUTCOME_UNKNOWN")
    assert doubted.doubted_from == doubted.created_at
    assert doubted.answered_at is not None
    assert await gateway.story(doubted.id) == ["SENDING", "UNKNOWN"]
    assert "STATE_UNKNOWN" in str(await gateway.said())
    assert await gateway.money() == (100_000, 0, 0)
    await crew.finish()  # the sandbox knows an order again: to repeat it costs nothing, and had it never come, it does
    assert (await gateway.submissions())[0].state is S.STORED
    assert await gateway.money() == (0, 100_000, 0)


@pytest.mark.parametrize("model", ["sandbox/reel-1", "sandbox/replicate-reel"])  # one knows it again, one has a list
async def test_what_was_bought_after_the_copy_is_found_and_not_bought_again(
    gateway, crew, reel, database, serve, issuer, ahead, tmp_path, model
):
    told = await gateway.orders(house.once("forgotten", model=model))
    await gateway.hear(*told)
    await crew.finish()
    (bought,) = await gateway.submissions()
    assert bought.state is S.STORED
    async with house.open_gateway(database, serve, issuer, ahead) as copy:  # taken when there was but the quote
        await look(copy)
        await _bring_quotes(gateway, copy)
        await copy.set_limit(1_000_000)
        await move(copy)
        await look(copy)
        await copy.hear(*told)
        (doubted,) = await copy.submissions()
        assert (doubted.id, doubted.state) == (bought.id, S.UNKNOWN)
        assert doubted.doubted_from == ids.made_at(told[0].job_id)
        again = shop.Crew(copy, tmp_path / "copy", reel.addresses())
        await again.finish()
        (found,) = await copy.submissions()
        await again.close()
    assert (found.state, found.provider_job_id) == (S.STORED, bought.provider_job_id)
    assert found.clip.media.key == bought.clip.media.key
    assert len(reel.lines("create", {bought.id})) == len(reel.lines("charge", {bought.id})) == 1


async def _bring_quotes(gateway, copy):
    async with gateway.database.house() as conn:
        rows = [dict(row) for row in (await conn.execute(sa.select(store.QUOTES))).mappings()]
    async with copy.database.house() as conn:
        await conn.execute(sa.insert(store.QUOTES), rows)


async def test_an_order_of_a_younger_job_is_sent(gateway):
    await look(gateway)
    old = await gateway.orders(house.spec())
    await move(gateway)
    await asyncio.sleep(0.002)  # ids know milliseconds
    await look(gateway)
    await asyncio.sleep(0.002)
    await gateway.hear(*old, *await gateway.orders(house.spec("A younger one.")))
    assert [one.state for one in await gateway.submissions()].count(S.INTENT) == 1


async def test_what_waited_for_money_is_doubted_when_it_is_let_in(gateway):
    await look(gateway)
    told = await gateway.orders(house.spec())
    await gateway.set_limit(0)
    await gateway.hear(*told)
    await move(gateway)
    await look(gateway)
    (parked,) = await gateway.submissions()
    assert (parked.state, parked.doubted_from) == (S.PARKED, parked.created_at)
    await gateway.set_limit(1_000_000)
    await gateway.make_due()
    assert await gateway.admission.let_in(gateway.database) == 1
    (doubted,) = await gateway.submissions()
    assert doubted.state is S.UNKNOWN
    assert await gateway.money() == (100_000, 0, 0)


async def test_a_repeat_is_not_sent_under_a_switch(gateway, crew):
    await look(gateway)
    await gateway.hear(*await gateway.orders(house.once("stopped")))
    await move(gateway)
    await look(gateway)
    await gateway("ThrowSpendSwitch", scope="SCOPE_TENANT", reason="enough")
    await crew.look(2)
    (one,) = await gateway.submissions()
    assert (one.state, one.provider_job_id) == (S.UNKNOWN, None)
