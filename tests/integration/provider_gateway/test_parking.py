"""Orders that wait for money or a switch: let in when it has come, given up after weeks, cancelled for nothing."""

import asyncio
import datetime

import pytest

from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, ledger_pb2, submission_pb2
from services.provider_gateway import budgets, domain, lifecycle, walls
from tests.e2e import waiting as locks
from tests.integration.provider_gateway import conftest as house

S = domain.State
SCOPE = ledger_pb2.SpendSwitch


@pytest.fixture
def clock():
    """From the real time on: what is due is so by the database's clock."""
    return house.Clock(house.real_time())


async def waiting(gateway, *specs, limit=0, **more):
    """Orders that the budget does not hold, in the order of their scenes."""
    orders = await gateway.orders(*specs or [house.spec()], **more)
    await gateway.set_limit(limit)
    await gateway.hear(*orders)
    return await gateway.submissions()


async def let_in(gateway):
    return await gateway.admission.let_in(gateway.database)


async def states(gateway, tenant="acme"):
    return [one.state for one in await gateway.submissions(tenant)]


async def test_it_waits_with_a_reason_and_a_date_and_is_not_tried_before(gateway, clock):
    (parked,) = await waiting(gateway)
    assert (parked.state, parked.fault.reason, parked.tries) == (S.PARKED, "BUDGET_EXCEEDED", 0)
    assert parked.next_action_at == clock.now + datetime.timedelta(minutes=5)
    shown = (await gateway("GetSubmission", submission_id=parked.id)).submission
    assert (shown.state, shown.error.reason) == (submission_pb2.Submission.STATE_PARKED, "BUDGET_EXCEEDED")
    assert shown.retry_time.ToDatetime(datetime.UTC) == parked.next_action_at
    assert await let_in(gateway) == 0
    assert await gateway.submissions() == [parked]
    assert await gateway.money() == (0, 0, 0)


async def test_a_raised_budget_lets_in_at_once_those_that_fit(gateway):
    specs = [house.spec(f"Scene {seconds}.", seconds) for seconds in (3, 2, 4)]
    *_, third = await waiting(gateway, *specs)
    await gateway.set_limit(500_000)
    assert await let_in(gateway) == 2
    assert await states(gateway) == [S.INTENT, S.INTENT, S.PARKED]
    assert await gateway.money() == (500_000, 0, 0)
    after = await gateway.submissions()
    assert {len(one.budgets) for one in after[:2]} == {1}, "they stand behind the wall for life"
    assert (after[0].fault, after[2].fault.reason) == (None, "BUDGET_EXCEEDED")
    said = [event for event, _ in await gateway.said(events_pb2.SubmissionStateChanged)]
    moved = {one.id: one.version for one in after[:2]}
    intent = submission_pb2.Submission.STATE_INTENT
    assert {event.submission_id: event.version for event in said if event.state == intent} == moved
    assert {headers["traceparent"] for _, headers in await gateway.said()} == {house.TRACE}
    assert await let_in(gateway) == 0
    assert len([event for event, _ in await gateway.said()]) == len(said), "nothing has changed for the third"
    assert third.id == after[2].id


async def test_who_lets_in_and_who_orders_wait_for_walls_in_one_order(gateway, clock):
    await waiting(gateway)
    await gateway.hear(*await gateway.orders(house.spec(), tenant="bolt"))
    (unwanted,) = await gateway.submissions("bolt")
    await gateway.change(unwanted.id, cancel_wanted_at=clock())
    await gateway.make_due()
    async with gateway.database.house() as conn:
        await walls.find(conn, "acme", "XTS", budgets.OWN, clock())
        letting_in = asyncio.create_task(let_in(gateway))
        await locks.is_waited_for(conn)
        await walls.find(conn, "bolt", "XTS", budgets.OWN, clock())
    assert await letting_in == 0
    assert await states(gateway, "bolt") == [S.CANCELED_FREE]


