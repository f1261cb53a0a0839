"""Switches on a real PostgreSQL: what they stop, who throws them, and what wakes when they are released."""

import asyncio
import dataclasses
import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.util import await_only

from services.provider_gateway import budgets, domain, ledger, store, switches
from tests.e2e import waiting
from tests.integration.provider_gateway import till

NOW, ask = till.NOW, till.ask
S, Reach = domain.State, budgets.Reach
MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
EACH = [
    (Reach.HOUSE, "", budgets.HOUSE),
    (Reach.TENANT, "", "acme"),
    (Reach.ENDPOINT, "sandbox-openai", "acme"),
    (Reach.MODEL, "sandbox/reel-1", "acme"),
    (Reach.MODEL, "sandbox/reel-2", "acme"),
    (Reach.TENANT, "", "bolt"),
]


@pytest.fixture
async def purse(database):
    place = await database("provider_gateway")
    made = till.Purse(place.database)
    for tenant_id in ("acme", "bolt"):
        for currency in ("USD", "XTS"):
            await made.own(10**9, tenant_id, currency)
    return made


@pytest.mark.parametrize(("scope", "target", "tenant_id"), EACH)
async def test_what_a_switch_stops_is_neither_held_nor_sent(purse, scope, target, tenant_id):
    async def stopped():
        query = sa.select(store.SUBMISSIONS.c.id).where(switches.is_thrown(store.SUBMISSIONS))
        async with purse.database.house() as conn:
            return set((await conn.execute(query)).scalars())

    def orders():
        return [ask(), ask(tenant_id="bolt"), ask(endpoint="gemini", model="sandbox/reel-2")]

    before, again = orders(), orders()
    await purse.hold(*before)
    assert await stopped() == set()
    switch = await purse.throw(scope, target, tenant_id)
    assert await stopped() == {one.id for one in before if switch.stops(one)} != set()
    held, denied = await purse.hold(*again)
    assert set(denied) == {one.id for one in again if switch.stops(one)}
    assert {why.reason for why in denied.values()} == {"SPENDING_STOPPED"}
    assert len(held) + len(denied) == len(again)
    await purse.release(switch, NOW + MINUTE)
    assert await stopped() == set()
    parked = await purse.rows("SELECT id, next_action_at FROM submissions WHERE state = 'PARKED'")
    assert {one["id"]: one["next_action_at"] for one in parked} == dict.fromkeys(denied, NOW + MINUTE)


async def test_a_switch_is_thrown_once_and_its_record_stays(purse):
    first = await purse.throw(Reach.TENANT)
    together = await asyncio.gather(*(purse.throw(Reach.TENANT, by="eve") for _ in range(4)))
    assert [*together, *await purse.thrown()] == [first] * 5
    await purse.release(first)
    assert await purse.thrown() == []
    with pytest.raises(budgets.SpendSwitchNotFound):
        await purse.release(first)
    second = await purse.throw(Reach.TENANT)
    assert second.id != first.id
    rows = await purse.rows("SELECT id, thrown_by, released_by, released_at FROM switches ORDER BY id")
    assert [tuple(one.values()) for one in rows] == [
        (first.id, "ada", "grace", NOW),
        (second.id, "ada", None, None),
    ]


async def test_a_switch_is_thrown_anew_when_the_same_is_released_meanwhile(purse):
    before = await purse.throw(Reach.TENANT)
    async with purse.database.house() as conn:

        def release(*_):
            await_only(purse.release(before))

        sa.event.listen(conn.sync_connection, "after_execute", release, once=True)
        after = await switches.throw(conn, "acme", Reach.TENANT, "", "again", "ada", NOW)
    assert await purse.thrown() == [after]


async def test_everyone_sees_the_house_s_and_nobody_another_tenant_s(purse):
    mine, house = await purse.throw(Reach.TENANT), await purse.throw(Reach.HOUSE, tenant_id=budgets.HOUSE)
    assert await purse.thrown("acme") == [house, mine]
    assert await purse.thrown("bolt") == [house]
    with pytest.raises(budgets.SpendSwitchNotFound):
        await purse.release(dataclasses.replace(mine, tenant_id="bolt"))
    for change in ("UPDATE switches SET reason = 'x'", "DELETE FROM switches"):
        changed = await purse.rows(f"{change} WHERE tenant_id = '*' RETURNING id", tenant="acme")
        assert changed == [], "a tenant cannot touch the house's"
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        async with purse.database.tenant("acme") as conn:
            await switches.throw(conn, budgets.HOUSE, Reach.HOUSE, "", "mine", "eve", NOW)


