"""One HTTP exchange under a provider's SDK: an order is written once, and every answer is read for what it proves."""

import asyncio
import dataclasses
import email.utils
import functools
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import httpx2

from services.provider_gateway import providers

log = logging.getLogger(__name__)

Call = Coroutine[Any, Any, httpx2.Response]
"""One call of an SDK."""

Read = Callable[[str, Any], providers.Done | None]
"""The provider's id and the JSON of an accepted order → the finished job, if it says so already. Never raises."""

_ORDER = {"connect": 5.0, "write": 60.0, "read": 60.0, "pool": 5.0}
_ORDER_S = 120.0
_POLL = {"connect": 5.0, "write": 20.0, "read": 20.0, "pool": 5.0}
_POLL_S = 40.0
_MAX_ANSWER = 8 << 20
_DEFINITE = {400, 401, 402, 403, 404, 413, 422, 429}
_OF_THE_ORDER = {400, 413, 422}
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_MAX_TEXT = 300
# Addresses, keys (masked ones too), and long identifiers, which may be keys.
_PRIVATE = re.compile(r"\S*://\S*|\S*\*{3}\S*|(?=[\w-]*\d)[\w-]{24,}")
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)s?\s*")


def client() -> httpx2.AsyncClient:
    """What an SDK gets to send with. No redirects and no proxies, and nothing it asks for can change `_Wire`."""
    return httpx2.AsyncClient(transport=_Wire(), follow_redirects=False, headers={"accept-encoding": "identity"})


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class _Wire(httpx2.AsyncBaseTransport):
    """A connection of its own for every POST: when it does not open, nothing was sent. Kept ones for the rest."""

    def __init__(self) -> None:
        self._orders = httpx2.AsyncHTTPTransport(verify=_tls(), limits=httpx2.Limits(max_keepalive_connections=0))
        self._polls = httpx2.AsyncHTTPTransport(verify=_tls(), limits=httpx2.Limits(max_keepalive_connections=16))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it with our own time limits."""
        is_order = request.method == "POST"
        request.extensions["timeout"] = _ORDER if is_order else _POLL
        response = await (self._orders if is_order else self._polls).handle_async_request(request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Limited(response.stream)
        return response

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._orders.aclose()
        await self._polls.aclose()


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _MAX_ANSWER
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise httpx2.ReadError(f"the answer is larger than {_MAX_ANSWER >> 20} MiB")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


async def order(call: Call, key: str, read: Read | None = None) -> providers.CreateOutcome:
    """Make the paid call; `read` looks for more in a good answer.

    Never raises, save for being cancelled: then nobody knows.
    """
    try:
        response = await _answer(call, _ORDER_S)
    except Exception as fault:  # whatever it is, the order may be on its way
        return lost(fault, key)
    outcome = created(response, key)
    if read and isinstance(outcome, providers.Accepted):
        return dataclasses.replace(outcome, done=read(outcome.provider_job_id, parsed(response)))
    return outcome


async def ask(call: Call, key: str) -> tuple[httpx2.Response, Any]:
    """Make a free call; the answer, whatever its status, and its JSON. Raises ProviderAway."""
    try:
        response = await _answer(call, _POLL_S)
    except Exception as fault:
        raise providers.ProviderAway(f"No answer came: {_why(fault, key)}") from fault
    return response, parsed(response)


async def _answer(call: Call, seconds: float) -> httpx2.Response:
    """SDKs raise for the statuses they do not like; the answer is in what they raise."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except Exception as fault:
        response = getattr(fault, "response", None)
        if isinstance(response, httpx2.Response):
            return response
        raise


def lost(fault: BaseException, key: str) -> providers.NotSent | providers.Unknown:
    """What it means that no answer came."""
    if any(isinstance(cause, _NEVER_SENT) for cause in _causes(fault)):
        return providers.NotSent(f"No connection to the provider: {_why(fault, key)}")
    return providers.Unknown(f"The order was sent, and no answer came: {_why(fault, key)}")


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    while fault:
        yield fault
        fault = fault.__cause__


def _why(fault: BaseException, key: str) -> str:
    """Of an SDK's wrapping, the innermost cause that httpx2 knows by name."""
    known = [cause for cause in _causes(fault) if isinstance(cause, httpx2.HTTPError)]
    last = known[-1] if known else fault
    return " ".join(filter(None, [type(last).__name__, plain(str(last), key)]))


