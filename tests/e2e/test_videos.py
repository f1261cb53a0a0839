"""The `openai` SDK, unchanged, makes videos here; before it pays there is a budget, and a repeat is paid once."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from services.cli import house

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture
async def client(of: house.House) -> AsyncIterator[openai.AsyncOpenAI]:
    token = of.token.read_text().strip()
    async with openai.AsyncOpenAI(base_url=f"http://{of.address('studio')}/v1", api_key=token) as made:
        yield made


async def test_the_sdk_makes_a_video(client: openai.AsyncOpenAI) -> None:
    once = {"Idempotency-Key": "the kite"}
    asked = {"prompt": "A red kite over the dunes", "seconds": "1", "size": "640x360", "model": "reel-1"}
    made, again = await asyncio.gather(*(client.videos.create(**asked, extra_headers=once) for _ in range(2)))
    assert made.id == again.id
    assert (made.object, made.model, made.seconds, made.size) == ("video", "sandbox/reel-1", "1", "640x360")
    assert made.prompt == asked["prompt"]
    assert made.status in ("queued", "in_progress")
    done = await client.videos.poll(made.id, poll_interval_ms=200)
    assert (done.status, done.progress, done.error) == ("completed", 100, None)
    assert done.completed_at >= done.created_at
    film = await client.videos.download_content(made.id)
    assert (await film.aread())[4:8] == b"ftyp"
    still = await client.videos.download_content(made.id, variant="thumbnail")
    assert (await still.aread())[:2] == b"\xff\xd8"

    other = await client.videos.create(prompt="A dog", seconds="1", size="640x360")
    listed = [video.id async for video in await client.videos.list(limit=1)]
    assert listed[:2] == [other.id, made.id]
    assert [video.id async for video in await client.videos.list(limit=1, order="asc", after=made.id)] == [other.id]
    assert (await client.videos.delete(other.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.videos.retrieve(other.id)
    assert other.id not in [video.id async for video in await client.videos.list()]


async def test_what_cannot_be_made_is_said_as_clients_know_it(of: house.House, client: openai.AsyncOpenAI) -> None:
    for wrong, named in (({"seconds": "soon"}, "seconds"), ({"size": "big"}, "size"), ({"model": "sora-2"}, None)):
        with pytest.raises(openai.APIStatusError) as refused:
            await client.videos.create(**{"prompt": "A dog", "seconds": "1", "size": "640x360"} | wrong)
        assert refused.value.status_code in (400, 409)
        assert refused.value.body["param"] == named, wrong
    assert "replace" in refused.value.message or "instead" in refused.value.message, refused.value.message
    stranger = openai.AsyncOpenAI(base_url=str(client.base_url), api_key="nobody", max_retries=0)
    async with stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.videos.list()


async def test_a_budget_stands_before_it(of: house.House, client: openai.AsyncOpenAI) -> None:
    rest = httpx.AsyncClient(base_url=str(client.base_url), headers={"authorization": f"Bearer {client.api_key}"})
    async with rest:
        before = (await rest.get("/budgets:find", params={"currency": "XTS"})).json()["limit"]
        assert (await rest.put("/budgets", json={"limit": before | {"micros": 0}})).status_code == 200
        try:
            with pytest.raises(openai.APIStatusError) as refused:
                await client.videos.create(prompt="A dear dog", seconds="1", size="640x360")
        finally:
            assert (await rest.put("/budgets", json={"limit": before})).json()["limit"] == before
    assert (refused.value.status_code, refused.value.body["code"]) == (402, "budget_exceeded")
