"""Makes deliveries that are due, each under a lease: sent at least once, and one dead endpoint delays no other."""

import asyncio
import logging
import random
import ssl
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import aiohttp
import prometheus_client

from libs import db, egress, failpoints, ids, run, telemetry
from services.job import webhook_store, webhooks

log = logging.getLogger(__name__)

_WHOLE_S, _CONNECT_S = 10.0, 5.0
_LEASE_S = 60.0  # far longer than a request may take: a lease that runs out is a process that is gone
_HANDS = 64
_FAILING_HANDS = 16
_LOOK_EVERY_S = 0.5

_ATTEMPTS = prometheus_client.Counter("rushes_webhook_attempts", "Requests to webhook endpoints.", ["result"])


class Post:
    """The way to webhook endpoints: addresses that are public, unless the installation `allows_private` ones.

    No redirects, no proxies, no cookies; bodies of answers are not read. Needs a running event loop.
    """

    def __init__(self, allows_private: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.allows_private = allows_private
        may_reach = _is_no_metadata if allows_private else egress.is_public
        self._session = aiohttp.ClientSession(
            connector=egress.guarded(may_reach=may_reach, limit=0, ssl=tls or ssl.create_default_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_WHOLE_S, sock_connect=_CONNECT_S),
            headers={"User-Agent": "rushes-webhooks/1", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def send(self, leased: webhook_store.Leased, secrets: list[bytes], now: datetime) -> webhooks.Attempt:
        """One request, and what came of it; never raises for what the endpoint does."""
        sent = webhooks.body(leased.delivery)
        signed = webhooks.headers(leased.delivery, sent, secrets, now)
        began, status, fault = asyncio.get_running_loop().time(), None, ""
        try:
            url = egress.parsed(leased.endpoint.url)
            if url.scheme != "https" and not self.allows_private:
                raise egress.Refused("it is not https")
            async with self._session.post(url, data=sent, headers=signed, allow_redirects=False) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError, egress.Refused, ValueError) as error:
            fault = _why(error)
        took_ms = round((asyncio.get_running_loop().time() - began) * 1000)
        return webhooks.Attempt(now, status, fault, took_ms)


class Sender:
    """Moves deliveries; a crash at any line is a lease that runs out, and the same id is sent again.

    `chance` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        database: db.Database,
        post: Post,
        keys: webhooks.Keys,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._post, self._keys, self._clock, self._chance = database, post, keys, clock, chance
        self._running = dict[asyncio.Task[None], bool]()
        self.due = asyncio.Event()

    async def claim(self) -> int:
        """Begin what is due, as many as there are free hands; those that fail never get them all."""
        begun = 0
        for failing, most in ((False, _HANDS), (True, _FAILING_HANDS)):
            held = sum(1 for one in self._running.values() if one or not failing)
            free = min(_HANDS - len(self._running), most - held)
            if free <= 0:
                continue
            async with self._database.house() as conn:
                taken = await webhook_store.claim(conn, self._clock(), uuid.uuid4().hex, _LEASE_S, free, failing)
            for leased in taken:
                task = asyncio.create_task(self._deliver(leased))
                self._running[task] = failing
                task.add_done_callback(self._ended)
            begun += len(taken)
        return begun

    async def test(self, endpoint: webhooks.Endpoint) -> webhooks.Delivery:
        """Send an event of no meaning now, and wait for what comes of it. Raises WebhooksOff."""
        now = self._clock()
        data = {"webhook_endpoint_id": endpoint.id}
        of = (ids.new("whd"), endpoint.tenant_id, endpoint.id, webhooks.TEST, data)
        delivery = webhooks.Delivery(*of, webhooks.DeliveryState.PENDING, now, now)
        leased = webhook_store.Leased(delivery, endpoint, uuid.uuid4().hex)
        self._keys.secret(endpoint)
        async with self._database.house() as conn:
            await webhook_store.add(conn, leased, now + timedelta(seconds=_LEASE_S))
        return await self._make(leased)

    async def settle(self) -> None:
        """Return once what is under way has ended."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def run(self, stop: asyncio.Event) -> None:
        """A part that makes what is due; told to stop, it sees through what is under way."""
        await run.every("webhooks", _LOOK_EVERY_S, self._claimed, self.due)(stop)
        await self.settle()

    async def sweep(self) -> int:
        """Forget what is old; returns how much."""
        async with self._database.house() as conn:
            return await webhook_store.sweep(conn, self._clock())

    async def _claimed(self) -> int:
        await self.claim()
        return 0  # what ends sets `due`: there is nothing to do before

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.due.set()

    async def _deliver(self, leased: webhook_store.Leased) -> None:
        facts = {"delivery_id": leased.delivery.id, "endpoint_id": leased.endpoint.id}
        try:
            after = await self._make(leased)
        except webhook_store.LeaseLost:
            telemetry.lease_lost("webhook")
            log.warning("webhook_lease_lost", extra=facts)
        except Exception:
            log.exception("webhook_failed", extra=facts)  # the lease runs out, and it is sent again
        else:
            log.info("webhook_attempted", extra=facts | {"state": after.state, "attempts": after.attempts})

    async def _make(self, leased: webhook_store.Leased) -> webhooks.Delivery:
        failpoints.reach("webhook.claimed")
        attempt = await self._attempt(leased)
        failpoints.reach("webhook.sent")
        after = webhooks.tried(leased.delivery, attempt, self._chance())
        async with self._database.house() as conn:
            await webhook_store.record(conn, leased, after, attempt)
            failpoints.reach("webhook.before_commit")
        _ATTEMPTS.labels("delivered" if attempt.is_delivered else "failed").inc()
        return after

    async def _attempt(self, leased: webhook_store.Leased) -> webhooks.Attempt:
        now = self._clock()
        try:
            return await self._post.send(leased, self._keys.secrets(leased.endpoint, now), now)
        except webhooks.WebhooksOff:
            return webhooks.Attempt(now, None, "the key of its secret is not here", 0)


def _is_no_metadata(address: str) -> bool:
    return not egress.is_metadata(address)


def _why(error: Exception) -> str:
    """Why there was no answer, without the address and without what the other side said."""
    if isinstance(error, egress.Refused):
        return str(error)
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate cannot be trusted"
    if isinstance(error, aiohttp.ClientConnectorError | OSError) and not isinstance(
        error, aiohttp.ServerConnectionError
    ):
        return "no connection"
    return "the connection broke" if isinstance(error, aiohttp.ClientError) else "its address cannot be read"
