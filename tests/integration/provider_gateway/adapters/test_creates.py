"""For one authorised create there is one POST on the wire, whatever goes wrong, and its outcome is never guessed."""

import asyncio
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.provider_gateway import providers
from tests import ports
from tests.integration.provider_gateway.adapters import conftest, dialects, rogues
from tests.integration.sandbox import callers

Build = Callable[[str], providers.Provider]


async def test_an_order_is_made_told_of_and_fetched(buy: conftest.Buy, tmp_path: Path) -> None:
    buyer = buy()
    first_frame = tmp_path / "still.png"
    first_frame.write_bytes(callers.red_png())
    order = buyer.order(first_frame=first_frame)
    done = await buyer.ended(await buyer.bought(order))
    assert isinstance(done, providers.Done), done
    async with httpx.AsyncClient() as client:
        clip = await client.get(done.url, headers=dict(done.headers))
    assert (clip.status_code, clip.headers["content-type"], clip.content[4:8]) == (200, "video/mp4", b"ftyp")
    (created,) = buyer.lines("create", order)
    assert (created["seconds"], created["size"], created["seed"]) == (4, "1280x720", 7)
    assert len(buyer.lines("post", order)) == 1


@pytest.mark.capable(lambda one: one.can.idempotency_s > 0)
async def test_the_same_order_in_its_window_costs_nothing(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order()
    first = await buyer.bought(order)
    assert await buyer.bought(order) == first
    assert (len(buyer.lines("post", order)), len(buyer.lines("charge", order))) == (2, 1)


@pytest.mark.parametrize(
    "disaster", ["drop_reply", "late_create(0.05)", "error_after_create", "busy", "id_missing", "error_json_200"]
)
async def test_a_lost_answer_is_unknown_and_was_sent_once(buy: conftest.Buy, disaster: str) -> None:
    buyer = buy(disaster)
    order = buyer.order()
    outcome = await buyer.seller.create(order)
    assert isinstance(outcome, providers.Unknown)
    assert len(buyer.lines("post", order)) == 1
    assert buyer.key not in outcome.why


@pytest.mark.parametrize(
    ("form", "seconds"),
    [("seconds", 2), ("date", 2), ("ms", 2), ("text", 2), ("absurd", 600), ("none", None), ("google", 2)],
)
async def test_a_throttled_order_was_sent_once_and_knows_when(
    buy: conftest.Buy, form: str, seconds: float | None
) -> None:
    buyer = buy(f"throttled({form})")
    order = buyer.order()
    outcome = await buyer.seller.create(order)
    assert isinstance(outcome, providers.Rejected)
    assert (outcome.retryable, outcome.passing, outcome.account, outcome.retired) == (True, True, False, False)
    told = form != "google" or buyer.dialect.name.startswith("google")
    apart = 10 if form == "date" else 1  # a busy server's Date is of when it last had time to look
    near = pytest.approx(seconds, abs=apart) if seconds and told else None
    assert outcome.retry_after_s == near
    assert (len(buyer.lines("post", order)), buyer.lines("create", order)) == (1, [])


async def test_moderation_says_what_to_change(buy: conftest.Buy) -> None:
    buyer = buy("refused")
    order = buyer.order()
    outcome = await buyer.seller.create(order)
    assert isinstance(outcome, providers.Rejected)
    assert (outcome.retryable, outcome.passing, outcome.account, outcome.retired) == (False, False, False, False)
    assert "hange the prompt" in outcome.message
    assert len(buyer.lines("post", order)) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_a_model_may_be_sold_no_more(buy: conftest.Buy, status: int) -> None:
    buyer = buy(f"gone({status})")
    order = buyer.order()
    outcome = await buyer.seller.create(order)
    assert isinstance(outcome, providers.Rejected)
    assert (outcome.retired, outcome.retryable, outcome.account) == (True, False, False)
    assert len(buyer.lines("post", order)) == 1


async def test_a_wrong_order_is_rejected_in_the_provider_s_words(buy: conftest.Buy) -> None:
    buyer = buy()
    outcome = await buyer.seller.create(buyer.order(seconds=100))
    assert isinstance(outcome, providers.Rejected)
    assert (outcome.retryable, outcome.passing, outcome.account, outcome.retired) == (False, False, False, False)
    assert re.search("Supported values are|whole numbers|minimum", outcome.message)


async def test_nobody_there_means_not_sent(build: Build, order: providers.Order, dialect: dialects.Dialect) -> None:
    seller = build(f"http://127.0.0.1:{ports.free()}")
    assert isinstance(await seller.create(order), providers.NotSent)
    with pytest.raises(providers.ProviderAway):
        await seller.poll(dialect.job_id)


async def test_no_such_name_means_not_sent(build: Build, order: providers.Order) -> None:
    assert isinstance(await build("http://nowhere.invalid").create(order), providers.NotSent)


async def test_no_tls_means_not_sent(build: Build, order: providers.Order, misbehave: conftest.Serve) -> None:
    server = await misbehave(None)
    outcome = await build(server.url.replace("http:", "https:")).create(order)
    assert isinstance(outcome, providers.NotSent)
    assert server.requests == []


async def test_an_unreadable_frame_means_not_sent(
    build: Build, order: providers.Order, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    server = await misbehave(rogues.answer("200 OK", dialect.taken))
    outcome = await build(server.url).create(dataclasses.replace(order, first_frame=Path("/nowhere.png")))
    assert isinstance(outcome, providers.NotSent)
    assert server.connections == 0


BUSY = {"error": {"code": "too_many_requests", "message": "Slow down."}}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="hangs-up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{", id="breaks-off"),
        pytest.param(b"\x00\x01\x02 this is not HTTP\r\n\r\n", id="gibberish"),
        pytest.param(rogues.answer("503 Service Unavailable", BUSY), id="503"),
        pytest.param(rogues.answer("408 Request Timeout", BUSY), id="408"),
        pytest.param(rogues.answer("409 Conflict", BUSY), id="409"),
        pytest.param(rogues.answer("425 Too Early", BUSY), id="425"),
        pytest.param(rogues.answer("302 Found", "", "location: /v1/elsewhere"), id="302"),
        pytest.param(rogues.answer("307 Temporary Redirect", BUSY, "location: /v1/elsewhere"), id="307"),
        pytest.param(rogues.answer("308 Permanent Redirect", BUSY, "location: /v1/elsewhere"), id="308"),
        pytest.param(rogues.answer("200 OK", "<html>Sign in</html>"), id="html"),
        pytest.param(rogues.answer("200 OK", {"object": "video"}), id="no-id"),
        pytest.param(rogues.answer("200 OK", "{}", "content-encoding: gzip"), id="packed"),
        pytest.param(rogues.answer("403 Forbidden", "<html>Firewall</html>"), id="403-of-somebody-else"),
        pytest.param(rogues.answer("429 Too Many Requests", "<html>Firewall</html>"), id="429-of-somebody-else"),
        pytest.param(rogues.answer("200 OK", "{" + " " * (9 << 20)), id="endless"),
    ],
)
async def test_no_usable_answer_means_unknown_and_one_request(
    build: Build, order: providers.Order, misbehave: conftest.Serve, said: bytes | None
) -> None:
    server = await misbehave(said)
    outcome = await build(server.url).create(order)
    assert isinstance(outcome, providers.Unknown)
    assert len(server.requests) == server.connections == 1
    assert conftest.KEY not in outcome.why
    assert "://" not in outcome.why


