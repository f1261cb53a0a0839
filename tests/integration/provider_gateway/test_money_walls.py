"""Walls, switches and the ledger on a real PostgreSQL: what is held behind what, when many come at once."""

import asyncio
import dataclasses
import datetime
import itertools

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs import ids
from services.provider_gateway import books, budgets, domain, ledger, store, walls
from tests.integration.provider_gateway import till

NOW = till.NOW
ask = till.ask
S, Scope, Period, Reach = domain.State, budgets.Scope, budgets.Period, budgets.Reach
DAY = datetime.timedelta(days=1)


@pytest.fixture
async def purse(database):
    place = await database("provider_gateway")
    return till.Purse(place.database)


async def test_an_order_stands_behind_every_wall_around_it_for_life(purse):
    own = await purse.own(1000)
    around = [
        await purse.wall(900, Scope.TENANT, period=Period.MONTH),
        await purse.wall(800, Scope.STORYBOARD, "sb_1"),
        await purse.wall(700, Scope.PRODUCTION, "prod_1", Period.DAY),
        await purse.wall(600, Scope.CREDENTIAL, "cred_1"),
    ]
    beside = await purse.wall(500, Scope.PRODUCTION, "prod_2")
    (one,), denied = await purse.hold(ask())
    assert not denied
    assert sorted(one.budgets) == sorted([own.id, *(wall.id for wall in around)])
    assert await purse.used() == dict.fromkeys(one.budgets, (100, 0, 0)) | {beside.id: (0, 0, 0)}
    next_month = NOW + DAY * 40
    await purse.post(dataclasses.replace(one, state=S.ACCEPTED), S.PROVIDER_DONE, next_month, cost_micros=90)
    assert await purse.used() == dict.fromkeys(one.budgets, (0, 90, 0)) | {beside.id: (0, 0, 0)}
    await purse.check()


async def test_the_tightest_wall_decides(purse):
    await purse.own(1000)
    await purse.wall(250, Scope.PRODUCTION, "prod_1")
    held, denied = await purse.hold(*(ask() for _ in range(3)), ask(production_id="prod_2"))
    assert [one.production_id for one in held] == ["prod_1", "prod_1", "prod_2"]
    (why,) = denied.values()
    assert "of production prod_1 has 0.00005 in play money left of 0.00025 in play money" in why.message
    await purse.check()


async def test_a_tenant_without_a_wall_has_no_money(purse):
    held, denied = await purse.hold(ask(0))
    assert not held
    assert [why.reason for why in denied.values()] == ["BUDGET_EXCEEDED"]


async def test_a_new_day_begins_with_the_old_limit_and_nothing_behind_it(purse):
    await purse.own(10_000)
    today = await purse.wall(250, Scope.TENANT, period=Period.DAY)
    held, denied = await purse.hold(*(ask() for _ in range(3)))
    (late,) = denied.values()
    assert (len(held), late.retry_at) == (2, NOW.replace(hour=0) + DAY)
    held, denied = await purse.hold(*(ask() for _ in range(3)), now=late.retry_at)
    assert (len(held), len(denied)) == (2, 1)
    days = await purse.rows("SELECT * FROM budgets WHERE period = 'DAY' ORDER BY period_id")
    assert [(one["period_id"], one["limit_micros"], one["reserved_micros"]) for one in days] == [
        ("2026-11-21", 250, 200),
        ("2026-11-22", 250, 200),
    ]
    assert days[0]["id"] == today.id
    assert today.id not in held[0].budgets
    await purse.check()


async def test_a_day_begins_once_though_many_come_at_midnight(purse):
    await purse.own(100_000)
    await purse.wall(550, Scope.TENANT, period=Period.DAY)
    results = await asyncio.gather(*(purse.hold(ask(), ask(), now=NOW + DAY * 3) for _ in range(6)))
    assert sum(len(held) for held, _ in results) == 5
    assert len({one.budgets for held, _ in results for one in held}) == 1
    days = await purse.rows("SELECT period_id FROM budgets WHERE period = 'DAY' ORDER BY period_id")
    assert [one["period_id"] for one in days] == ["2026-11-21", "2026-11-24"]
    await purse.check()


