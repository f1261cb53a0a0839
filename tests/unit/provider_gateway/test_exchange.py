import asyncio
import datetime
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import multidict
import pytest
from aiohttp import web

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, sdk
from tests.unit.provider_gateway import servers

KEY = "secret-key-1"
ENDPOINT = providers.Endpoint("there", "https://films.example/v1", KEY)
DATE = {"date": "Sat, 21 Nov 2026 10:00:00 GMT"}
ENVELOPE = {"error": {"message": "No such size.", "type": "invalid_request_error", "param": "size", "code": None}}


def answered(status: int, body: Any = None, headers: dict[str, str] | None = None) -> exchange.Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return exchange.Answer(status, multidict.CIMultiDict(headers or {}), content)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_accepted_with_an_id(status: int) -> None:
    assert exchange.created(answered(status, {"id": "v1"}), "") == providers.Accepted("v1")
    assert exchange.created(answered(status, {"id": 17}), "") == providers.Accepted("17")
    assert exchange.created(answered(status, {"name": " a "}), "", lambda body: body["name"]) == providers.Accepted("a")


@pytest.mark.parametrize("status", [400, 402, 403, 404, 410, 413, 422])
@pytest.mark.parametrize(
    "body",
    [
        ENVELOPE,
        [ENVELOPE],
        {"error": "No such size."},
        {"error": {"code": "No such size."}},
        {"errors": [{"code": "bad", "message": "No such size."}]},
        {"detail": "No such size."},
        {"detail": [{"loc": ["body", "size"], "msg": "No such size."}]},
    ],
)
def test_rejected_in_an_envelope(status: int, body: Any) -> None:
    passing = status not in (400, 413, 422)  # those are about the order itself
    expected = providers.Rejected("No such size.", passing=passing, account=status in (402, 403))
    assert exchange.created(answered(status, body), "") == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
@pytest.mark.parametrize(
    "body", [b"<html>Firewall</html>", b"", b"\xff", None, [], {}, {"error": {}}, {"message": "no"}]
)
def test_unknown_without_an_envelope(status: int, body: Any) -> None:
    assert isinstance(exchange.created(answered(status, body), ""), providers.Unknown)


@pytest.mark.parametrize("status", [301, 302, 307, 408, 409, 418, 425, 500, 502, 503, 504, 529])
def test_unknown_whatever_it_says(status: int) -> None:
    assert isinstance(exchange.created(answered(status, ENVELOPE), ""), providers.Unknown)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{", b"[" * 100_000, {}, {"id": ""}, {"id": " "}, {"id": "a\0"}, {"id": None}, [1], ENVELOPE]
)
def test_unknown_without_an_id(body: Any) -> None:
    assert isinstance(exchange.created(answered(200, body), ""), providers.Unknown)


def refusal(status: int, **fault: Any) -> providers.Rejected:
    outcome = exchange.created(answered(status, {"error": fault}), KEY)
    assert isinstance(outcome, providers.Rejected)
    return outcome


@pytest.mark.parametrize(
    "outcome",
    [
        refusal(401, message=f"Incorrect API key provided: {KEY}."),
        refusal(402, message="You have no credits."),
        refusal(403, message="Not allowed."),
        refusal(400, code=400, message="API key not valid. Please pass a valid API key."),
        refusal(429, code="insufficient_quota", message="You exceeded your current quota."),
    ],
)
def test_a_refusal_of_the_key_is_about_the_account(outcome: providers.Rejected) -> None:
    assert (outcome.account, outcome.passing, outcome.retryable, outcome.retired) == (True, True, False, False)
    assert KEY not in outcome.message


@pytest.mark.parametrize(
    "outcome",
    [
        refusal(400, code="moderation_blocked", message="Blocked."),
        refusal(400, message="Your request was blocked by our moderation system."),
        refusal(403, code="content_policy_violation", message="No."),
        refusal(422, message="InputTextSensitiveContentDetected"),
        refusal(400, message="SAFETY: the prompt was blocked."),
    ],
)
def test_a_refusal_of_the_content_says_what_to_change(outcome: providers.Rejected) -> None:
    assert (outcome.account, outcome.passing, outcome.retryable) == (False, False, False)
    assert "change the prompt" in outcome.message


@pytest.mark.parametrize(
    ("status", "fault", "retired"),
    [
        (404, {"code": "model_not_found", "message": "No."}, True),
        (404, {"message": "The model veo-3.1-preview is no longer available."}, True),
        (410, {"message": "This model is no longer available."}, True),
        (404, {"message": "The model `x` does not exist or you do not have access to it."}, True),
        (404, {"message": "Publisher Model `projects/p/models/x` was not found."}, True),
        (404, {"message": "Not Found"}, False),
        (404, {"message": "There is no project of this name."}, False),
        (400, {"code": "model_not_found", "message": "No."}, False),
    ],
)
def test_a_model_that_is_sold_no_more(status: int, fault: Any, retired: bool) -> None:
    outcome = refusal(status, **fault)
    assert (outcome.retired, outcome.retryable, outcome.account) == (retired, False, False)


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7),
        ({"retry-after": "0"}, None, 1),
        ({"retry-after": "86400"}, None, 600),
        ({"retry-after": "9" * 400}, None, 600),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"} | DATE, None, 30),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 GMT"} | DATE, None, 1),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None, None),
        ({"retry-after": "soon"} | DATE, None, None),
        ({"retry-after": "-5"}, None, None),
        ({"retry-after-ms": "2500"}, None, 2.5),
        ({"openai-poll-after-ms": "3500"}, None, 3.5),
        ({}, [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}], 34),
        ({}, [{"retryDelay": "9223372036854775807s"}], 600),
        ({}, ["nonsense", {"retryDelay": 5}], None),
        ({}, None, None),
    ],
)
def test_busy_says_when(headers: dict[str, str], details: Any, seconds: float | None) -> None:
    body = {"error": {"code": 429, "message": "Slow down.", "details": details}}
    outcome = exchange.created(answered(429, body, headers), "")
    assert outcome == providers.Rejected("Slow down.", retryable=True, retry_after_s=seconds, passing=True)


