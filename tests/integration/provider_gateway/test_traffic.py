"""Rates, orders under way and fair shares, over two drivers on one database; and which key a second attempt takes."""

import asyncio
import itertools
import uuid

import pytest

from rushes.job.v1 import events_pb2 as job_pb
from services.provider_gateway import domain
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S = domain.State
OPENAI, ACCOUNT = "sandbox-openai", "endpoint:sandbox-openai"
UNDER_WAY = {S.SENDING, S.UNKNOWN, S.ACCEPTED}


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


@pytest.fixture
def ahead():
    """It stands still, and everything is due by the database's clock."""
    return house.Clock(house.real_time())


async def ordered(gateway, number, disaster="", **more):
    specs = (house.spec(f"Scene {n}. {disaster}") for n in range(number))
    await gateway.hear(*await gateway.orders(*specs, **more))
    return await gateway.submissions(more.get("tenant", "acme"))


async def drive(*drivers):
    """Let them work side by side until none finds anything to do."""
    while sum(await asyncio.gather(*(driver.claim() for driver in drivers))):
        await asyncio.gather(*(driver.settle() for driver in drivers))


def posts(reel, submissions):
    return len(reel.lines("post", [one.id for one in submissions]))


@pytest.mark.parametrize("whose", ["the endpoint's", "the credential's"])
async def test_a_rate_holds_over_two_drivers(gateway, crew, reel, ahead, whose):
    if whose == "the endpoint's":
        buyers = crew.among(offer=shop.selling(OPENAI, {"per_minute": 60}))
    else:
        await credential(gateway, "slow", per_minute=60)
        buyers = crew.among(offer=shop.selling(OPENAI, {"per_minute": 600}))
    found = await ordered(gateway, 40)
    drivers = buyers.driver("one"), buyers.driver("two")
    await drive(*drivers)
    assert posts(reel, found) == 10, "ten seconds' worth"
    await drive(*drivers)
    assert posts(reel, found) == 10
    for seconds, sent in ((3, 13), (0.5, 13), (0.5, 14), (60, 24)):
        ahead.forward(seconds=seconds)
        await drive(*drivers)
        assert posts(reel, found) == sent, "what was not used is not saved up"


async def test_no_more_than_so_many_are_under_way_over_two_drivers(gateway, crew, reel):
    buyers = crew.among(offer=shop.selling(OPENAI, {"most_at_once": 3}))
    found = await ordered(gateway, 9, "[[never_done]]")
    drivers = buyers.driver("one"), buyers.driver("two")
    for _ in range(4):
        await asyncio.gather(*(driver.claim() for driver in drivers))
        assert sum(one.state in UNDER_WAY for one in await gateway.submissions()) <= 3
        await asyncio.gather(*(driver.settle() for driver in drivers))
    assert posts(reel, found) == 3
    running = next(one for one in await gateway.submissions() if one.state is S.ACCEPTED)
    await gateway("CancelSubmission", submission_id=running.id)
    async with asyncio.timeout(20):
        while posts(reel, found) < 4:
            await gateway.make_due()
            await asyncio.gather(*(buyers.step(driver) for driver in drivers))
    assert sum(one.state in UNDER_WAY for one in await gateway.submissions()) == 3


async def test_a_doubt_uses_up_its_place_only_while_its_job_can_be_running(gateway, crew, reel, ahead):
    one_at_once = {"most_at_once": 1}
    buyers = crew.among(offer=shop.selling(OPENAI, one_at_once, idempotency_s=0, lookup="none", max_runtime_s=600))
    await ordered(gateway, 1, "[[drop_reply]]")
    await drive(buyers.driver())
    await ordered(gateway, 1)
    await drive(buyers.driver())
    assert sorted(one.state for one in await gateway.submissions()) == [S.INTENT, S.UNKNOWN]
    ahead.forward(minutes=11)
    await gateway.make_due()
    await drive(buyers.driver())
    assert S.INTENT not in {one.state for one in await gateway.submissions()}