async def test_a_clock_that_is_behind_holds_behind_the_newer_day(purse):
    await purse.own(1000)
    newer = await purse.wall(150, Scope.TENANT, period=Period.DAY, now=NOW + DAY)
    held, denied = await purse.hold(ask(), ask(), now=NOW)
    assert (len(held), len(denied)) == (1, 1)
    assert newer.id in held[0].budgets


async def test_a_batch_costs_a_handful_of_statements(purse):
    await purse.own(10**9)
    await purse.wall(10**9, Scope.TENANT, period=Period.DAY)
    said = []
    async with purse.database.house() as conn:
        engine = conn.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", lambda *told: said.append(told[2]))
        held, _ = await ledger.hold(conn, [ask() for _ in range(64)], NOW)
        assert len(said) == 4
        await store.insert_submissions(conn, held)
        assert len(said) == 5


async def test_what_is_held_and_not_written_down_is_not_held(purse):
    await purse.own(1000)
    with pytest.raises(sa.exc.IntegrityError, match="ledger_submission_id_fkey"):
        async with purse.database.house() as conn:
            await ledger.hold(conn, [ask()], NOW)
    assert set((await purse.used()).values()) == {(0, 0, 0)}


async def test_a_wall_that_is_moved_lets_those_in_that_wait(purse):
    await purse.own(150)
    _, denied = await purse.hold(ask(), ask())
    when = "SELECT id, next_action_at FROM submissions WHERE state = 'PARKED'"
    assert [tuple(one.values()) for one in await purse.rows(when)] == [(*denied, NOW + budgets.TRY_AGAIN)]
    await purse.wall(200, Scope.TENANT)
    assert [tuple(one.values()) for one in await purse.rows(when)] == [(*denied, NOW)]


async def test_a_wall_that_is_taken_down_holds_nobody(purse):
    await purse.own(1000)
    place = budgets.Place(Scope.PRODUCTION, "prod_1", Period.DAY)
    await purse.wall(50, *dataclasses.astuple(place), now=NOW - DAY)
    _, denied = await purse.hold(ask())
    assert denied
    async with purse.database.tenant("acme") as conn:
        await walls.remove(conn, "acme", "XTS", place, NOW)
        with pytest.raises(budgets.BudgetNotFound):
            await walls.find(conn, "acme", "XTS", place, NOW)
        with pytest.raises(budgets.BudgetNotFound):
            await walls.remove(conn, "acme", "XTS", place, NOW)
    (waiting,) = await purse.rows("SELECT next_action_at FROM submissions")
    assert waiting["next_action_at"] == NOW
    held, _ = await purse.hold(ask())
    assert held


async def test_settling_behind_a_wall_that_is_gone_moves_the_others(purse):
    own = await purse.own(1000)
    gone = await purse.wall(500, Scope.STORYBOARD, "sb_1")
    (one,), _ = await purse.hold(ask())
    assert gone.id in one.budgets
    async with purse.database.tenant("acme") as conn:
        await walls.remove(conn, "acme", "XTS", gone.place, NOW)
    await purse.post(one, S.CANCELED_FREE, cost_micros=0)
    assert await purse.used() == {own.id: (0, 0, 0)}


