"""One HTTP exchange with a provider: an order is written once, and every answer is read for what it proves."""

import asyncio
import dataclasses
import decimal
import functools
import json
import logging
import re
import ssl
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import aiohttp.abc
import httpx2
import yarl

from libs import egress, failpoints
from services.provider_gateway import providers
from services.provider_gateway.providers import refusals, waits

log = logging.getLogger(__name__)

_ORDER = aiohttp.ClientTimeout(total=120, connect=10, sock_connect=5, sock_read=60)
_CALL = aiohttp.ClientTimeout(total=40, connect=10, sock_connect=5, sock_read=20)
_MAX_ANSWER = 8 << 20
_DEFINITE = {400, 401, 402, 403, 404, 410, 413, 422, 429}
_NEVER_SENT = (
    egress.Refused,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
_MAX_TEXT = 300
LONGEST_ID = 2000
"""No provider's id is longer."""

# Addresses, keys (masked ones too), and long identifiers, which may be keys.
_PRIVATE = re.compile(r"\S*://\S*|\S*\*{3}\S*|(?=[\w-]*\d)[\w-]{24,}")
_LATEST = 32_503_680_000
"""The year 3000: a larger time is in milliseconds."""
_MOST_MONEY = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. The names of `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


Call = Coroutine[Any, Any, Answer | httpx2.Response]
"""One call of the wire, or of an SDK on top of it."""

Read = Callable[[str, Any], providers.Done | None]
"""The provider's id and the JSON of an accepted order → the finished job, if it says so already. Never raises."""


def _is_no_metadata(address: str) -> bool:
    return not egress.is_metadata(address)


class Wire:
    """The way to one endpoint: a connection of its own for every order, kept ones for the rest.

    No redirects, no proxies, no cookies, no compression, and limits of time and size that nothing can change. When
    `public_only`, it leads to public addresses alone, whatever a name says; and never to a cloud's metadata.
    """

    def __init__(self, public_only: bool = False) -> None:
        may_reach = egress.is_public if public_only else _is_no_metadata
        self._connector = functools.partial(egress.guarded, may_reach=may_reach)

    @functools.cached_property
    def _orders(self) -> aiohttp.ClientSession:
        return _session(self._connector(ssl=_tls(), limit=0, force_close=True), _ORDER)

    @functools.cached_property
    def _calls(self) -> aiohttp.ClientSession:
        return _session(self._connector(ssl=_tls(), limit=0), _CALL)

    async def order(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Write an order once: when its connection does not open, nothing was sent. Raises what `lost` reads."""
        if method != "POST":  # the methods that HTTP calls idempotent, aiohttp sends again when a connection breaks
            raise ValueError(f"an order is a POST, not a {method}")
        answer = await _exchanged(self._orders, method, url, headers, _Body(body) if body else None)
        failpoints.reach("order.answered")
        return answer

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Make a call that costs nothing. Raises ProviderAway."""
        try:
            return await _exchanged(self._calls, method, url, headers, body)
        except (aiohttp.ClientError, OSError, egress.Refused) as fault:
            raise providers.ProviderAway(f"No answer came: {_why(fault, '')}") from fault

    async def close(self) -> None:
        """Give the connections back."""
        for name in ("_orders", "_calls"):
            if session := self.__dict__.pop(name, None):
                await session.close()


class _Body(aiohttp.BytesPayload):
    """The bytes of an order: its headers wait for them, so they are the first that is written."""

    async def write_with_length(self, writer: aiohttp.abc.AbstractStreamWriter, content_length: int | None) -> None:
        """See Payload."""
        failpoints.reach("order.connected")
        await super().write_with_length(writer, content_length)
        failpoints.reach("order.sent")


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _session(connector: aiohttp.TCPConnector, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def _exchanged(
    session: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str], body: bytes | _Body | None
) -> Answer:
    there = yarl.URL(url, encoded=True)  # not a sign of it is changed
    async with session.request(method, there, headers=headers, data=body, allow_redirects=False) as response:
        content = bytearray()
        async for part in response.content.iter_any():
            content += part
            if len(content) > _MAX_ANSWER:
                raise aiohttp.ClientPayloadError(f"the answer is larger than {_MAX_ANSWER >> 20} MiB")
        return Answer(response.status, response.headers, bytes(content))


def named(body: Any) -> str | None:
    """The id of the job that the answer to an order names, as most dialects do it."""
    job_id = body.get("id") if isinstance(body, dict) else None
    return str(job_id) if isinstance(job_id, str | int) else None


async def order(
    call: Call, key: str, read_id: Callable[[Any], str | None] = named, read: Read | None = None
) -> providers.CreateOutcome:
    """Make the paid call; `read_id` finds the id in the JSON of a good answer, `read` looks for more in it.

    Never raises, save for being cancelled: then nobody knows.
    """
    answer = await sent(call, key)
    if not isinstance(answer, Answer):
        return answer
    outcome = created(answer, key, read_id)
    if read and isinstance(outcome, providers.Accepted):
        return dataclasses.replace(outcome, done=read(outcome.provider_job_id, parsed(answer)))
    return outcome


async def sent(call: Call, key: str) -> Answer | providers.NotSent | providers.Unknown:
    """Make the paid call: its answer, or what it means that none came. Never raises, save for being cancelled."""
    try:
        async with asyncio.timeout(_ORDER.total):
            return _answer(await call)
    except Exception as fault:  # whatever it is, the order may be on its way
        # SDKs raise for the statuses they do not like; the answer is in what they raise.
        response = getattr(fault, "response", None)
        return _answer(response) if isinstance(response, httpx2.Response) else lost(fault, key)


def _answer(response: Answer | httpx2.Response) -> Answer:
    if isinstance(response, Answer):
        return response
    return Answer(response.status_code, response.headers, response.content)


async def ask(call: Coroutine[Any, Any, Answer]) -> tuple[Answer, Any]:
    """Make a free call; the answer, whatever its status, and its JSON. Raises ProviderAway."""
    answer = await call
    return answer, parsed(answer)


async def check(call: Coroutine[Any, Any, Answer], key: str) -> None:
    """Make a free call that needs the key. Raises KeyRefused, ProviderAway."""
    judge(await call, key)


def judge(answer: Answer, key: str, good: Collection[int] = ()) -> None:
    """Whether the answer to a free call proves the key, which refusals with a `good` status do as well.

    Raises KeyRefused, ProviderAway.
    """
    body = parsed(answer)
    if answer.status in (401, 403) or (answer.status == 400 and refusals.is_of_the_key(_all_said(body))):
        raise providers.KeyRefused(f"The provider answered {answer.status}: it does not accept this key.")
    if not answer.is_success and (answer.status not in good or complaint(body) is None):
        raise away(answer, body, key)


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
    """Of an SDK's wrapping, the outermost cause that the wire knows by name."""
    last = next((cause for cause in _causes(fault) if isinstance(cause, aiohttp.ClientError)), fault)
    return " ".join(filter(None, [type(last).__name__, plain(str(last), key)]))


def created(
    answer: Answer, key: str, read_id: Callable[[Any], str | None] = named
) -> providers.Accepted | providers.Rejected | providers.Unknown:
    """What the answer to an order proves: only the provider's own words count as a refusal."""
    body = parsed(answer)
    if answer.is_success:
        job_id = (read_id(body) or "").strip()
        if job_id.isprintable() and 0 < len(job_id) <= LONGEST_ID and not (key and key in job_id):
            return providers.Accepted(job_id)
        return providers.Unknown(f"The provider answered {answer.status} without the id of a job.")
    said = complaint(body)
    if said is None or answer.status not in _DEFINITE:
        return providers.Unknown(
            f"The provider answered {answer.status}, which does not say whether it took the order."
        )
    return refusals.read(answer.status, plain(said, key), _all_said(body), retry_after(answer, body))


def unread(answer: Answer, body: Any, key: str) -> providers.Missing | providers.Pending:
    """What a poll says that did not answer with a job. Raises ProviderAway."""
    if answer.status == 404:
        return providers.Missing()
    if answer.status == 429:
        return providers.Pending(retry_after(answer, body))
    raise away(answer, body, key)


def away(answer: Answer, body: Any, key: str) -> providers.ProviderAway:
    """To be raised over an answer that is of no use."""
    said = plain(complaint(body) or "", key)
    return providers.ProviderAway(f"The provider answered {answer.status}. {said}".strip())


def parsed(answer: Answer) -> Any:
    """The JSON of an answer, or None."""
    return loaded(answer.content)


def loaded(content: bytes) -> Any:
    """The JSON in these bytes, with decimals as they are written; None when it is none."""
    try:
        return json.loads(content, parse_float=decimal.Decimal)
    except (ValueError, RecursionError, decimal.InvalidOperation):
        return None


def complaint(body: Any) -> str | None:
    """What an error envelope says: `error` as a text or an object, `errors`, FastAPI's `detail`, or a list of those."""
    if isinstance(body, list) and body:
        return complaint(body[0])
    fault = _fault(body)
    if isinstance(fault, list):
        fault = "; ".join(filter(None, (_text(one) for one in fault if isinstance(one, dict))))
    if isinstance(fault, dict):
        fault = _text(fault)
    return str(fault) if fault else None


def _fault(body: Any) -> Any:
    return (body.get("error") or body.get("errors") or body.get("detail")) if isinstance(body, dict) else None


def _text(fault: dict[str, Any]) -> str | None:
    said = next((said for name in ("message", "msg", "code", "type") if (said := fault.get(name))), None)
    return str(said) if said else None


def _all_said(body: Any) -> str:
    """The envelope with all its codes as one text, to look for words in; it is shown to nobody."""
    return str(_fault(body[0] if isinstance(body, list) and body else body))[: 16 * _MAX_TEXT]


def subject(event: bytes) -> str:
    """The id of the job that a callback is about, where it is at `data.id`. Raises HintInvalid."""
    told = loaded(event)
    job_id = named(told.get("data")) if isinstance(told, dict) else None
    if not job_id:
        raise providers.HintInvalid("It does not name a job.")
    return job_id


def plain(text: str, key: str) -> str:
    """A provider's words, fit for people and logs: one short line without addresses and secrets."""
    text = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _MAX_TEXT])
    if len(key) >= 8:
        text = text.replace(key, "…")
    return " ".join(_PRIVATE.sub("…", text).split())[:_MAX_TEXT]


def retry_after(answer: Answer, body: Any = None) -> float | None:
    """When to come back, in seconds from 1 to 600; None when the provider does not say."""
    return waits.read(answer.headers, body, complaint(body) or "")


def moment(value: object) -> datetime | None:
    """Unix seconds or milliseconds, as number or text, or ISO 8601; None for others, and beyond the year 3000."""
    try:
        if isinstance(value, str) and not value.isdigit():
            time = datetime.fromisoformat(value)
            seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        else:
            seconds = float(value)  # type: ignore[arg-type]
            seconds /= 1000 if seconds >= _LATEST else 1
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def micros(amount: object) -> int | None:
    """An amount of money in integer micros, rounded up; None, and a line in the log, when it cannot be one."""
    if amount is None:
        return None
    try:
        exact = decimal.Decimal(amount) if isinstance(amount, str | int | decimal.Decimal) else decimal.Decimal("NaN")
        if 0 <= exact <= _MOST_MONEY:
            return int((exact * 1_000_000).to_integral_value(decimal.ROUND_CEILING))
    except decimal.InvalidOperation:
        pass
    log.warning("strange_provider_cost")
    return None


def address(url: object) -> str | None:
    """The text, if it is an absolute http address."""
    try:
        found = yarl.URL(url) if isinstance(url, str) else None
    except ValueError:
        return None
    return str(url) if found and found.scheme in ("http", "https") and found.raw_host else None


def is_at(url: str, endpoint: providers.Endpoint) -> bool:
    """Whether this address is at the endpoint's own origin: only there do its credentials go."""
    return egress.origin(yarl.URL(url)) == egress.origin(yarl.URL(endpoint.base_url))


@functools.lru_cache(maxsize=64)
def note_strange(status: str) -> None:
    """Log, once for each, a status that no document names; it counts as not done yet."""
    log.warning("strange_provider_status", extra={"status": status[:40]})
