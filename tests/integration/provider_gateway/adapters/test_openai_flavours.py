"""Servers that speak the OpenAI dialect in their own way, each with its flags and terms in the catalogue."""

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import openai_videos
from tests.integration.provider_gateway.adapters import buyers, dialects

SPOKEN = next(one for one in dialects.DIALECTS if one.name == "openai_videos")
SERVERS = {"vllm": "vllm-omni", "sglang": "sglang", "litellm": "litellm"}

Buy = Callable[..., buyers.Buyer]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def buy_at(reel: Any) -> AsyncIterator[Buy]:
    """`buy_at("vllm", "fails")`: a buyer at such a server."""
    async with contextlib.AsyncExitStack() as closing:

        def buyer(server: str, disasters: str = "") -> buyers.Buyer:
            key = "+".join(filter(None, (f"key-{secrets.token_hex(8)}", server, disasters)))
            terms = dialects.OFFER.endpoints[SERVERS[server]]
            place = dataclasses.replace(SPOKEN.place(reel.url, key), flags=terms.flags)
            seller = openai_videos.OpenAIVideos(place, terms.capabilities)
            closing.push_async_callback(seller.close)
            return buyers.Buyer(SPOKEN, seller, reel, key)

        yield buyer


async def test_a_clip_is_ordered_and_fetched(buy_at: Buy, server: str) -> None:
    buyer = buy_at(server)
    order = buyer.order()
    done = await buyer.ended(await buyer.bought(order))
    assert isinstance(done, providers.Done), done
    async with httpx.AsyncClient() as client:
        clip = await client.get(done.url, headers=dict(done.headers))
    assert (clip.status_code, clip.content[4:8]) == (200, b"ftyp")
    assert len(buyer.lines("post", order)) == len(buyer.lines("charge", order)) == 1


async def test_a_failure_is_told(buy_at: Buy, server: str) -> None:
    buyer = buy_at(server, "filtered")
    outcome = await buyer.ended(await buyer.bought(buyer.order()))
    assert outcome == providers.Failed("The clip was blocked by our moderation system.")


async def test_a_job_goes_on_until_it_ends(buy_at: Buy, server: str) -> None:
    buyer = buy_at(server, "slow(0.2)")
    job_id = await buyer.bought(buyer.order())
    assert isinstance(await buyer.seller.poll(job_id), providers.Pending)
    assert isinstance(await buyer.ended(job_id), providers.Done)


@pytest.mark.parametrize("listing", ["vllm", "sglang"])
async def test_a_lost_order_is_found_in_the_list(buy_at: Buy, listing: str) -> None:
    buyer = buy_at(listing)
    order = buyer.order("[[drop_reply]]")
    assert isinstance(await buyer.seller.create(order), providers.Unknown)
    (job_id,) = await buyer.found(order)
    assert await buyer.seller.poll_many([job_id]) == {job_id: await buyer.seller.poll(job_id)}


async def test_a_list_that_does_not_say_whether_it_goes_on_is_read_to_its_end(buy_at: Buy) -> None:
    buyer = buy_at("sglang")
    order = buyer.order("[[drop_reply]]")
    assert isinstance(await buyer.seller.create(order), providers.Unknown)
    await asyncio.gather(*(buyer.bought(buyer.order("Another one.")) for _ in range(100)))
    assert len(await buyer.found(order)) == 1


async def test_a_server_without_a_list_proves_nothing(buy_at: Buy) -> None:
    buyer = buy_at("litellm")
    assert buyer.seller.capabilities.lookup == "none"
    with pytest.raises(providers.ProviderAway):
        await buyer.found(buyer.order())


async def test_a_running_job_is_stopped(buy_at: Buy) -> None:
    buyer = buy_at("vllm", "never_done")
    job_id = await buyer.bought(buyer.order())
    await buyer.seller.cancel(job_id)
    outcome = await buyer.seller.poll(job_id)
    assert isinstance(outcome, providers.Failed)
    assert outcome.cancelled