def test_busy_says_when_in_words() -> None:
    body = {"detail": "Request was throttled. Your rate limit resets in ~30s."}
    assert exchange.retry_after(answered(429, body), body) == 30


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (aiohttp.ConnectionTimeoutError("Connection timeout"), providers.NotSent),
        (aiohttp.InvalidURL("nowhere"), providers.NotSent),
        (aiohttp.SocketTimeoutError(), providers.Unknown),
        (aiohttp.ServerDisconnectedError(), providers.Unknown),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), providers.Unknown),
        (aiohttp.ClientPayloadError(), providers.Unknown),
        (httpx2.ConnectError("not from our wire"), providers.Unknown),
        (TimeoutError(), providers.Unknown),
        (RuntimeError("https://films.example/?key=1"), providers.Unknown),
    ],
)
def test_lost(fault: Exception, outcome: type) -> None:
    wrapped = RuntimeError("wrapped by an SDK")
    wrapped.__cause__ = fault
    lost = exchange.lost(wrapped, "")
    assert isinstance(lost, outcome)
    assert exchange.lost(fault, "") == exchange.lost(fault, "")
    assert "films.example" not in lost.why


@pytest.mark.parametrize(("status", "outcome"), [(404, providers.Missing()), (429, providers.Pending(5.0))])
def test_poll_without_a_job(status: int, outcome: providers.PollOutcome) -> None:
    assert exchange.unread(answered(status, ENVELOPE, {"retry-after": "5"}), ENVELOPE, "") == outcome


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500, 503])
def test_poll_without_an_answer(status: int) -> None:
    with pytest.raises(providers.ProviderAway):
        exchange.unread(answered(status, b"<html>"), None, "")


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (401, ENVELOPE, providers.KeyRefused),
        (403, b"<html>", providers.KeyRefused),
        (400, {"error": {"message": "No.", "details": [{"reason": "API_KEY_INVALID"}]}}, providers.KeyRefused),
        (400, ENVELOPE, providers.ProviderAway),
        (404, ENVELOPE, providers.ProviderAway),
        (503, b"", providers.ProviderAway),
    ],
)
def test_a_check_tells_a_bad_key_from_a_bad_day(status: int, body: Any, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        exchange.judge(answered(status, body), KEY)
    exchange.judge(answered(204), KEY)
    exchange.judge(answered(404, ENVELOPE), KEY, good={404})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bad key secret-key-1!", "Bad key …!"),
        ("Key sk-ab12****wxyz is wrong", "Key … is wrong"),
        ("see https://films.example/?sig=1 now", "see … now"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6 refused", "token … refused"),
        ("missing_required_parameter: size", "missing_required_parameter: size"),
        ("two\n\x1b[31m lines\ud800", "two [31m lines"),
        ("x " * 500, ("x " * 150).strip()),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert exchange.plain(text, KEY).strip() == shown


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        (Decimal("0.1"), 100_000),
        ("0.1", 100_000),
        (2, 2_000_000),
        (Decimal("0.0000001"), 1),
        (Decimal("1e-30"), 1),
        (0, 0),
        (-1, None),
        ("-0.01", None),
        ("much", None),
        ("NaN", None),
        ("Infinity", None),
        (Decimal("1e30"), None),
        ([], None),
        (None, None),
    ],
)
def test_money_is_exact_and_never_negative(amount: object, micros: int | None) -> None:
    assert exchange.micros(amount) == micros


def test_decimals_are_read_as_they_are_written() -> None:
    body = exchange.loaded(b'{"cost": 0.10, "other": 1e-7}')
    assert (exchange.micros(body["cost"]), exchange.micros(body["other"])) == (100_000, 1)
    assert exchange.loaded(b'{"cost": 1e99999999999999999999}') is None


