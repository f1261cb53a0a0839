"""A provider that fails or is busy: orders stop after a few, polls go on, and a free call lets them go again."""

import asyncio
import datetime

import pytest

from rushes.provider_gateway.v1 import endpoint_pb2
from services.provider_gateway import domain, traffic
from services.provider_gateway.breakers import Breaker
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S = domain.State
OPENAI, ACCOUNT = "sandbox-openai", "endpoint:sandbox-openai"
BLIND = shop.selling(OPENAI, idempotency_s=0, lookup="none")


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


@pytest.fixture
async def ill(crew):
    """Buys from a sandbox whose creates all answer 503; each is in doubt then."""
    return crew.among(offer=BLIND, key="key-of-the-ill+busy(1000)")


async def orders(gateway, number, prompt="Scene", **more):
    await gateway.hear(*await gateway.orders(*(house.spec(f"{prompt} {n}.") for n in range(number)), **more))
    return await gateway.submissions()


async def shared(gateway):
    async with gateway.database.house() as conn:
        return (await traffic.accounts(conn)).get(ACCOUNT)


def posts(reel, submissions):
    return len(reel.lines("post", [one.id for one in submissions]))


async def settle(driver):
    """Let it claim until it finds nothing to do."""
    while await driver.claim():
        await driver.settle()


async def test_a_provider_that_fails_is_sent_a_few_of_two_hundred(gateway, ill, reel, ahead):
    found = await orders(gateway, 200)
    working = ill.works(most=256)
    await settle(working.driver)
    assert posts(reel, found) == 5, "what waits is not thrown after them"
    await working.gates.share()
    known = await shared(gateway)
    assert (known.breaker, known.opened) == (Breaker.OPEN, 1)
    assert "no answer" in known.reason
    wait = known.probe_at - ahead()
    assert datetime.timedelta(seconds=10) < wait <= datetime.timedelta(seconds=15)
    await settle(working.driver)
    await settle(ill.driver("another"))
    assert posts(reel, found) == 5
    assert await gateway.money() == (20_000_000, 0, 0), "5 are in doubt, and 195 wait for their turn"


async def test_behind_a_probe_it_is_tried_with_one_order_and_left_alone_for_longer_each_time(gateway, ill, reel, ahead):
    """The sandbox's free calls work, while its creates fail."""
    found = await orders(gateway, 60)
    working = ill.works(most=256)
    for round_, attempts in enumerate((5, 6, 7, 8), 1):
        await settle(working.driver)
        await working.gates.share()
        known = await shared(gateway)
        assert (known.breaker, known.opened, posts(reel, found)) == (Breaker.OPEN, round_, attempts)
        assert await working.gates.probe() == 0, "not before its time"
        ahead.forward(seconds=15 * 2 ** (round_ - 1) + 1)
        assert await working.gates.probe() == 1
        assert (await shared(gateway)).breaker is Breaker.CLOSED
        assert await working.gates.probe() == 0


async def test_once_it_is_well_again_everything_goes_and_is_forgiven(gateway, ill, crew, reel, ahead):
    found = await orders(gateway, 20)
    sick = ill.works()
    await settle(sick.driver)
    await sick.gates.share()
    well = crew.among(offer=BLIND).works()
    assert await well.driver.claim() == 0, "what one replica has learned counts for all"
    ahead.forward(seconds=16)
    assert await well.gates.probe() == 1
    in_doubt = 5
    async with asyncio.timeout(20):
        while sum(one.state is S.STORED for one in await gateway.submissions()) < len(found) - in_doubt:
            await gateway.make_due()
            await crew.step(well.driver)
            await asyncio.sleep(0.02)
    await well.gates.share()
    known = await shared(gateway)
    assert (known.breaker, known.opened) == (Breaker.CLOSED, 0)
    assert posts(reel, found) == 20


async def test_polls_and_downloads_go_on_while_orders_are_held_back(gateway, ill, crew, reel):
    paid = await orders(gateway, 3, "Paid")
    healthy = crew.among(offer=BLIND).works()
    await healthy.driver.claim()
    await healthy.driver.settle()
    assert {one.state for one in await gateway.submissions()} == {S.ACCEPTED}
    await orders(gateway, 9, "Late")
    sick = ill.works()
    await settle(sick.driver)
    await sick.gates.share()
    assert (await shared(gateway)).breaker is Breaker.OPEN
    async with asyncio.timeout(20):
        while sum(one.state is S.STORED for one in await gateway.submissions()) < len(paid):
            await crew.look()
    assert len(reel.lines("charge", [one.id for one in paid])) == 3


async def test_answered_polls_do_not_hide_orders_that_all_fail(gateway, ill):
    await orders(gateway, 9)
    working = ill.works()
    for _ in range(500):
        working.gates.went(ACCOUNT, "poll", True)
    await settle(working.driver)
    await working.gates.share()
    assert (await shared(gateway)).breaker is Breaker.OPEN


