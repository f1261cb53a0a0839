"""How a doubt ends: absence that is proven, a day's horizon, late evidence, and a month after which it is closed."""

import datetime

import pytest

from rushes.provider_gateway.v1 import events_pb2
from services.provider_gateway import claims, domain
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S, L = domain.State, domain.Learned
OPENAI, ACCOUNT = "sandbox-openai", "endpoint:sandbox-openai"
LISTED = {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30}
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


@pytest.fixture
async def listed(crew):
    """Buys where an order is not known again, but can be found in a list that proves absence."""
    return crew.among(offer=shop.selling(OPENAI, **LISTED))


@pytest.fixture
async def blind(crew):
    """Buys where nothing can be looked up."""
    return crew.among(offer=shop.selling(OPENAI, idempotency_s=0, lookup="none"))


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def look(gateway, crew, times=1):
    """Let its time come, so often."""
    await crew.look(times)
    return await one(gateway)


async def doubtful(gateway, crew, disaster="busy"):
    """An order whose answer was lost: the sandbox never took it, unless the disaster says otherwise."""
    await gateway.hear(*await gateway.orders(house.once(f"A lighthouse in doubt. [[{disaster}]]")))
    lost = await look(gateway, crew)
    assert (lost.state, lost.provider_job_id) == (S.UNKNOWN, None)
    return lost


async def failures(gateway):
    return [event for event, _ in await gateway.said(events_pb2.SubmissionFailed)]


async def test_absence_is_proven_only_once_all_four_conditions_hold(gateway, listed, ahead, reel):
    lost = await doubtful(gateway, listed)
    for _ in range(4):  # it may still be on its way
        ahead.forward(minutes=2)
        assert (await look(gateway, listed)).state is S.UNKNOWN
    ahead.forward(minutes=3)
    for seconds in (0, 40, 40):  # three looks, and less than three times the lag
        ahead.forward(seconds=seconds)
        assert (await look(gateway, listed)).state is S.UNKNOWN
    ahead.forward(seconds=20)
    gone = await look(gateway, listed)
    assert (gone.state, gone.cost_micros, gone.fault.retryable) == (S.ABSENT, 0, True)
    assert {learned.kind for learned in await gateway.evidence(lost.id)} == {L.NOT_FOUND}
    assert await gateway.money() == (0, 0, 0)
    (event,) = await failures(gateway)
    assert (event.cost.micros, event.retryable) == (0, True)
    assert len(reel.lines("post", [lost.id])) == 1
    assert not reel.lines("create", [lost.id])


async def settle(gateway, crew, ahead):
    """Far beyond the settling, and more looks than a proof needs."""
    ahead.forward(minutes=20)
    for _ in range(6):
        ahead.forward(minutes=2)
        await look(gateway, crew)
    return await one(gateway)


async def test_a_list_that_may_hold_less_proves_nothing(gateway, crew, ahead):
    weak = crew.among(offer=shop.selling(OPENAI, **LISTED | {"absence": "weak"}))
    await doubtful(gateway, weak)
    assert (await settle(gateway, weak, ahead)).state is S.UNKNOWN


async def test_as_long_as_its_sender_may_live_nothing_is_proven(gateway, listed, ahead, reel):
    """A paused sender wakes up and sends, whatever anybody has looked up meanwhile."""
    await gateway.hear(*await gateway.orders(house.spec()))
    async with gateway.database.house() as conn:
        (paused,) = await claims.begin(conn, "paused", 20, ACCOUNT, 1)
    await gateway.change(paused.submission.id, lease_until=house.real_time() - MINUTE)
    after = await settle(gateway, listed, ahead)
    assert (after.state, after.answered_at) == (S.UNKNOWN, None)
    assert await gateway.money() == (100_000, 0, 0)
    assert not reel.lines("post", [after.id])


async def test_what_anybody_knows_a_name_of_is_never_absent(gateway, listed, ahead):
    lost = await doubtful(gateway, listed)
    note = {"note": "It is on the bill."}
    await gateway.named(submission_id=lost.id, provider_job_id="video_billed", **note)
    after = await settle(gateway, listed, ahead)
    assert (after.state, after.provider_job_id) == (S.ACCEPTED, "video_billed")


async def unresolved(gateway, crew, ahead, disaster="drop_reply"):
    """An order of which nothing was found for a day."""
    lost = await doubtful(gateway, crew, disaster)
    ahead.forward(hours=23, minutes=59)
    assert (await look(gateway, crew)).state is S.UNKNOWN
    ahead.forward(minutes=1)
    after = await look(gateway, crew)
    assert (after.state, after.fault.reason, after.cost_micros) == (S.UNRESOLVED, "OUTCOME_UNKNOWN", None)
    assert await gateway.money() == (0, 0, 100_000)
    (event,) = await failures(gateway)
    assert (event.reason, event.HasField("cost"), event.retryable) == ("OUTCOME_UNKNOWN", False, False)
    return lost


async def test_after_the_horizon_late_evidence_brings_the_clip_and_the_money_back(gateway, blind, listed, ahead, reel):
    lost = await unresolved(gateway, blind, ahead)
    ahead.forward(days=3)
    found = await look(gateway, listed)
    assert (found.state, found.fault) == (S.ACCEPTED, None)
    assert await gateway.money() == (100_000, 0, 0)
    await listed.finish()
    assert await gateway.story(lost.id) == [
        *("SENDING", "UNKNOWN", "UNRESOLVED", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"),
    ]
    assert await gateway.money() == (0, 100_000, 0)
    kinds = sorted(line.kind for line in await gateway.postings())
    assert kinds == ["commit", "reserve", "reserve", "suspend"]
    assert len(reel.lines("post", [lost.id])) == len(reel.lines("charge", [lost.id])) == 1
    (stored,) = await gateway.said(events_pb2.ClipStored)
    assert stored.event.job_id == lost.job_id, "the job has ended, and has its clip all the same"


async def test_nothing_that_comes_late_is_repeated(gateway, blind, crew, ahead, reel):
    """At an endpoint that knows an order again, but not for so long."""
    lost = await unresolved(gateway, blind, ahead)
    nowhere = crew.among(offer=shop.selling(OPENAI, lookup="none"))
    await look(gateway, nowhere, 3)
    assert len(reel.lines("post", [lost.id])) == 1


async def test_what_stays_unresolved_is_looked_for_daily_then_weekly_and_closed_as_charged_after_a_month(
    gateway, blind, ahead
):
    lost = await unresolved(gateway, blind, ahead)
    version = (await one(gateway)).version
    for days, wait in ((3, 1), (3, 1), (3, 7), (20, 7)):
        ahead.forward(days=days)
        still = await look(gateway, blind)
        assert (still.state, still.version) == (S.UNRESOLVED, version)
        assert still.next_action_at - ahead() == pytest.approx(datetime.timedelta(days=wait), abs=MINUTE)
    ahead.forward(days=1)
    closed = await look(gateway, blind)
    assert (closed.state, closed.cost_micros, closed.next_action_at) == (S.PROVIDER_FAILED, 100_000, None)
    assert await gateway.money() == (0, 100_000, 0)
    *_, event = await failures(gateway)
    assert (event.submission_id, event.cost.micros, event.retryable) == (lost.id, 100_000, False)


async def test_absence_that_is_proven_after_the_horizon_gives_the_money_back(gateway, blind, listed, ahead):
    await unresolved(gateway, blind, ahead, "busy")
    gone = await settle(gateway, listed, ahead)
    assert (gone.state, gone.cost_micros) == (S.ABSENT, 0)
    assert await gateway.money() == (0, 0, 0)
