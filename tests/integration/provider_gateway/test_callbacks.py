"""The door for providers' callbacks: what is signed hurries the next look, and everything else changes nothing."""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json

import aiohttp
import pytest

from services.provider_gateway import callbacks, domain, store
from tests import ports
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S, L = domain.State, domain.Learned
OPENAI = "sandbox-openai"
SECRET = "the secret of the addresses"


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


class Doorway:
    """The door, where it stands, and what it is asked."""

    def __init__(self, gateway, keys, port, http):
        self.url = f"http://127.0.0.1:{port}"
        self.addresses = callbacks.Addresses(self.url, SECRET)
        self.door = callbacks.Door(gateway.database, keys, self.addresses, gateway.clock)
        self.http = http

    async def is_open(self):
        with contextlib.suppress(aiohttp.ClientConnectionError):
            return await self.post(f"{self.url}/nothing") == 404

    async def post(self, address, body=b"{}", headers=None):
        """The status of the answer."""
        async with self.http.post(address, data=body, headers=headers or {}) as answer:
            return answer.status


@contextlib.asynccontextmanager
async def opened(gateway, keys):
    """The door, as the gateway's process serves it."""
    port = ports.free()
    async with aiohttp.ClientSession() as http:
        made, stop = Doorway(gateway, keys, port, http), asyncio.Event()
        serving = asyncio.create_task(made.door.serve(f"127.0.0.1:{port}")(stop))
        try:
            await until(made.is_open)
            yield made
        finally:
            stop.set()
            await serving


@pytest.fixture
async def doorway(gateway, crew):
    async with opened(gateway, crew.keys) as made:
        yield made


async def ordered(gateway, disaster="", **more):
    await gateway.hear(*await gateway.orders(house.once(f"A lighthouse. {disaster}", **more)))
    return await one(gateway)


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def heard(gateway):
    """The callbacks that were written down."""
    async with gateway.database.house() as conn:
        return list((await conn.execute(callbacks.CALLBACKS.select())).mappings())


async def until(happened):
    async with asyncio.timeout(15):
        while not (found := await happened()):  # noqa: ASYNC110, another process
            await asyncio.sleep(0.02)
    return found


def caller(crew, doorway, endpoint=OPENAI, **can):
    """Buys where nothing can be looked up, and asks to be called back."""
    can = {"idempotency_s": 0, "lookup": "none", "callback": True} | can
    return crew.among(offer=shop.selling(endpoint, **can), door=doorway.addresses)


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [
        (OPENAI, "sandbox/reel-1"),
        ("sandbox-google", "sandbox/omni-1"),
        ("sandbox-openrouter", "sandbox/openrouter-reel"),
        ("sandbox-replicate", "sandbox/replicate-reel"),
    ],
)
async def test_a_callback_names_the_job_whose_answer_was_lost(gateway, crew, doorway, reel, endpoint, model):
    buyers = caller(crew, doorway, endpoint)
    order = await ordered(gateway, "[[drop_reply]]", model=model, seconds=3)
    await buyers.look()
    await until(lambda: gateway.evidence(order.id))
    (known,) = await gateway.evidence(order.id)
    (created,) = reel.lines("create", [order.id])
    assert known.kind is L.CALLBACK
    await buyers.finish()
    done = await one(gateway)
    assert (done.state, done.provider_job_id) == (S.STORED, known.provider_job_id)
    assert created["id"].endswith(done.provider_job_id.rpartition("/")[2])
    assert len(reel.lines("post", [order.id])) == len(reel.lines("charge", [order.id])) == 1


async def test_a_callback_that_names_no_job_hurries_the_next_look(gateway, crew, doorway, reel):
    """fal's tells the request, but not all of its name: the list does."""
    buyers = caller(crew, doorway, "sandbox-fal", lookup="list")
    order = await ordered(gateway, "[[drop_reply]] [[slow(1)]]", model="sandbox/fal-reel", seconds=3)
    await crew.step(buyers.driver())
    assert (await one(gateway)).state is S.UNKNOWN
    await gateway.change(order.id, next_action_at=house.real_time().replace(year=2099))
    await until(lambda: gateway.evidence(order.id))
    await buyers.until([buyers.driver()])
    assert [(known.kind, bool(known.provider_job_id)) for known in await gateway.evidence(order.id)] == [
        (L.CALLBACK, False),
        (L.FOUND, True),
    ]
    assert len(reel.lines("post", [order.id])) == 1