def created(response: httpx2.Response, key: str) -> providers.Accepted | providers.Rejected | providers.Unknown:
    """What the answer to an order proves: only the provider's own words count as a refusal."""
    status, body = response.status_code, parsed(response)
    if response.is_success:
        job_id = body.get("id") if isinstance(body, dict) else None
        if isinstance(job_id, str | int) and (text := str(job_id).strip()) and text.isprintable():
            return providers.Accepted(text)
        return providers.Unknown(f"The provider answered {status} without the id of a job.")
    said = complaint(body)
    if said is None or status not in _DEFINITE:
        return providers.Unknown(f"The provider answered {status}, which does not say whether it took the order.")
    if status == 401:  # some providers quote the key they refuse
        return providers.Rejected("The provider refused the key; correct the key of this endpoint.", passing=True)
    after_s = retry_after(response, body) if status == 429 else None
    return providers.Rejected(plain(said, key), status == 429, after_s, passing=status not in _OF_THE_ORDER)


def unread(response: httpx2.Response, body: Any, key: str) -> providers.Missing | providers.Pending:
    """What a poll says that did not answer with a job. Raises ProviderAway."""
    if response.status_code == 404:
        return providers.Missing()
    if response.status_code == 429:
        return providers.Pending(retry_after(response, body))
    said = plain(complaint(body) or "", key)
    raise providers.ProviderAway(f"The provider answered {response.status_code}. {said}".strip())


def parsed(response: httpx2.Response) -> Any:
    """The JSON of an answer, or None."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def complaint(body: Any) -> str | None:
    """What an error envelope says: `error` as a text or an object, FastAPI's `detail`, or a list of those."""
    if isinstance(body, list) and body:
        return complaint(body[0])
    if not isinstance(body, dict):
        return None
    fault = body.get("error") or body.get("detail")
    if isinstance(fault, list):
        fault = "; ".join(str(one["msg"]) for one in fault if isinstance(one, dict) and "msg" in one)
    if isinstance(fault, dict):
        fault = fault.get("message") or fault.get("code") or fault.get("type")
    return str(fault) if fault else None


def plain(text: str, key: str) -> str:
    """A provider's words, fit for people and logs: one short line without addresses and secrets."""
    text = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _MAX_TEXT])
    if len(key) >= 8:
        text = text.replace(key, "…")
    return " ".join(_PRIVATE.sub("…", text).split())[:_MAX_TEXT]


def retry_after(response: httpx2.Response, body: Any = None) -> float | None:
    """When to come back, in seconds from 1 to 600; None when the provider does not say."""
    headers = response.headers
    ways = (
        _number(headers.get("retry-after")),
        _until(headers.get("retry-after"), headers.get("date")),
        _thousandth(headers.get("retry-after-ms")),
        _retry_info(body),
    )
    return _clamped(next((seconds for seconds in ways if seconds is not None), None))


def _number(text: object) -> float | None:
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    return float(match[1]) if match else None


def _thousandth(text: object) -> float | None:
    ms = _number(text)
    return None if ms is None else ms / 1000


def _clamped(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 1.0), 600.0)


def _until(date: str | None, now: str | None) -> float | None:
    """By the provider's own clock, which it sends along."""
    try:
        then, sent = (email.utils.parsedate_to_datetime(text or "").timestamp() for text in (date, now))
    except (ValueError, OverflowError):
        return None
    return then - sent


def _retry_info(body: Any) -> float | None:
    """`google.rpc.RetryInfo`, such as `{"retryDelay": "34s"}`."""
    fault = body.get("error") if isinstance(body, dict) else None
    details = fault.get("details") if isinstance(fault, dict) else None
    delays = [one.get("retryDelay") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return next((seconds for delay in delays if (seconds := _number(delay)) is not None), None)


def poll_after(response: httpx2.Response) -> float | None:
    """When the provider wants to be asked again, in seconds from 1 to 600."""
    seconds = _thousandth(response.headers.get("openai-poll-after-ms"))
    return retry_after(response) if seconds is None else _clamped(seconds)


def address(url: object) -> httpx2.URL | None:
    """An absolute http address, or None."""
    try:
        found = httpx2.URL(url) if isinstance(url, str) else None
    except httpx2.InvalidURL:
        return None
    return found if found and found.scheme in ("http", "https") and found.host else None


def is_at(url: httpx2.URL, endpoint: providers.Endpoint) -> bool:
    """Whether it is the endpoint's own origin: only there do its credentials go."""
    home = httpx2.URL(endpoint.base_url)
    return (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)


@functools.lru_cache(maxsize=64)
def note_strange(status: str) -> None:
    """Log, once for each, a status that no document names; it counts as not done yet."""
    log.warning("strange_provider_status", extra={"status": status[:40]})
