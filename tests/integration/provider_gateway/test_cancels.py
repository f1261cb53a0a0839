"""A cancel at every point of a paid call: free before it is sent, a wish after that, and never a clip that is lost."""

import pytest

from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import submission_pb2
from services.provider_gateway import claims, domain
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S = domain.State
OPENAI, ACCOUNT = "sandbox-openai", "endpoint:sandbox-openai"


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def ordered(gateway, disaster="", **more):
    await gateway.hear(*await gateway.orders(house.once(f"A lighthouse. {disaster}", **more)))
    return await one(gateway)


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def cancel(gateway, submission):
    """As the job service asks for it."""
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=submission.job_id))


async def test_an_intent_is_cancelled_for_nothing_and_never_sent(gateway, crew, reel):
    order = await ordered(gateway)
    answer = await gateway("CancelSubmission", submission_id=order.id)
    assert answer.submission.state == submission_pb2.Submission.STATE_CANCELED_FREE
    assert await crew.step(crew.driver()) == 0
    assert not reel.lines("post", [order.id])
    assert await gateway.money() == (0, 0, 0)


async def test_a_cancel_that_lost_the_race_against_a_claim_that_sent_nothing_wins_in_the_end(gateway, crew, reel):
    """The claim had committed SENDING, then nothing could be sent: it is an intent again, with a wish."""
    order = await ordered(gateway)
    nobody = crew.among({OPENAI: shop.NOWHERE}).driver()
    assert await nobody.claim() == 1
    await cancel(gateway, order)
    await nobody.settle()
    unsent = await one(gateway)
    assert (unsent.state, unsent.cancel_wanted_at is None) == (S.INTENT, False)
    await crew.look()
    ended = await one(gateway)
    assert (ended.state, ended.cost_micros) == (S.CANCELED_FREE, 0)
    assert not reel.lines("post", [order.id])
    assert await gateway.money() == (0, 0, 0)


async def test_while_it_is_being_sent_and_while_nobody_knows_it_is_resolved_first(gateway, crew, reel):
    order = await ordered(gateway, "[[drop_reply(1)]] [[slow(60)]]")
    async with gateway.database.house() as conn:
        assert len(await claims.begin(conn, "dead", 20, ACCOUNT, 1)) == 1
    await cancel(gateway, order)
    wished = await one(gateway)
    assert (wished.state, wished.cancel_wanted_at is None, wished.fault) == (S.SENDING, False, None)
    await gateway.change(order.id, lease_until=order.created_at)
    await crew.look()
    assert (await one(gateway)).state is S.UNKNOWN, "the repeat's answer was dropped"
    await crew.finish()
    ended = await one(gateway)
    assert ended.state is S.PROVIDER_FAILED
    assert (await gateway.story(order.id))[:3] == ["SENDING", "UNKNOWN", "ACCEPTED"]
    assert len(reel.lines("create", [order.id])) == len(reel.lines("delete", [order.id])) == 1
    assert await gateway.money() == (0, 0, 0), "the sandbox charges nothing for what it stopped"


@pytest.mark.parametrize("by", ["its job", "a person"])
async def test_what_is_being_made_is_stopped_where_the_provider_can(gateway, crew, reel, by):
    order = await ordered(gateway, "[[never_done]]")
    await crew.look(3)
    assert (await one(gateway)).state is S.ACCEPTED
    if by == "its job":
        await cancel(gateway, order)
    else:
        answer = await gateway("CancelSubmission", submission_id=order.id)
        assert answer.submission.state == submission_pb2.Submission.STATE_ACCEPTED
        assert answer.submission.HasField("cancel_time")
    await crew.until([crew.driver()])
    ended = await one(gateway)
    assert (ended.state, ended.cost_micros, ended.fault.retryable) == (S.PROVIDER_FAILED, 0, False)
    assert len(reel.lines("delete", [order.id])) == 1
    assert await gateway.money() == (0, 0, 0)


