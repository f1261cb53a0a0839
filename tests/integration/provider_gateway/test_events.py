"""What the gateway makes of orders and cancels: intents with money, orders that wait, or refusals that say why."""

import asyncio

from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs import ids
from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, submission_pb2
from rushes.type.v1 import media_pb2
from services.provider_gateway import domain
from tests.integration.provider_gateway import conftest as house

S = domain.State
STILL = media_pb2.Blob(key="t/acme/clips/a.last.png", content_type="image/png", size_bytes=9, sha256="ab" * 32)


def used(budget):
    return budget.reserved_micros + budget.spent_micros + budget.suspense_micros


async def parked(gateway, tenant="acme"):
    """The orders that wait, by job."""
    return {one.job_id: one for one in await gateway.submissions(tenant) if one.state is S.PARKED}


async def intents(gateway, tenant="acme"):
    """The orders that can be sent, by job."""
    return {one.job_id: one for one in await gateway.submissions(tenant) if one.state is S.INTENT}


async def refusals_of(gateway):
    """Why orders were not taken, by job."""
    return {event.job_id: event for event, _ in await gateway.said(events_pb2.SubmissionFailed)}


async def test_orders_become_intents_with_their_money(gateway):
    orders = await gateway.orders(house.spec(seconds=4), house.spec("Fog.", 6), last_frame_wanted=True)
    await gateway.hear(*orders)
    found = await gateway.submissions()
    assert [(one.job_id, one.state, one.version) for one in found] == [(one.job_id, S.INTENT, 1) for one in orders]
    assert [one.reserved_micros for one in found] == [400_000, 600_000]
    assert {(one.traceparent, one.last_frame_wanted, one.tries) for one in found} == {(house.TRACE, True, 0)}
    assert {(one.endpoint, one.wire_model) for one in found} == {("sandbox-openai", "sandbox-reel-1")}
    assert all(
        one.spec == order.spec.SerializeToString(deterministic=True) for one, order in zip(found, orders, strict=True)
    )
    budget = await gateway.budget()
    assert (budget.reserved_micros, budget.spent_micros, budget.suspense_micros) == (1_000_000, 0, 0)
    lines = await gateway.postings()
    assert {(line.submission_id, line.kind, line.available, line.reserved) for line in lines} == {
        (found[0].id, "reserve", -400_000, 400_000),
        (found[1].id, "reserve", -600_000, 600_000),
    }
    assert not await gateway.said()


async def test_an_order_on_a_still_of_another_tenant_is_refused(gateway):
    mine, theirs = await gateway.orders(house.spec(), house.spec("Fog."))
    mine.spec.first_frame.CopyFrom(STILL)
    theirs.spec.first_frame.CopyFrom(STILL)
    theirs.spec.first_frame.key = "t/other/clips/a.last.png"
    await gateway.hear(mine, theirs)
    assert [one.job_id for one in await gateway.submissions()] == [mine.job_id]
    assert {job_id: event.reason for job_id, event in (await refusals_of(gateway)).items()} == {
        theirs.job_id: "BAD_REQUEST"
    }


async def test_the_same_order_again_is_nothing(gateway):
    (order,) = await gateway.orders(house.spec())
    together = await asyncio.gather(*(gateway.hear(order) for _ in range(4)), return_exceptions=True)
    assert None in together, "the others come again, and find it there"
    await gateway.hear(order)
    assert len(await gateway.submissions()) == 1
    assert (await gateway.budget()).reserved_micros == 100_000
    assert len(await gateway.postings()) == 1


async def test_the_same_order_twice_in_one_batch_is_one(gateway):
    (order,) = await gateway.orders(house.spec())
    await gateway.hear(order, order)
    assert len(await gateway.submissions()) == 1
    assert (await gateway.budget()).reserved_micros == 100_000


async def test_several_tenants_in_one_batch_pay_for_themselves(gateway):
    orders = [
        order for tenant in ("acme", "bolt", "crag") for order in await gateway.orders(house.spec(), tenant=tenant)
    ]
    await gateway.set_limit(0, tenant="bolt")
    await gateway.hear(*orders)
    for tenant, reserved in (("acme", 100_000), ("bolt", 0), ("crag", 100_000)):
        assert (await gateway.budget(tenant)).reserved_micros == reserved
        assert len(await intents(gateway, tenant)) == (reserved > 0)
    assert set(await parked(gateway, "bolt")) == {orders[1].job_id}
    assert not await refusals_of(gateway)


