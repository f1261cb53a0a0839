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

    async with client.videos.with_streaming_response.download_content(made.id) as streamed:
        assert streamed.headers["content-type"] == "video/mp4"
        assert len([piece async for piece in streamed.iter_bytes(1024)]) > 1

    asked = {"prompt": "A dog", "seconds": "1", "size": "640x360"}
    other = await client.videos.create_and_poll(**asked, poll_interval_ms=200)
    assert other.status == "completed"
    listed = [video.id async for video in await client.videos.list(limit=1)]
    assert listed[:2] == [other.id, made.id]
    assert [video.id async for video in await client.videos.list(limit=1, order="asc", after=made.id)] == [other.id]
    assert (await client.videos.delete(other.id)).deleted
    for gone in (client.videos.retrieve, client.videos.delete, client.videos.download_content):
        with pytest.raises(openai.NotFoundError) as refused:
            await gone(other.id)
        assert refused.value.code == "production_not_found"
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


async def test_what_is_refused_is_an_error_of_the_sdk(of: house.House, client: openai.AsyncOpenAI) -> None:
    for refused in (
        client.videos.remix("prod_any", prompt="Bluer"),
        client.videos.edit(prompt="Bluer", video=b"clip"),
        client.videos.extend(prompt="On", seconds="4", video=b"clip"),
        client.videos.create_character(name="Ada", video=b"clip"),
        client.videos.get_character("ada"),
        client.videos.create(prompt="A dog", input_reference=b"picture"),
    ):
        with pytest.raises(openai.BadRequestError) as said:
            await refused
        assert (said.value.code, said.value.type) in (
            ("unsupported", "invalid_request_error"),
            ("bad_request", "invalid_request_error"),
        )
    rest = httpx.AsyncClient(base_url=str(client.base_url), headers={"authorization": f"Bearer {client.api_key}"})
    async with rest:
        made = (await rest.post("/tokens", json={"name": "Looks", "role": "ROLE_VIEWER"})).json()
    async with openai.AsyncOpenAI(base_url=str(client.base_url), api_key=made["secret"], max_retries=0) as viewer:
        assert (await viewer.videos.list()).object == "list"
        with pytest.raises(openai.PermissionDeniedError) as denied:
            await viewer.videos.create(prompt="A dog")
        assert (denied.value.type, denied.value.code) == ("permission_error", "role_missing")


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