async def test_a_callback_hurries_the_next_poll(gateway, crew, doorway):
    buyers = caller(crew, doorway)
    order = await ordered(gateway, "[[slow(1)]]")
    await buyers.look()
    assert (await one(gateway)).state is S.ACCEPTED
    await gateway.change(order.id, next_action_at=house.real_time().replace(year=2099))
    await until(lambda: heard(gateway))
    assert await crew.step(buyers.driver()) == 1
    assert (await one(gateway)).state is S.PROVIDER_DONE
    assert await gateway.evidence(order.id) == [], "it says nothing that the row does not say"


async def test_a_callback_that_comes_before_the_answer_is_no_trouble(gateway, crew, doorway, reel):
    buyers = caller(crew, doorway)
    order = await ordered(gateway, "[[webhook_early]]")
    await buyers.finish()
    done = await one(gateway)
    assert [(known.kind, known.provider_job_id) for known in await gateway.evidence(order.id)] == [
        (L.CALLBACK, done.provider_job_id)
    ]
    assert len(reel.lines("post", [order.id])) == 1


async def test_a_callback_that_comes_twice_is_written_down_once(gateway, crew, doorway):
    buyers = caller(crew, doorway)
    order = await ordered(gateway, "[[drop_reply]] [[webhook_twice]]")
    await buyers.look()
    await until(lambda: heard(gateway))
    await buyers.finish()
    (line,) = await heard(gateway)
    assert (line["submission_id"], line["tenant_id"], line["account"]) == (order.id, "acme", f"endpoint:{OPENAI}")
    assert len(await gateway.evidence(order.id)) == 1


async def test_without_a_callback_polls_do_all_of_it(gateway, crew, doorway):
    buyers = caller(crew, doorway)
    await ordered(gateway, "[[webhook_none]] [[slow(1)]]")
    await buyers.finish()
    assert (await one(gateway)).state is S.STORED
    assert await heard(gateway) == []


def signed(body, event_id="wh_1", at=None, secret=None):
    """Headers of a Standard Webhook of the sandbox's."""
    stamp = str(int((at or house.real_time()).timestamp()))
    key = base64.b64decode((secret or shop.webhook_secret(OPENAI)).removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, f"{event_id}.{stamp}.".encode() + body, hashlib.sha256)).decode()
    return {"webhook-id": event_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}


def news(name="video_1"):
    return json.dumps({"type": "video.completed", "data": {"id": name}}).encode()


async def sent(gateway, doorway):
    """An order that is being sent, and its address."""
    order = await ordered(gateway)
    await gateway.change(order.id, state="SENDING", next_action_at=house.real_time().replace(year=2099))
    return order, doorway.addresses.of(await one(gateway))


async def test_a_valid_callback_is_evidence_and_again_it_is_nothing(gateway, doorway):
    order, address = await sent(gateway, doorway)
    body = news()
    for _ in range(3):
        assert await doorway.post(address, body, signed(body)) == 204
    (known,) = await gateway.evidence(order.id)
    assert (known.kind, known.provider_job_id) == (L.CALLBACK, "video_1")
    assert len(await heard(gateway)) == 1
    assert (await one(gateway)).next_action_at < house.real_time(), "somebody looks at once"
    assert await doorway.post(address, body, signed(body, "wh_2")) == 204
    assert len(await heard(gateway)) == 2


async def test_what_is_not_the_provider_s_changes_nothing(gateway, doorway, ahead):
    order, address = await sent(gateway, doorway)
    before, body = await one(gateway), news()
    good = signed(body)
    old = ahead().replace(year=2020)
    forgeries = [
        (body, {}),
        (body + b" ", good),
        (body, good | {"webhook-id": "wh_9"}),
        (body, good | {"webhook-timestamp": "1"}),
        (body, good | {"webhook-signature": "v1,AAAA"}),
        (body, good | {"webhook-signature": "\xe9"}),
        (body, signed(body, at=old)),
        (body, signed(body, secret=shop.webhook_secret(OPENAI, "another key"))),
        (b"{}", signed(b"{}")),
        (b"\xff\x00", signed(b"\xff\x00")),
    ]
    for content, headers in forgeries:
        assert await doorway.post(address, content, headers) == 401
    assert (await one(gateway), await heard(gateway), await gateway.evidence(order.id)) == (before, [], [])


async def test_what_will_not_come_again_is_forgotten(gateway, crew, doorway, ahead):
    _, address = await sent(gateway, doorway)
    body = news()
    assert await doorway.post(address, body, signed(body)) == 204
    at_work = crew.works()
    await at_work.sweep()
    assert len(await heard(gateway)) == 1
    ahead.forward(days=31)
    await at_work.sweep()
    assert await heard(gateway) == []