async def test_over_the_budget_exactly_those_that_do_not_fit_wait(gateway):
    orders = await gateway.orders(*(house.spec(f"Scene {seconds}.", seconds) for seconds in (4, 3, 2, 1)))
    await gateway.set_limit(650_000)
    await gateway.hear(*orders)
    kept, waiting = await intents(gateway), await parked(gateway)
    assert sum(one.reserved_micros for one in kept.values()) == (await gateway.budget()).reserved_micros
    assert set(kept) == {orders[0].job_id, orders[2].job_id}
    assert set(waiting) == {orders[1].job_id, orders[3].job_id}
    for one in waiting.values():
        assert (one.fault.reason, one.version, one.cost_micros, one.budgets) == ("BUDGET_EXCEEDED", 1, None, ())
        assert "0.65 in play money" in one.fault.message
        assert one.next_action_at > house.NOW
    told = {said.event.job_id: said for said in await gateway.said(events_pb2.SubmissionStateChanged)}
    assert set(told) == set(waiting)
    for job_id, (event, headers) in told.items():
        one = waiting[job_id]
        assert (event.state, event.submission_id) == (submission_pb2.Submission.STATE_PARKED, one.id)
        assert (event.reason, event.message) == (one.fault.reason, one.fault.message)
        assert event.retry_time.ToDatetime(one.next_action_at.tzinfo) == one.next_action_at
        assert headers["traceparent"] == house.TRACE
    assert {line.submission_id for line in await gateway.postings()} == {one.id for one in kept.values()}


