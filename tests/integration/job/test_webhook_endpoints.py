"""Endpoints of webhooks: whose they are, what their secrets are, and where nothing is sent."""

import asyncio
import logging
import uuid

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf import field_mask_pb2

from rushes.job.v1 import webhook_pb2
from services.job import webhook_sender, webhook_store, webhooks
from tests.integration import refusals
from tests.integration.job import hooks, news
from tests.unit.provider_gateway import addresses, servers

DELIVERED, PENDING, FAILED = (webhooks.DeliveryState(name) for name in ("DELIVERED", "PENDING", "FAILED"))


async def reason(call, code):
    return (await refusals.refused(call, code)).reason


async def test_redirects_are_not_followed(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 1)
    receiver.statuses["/"] = 307
    await hooked.turn()
    assert [path for path, *_ in receiver.requests] == ["/"]
    (delivery,) = await hooked.deliveries(endpoint.id)
    assert delivery.state is PENDING


async def test_nothing_inside_is_called_whatever_an_endpoint_is_called(hooked, tmp_path):
    """Names that lead inside, and numbers in disguise, past the check of the request: the connection is refused."""
    with servers.sink() as sink:
        port = sink.getsockname()[1]
        post = webhook_sender.Post()
        try:
            for payload in addresses.CORPUS:
                url = payload.replace("{port}", str(port))
                endpoint = webhooks.Endpoint("whe_1", "acme", url, (), "", 1, "one", news.NOW, news.NOW)
                delivery = webhooks.Delivery("whd_1", "acme", "whe_1", "job.running", {}, PENDING, news.NOW, news.NOW)
                leased = webhook_store.Leased(delivery, endpoint, "lease")
                attempt = await post.send(leased, [b"secret"], news.NOW)
                assert attempt.status is None
                assert attempt.fault
                assert "127" not in attempt.fault
        finally:
            await post.close()
        assert servers.callers(sink) == 0


async def test_a_certificate_that_nobody_trusts_gets_nothing(hooked, tmp_path):
    server, _ = servers.identity(tmp_path, "hook.example")

    async def answer(request):
        raise AssertionError("it must not come to a request")

    async with servers.serving(answer, server) as port:
        endpoint = (await hooked.create(f"https://127.0.0.1:{port}/")).webhook_endpoint
        tested = await hooked("TestWebhookEndpoint", webhook_endpoint_id=endpoint.id)
    (attempt,) = tested.webhook_delivery.log
    assert (attempt.status_code, attempt.fault) == (0, "its certificate cannot be trusted")


async def test_a_test_is_sent_at_once_and_says_what_came_of_it(hooked, receiver):
    created = await hooked.create(f"{receiver.address}/")
    tested = (await hooked("TestWebhookEndpoint", webhook_endpoint_id=created.webhook_endpoint.id)).webhook_delivery
    assert [one.status_code for one in tested.log] == [204]
    receiver.statuses["/"] = 404
    tested = (await hooked("TestWebhookEndpoint", webhook_endpoint_id=created.webhook_endpoint.id)).webhook_delivery
    assert (tested.state, tested.log[0].status_code) == (webhook_pb2.WebhookDelivery.STATE_FAILED, 404)
    assert [event["type"] for event in receiver.events()] == ["webhook.test"] * 2
    assert all(hooks.is_signed(headers, body, created.secret) for _, headers, body in receiver.requests)
    assert not (await hooked.endpoint(created.webhook_endpoint.id)).HasField("failing_since")


async def test_a_secret_is_shown_once_and_kept_nowhere(hooked, receiver, clock, caplog):
    request_id = str(uuid.uuid4())
    with caplog.at_level(logging.DEBUG):
        created = await hooked.create(f"{receiver.address}/", request_id=request_id)
        again = await hooked.create(f"{receiver.address}/", request_id=request_id)
        endpoint_id = created.webhook_endpoint.id
        rotate = {"webhook_endpoint_id": endpoint_id, "secret_version": 1}
        rotated = await hooked("RotateWebhookSecret", **rotate)
        assert (await hooked("RotateWebhookSecret", **rotate)).secret == rotated.secret
        await hooked.say(endpoint_id, 1)
        await hooked.turn()
        clock.forward(hours=24)
        await hooked.say(endpoint_id, 1)
        await hooked.turn()
    assert again.secret == created.secret
    assert created.secret.startswith("whsec_")
    assert rotated.secret not in ("", created.secret)
    (_, both, first), (_, alone, second) = receiver.requests
    assert hooks.is_signed(both, first, created.secret)
    assert hooks.is_signed(both, first, rotated.secret)
    assert not hooks.is_signed(alone, second, created.secret)
    assert hooks.is_signed(alone, second, rotated.secret)
    assert await reason(hooked("RotateWebhookSecret", **rotate), grpc.StatusCode.ABORTED) == "WEBHOOK_ENDPOINT_STALE"
    assert (await hooked.create(f"{receiver.address}/", request_id=request_id)).secret == ""
    listed = await hooked("ListWebhookEndpoints")
    async with hooked.database.house() as conn:
        rows = str((await conn.execute(sa.select(webhook_store.ENDPOINTS))).all())
    for secret in (created.secret, rotated.secret):
        assert secret.removeprefix("whsec_") not in f"{listed}{rows}{caplog.text}"