async def test_the_provider_is_asked_to_stop_once_however_often_that_is_wanted(gateway, crew):
    order = await ordered(gateway, "[[never_done]] [[cancel_ignored]]", model="sandbox/omni-1", seconds=3)
    await crew.look()
    await cancel(gateway, order)
    await crew.look()
    asked = await one(gateway)
    assert asked.cancel_tried_at >= asked.cancel_wanted_at
    await cancel(gateway, order)
    await gateway.make_due()
    async with gateway.database.house() as conn:
        (claimed,) = await claims.claim(conn, "next", 20, 1)
    assert not claimed.cancels
    after = await one(gateway)
    assert (after.state, after.cancel_wanted_at, after.cancel_tried_at) == (
        S.ACCEPTED,
        asked.cancel_wanted_at,
        asked.cancel_tried_at,
    )


async def test_what_is_done_in_spite_of_a_cancel_is_paid_and_kept(gateway, crew, reel):
    """Where a cancel is a wish in a queue, and its job is done before it is heard."""
    order = await ordered(gateway, "[[slow(1)]] [[cancel_ignored]]", model="sandbox/omni-1", seconds=3)
    await crew.look()
    await cancel(gateway, order)
    await crew.finish()
    done = await one(gateway)
    assert (done.state, done.cost_micros) == (S.STORED, 300_000)
    assert await gateway.money() == (0, 300_000, 0)
    assert len(reel.lines("charge", [order.id])) == 1


async def test_a_cancel_that_is_charged_is_charged(gateway, crew, reel):
    charging = crew.among(offer=shop.selling(OPENAI, charges_cancelled=True))
    order = await ordered(gateway, "[[never_done]] [[cancel_charged]]")
    await charging.look()
    await cancel(gateway, order)
    await charging.finish()
    ended = await one(gateway)
    assert (ended.state, ended.cost_micros) == (S.PROVIDER_FAILED, 100_000)
    assert sum(line["micros"] for line in reel.lines("charge", [order.id])) == 100_000
    assert await gateway.money() == (0, 100_000, 0)


async def test_where_nothing_can_be_stopped_it_is_made_paid_and_kept(gateway, crew, reel):
    patient = crew.among(offer=shop.selling(OPENAI, cancel="none"))
    order = await ordered(gateway, "[[slow(1)]]")
    await patient.look()
    await cancel(gateway, order)
    await patient.finish()
    assert (await one(gateway)).state is S.STORED
    assert not reel.lines("delete", [order.id])
    assert await gateway.money() == (0, 100_000, 0)


@pytest.mark.parametrize("state", ["PROVIDER_DONE", "FETCHING"])
async def test_a_clip_that_is_paid_is_fetched_and_kept(gateway, crew, state):
    order = await ordered(gateway)
    await crew.look(2)
    paid = await one(gateway)
    assert paid.state is S.PROVIDER_DONE
    if state == "FETCHING":
        async with gateway.database.house() as conn:
            assert len(await claims.claim(conn, "dead", 20, 1)) == 1
        await gateway.change(order.id, lease_until=order.created_at)
    await cancel(gateway, order)
    await crew.until([crew.driver()])
    assert (await one(gateway)).state is S.STORED
    assert await gateway.money() == (0, 100_000, 0)


async def test_what_is_over_stays_what_it_is(gateway, crew):
    order = await ordered(gateway)
    await crew.until([crew.driver()])
    before = await one(gateway)
    await cancel(gateway, order)
    answer = await gateway("CancelSubmission", submission_id=order.id)
    assert answer.submission.state == submission_pb2.Submission.STATE_STORED
    assert await one(gateway) == before


async def test_a_cancel_of_the_first_attempt_does_not_reach_the_second(gateway):
    quote = await gateway.quote(house.spec())
    first = house.order(quote)
    await gateway.hear(first)
    ended = await one(gateway)
    await gateway.change(ended.id, state="SENDING")
    await gateway.change(ended.id, state="REJECTED", next_action_at=None)
    await gateway.hear(house.order(quote, job_id=first.job_id, attempt=2))
    answer = await gateway("CancelSubmission", submission_id=ended.id)
    assert answer.submission.state == submission_pb2.Submission.STATE_REJECTED
    assert sorted(found.state for found in await gateway.submissions()) == [S.INTENT, S.REJECTED]