async def test_what_is_parked_while_a_switch_is_released_wakes_with_the_others(purse):
    switch = await purse.throw(Reach.TENANT)
    async with purse.database.house() as conn:
        ((_, why),) = (await ledger.hold(conn, [one := ask()], NOW)).denied
        releasing = asyncio.create_task(purse.release(switch, NOW + MINUTE))
        await waiting.is_waited_for(conn)
        parked = dataclasses.replace(one, state=S.PARKED, next_action_at=why.retry_at)
        await store.insert_submissions(conn, [parked])
    await releasing
    (found,) = await purse.rows("SELECT next_action_at FROM submissions")
    assert found["next_action_at"] == NOW + MINUTE


async def test_a_release_does_not_wait_for_those_who_try_again(purse):
    switch = await purse.throw(Reach.TENANT)
    await purse.hold(one := ask())
    async with purse.database.house() as conn:
        assert await conn.execute(sa.select(store.SUBMISSIONS).with_for_update())
        await asyncio.wait_for(purse.release(switch), 5)
        held, _ = await ledger.hold(conn, [one], NOW)
    assert held, "and they see that it was released"


BRAKE = budgets.Brake(most_orders=4, floor_micros=500)


async def test_the_brake_stops_a_runaway_loop_and_what_it_held_is_not_sent(purse):
    runaway = [ask(1, currency="USD") for _ in range(5)]
    held, _ = await purse.hold(*runaway, brake=BRAKE)
    assert len(held) == 5
    (switch,) = await purse.thrown()
    assert (switch.scope, switch.thrown_by) == (Reach.TENANT, "brake")
    assert "5 orders in a minute" in switch.reason
    assert all(switch.stops(one) for one in held)
    _, denied = await purse.hold(ask(1, currency="USD"))
    assert [why.reason for why in denied.values()] == ["SPENDING_STOPPED"]
    assert await purse.thrown("bolt") == []


async def test_the_brake_knows_the_usual_hour(purse):
    for hours in range(24, 0, -1):
        await purse.hold(ask(120, currency="USD"), now=NOW - HOUR * hours, brake=BRAKE)
    await purse.hold(ask(600, currency="USD"), now=NOW, brake=BRAKE)
    assert await purse.thrown() == []
    await purse.hold(ask(1, currency="USD"), now=NOW + MINUTE, brake=BRAKE)
    (switch,) = await purse.thrown()
    assert "5 times as much reserved in an hour" in switch.reason


async def test_play_money_has_no_brake(purse):
    await purse.hold(*(ask(1000) for _ in range(9)), brake=BRAKE)
    assert await purse.thrown() == []


async def test_what_was_before_a_released_brake_is_forgiven(purse):
    await purse.hold(*(ask(900, currency="USD") for _ in range(5)), brake=BRAKE)
    (switch,) = await purse.thrown()
    await purse.release(switch, NOW + MINUTE / 2)
    await purse.hold(ask(400, currency="USD"), now=NOW + MINUTE, brake=BRAKE)
    assert await purse.thrown() == []
    await purse.hold(ask(101, currency="USD"), now=NOW + MINUTE, brake=BRAKE)
    assert [one.thrown_by for one in await purse.thrown()] == ["brake"]


@pytest.mark.parametrize(("cost", "stopped"), [(100, False), (105, False), (106, True)])
async def test_a_price_that_drifts_is_paid_and_beyond_a_measure_its_model_is_bought_no_more(purse, cost, stopped):
    (one,), _ = await purse.hold(ask(100))
    await purse.post(dataclasses.replace(one, state=S.ACCEPTED), S.PROVIDER_DONE, cost_micros=cost)
    assert (await purse.used())[one.budgets[0]] == (0, cost, 0)
    found = await purse.thrown()
    assert [(it.scope, it.target, it.thrown_by) for it in found] == [(Reach.MODEL, one.model, "drift")] * stopped
    held, denied = await purse.hold(ask(), ask(model="sandbox/reel-2"))
    assert (len(held), len(denied)) == (2 - stopped, stopped)
    assert await purse.thrown("bolt") == []