@pytest.mark.parametrize("name", ["v" * 2001, "video\u0000"], ids=["long", "unprintable"])
async def test_a_name_that_no_provider_gives_is_refused(gateway, doorway, name):
    """It could never be written down as the order's, and would be tried for ever."""
    order, address = await sent(gateway, doorway)
    body = json.dumps(json.loads(news()) | {"data": {"id": name}}).encode()
    assert await doorway.post(address, body, signed(body)) == 401
    assert (await heard(gateway), await gateway.evidence(order.id)) == ([], [])


async def test_nobody_finds_the_address_of_another_order(gateway, doorway):
    order, address = await sent(gateway, doorway)
    body = news()
    word = address.partition("?")[0].rpartition("/")[2]
    assert len(word) == 40
    nobody = doorway.addresses.of(dataclasses.replace(order, id="sub_nobody"))
    for wrong in (
        f"{doorway.url}/callbacks/{order.id}/{word[:-1]}0x",
        f"{doorway.url}/callbacks/{order.id}/{'0' * 40}",
        f"{doorway.url}/callbacks/sub_other/{word}",
        f"{doorway.url}/callbacks/{order.id}/%C3%A9%FF",
        f"{doorway.url}/callbacks/{order.id}%00/{word}",
        f"{doorway.url}/callbacks/{order.id}",
        callbacks.Addresses(doorway.url, "another secret").of(order),
        nobody,
    ):
        assert await doorway.post(wrong, body, signed(body)) == 404, wrong
    assert await heard(gateway) == []
    async with doorway.http.get(address) as answer:
        assert answer.status == 405


async def test_a_callback_that_is_too_large_is_refused_unread(gateway, doorway):
    _, address = await sent(gateway, doorway)
    body = b"x" * (callbacks.MOST_BYTES + 1)
    assert await doorway.post(address, body, signed(body)) == 413
    fits = news() + b" " * (callbacks.MOST_BYTES - len(news()))
    assert await doorway.post(address, fits, signed(fits)) == 204


async def test_who_has_no_webhooks_is_not_heard(gateway, crew):
    deaf = crew.among(offer=shop.selling(OPENAI, webhook="none"))
    async with opened(gateway, deaf.keys) as closed:
        _, address = await sent(gateway, closed)
        body = news()
        assert await closed.post(address, body, signed(body)) == 404
    assert await heard(gateway) == []


async def test_a_forged_callback_of_the_provider_s_own_sender_is_refused(gateway, crew, doorway, caplog):
    buyers = caller(crew, doorway)
    order = await ordered(gateway, "[[drop_reply]] [[webhook_forged]]")
    await buyers.look()

    async def refused():
        return [line for line in caplog.records if line.message == "callback_refused"]

    (line, *_) = await until(refused)
    assert line.submission_id == order.id
    assert await gateway.evidence(order.id) == []
    assert (await one(gateway)).state is S.UNKNOWN


async def test_a_callback_of_what_ended_as_free_is_an_alert(gateway, doorway, caplog):
    order, address = await sent(gateway, doorway)
    await gateway.change(order.id, state="UNKNOWN")
    await gateway("SettleSubmission", submission_id=order.id, note="It is not on the bill.")
    body = news()
    assert await doorway.post(address, body, signed(body)) == 204
    assert [known.kind for known in await gateway.evidence(order.id)] == [L.PERSON, L.CALLBACK]
    (alert,) = [line for line in caplog.records if line.message == "paid_after_all"]
    assert alert.submission_id == order.id
    assert (await one(gateway)).state is S.ABSENT


async def test_a_callback_for_what_is_over_is_no_trouble(gateway, crew, doorway):
    order = await ordered(gateway)
    await crew.finish()
    before = await one(gateway)
    body = news(before.provider_job_id)
    assert await doorway.post(doorway.addresses.of(order), body, signed(body)) == 204
    assert (await one(gateway), await gateway.evidence(order.id)) == (before, [])


async def test_a_callback_is_answered_only_once_it_is_written_down(gateway, doorway):
    order, address = await sent(gateway, doorway)
    body = news()
    async with gateway.database.house() as conn:
        await conn.execute(store.SUBMISSIONS.select().where(store.SUBMISSIONS.c.id == order.id).with_for_update())
        waiting = asyncio.create_task(doorway.post(address, body, signed(body)))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done, "whoever holds the row lets it wait"
    assert await waiting == 204
    assert len(await heard(gateway)) == 1
