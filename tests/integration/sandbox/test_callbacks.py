import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiohttp import web


class Receiver:
    """A real receiver of callbacks, which answers the next ones as told."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.calls: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def hear(self, request: web.Request) -> web.Response:
        await self.calls.put((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def heard(self) -> tuple[dict[str, str], bytes]:
        """The next call."""
        async with asyncio.timeout(20):
            return await self.calls.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hooks/{name}", found.hear)
    async with contextlib.AsyncExitStack() as closing:
        runner = web.AppRunner(app)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        found.url = f"http://127.0.0.1:{port}/hooks/job?attempt=sub_1"
        yield found


async def verify(key: str, headers: dict[str, str], body: bytes) -> None:
    """As a receiver does that was given the secret of this key. Raises InvalidWebhookSignatureError."""
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    secret = hashlib.sha256(f"rushes sandbox webhook {sha256}".encode()).digest()
    async with openai.AsyncOpenAI(api_key="key") as sdk:
        sdk.webhooks.verify_signature(body, headers, secret=f"whsec_{base64.b64encode(secret).decode()}")


async def test_whoever_asked_is_told_under_a_signature(speak: Any, receiver: Receiver) -> None:
    client = speak()
    id = (await client.create(callback=receiver.url)).json()["id"]
    headers, body = await receiver.heard()
    await verify(client.key, headers, body)
    event = json.loads(body)
    assert event["data"] == {"id": id}
    assert event["type"] in ("video.completed", "interaction.completed")


async def test_a_failure_is_told_and_a_cancel_is_not(speak: Any, receiver: Receiver) -> None:
    client = speak()
    stopped = (await client.create("A boat. [[never_done]]", callback=receiver.url)).json()["id"]
    await client.cancel(stopped)
    failed = (await client.create("A boat. [[fails]]", callback=receiver.url)).json()["id"]
    _, body = await receiver.heard()
    assert json.loads(body)["data"]["id"] == failed
    assert json.loads(body)["type"].endswith(".failed")
    assert receiver.calls.empty()


async def test_an_address_that_is_none_is_refused(speak: Any) -> None:
    client = speak()
    for wrong in ("nowhere", "ftp://127.0.0.1/", "http://[::1/", "http://127.0.0.1:port/"):
        assert (await client.create(callback=wrong)).status_code == 400
    assert set(client.events()) <= {"post"}


async def test_it_is_told_again_until_it_is_heard(speak: Any, receiver: Receiver) -> None:
    receiver.answers = [500]
    await speak().create(callback=receiver.url)
    first, second = await receiver.heard(), await receiver.heard()
    assert first == second


async def test_it_may_come_twice(speak: Any, receiver: Receiver) -> None:
    await speak("+webhook_twice").create(callback=receiver.url)
    first, second = await receiver.heard(), await receiver.heard()
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first == second


async def test_it_may_be_forged(speak: Any, receiver: Receiver) -> None:
    client = speak("+webhook_forged")
    await client.create(callback=receiver.url)
    headers, body = await receiver.heard()
    assert json.loads(body)["data"]["id"]
    with pytest.raises(openai.InvalidWebhookSignatureError):
        await verify(client.key, headers, body)


async def test_it_may_come_before_the_create_is_answered(speak: Any, receiver: Receiver) -> None:
    answer = await speak("+webhook_early").create(callback=receiver.url)
    _, body = receiver.calls.get_nowait()
    assert json.loads(body)["data"]["id"] == answer.json()["id"]
    await speak().create(callback=receiver.url)
    await receiver.heard()
    assert receiver.calls.empty()


async def test_it_may_never_come_or_come_late(speak: Any, receiver: Receiver) -> None:
    client = speak()
    none = await client.create("A boat. [[webhook_none]]", callback=receiver.url)
    late = (await client.create("A boat. [[webhook_late(0.5)]]", callback=receiver.url)).json()["id"]
    soon = (await client.create(callback=receiver.url)).json()["id"]
    told = [json.loads((await receiver.heard())[1])["data"]["id"] for _ in range(2)]
    assert told == [soon, late]
    assert none.json()["id"] not in told
