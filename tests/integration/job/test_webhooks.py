"""Webhooks to a real receiver: at least once, signed, in time, and one dead endpoint delays nobody."""

import asyncio
import contextlib
import datetime

import sqlalchemy as sa

from libs import failpoints, ids
from rushes.job.v1 import webhook_pb2
from services.job import webhook_store, webhooks
from tests.e2e import waiting
from tests.integration.job import hooks, news

DELIVERED, PENDING, FAILED = (webhooks.DeliveryState(name) for name in ("DELIVERED", "PENDING", "FAILED"))


async def test_what_happens_is_told_once_each_and_signed(hooked, receiver):
    created = await hooked.create(f"{receiver.address}/")
    job, waiting = await hooked.crew.begin(False, True)
    await hooked.crew.hear(news.stored(job))
    await hooked.turn(times=9)
    told = [(event["type"], event["data"].get("job_id", "")) for event in receiver.events()]
    assert sorted(told) == sorted(
        [
            ("production.filming", ""),
            ("job.running", job.id),
            ("job.waiting", waiting.id),
            ("job.succeeded", job.id),
            ("job.running", waiting.id),
        ]
    )
    assert all(hooks.is_signed(headers, body, created.secret) for _, headers, body in receiver.requests)
    assert not any(hooks.is_signed(headers, body + b" ", created.secret) for _, headers, body in receiver.requests)
    assert len(set(receiver.ids())) == 5
    assert all(ids.valid(one, "whd") for one in receiver.ids())
    states = {one.state for one in await hooked.deliveries(created.webhook_endpoint.id)}
    assert states == {DELIVERED}


async def test_an_event_holds_ids_a_state_and_a_version_and_nothing_else(hooked, receiver):
    await hooked.create(f"{receiver.address}/", event_types=["job.succeeded", "production.*"])
    (job,) = await hooked.crew.begin(False)
    await hooked.crew.hear(news.stored(job))
    await hooked.turn(times=9)
    found = {event["type"]: event for event in receiver.events()}
    assert set(found) == {"production.filming", "production.compiling", "job.succeeded"}
    assert found["job.succeeded"]["data"] == {
        "job_id": job.id,
        "production_id": job.production_id,
        "storyboard_id": "sb_1",
        "scene_id": "scene_1",
        "state": "SUCCEEDED",
        "version": 2,
    }
    assert found["production.compiling"]["data"]["version"] == 2
    assert found["production.compiling"]["timestamp"] == "2026-11-20T12:00:00.000Z"


async def test_what_is_rolled_back_is_not_told_and_nobody_hears_of_another_tenant(hooked, receiver):
    mine = (await hooked.create(f"{receiver.address}/mine")).webhook_endpoint
    theirs = (await hooked.create(f"{receiver.address}/theirs", tenant="other")).webhook_endpoint
    await hooked.crew.begin(False)
    await rolled_back(hooked, "UPDATE productions SET state = 'PAUSED'")
    assert len(await hooked.deliveries(mine.id)) == 2
    assert await hooked.deliveries(theirs.id) == []


async def test_ids_sort_by_the_order_in_which_things_happened(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    said = [one for _ in range(5) for one in await hooked.say(endpoint.id, 200)]
    assert said == sorted(said)
    assert len(set(said)) == 1000


async def test_a_failure_is_repeated_on_schedule_until_it_is_answered(hooked, receiver, clock):
    created = await hooked.create(f"{receiver.address}/")
    (delivery_id,) = await hooked.say(created.webhook_endpoint.id, 1)
    receiver.statuses["/"] = 500
    for wait in webhooks.SCHEDULE_S[:3]:
        assert await hooked.turn() == 1
        clock.forward(seconds=wait - 1)
        assert await hooked.turn() == 0
        clock.forward(seconds=2)
    receiver.statuses["/"] = 200
    assert await hooked.turn() == 1
    found = (await hooked("GetWebhookDelivery", webhook_delivery_id=delivery_id)).webhook_delivery
    assert found.state == webhook_pb2.WebhookDelivery.STATE_DELIVERED
    assert [(one.number, one.status_code) for one in found.log] == [(1, 500), (2, 500), (3, 500), (4, 200)]
    assert set(receiver.ids()) == {delivery_id}
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.requests}) == 4
    assert all(hooks.is_signed(headers, body, created.secret) for _, headers, body in receiver.requests)