@given(
    seconds=st.lists(st.integers(1, 20), min_size=1, max_size=8),
    limit=st.integers(0, 80),
    parts=st.integers(1, 3),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_wall_holds_whatever_comes(gateway, seconds, limit, parts):
    tenant = ids.new("t")
    orders = await gateway.orders(*(house.spec(f"Scene {n}.", s) for n, s in enumerate(seconds)), tenant=tenant)
    await gateway.set_limit(limit * 100_000, tenant)
    size = -(-len(orders) // parts)
    for begin in range(0, len(orders), size):
        await gateway.hear(*orders[begin : begin + size])
    budget, kept = await gateway.budget(tenant), await intents(gateway, tenant)
    assert used(budget) == sum(one.reserved_micros for one in kept.values()) <= budget.limit_micros
    left = budget.left_micros
    for order, length in zip(orders, seconds, strict=True):
        assert order.job_id in kept or length * 100_000 > left, "what still fits has to wait"
    assert len(kept) + len(await parked(gateway, tenant)) == len(orders)


async def test_twenty_at_once_against_one_budget(gateway):
    orders = await gateway.orders(*(house.spec(f"Scene {number}.", 2) for number in range(20)))
    await gateway.set_limit(1_500_000)
    await asyncio.gather(*(gateway.hear(order) for order in orders))
    budget = await gateway.budget()
    assert used(budget) == 1_400_000
    assert (len(await intents(gateway)), len(await parked(gateway))) == (7, 13)


async def test_an_order_has_to_be_what_was_quoted(gateway):
    quote = await gateway.quote(house.spec(), house.spec("Fog."))
    dearer = house.order(quote, spec=house.spec(seconds=2))
    swapped = house.order(quote, 1, scene_id="scene_1")
    unknown = house.order(quote, scene_id="scene_9")
    unquoted = house.order(quote, quote_id=ids.new("quote"))
    stranger = house.order(quote, tenant="other")
    good = house.order(quote)
    wrong = (dearer, swapped, unknown, unquoted, stranger)
    await gateway.hear(*wrong, good)
    refused = await refusals_of(gateway)
    assert set(refused) == {order.job_id for order in wrong}
    assert {event.reason for event in refused.values()} == {"QUOTE_ITEM_MISSING"}
    assert [one.job_id for one in await gateway.submissions()] == [good.job_id]
    assert used(await gateway.budget()) == 100_000
    assert not await gateway.submissions("other")


async def test_a_frame_that_a_seam_adds_changes_no_price(gateway):
    quote = await gateway.quote(house.spec())
    order = house.order(quote)
    order.spec.first_frame.CopyFrom(STILL)
    await gateway.hear(order)
    (found,) = await gateway.submissions()
    asked = type(order.spec).FromString(found.spec)
    assert asked.first_frame == STILL
    asked.ClearField("first_frame")
    assert json_format.MessageToDict(asked) == json_format.MessageToDict(quote.items[0].spec)


async def test_a_model_that_died_since_is_not_bought(gateway, clock):
    clock.now = house.NOW.replace(month=9)
    size = media_pb2.FrameSize(width=1280, height=720)
    spec = house.spec(seconds=3, model="google/gemini-omni-flash-preview", size=size)
    quote = await gateway.quote(spec)
    clock.now = house.NOW
    order = house.order(quote)
    await gateway.hear(order)
    assert (await refusals_of(gateway))[order.job_id].reason == "MODEL_RETIRED"
    assert not await gateway.submissions()


async def test_a_second_attempt_is_a_submission_of_its_own(gateway):
    quote = await gateway.quote(house.spec())
    first = house.order(quote)
    await gateway.hear(first)
    (one,) = await gateway.submissions()
    await gateway.change(one.id, state="SENDING")
    await gateway.change(one.id, state="REJECTED", next_action_at=None)
    again = house.order(quote, job_id=first.job_id, attempt=2)
    await gateway.hear(again, first)
    assert sorted((one.attempt, one.state) for one in await gateway.submissions()) == [
        (1, S.REJECTED),
        (2, S.INTENT),
    ]


async def test_a_cancel_in_time_is_free(gateway):
    orders = await gateway.orders(house.spec(), house.spec("Fog."))
    await gateway.hear(*orders)
    cancel = job_pb.CancelRequested(tenant_id="acme", job_id=orders[0].job_id)
    await gateway.hear(cancel)
    await gateway.hear(cancel)
    canceled, kept = await gateway.submissions()
    assert (canceled.state, canceled.cost_micros, canceled.next_action_at) == (S.CANCELED_FREE, 0, None)
    assert kept.state is S.INTENT
    assert used(await gateway.budget()) == 100_000
    assert [line.kind for line in await gateway.postings() if line.submission_id == canceled.id] == [
        "reserve",
        "release",
    ]
    ((event, headers),) = await gateway.said()
    assert (event.job_id, event.reason, event.cost.micros) == (orders[0].job_id, "CANCELED", 0)
    assert (headers["traceparent"], event.submission_id) == (house.TRACE, canceled.id)


async def test_an_order_that_comes_after_its_cancel_is_not_bought(gateway):
    late, other = await gateway.orders(house.spec(), house.spec("Fog."))
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=late.job_id))
    await gateway.hear(late, other)
    (kept,) = await gateway.submissions()
    assert kept.job_id == other.job_id
    ((event, _),) = await gateway.said()
    assert (event.job_id, event.reason, event.cost.micros) == (late.job_id, "CANCELED", 0)


async def test_a_cancel_of_what_was_sent_is_a_wish_and_another_tenant_s_is_nothing(gateway, clock):
    sent, unsent = await gateway.orders(house.spec(), house.spec("Fog."))
    await gateway.hear(sent, unsent)
    (one, other) = await gateway.submissions()
    await gateway.change(one.id, state="SENDING")
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=sent.job_id))
    await gateway.hear(job_pb.CancelRequested(tenant_id="other", job_id=unsent.job_id))
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=ids.new("job")))
    wished, untouched = await gateway.submissions()
    assert (wished.state, wished.cancel_wanted_at, wished.fault) == (S.SENDING, clock.now, None)
    assert untouched == other
    assert used(await gateway.budget()) == 200_000
    assert not await gateway.said()


async def test_a_cancel_changes_nothing_that_is_over(gateway):
    (order,) = await gateway.orders(house.spec())
    await gateway.hear(order)
    cancel = job_pb.CancelRequested(tenant_id="acme", job_id=order.job_id)
    await gateway.hear(cancel)
    before = await gateway.submissions()
    await gateway.hear(cancel)
    assert await gateway.submissions() == before