async def test_what_was_let_in_is_bought_once(live_gateway, crew, reel):
    (parked,) = await waiting(live_gateway)
    working = crew.works()
    assert await working.admit() == 0
    assert await crew.step(working.driver) == 0, "nothing is sent without money"
    await live_gateway.set_limit(1_000_000)
    assert await working.admit() == 1
    assert working.driver.due.is_set()
    await crew.until([working.driver])
    assert await live_gateway.story(parked.id) == [
        *("INTENT", "SENDING", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"),
    ]
    assert len(reel.lines("charge", [parked.id])) == 1
    assert await live_gateway.money() == (0, 100_000, 0)


async def test_a_new_period_lets_in_what_the_last_one_did_not_hold(gateway, clock):
    clock.now = clock.now.replace(hour=12)
    orders = await gateway.orders(house.spec(seconds=4), house.spec("Fog.", 4))
    day = submission_pb2.Budget.PERIOD_DAY
    await gateway("SetBudget", limit={"currency": "XTS", "micros": 400_000}, period=day)
    await gateway.hear(*orders)
    assert await states(gateway) == [S.INTENT, S.PARKED]
    parked = (await gateway.submissions())[1]
    midnight = clock.now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)
    assert parked.next_action_at == midnight
    await gateway.make_due()
    assert await let_in(gateway) == 0
    clock.now = midnight
    await gateway.make_due()
    assert await let_in(gateway) == 1
    assert await states(gateway) == [S.INTENT, S.INTENT]


async def test_a_thrown_switch_parks_and_its_release_lets_in(gateway):
    orders = await gateway.orders(house.spec(), house.spec("Fog."))
    sent_before, stopped = orders
    await gateway.hear(sent_before)
    thrown = (await gateway("ThrowSpendSwitch", scope=SCOPE.SCOPE_TENANT, reason="A key leaked.")).spend_switch
    await gateway.hear(stopped)
    assert await states(gateway) == [S.INTENT, S.PARKED]
    parked = (await gateway.submissions())[1]
    assert parked.fault.reason == "SPENDING_STOPPED"
    assert "A key leaked." in parked.fault.message
    await gateway.make_due()
    assert await let_in(gateway) == 0
    await gateway("ReleaseSpendSwitch", spend_switch_id=thrown.id)
    assert await let_in(gateway) == 1
    assert await states(gateway) == [S.INTENT, S.INTENT]
    assert await gateway.money() == (200_000, 0, 0)


async def test_nothing_is_sent_under_a_switch_and_what_is_paid_goes_on(live_gateway, crew, reel):
    await live_gateway.hear(*await live_gateway.orders(house.spec()))
    await crew.step(crew.driver())
    await live_gateway.hear(*await live_gateway.orders(house.spec("Fog.")))
    paid, unsent = sorted(await live_gateway.submissions(), key=lambda one: one.id)
    thrown = await live_gateway(
        "ThrowSpendSwitch", scope=SCOPE.SCOPE_MODEL, target="sandbox/reel-1", reason="It is too dear."
    )
    await crew.until([crew.driver()], ["STORED", "INTENT"])
    for _ in range(3):
        assert await crew.step(crew.driver()) == 0
    after = {one.id: one.state for one in await live_gateway.submissions()}
    assert after == {paid.id: S.STORED, unsent.id: S.INTENT}
    assert not reel.lines("post", [unsent.id])
    await live_gateway("ReleaseSpendSwitch", spend_switch_id=thrown.spend_switch.id)
    await crew.until([crew.driver()])
    assert len(reel.lines("post", [unsent.id])) == 1


async def test_the_reason_that_is_shown_is_the_latest(gateway):
    (before,) = await waiting(gateway)
    thrown = (await gateway("ThrowSpendSwitch", scope=SCOPE.SCOPE_TENANT, reason="A key leaked.")).spend_switch
    await gateway.make_due()
    assert await let_in(gateway) == 0
    (after,) = await gateway.submissions()
    assert (after.state, after.fault.reason) == (S.PARKED, "SPENDING_STOPPED")
    assert after.version >= before.version
    *_, (event, _) = sorted(await gateway.said(), key=lambda said: said.event.event_time.ToNanoseconds())
    assert (event.state, event.reason, event.version) == (
        submission_pb2.Submission.STATE_PARKED,
        "SPENDING_STOPPED",
        after.version,
    )
    await gateway("ReleaseSpendSwitch", spend_switch_id=thrown.id)