async def test_after_the_last_attempt_it_has_failed_and_can_be_replayed(hooked, receiver, clock):
    """Other deliveries come through all the while: it is this one that the receiver cannot take."""
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    (delivery_id,) = await hooked.say(endpoint.id, 1)
    for wait in (*webhooks.SCHEDULE_S, 1):
        receiver.statuses["/"] = 422
        await hooked.turn()
        receiver.statuses["/"] = 204
        await hooked.say(endpoint.id, 1)
        await hooked.turn()
        clock.forward(seconds=wait + 1)
    first = (await hooked.deliveries(endpoint.id))[0]
    assert (first.id, first.state, first.attempts) == (delivery_id, FAILED, 10)
    assert (await hooked.endpoint(endpoint.id)).state == webhook_pb2.WebhookEndpoint.STATE_ENABLED
    since = {"webhook_endpoint_id": endpoint.id, "start_time": news.at()}
    assert (await hooked("ReplayWebhookDeliveries", failed_only=True, **since)).deliveries == 1
    assert await hooked.turn() == 1
    assert receiver.ids()[-1] == delivery_id
    assert (await hooked.deliveries(endpoint.id))[0].attempts == 11
    assert (await hooked("ReplayWebhookDeliveries", **since)).deliveries == 11
    assert (await hooked("ReplayWebhookDeliveries", end_time=news.at(), **since)).deliveries == 0


async def test_killed_between_the_request_and_the_record_it_is_sent_again_under_its_id(hooked, receiver, clock):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    (delivery_id,) = await hooked.say(endpoint.id, 1)

    def die(place):
        if place == "webhook.sent":
            raise asyncio.CancelledError

    failpoints.listener = die
    try:
        await hooked.turn()
    finally:
        failpoints.listener = None
    (delivery,) = await hooked.deliveries(endpoint.id)
    assert (delivery.state, delivery.attempts, receiver.ids()) == (PENDING, 0, [delivery_id])
    assert await hooked.turn() == 0
    clock.forward(seconds=61)
    assert await hooked.turn(hooked.another()) == 1
    assert receiver.ids() == [delivery_id, delivery_id]
    assert (await hooked.deliveries(endpoint.id))[0].state is DELIVERED


async def test_who_has_lost_the_lease_writes_nothing_down(hooked, receiver, clock):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 1)
    receiver.gate["/"] = asyncio.Event()
    await hooked.sender.claim()
    clock.forward(seconds=61)
    receiver.statuses["/"] = 500
    second = hooked.another()
    await second.claim()
    receiver.gate["/"].set()
    await hooked.sender.settle()
    await second.settle()
    (delivery,) = await hooked.deliveries(endpoint.id)
    assert (delivery.attempts, delivery.state) == (1, PENDING)
    assert len(receiver.ids()) == 2