@given(
    limits=st.tuples(*[st.integers(0, 12)] * 3),
    batches=st.lists(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=4), max_size=5),
    ends=st.randoms(use_true_random=False),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_wall_is_passed_whoever_comes_and_goes_at_once(purse, limits, batches, ends):
    own, production, day = limits
    tenant_id = ids.new("t")
    await purse.own(own, tenant_id)
    await purse.wall(production, Scope.PRODUCTION, "prod_1", tenant_id=tenant_id)
    await purse.wall(day, Scope.TENANT, period=Period.DAY, tenant_id=tenant_id)

    async def live(batch):
        rooms = ["prod_1" if inside else "prod_2" for _, inside in batch]
        asks = [ask(one[0], production_id=room, tenant_id=tenant_id) for one, room in zip(batch, rooms, strict=True)]
        held, _ = await purse.hold(*asks)
        await purse.check()
        for one in held:
            story = ends.choice(["free", "paid", "suspense", "open"])
            if story == "free":
                await purse.post(one, S.REJECTED, cost_micros=0)
            elif story == "paid":
                sent = dataclasses.replace(one, state=S.ACCEPTED)
                await purse.post(sent, S.PROVIDER_DONE, cost_micros=ends.randint(0, one.reserved_micros))
            elif story == "suspense":
                await purse.post(dataclasses.replace(one, state=S.UNKNOWN), S.UNRESOLVED)

    await asyncio.gather(*map(live, batches))
    await purse.check()


async def test_tenants_that_share_a_batch_do_not_wait_in_a_circle(purse):
    names = [f"t{number}" for number in range(6)]
    for name in names:
        await purse.own(10**6, name)
    batches = [order for order in itertools.permutations(names, 4)][:: 360 // 24]
    results = await asyncio.gather(*(purse.hold(*(ask(tenant_id=name) for name in batch)) for batch in batches))
    held = [one for some, _ in results for one in some]
    assert len(held) == len(batches) * 4
    await asyncio.gather(*(purse.post(one, S.CANCELED_FREE, cost_micros=0) for one in held))
    assert set((await purse.used()).values()) == {(0, 0, 0)}


async def test_the_ledger_and_quotes_are_only_ever_added_to(purse, database):
    await purse.own(1000)
    await purse.hold(ask())
    row = {"id": ids.new("quote"), "tenant_id": "acme", "request_id": "r", "request_digest": b"", "content": b""}
    async with purse.database.house() as conn:
        await store.insert_quote_once(conn, row | {"created_at": NOW})
    for change in (
        "UPDATE ledger SET available = 0",
        "DELETE FROM ledger",
        "UPDATE quotes SET content = 'cheaper'",
        "DELETE FROM quotes",
    ):
        with pytest.raises(sa.exc.IntegrityError, match="only ever added to"):
            await purse.rows(change + " RETURNING id")


async def test_the_books_say_where_a_tenant_stands(purse):
    own = await purse.own(1000)
    (paid, lost, gone, _), denied = await purse.hold(*(ask() for _ in range(4)), ask(700))
    assert denied
    await purse.post(dataclasses.replace(paid, state=S.ACCEPTED), S.PROVIDER_DONE, cost_micros=103)
    for one, state in ((lost, S.UNKNOWN), (gone, S.UNRESOLVED)):
        for step in (S.SENDING, S.UNKNOWN, state):
            await purse.rows("UPDATE submissions SET state = :step WHERE id = :id RETURNING id", step=step, id=one.id)
    await purse.post(dataclasses.replace(gone, state=S.UNKNOWN), S.UNRESOLVED)
    async with purse.database.tenant("acme") as conn:
        balance = await books.balance(conn, await ledger.open_budget(conn, "acme", "XTS", 0))
        lines = await books.lines(conn, "acme", "", "XTS", None, 9)
        of_one = await books.lines(conn, "acme", gone.id, "", None, 9)
        assert await books.lines(conn, "acme", "", "USD", None, 9) == []
    assert balance == books.Balance(
        dataclasses.replace(own, reserved_micros=200, spent_micros=103, suspense_micros=100),
        unknown=2,
        unknown_micros=200,
        parked=1,
        over_quote_micros=3,
    )
    assert [one.id for one in lines] == sorted((one.id for one in lines), reverse=True)
    assert sum(one.available + one.reserved + one.spent + one.suspense for one in lines) == 0
    assert [one.kind for one in of_one] == ["suspend", "reserve"]