async def test_after_weeks_it_is_given_up_for_nothing(gateway, clock):
    (parked,) = await waiting(gateway)
    clock.forward(days=lifecycle.WAITS_AT_MOST.days - 1, hours=23)
    await gateway.make_due()
    await let_in(gateway)
    assert await states(gateway) == [S.PARKED]
    clock.forward(hours=1)
    await gateway.make_due()
    assert await let_in(gateway) == 0
    (ended,) = await gateway.submissions()
    assert (ended.state, ended.cost_micros, ended.fault.reason) == (S.REJECTED, 0, "BUDGET_EXCEEDED")
    assert not await gateway.postings(), "no money was ever held"
    ((event, _),) = await gateway.said(events_pb2.SubmissionFailed)
    assert (event.submission_id, event.cost.micros, event.retryable) == (parked.id, 0, False)


async def test_what_could_not_be_sent_for_weeks_is_given_up_and_has_its_money_back(gateway, clock):
    await gateway.hear(*await gateway.orders(house.spec()))
    clock.forward(days=lifecycle.SENT_AT_LATEST.days - 1, hours=23)
    await gateway.hear(*await gateway.orders(house.spec("Fog."), tenant="bolt"))
    await let_in(gateway)
    assert await states(gateway) == [S.INTENT]
    clock.forward(hours=2)
    await let_in(gateway)
    (ended,) = await gateway.submissions()
    assert (ended.state, ended.cost_micros, ended.fault.reason) == (S.REJECTED, 0, "PROVIDER_REJECTED")
    assert await gateway.money() == (0, 0, 0)
    assert await states(gateway, "bolt") == [S.INTENT]


@pytest.mark.parametrize("by", ["the job", "its submission"])
async def test_a_cancel_while_it_waits_is_free(gateway, by):
    (parked,) = await waiting(gateway)
    if by == "the job":
        await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=parked.job_id))
    else:
        await gateway("CancelSubmission", submission_id=parked.id)
    (ended,) = await gateway.submissions()
    assert (ended.state, ended.cost_micros, ended.next_action_at) == (S.CANCELED_FREE, 0, None)
    assert not await gateway.postings()
    await gateway.set_limit(1_000_000)
    assert await let_in(gateway) == 0
    ((event, _),) = await gateway.said(events_pb2.SubmissionFailed)
    assert (event.reason, event.cost.micros) == ("CANCELED", 0)


async def test_the_same_order_again_does_not_wait_twice(gateway):
    (order,) = await gateway.orders(house.spec())
    await gateway.set_limit(0)
    await gateway.hear(order, order)
    await gateway.hear(order)
    assert await states(gateway) == [S.PARKED]


async def test_two_processes_let_each_in_once(gateway):
    await waiting(gateway, *(house.spec(f"Scene {number}.") for number in range(9)))
    await gateway.set_limit(10_000_000)
    found = await asyncio.gather(let_in(gateway), let_in(gateway))
    assert sum(found) == 9
    assert set(await states(gateway)) == {S.INTENT}
    assert await gateway.money() == (900_000, 0, 0)
    assert len(await gateway.postings()) == 9


async def test_who_waited_for_money_comes_after_those_who_were_served_meanwhile(gateway):
    """A tenant that brings its money late is not before everybody who came with it."""
    await waiting(gateway, *(house.spec(f"Scene {number}.") for number in range(20)))
    light = [await gateway.orders(house.spec(f"Scene {number}."), tenant="bolt") for number in range(30)]
    for orders in light:
        await gateway.hear(*orders)
    for one in (await gateway.submissions("bolt"))[:25]:
        await gateway.change(one.id, state="SENDING")
    await gateway.set_limit(10_000_000)
    await let_in(gateway)
    heavy = sorted(one.turn for one in await gateway.submissions())
    left = sorted(one.turn for one in await gateway.submissions("bolt") if one.state is S.INTENT)
    assert len(left) == 5
    assert heavy[0] > 25, "no sooner than those of the others that have gone"
    assert left[-1] <= heavy[4], "and theirs take turns with its own"