async def test_polls_that_get_no_answer_hold_orders_back_too(gateway, crew, reel):
    working = crew.works()
    for _ in range(5):
        working.gates.went(ACCOUNT, "poll", False)
    await working.gates.share()
    found = await orders(gateway, 1)
    assert await working.driver.claim() == 0
    assert posts(reel, found) == 0


async def test_calls_are_counted_over_all_replicas_and_forgotten_after_a_minute(gateway, crew, ahead):
    one, other = crew.works("one").gates, crew.works("other").gates
    for gates in (one, other):
        for _ in range(2):
            gates.went(ACCOUNT, "create", False)
        await gates.share()
    assert (await shared(gateway)).breaker is Breaker.CLOSED
    ahead.forward(seconds=75)
    one.went(ACCOUNT, "create", False)
    await one.share()
    assert (await shared(gateway)).breaker is Breaker.CLOSED, "the four are too old"
    for _ in range(4):
        other.went(ACCOUNT, "create", False)
    await other.share()
    assert (await shared(gateway)).breaker is Breaker.OPEN


async def test_counts_are_kept_when_they_could_not_be_shared(gateway, crew):
    gates = crew.works().gates
    for _ in range(5):
        gates.went(ACCOUNT, "create", False)
    async with gateway.database.house() as conn:
        await conn.exec_driver_sql("LOCK TABLE account_calls")
        with pytest.raises(Exception, match="cannot do this"):
            await gates.share()
    await gates.share()
    assert (await shared(gateway)).breaker is Breaker.OPEN


@pytest.mark.parametrize("form", ["seconds", "date", "google", "none"])
async def test_who_is_told_to_wait_waits_and_then_asks_a_free_call_first(gateway, crew, reel, ahead, form):
    """Such a refusal is free, so the order is made anew, as the job's second attempt."""
    found = await orders(gateway, 3)
    throttled = crew.among(offer=BLIND, key=f"key-of-the-busy-{form}+throttled({form})").works()
    await throttled.driver.claim()
    await throttled.driver.settle()
    refused = await gateway.submissions()
    assert {one.state for one in refused} == {S.REJECTED}
    assert all(one.fault.retryable for one in refused)
    again = await orders(gateway, 2, "Again")
    assert await throttled.driver.claim() == 0
    await throttled.gates.share()
    known = await shared(gateway)
    assert known.breaker is Breaker.OPEN
    assert known.opened == 0, "to be told to wait is no failure"
    assert await throttled.gates.probe() == 0
    assert await throttled.driver.claim() == 0
    assert posts(reel, again) == 3, "those of before"
    ahead.forward(seconds=(known.probe_at - ahead()).total_seconds() + 1)
    assert await throttled.gates.probe() == 1
    assert await throttled.driver.claim() == 2
    await throttled.driver.settle()
    assert len(found) == 3


async def test_a_probe_that_is_refused_or_unanswered_keeps_it_closed_to_orders(gateway, crew, ahead):
    working = crew.among({OPENAI: shop.NOWHERE}).works()
    working.gates.pause(ACCOUNT, "It said so.", 5)
    await working.gates.share()
    for opened in (1, 2):
        ahead.forward(minutes=2)
        assert await working.gates.probe() == 1
        known = await shared(gateway)
        assert (known.breaker, known.opened) == (Breaker.OPEN, opened)


async def test_one_replica_probes_and_another_takes_over_when_it_died(gateway, crew, ahead):
    one, other = crew.works("one").gates, crew.works("other").gates
    one.pause(ACCOUNT, "It said so.", 1)
    await one.share()
    ahead.forward(seconds=2)
    async with gateway.database.house() as conn:
        assert await traffic._take_probe(conn, ahead()) == ACCOUNT
    assert (await shared(gateway)).breaker is Breaker.HALF_OPEN
    assert await other.probe() == 0
    ahead.forward(seconds=46)
    assert await other.probe() == 1
    assert (await shared(gateway)).breaker is Breaker.CLOSED


async def test_everyone_can_see_why_orders_wait(gateway, crew, ahead):
    await orders(gateway, 2)
    gates = crew.works().gates
    gates.pause(ACCOUNT, "The provider is busy.", 30)
    await gates.share()
    places = {one.name: one for one in (await gateway("ListEndpoints")).endpoints}
    (account,) = places[OPENAI].accounts
    assert (account.name, account.breaker) == (ACCOUNT, endpoint_pb2.Account.BREAKER_OPEN)
    assert (account.reason, account.waiting, account.under_way) == ("The provider is busy.", 2, 0)
    assert account.probe_time.ToDatetime(datetime.UTC) == (await shared(gateway)).probe_at