@pytest.mark.parametrize("status", ["401 Unauthorized", "402 Payment Required", "403 Forbidden"])
async def test_a_refused_key_is_about_the_account_and_is_not_repeated(
    build: Build, order: providers.Order, misbehave: conftest.Serve, status: str
) -> None:
    server = await misbehave(rogues.answer(status, {"error": {"message": f"No to {conftest.KEY}."}}))
    seller = build(server.url)
    outcome = await seller.create(order)
    assert isinstance(outcome, providers.Rejected)
    assert (outcome.account, outcome.passing, outcome.retryable) == (True, True, False)
    assert conftest.KEY not in outcome.message
    assert len(server.requests) == 1


async def test_orders_go_on_connections_of_their_own(
    build: Build, order: providers.Order, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    server = await misbehave(rogues.answer("200 OK", dialect.taken))
    seller = build(server.url)
    for _ in range(2):
        assert await seller.create(order) == providers.Accepted(dialect.job_id)
    assert (server.connections, len(server.requests)) == (2, 2)
    server.answer = rogues.answer("200 OK", dialect.going)
    for _ in range(3):
        assert await seller.poll(dialect.job_id) == providers.Pending()
    assert (server.connections, len(server.requests)) == (3, 5)


async def test_an_order_names_its_submission(
    build: Build, order: providers.Order, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    server = await misbehave(rogues.answer("200 OK", dialect.taken))
    await build(server.url).create(order)
    (request,) = server.requests
    headers = request.partition("\r\n\r\n")[0].lower()
    assert f"\r\nx-client-request-id: {order.submission_id}" in headers
    uses_key = dialect.can.idempotency_s and not dialect.own_ids
    assert (f"\r\nidempotency-key: {order.submission_id}" in headers) == bool(uses_key)


async def test_a_cancelled_order_stays_cancelled(
    build: Build, order: providers.Order, misbehave: conftest.Serve
) -> None:
    server = await misbehave(b"")
    creating = asyncio.create_task(build(server.url).create(order))
    async with asyncio.timeout(5):
        await server.asked.wait()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert len(server.requests) == 1


async def test_nothing_of_the_environment_goes_to_an_endpoint(
    build: Build,
    order: providers.Order,
    misbehave: conftest.Serve,
    dialect: dialects.Dialect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strangers = {
        "OPENAI_ORG_ID": "org-of-somebody",
        "OPENAI_PROJECT_ID": "project-of-somebody",
        "HTTP_PROXY": f"http://127.0.0.1:{ports.free()}",
        "http_proxy": f"http://127.0.0.1:{ports.free()}",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
    }
    for name, value in strangers.items():
        monkeypatch.setenv(name, value)
    server = await misbehave(rogues.answer("200 OK", dialect.taken))
    assert isinstance(await build(server.url).create(order), providers.Accepted)
    assert not [value for value in strangers.values() if value in json.dumps(server.requests)]