async def test_tenants_with_few_orders_are_among_the_first(gateway, crew, reel):
    heavy = await ordered(gateway, 200, tenant="heavy")
    driver = crew.driver(most=64)
    await driver.claim()
    await driver.settle()
    before = posts(reel, heavy)
    assert 0 < before <= 10
    light = [one for n in range(5) for one in await ordered(gateway, 2, tenant=f"light-{n}")]
    everyone = [*heavy, *light]
    async with asyncio.timeout(30):
        while posts(reel, everyone) < 60:
            await driver.claim()
            await driver.settle()
    tenants = {one.tenant_id for one in everyone}
    begun = [one for tenant in tenants for one in await gateway.submissions(tenant) if one.sent_at]
    order = [one.tenant_id for one in sorted(begun, key=lambda one: (one.sent_at, one.turn))]
    theirs = [place for place, tenant_id in enumerate(order) if tenant_id != "heavy"]
    assert len(theirs) == 10
    assert max(theirs) < before + 12, "two rounds of six tenants"


async def test_turns_at_one_account_are_no_turns_at_another(gateway):
    (far, *_) = await ordered(gateway, 1)
    await gateway.change(far.id, turn=10_000, state="SENDING")
    await gateway.hear(*await gateway.orders(house.spec(model="sandbox/omni-1", seconds=3), tenant="bolt"))
    (other,) = await gateway.submissions("bolt")
    assert (other.account, other.turn) == ("endpoint:sandbox-google", 1)
    (same,) = await ordered(gateway, 1, tenant="crag")
    assert same.turn == 10_001


async def credential(gateway, name, key=None, **more):
    made = await gateway(
        "CreateCredential",
        request_id=str(uuid.uuid4()),
        endpoint=OPENAI,
        name=name,
        key=key or f"key-{name}-{uuid.uuid4().hex}",
        **more,
    )
    return made.credential.id


async def revoked(gateway, crew):
    """A credential that its provider accepts no more."""
    name = await credential(gateway, "old", f"key-{uuid.uuid4().hex}+key_revoked")
    await ordered(gateway, 1)
    await drive(crew.driver())
    (bought,) = await gateway.submissions()
    assert bought.account == name
    return name


async def refused(gateway, crew):
    """The order that the provider refused for its key."""
    await gateway.make_due()
    await drive(crew.driver())
    (found,) = [one for one in await gateway.submissions() if one.state is S.REJECTED]
    return found


async def test_a_second_attempt_after_a_refusal_of_the_key_takes_the_other(gateway, crew, reel):
    old = await revoked(gateway, crew)
    (order,) = await gateway.orders(house.spec("Again."))
    await gateway.hear(order)
    new = await credential(gateway, "new")
    first = await refused(gateway, crew)
    assert (first.account, first.fault.retryable, first.cost_micros) == (old, True, 0)
    shown = {one.id: one for one in (await gateway("ListCredentials")).credentials}
    assert shown[old].refusal
    assert not shown[new].refusal
    again = job_pb.ClipRequested()
    again.CopyFrom(order)
    again.attempt = 2
    await gateway.hear(again)
    await gateway.make_due()
    await crew.driver().claim()
    second = next(one for one in await gateway.submissions() if one.attempt == 2)
    assert second.account == new
    for one in await ordered(gateway, 4):
        assert one.account != old or one.state is not S.INTENT, "a refused key is not chosen while there is another"


async def test_without_another_key_a_refusal_is_not_tried_again(gateway, crew):
    old = await revoked(gateway, crew)
    await ordered(gateway, 1)
    only = await refused(gateway, crew)
    assert (only.account, only.fault.retryable) == (old, False)


async def test_orders_are_spread_over_the_keys_of_a_tenant(gateway):
    names = {await credential(gateway, name) for name in ("one", "two", "three")}
    found = await ordered(gateway, 6)
    assert {one.account for one in found} == names
    counts = [len(list(group)) for _, group in itertools.groupby(sorted(one.account for one in found))]
    assert counts == [2, 2, 2]
    (stranger,) = await ordered(gateway, 1, tenant="bolt")
    assert stranger.account == ACCOUNT, "another tenant's keys are not for sale"