async def test_two_senders_never_send_the_same_nor_more_at_once_than_an_endpoint_takes(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/", concurrency=3)).webhook_endpoint
    said = await hooked.say(endpoint.id, 60)
    two = [hooked.sender, hooked.another()]
    while len(receiver.ids()) < 60:
        await asyncio.gather(*(hooked.turn(one) for one in two))
    assert sorted(receiver.ids()) == sorted(said)
    assert receiver.most["/"] <= 3


async def test_one_at_a_time_is_sent_in_order(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    said = await hooked.say(endpoint.id, 20)
    await hooked.turn(times=20)
    assert receiver.ids() == said


async def test_an_endpoint_is_not_sent_more_at_once_however_the_database_joins(hooked, receiver):
    """A list of rows to lock that stands behind IN is made anew for each row that it is compared with."""
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 50)
    async with hooked.database.house() as conn:
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            await conn.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert len(await webhook_store.claim(conn, hooked.clock(), "a lease", 60, most=10, failing=False)) == 1


async def test_whoever_deletes_an_endpoint_and_whoever_writes_down_an_attempt_wait_in_turn(hooked, receiver, caplog):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 1)
    receiver.statuses["/"], receiver.gate["/"] = 500, asyncio.Event()
    await hooked.sender.claim()
    async with hooked.database.house() as conn:
        await webhook_store.get(conn, "acme", endpoint.id, lock=True)
        receiver.gate["/"].set()
        await waiting.is_waited_for(conn)
        await webhook_store.delete(conn, "acme", endpoint.id, hooked.clock())
    await hooked.sender.settle()
    (delivery,) = await hooked.deliveries(endpoint.id)
    assert delivery.state == FAILED
    assert "webhook_failed" not in caplog.messages


async def test_a_dead_endpoint_delays_no_other(hooked, receiver):
    """A hundred endpoints that never answer, with a thousand deliveries each, beside one that does."""
    dead = [(await hooked.create(f"{receiver.address}/dead", tenant=f"t{n % 10}")).webhook_endpoint for n in range(100)]
    for n, one in enumerate(dead):
        await hooked.say(one.id, 1000, tenant=f"t{n % 10}")
        async with hooked.database.house() as conn:
            failing = sa.update(webhook_store.ENDPOINTS).where(webhook_store.ENDPOINTS.c.id == one.id)
            await conn.execute(failing.values(failures=2, failing_since=hooked.clock()))
    alive = (await hooked.create(f"{receiver.address}/alive", concurrency=10)).webhook_endpoint
    said = await hooked.say(alive.id, 100)
    receiver.gate["/dead"] = asyncio.Event()
    stop = asyncio.Event()
    sending = asyncio.create_task(hooked.sender.run(stop))
    async with asyncio.timeout(20):
        while len(receiver.ids("/alive")) < 100:  # noqa: ASYNC110, the receiver is another party
            await asyncio.sleep(0.02)
    assert sorted(receiver.ids("/alive")) == sorted(said)
    assert 0 < receiver.most["/dead"] <= 16
    receiver.gate["/dead"].set()
    stop.set()
    await sending


async def test_a_dead_endpoint_is_paused_after_three_days_and_nothing_is_lost(hooked, receiver, clock):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 50)
    receiver.statuses["/"], sent = 503, 0
    while (await hooked.endpoint(endpoint.id)).state == webhook_pb2.WebhookEndpoint.STATE_ENABLED:
        sent += await hooked.turn()
        clock.forward(hours=1)
    paused = await hooked.endpoint(endpoint.id)
    assert paused.pause_reason == webhook_pb2.WebhookEndpoint.PAUSE_REASON_FAILING
    assert "503" in paused.pause_note
    assert datetime.timedelta(days=3) <= clock.now - news.NOW < datetime.timedelta(days=4)
    assert sent < 100
    await hooked.say(endpoint.id, 1)
    assert await hooked.turn() == 0
    receiver.statuses["/"] = 204
    await hooked.update(paused, "state", state=webhook_pb2.WebhookEndpoint.STATE_ENABLED)
    clock.forward(days=1)
    await hooked.turn(times=60)
    assert {one.state for one in await hooked.deliveries(endpoint.id)} == {DELIVERED}


async def test_an_endpoint_that_is_gone_is_asked_for_nothing_more(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 3)
    receiver.statuses["/"] = 410
    assert await hooked.turn(times=3) == 1
    gone = await hooked.endpoint(endpoint.id)
    assert (gone.pause_reason, gone.pending) == (webhook_pb2.WebhookEndpoint.PAUSE_REASON_GONE, 3)


async def rolled_back(hooked, statement):
    with contextlib.suppress(ZeroDivisionError):
        async with hooked.database.house() as conn:
            await conn.execute(sa.text(statement))
            raise ZeroDivisionError