@pytest.mark.parametrize(
    "said",
    [1795255200, "1795255200", Decimal(1795255200), 1795255200000, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00"],
)
def test_a_moment_is_read_in_every_form(said: Any) -> None:
    assert exchange.moment(said) == datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize("said", [None, 0, -1, "tomorrow", [], 10**400, float("nan"), {}])
def test_no_moment(said: Any) -> None:
    assert exchange.moment(said) is None


@pytest.mark.parametrize("url", [None, 5, "/relative", "ftp://a/b", "https://", "https://a:b/", "http://[::"])
def test_what_is_no_address(url: object) -> None:
    assert exchange.address(url) is None


@pytest.mark.parametrize(
    ("url", "is_at"),
    [
        ("https://films.example/c", True),
        ("https://films.example:443/c", True),
        ("https://FILMS.example/c", True),
        ("http://films.example/c", False),
        ("https://films.example:8443/c", False),
        ("https://films.example@evil.example/", False),
        ("https://films.example.evil/", False),
    ],
)
def test_credentials_stay_at_their_origin(url: str, is_at: bool) -> None:
    assert exchange.address(url) == url
    assert exchange.is_at(url, ENDPOINT) is is_at


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": []}', b'{"data": {"id": null}}', b'{"data": {}}'])
def test_a_callback_about_nothing(body: bytes) -> None:
    assert exchange.subject(b'{"data": {"id": "job-1"}}') == "job-1"
    with pytest.raises(providers.HintInvalid):
        exchange.subject(body)


@pytest.fixture
async def wire() -> AsyncIterator[exchange.Wire]:
    wire = exchange.Wire()
    yield wire
    await wire.close()


async def test_no_order_is_made_by_a_method_that_is_sent_twice(wire: exchange.Wire) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        with pytest.raises(ValueError, match="an order is a POST"):
            await wire.order(method, "http://127.0.0.1:1/", {}, b"")


async def test_what_an_sdk_sends_is_what_arrives(wire: exchange.Wire) -> None:
    seen: list[tuple[Any, ...]] = []

    async def hear(request: web.Request) -> web.Response:
        seen.append((request.method, request.raw_path, await request.read(), request.headers))
        return web.json_response({"id": "job-1"}, status=201, headers={"X-Told": "yes"})

    async with servers.serving(hear) as port, sdk.client(wire) as client:
        address = f"http://127.0.0.1:{port}/a%2Fb?c=%20d"
        told = await client.post(address, content=b"body", headers={"X-Mine": "1", "Accept-Encoding": "br"})
    ((method, path, body, headers),) = seen
    assert (method, path, body) == ("POST", "/a%2Fb?c=%20d", b"body")
    assert (headers["X-Mine"], headers["Accept-Encoding"], headers["Host"]) == ("1", "identity", f"127.0.0.1:{port}")
    assert (told.status_code, told.json(), told.headers["x-told"]) == (201, {"id": "job-1"}, "yes")


async def test_a_call_without_an_answer_is_the_provider_s_absence(wire: exchange.Wire) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.close()
        return web.Response()

    async with servers.serving(hang_up) as port:
        for url in (f"http://127.0.0.1:{port}/", "http://127.0.0.1:1/", "nowhere"):
            with pytest.raises(providers.ProviderAway):
                await wire.call("POST", url, {"Authorization": f"Bearer {KEY}"})


async def test_an_order_to_somebody_else_s_name_is_not_sent(wire: exchange.Wire, tmp_path: Path) -> None:
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response()

    trusted_by_nobody, _ = servers.identity(tmp_path, "films.example")
    async with servers.serving(hear, trusted_by_nobody) as port:
        outcome = await exchange.sent(wire.order("POST", f"https://127.0.0.1:{port}/", {}, b"{}"), KEY)
    assert isinstance(outcome, providers.NotSent)
    assert heard == []


async def test_a_wire_that_was_never_used_can_be_closed_and_used_on() -> None:
    wire = exchange.Wire()
    await wire.close()
    with pytest.raises(providers.ProviderAway):
        await wire.call("GET", "http://127.0.0.1:1/", {})
    await asyncio.gather(wire.close(), wire.close())


async def test_an_address_that_a_stranger_named_leads_to_no_private_one() -> None:
    reached: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.json_response({"id": "job-1"})

    wire = exchange.Wire(public_only=True)
    try:
        async with servers.serving(hear) as port:
            url = f"http://localhost:{port}/videos"
            outcome = await exchange.order(wire.order("POST", url, {}, b"{}"), "key")
            with pytest.raises(providers.ProviderAway):
                await wire.call("GET", url, {})
    finally:
        await wire.close()
    assert isinstance(outcome, providers.NotSent)
    assert not reached


@pytest.mark.parametrize("number", ["169.254.169.254", "168.63.129.16", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
async def test_no_key_goes_to_where_a_cloud_tells_its_secrets(number: str) -> None:
    wire = exchange.Wire()
    try:
        with pytest.raises(providers.ProviderAway, match="Refused"):
            await wire.call("GET", f"http://{number}/latest/meta-data", {})
    finally:
        await wire.close()
