"""What polls say: no fault of a question ever fails paid work, and no success is believed without a clip."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.provider_gateway import providers
from tests.integration.provider_gateway.adapters import conftest, dialects, rogues

Build = Callable[[str], providers.Provider]


async def ending(buyer: Any, prompt: str = "") -> providers.PollOutcome:
    outcome: providers.PollOutcome = await buyer.ended(await buyer.bought(buyer.order(prompt)))
    return outcome


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="hangs-up"),
        pytest.param(rogues.answer("200 OK", "<html>Sign in</html>"), id="html"),
        pytest.param(rogues.answer("200 OK", "[]"), id="list"),
        pytest.param(rogues.answer("302 Found", "", "location: /v1/elsewhere"), id="302"),
        pytest.param(rogues.answer("401 Unauthorized", {"error": {"message": f"No to {conftest.KEY}."}}), id="401"),
        pytest.param(rogues.answer("403 Forbidden", "<html>Firewall</html>"), id="403"),
        pytest.param(rogues.answer("500 Internal Server Error", {"error": {"message": "Oh."}}), id="500"),
        pytest.param(rogues.answer("503 Service Unavailable", ""), id="503"),
        pytest.param(rogues.answer("200 OK", "{" + " " * (9 << 20)), id="endless"),
    ],
)
async def test_a_poll_without_an_answer_fails_nothing(
    build: Build, misbehave: conftest.Serve, dialect: dialects.Dialect, said: bytes | None
) -> None:
    server = await misbehave(said)
    with pytest.raises(providers.ProviderAway) as fault:
        await build(server.url).poll(dialect.job_id)
    assert conftest.KEY not in str(fault.value)


async def test_a_busy_provider_says_when_to_poll(
    build: Build, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    busy = rogues.answer("429 Too Many Requests", {"error": {"message": "Slow down."}}, "retry-after: 7")
    server = await misbehave(busy)
    assert await build(server.url).poll(dialect.job_id) == providers.Pending(7)


async def test_an_unknown_job_is_missing(buy: conftest.Buy, dialect: dialects.Dialect) -> None:
    seller = buy().seller
    for job_id in (dialect.job_id, "video_../nowhere?", "nowhere"):
        assert await seller.poll(job_id) == providers.Missing()


async def test_a_job_may_hide_at_first(buy: conftest.Buy) -> None:
    buyer = buy("hidden(2)")
    job_id = await buyer.bought(buyer.order())
    told = [type(await buyer.seller.poll(job_id)) for _ in range(3)]
    if not buyer.dialect.own_ids:  # those have an archive besides, where nothing hides
        assert told[:2] == [providers.Missing] * 2
    assert told[2] is providers.Done


async def test_a_slow_job_is_pending_and_then_done(buy: conftest.Buy) -> None:
    buyer = buy("slow(0.3)")
    job_id = await buyer.bought(buyer.order())
    assert isinstance(await buyer.seller.poll(job_id), providers.Pending)
    assert isinstance(await buyer.ended(job_id), providers.Done)


async def test_a_status_may_go_back_and_nothing_is_lost(buy: conftest.Buy) -> None:
    buyer = buy("status_flap")
    job_id = await buyer.bought(buyer.order())
    told = [type(await buyer.seller.poll(job_id)) for _ in range(4)]
    assert set(told) == {providers.Done, providers.Pending}
    assert told[-1] is providers.Done


async def test_a_success_without_a_clip_is_none(buy: conftest.Buy) -> None:
    outcome = await ending(buy("empty_success"))
    if buy().dialect.tells_empty:
        assert isinstance(outcome, providers.Failed)
        return
    assert isinstance(outcome, providers.Done)
    async with httpx.AsyncClient() as client:
        assert (await client.get(outcome.url, headers=dict(outcome.headers))).status_code == 404


async def test_a_filtered_clip_is_a_failure_of_the_prompt(buy: conftest.Buy) -> None:
    outcome = await ending(buy("filtered"))
    assert isinstance(outcome, providers.Failed)
    assert (outcome.retryable, outcome.cancelled) == (False, False)
    assert not outcome.charged


@pytest.mark.parametrize(("disaster", "is_charged"), [("fails", False), ("fails_charged", True)])
async def test_failed_work_says_what_it_knows_of_money(buy: conftest.Buy, disaster: str, is_charged: bool) -> None:
    buyer = buy(disaster)
    order = buyer.order()
    outcome = await buyer.ended(await buyer.bought(order))
    assert isinstance(outcome, providers.Failed)
    assert not outcome.cancelled
    assert bool(buyer.lines("charge", order)) is is_charged
    if buyer.dialect.tells_cost:
        assert (outcome.charged, outcome.cost_micros) == (is_charged, 400_000 if is_charged else 0)
    else:
        assert (outcome.charged, outcome.cost_micros) == (None, None)


@pytest.mark.parametrize(("factor", "micros"), [("1", 400_000), ("2.5", 1_000_000), ("0", 0), ("-1", None)])
async def test_a_price_is_what_the_provider_says_if_it_can_be_one(
    buy: conftest.Buy, factor: str, micros: int | None
) -> None:
    buyer = buy(f"price({factor})")
    outcome = await ending(buyer)
    assert isinstance(outcome, providers.Done)
    assert outcome.cost_micros == (micros if buyer.dialect.tells_cost else None)


async def test_a_clip_needs_the_key_only_where_it_is_sent(buy: conftest.Buy) -> None:
    buyer = buy()
    done = await ending(buyer)
    assert isinstance(done, providers.Done)
    async with httpx.AsyncClient() as client:
        stranger = await client.get(done.url)
    assert stranger.status_code == 200 or done.headers
    assert buyer.key not in done.url


async def test_work_goes_on_when_the_model_is_sold_no_more(buy: conftest.Buy) -> None:
    buyer = buy()
    job_id = await buyer.bought(buyer.order("[[slow(0.2)]]"))
    assert isinstance(await buyer.seller.create(buyer.order("[[gone]]")), providers.Rejected)
    assert isinstance(await buyer.ended(job_id), providers.Done)


@pytest.mark.capable(lambda one: one.can.polls_by_list)
async def test_many_polls_say_what_each_would(buy: conftest.Buy) -> None:
    buyer = buy()
    prompts = ("", "[[never_done]]", "[[fails]]", "[[filtered]]", "[[price(2)]]")
    ids = [await buyer.bought(buyer.order(prompt)) for prompt in prompts]
    told = await buyer.seller.poll_many([*ids, "nowhere"])
    assert "nowhere" not in told
    for id in ids:
        assert told[id] == await buyer.seller.poll(id)
    assert {type(told[id]) for id in ids[:3]} == {providers.Done, providers.Pending, providers.Failed}
    assert await buyer.seller.poll_many([]) == {}


@pytest.mark.capable(lambda one: one.can.polls_by_list)
async def test_many_polls_without_an_answer_fail_nothing(
    build: Build, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    for said in (None, rogues.answer("500 Internal Server Error", "{}"), rogues.answer("200 OK", "<html>")):
        server = await misbehave(said)
        with pytest.raises(providers.ProviderAway):
            await build(server.url).poll_many([dialect.job_id])