async def test_ids_of_other_tenants_are_not_found(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    (delivery_id,) = await hooked.say(endpoint.id, 1)
    mine = {"webhook_endpoint_id": endpoint.id}
    mask = field_mask_pb2.FieldMask(paths=["url"])
    calls = {
        "GetWebhookEndpoint": mine,
        "UpdateWebhookEndpoint": {"webhook_endpoint": endpoint, "update_mask": mask},
        "DeleteWebhookEndpoint": mine,
        "RotateWebhookSecret": mine | {"secret_version": 1},
        "TestWebhookEndpoint": mine,
        "GetWebhookDelivery": {"webhook_delivery_id": delivery_id},
        "ListWebhookDeliveries": mine,
        "ReplayWebhookDeliveries": mine | {"start_time": news.at()},
    }
    for verb, fields in calls.items():
        await refusals.fault_of(hooked(verb, "other", **fields), grpc.StatusCode.NOT_FOUND)
    assert (await hooked("ListWebhookEndpoints", "other")).webhook_endpoints == []
    assert len((await hooked("ListWebhookEndpoints")).webhook_endpoints) == 1


async def test_an_endpoint_is_changed_by_who_has_read_it(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/", description="ours")).webhook_endpoint
    after = await hooked.update(endpoint, "event_types", "concurrency", event_types=["job.*"], concurrency=4)
    assert (list(after.event_types), after.concurrency, after.description) == (["job.*"], 4, "ours")
    assert (
        await reason(hooked.update(endpoint, "description", description="theirs"), grpc.StatusCode.ABORTED)
        == "WEBHOOK_ENDPOINT_STALE"
    )
    paused = await hooked.update(after, "state", state=webhook_pb2.WebhookEndpoint.STATE_PAUSED)
    assert paused.pause_reason == webhook_pb2.WebhookEndpoint.PAUSE_REASON_ASKED
    await refusals.fault_of(hooked.update(paused, "url", url="ftp://a.example/"), grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_deleted_endpoint_is_sent_nothing_and_forgotten(hooked, receiver, clock):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 2)
    for _ in range(2):
        await hooked("DeleteWebhookEndpoint", webhook_endpoint_id=endpoint.id)
    await hooked.crew.begin(False)
    ended = [(one.state, one.ended_at) for one in await hooked.deliveries(endpoint.id)]
    assert ended == [(webhooks.DeliveryState.FAILED, clock())] * 2
    assert await hooked.turn() == 0
    assert await reason(hooked.endpoint(endpoint.id), grpc.StatusCode.NOT_FOUND) == "WEBHOOK_ENDPOINT_NOT_FOUND"
    assert await hooked.sender.sweep() == 0
    clock.forward(days=31)
    assert await hooked.sender.sweep() == 2
    async with hooked.database.house() as conn:
        assert (await conn.execute(sa.select(webhook_store.ENDPOINTS))).all() == []


async def test_what_is_under_way_when_its_endpoint_is_deleted_has_ended_too(hooked, receiver):
    endpoint = (await hooked.create(f"{receiver.address}/")).webhook_endpoint
    await hooked.say(endpoint.id, 1)
    receiver.gate["/"] = asyncio.Event()
    await hooked.sender.claim()
    await hooked("DeleteWebhookEndpoint", webhook_endpoint_id=endpoint.id)
    receiver.gate["/"].set()
    await hooked.sender.settle()
    (sent,) = await hooked.deliveries(endpoint.id)
    assert (sent.state, sent.attempts) == (webhooks.DeliveryState.FAILED, 0)
    assert await hooked.turn() == 0


async def test_a_tenant_has_fifty_endpoints_at_most(hooked, receiver):
    made = await asyncio.gather(
        *(hooked.create(f"{receiver.address}/{n}") for n in range(webhooks.MOST_ENDPOINTS + 3)), return_exceptions=True
    )
    refused = [one for one in made if isinstance(one, grpc.aio.AioRpcError)]
    assert [one.code() for one in refused] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3


class TestAmongStrangers:
    """An installation that allows no private addresses."""

    @pytest.fixture
    def private(self):
        return False

    async def test_private_addresses_are_refused(self, hooked, receiver):
        for url in (receiver.address, "https://10.0.0.1/", "https://localhost/", "http://a.example/"):
            await refusals.fault_of(hooked.create(url), grpc.StatusCode.INVALID_ARGUMENT)

    async def test_a_name_that_leads_inside_is_not_called(self, hooked, receiver):
        """It was public when it was given."""
        endpoint = (await hooked.create("https://hook.example/")).webhook_endpoint
        port = receiver.address.rpartition(":")[2]
        async with hooked.database.house() as conn:
            moved = sa.update(webhook_store.ENDPOINTS).values(url=f"https://127.0.0.1:{port}/")
            await conn.execute(moved)
        tested = (await hooked("TestWebhookEndpoint", webhook_endpoint_id=endpoint.id)).webhook_delivery
        assert [one.fault for one in tested.log] == ["it names an address that is not public"]
        assert receiver.requests == []
