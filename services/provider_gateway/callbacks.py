"""Providers' callbacks: each submission has an address of its own, and what comes there only hurries the next look."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import prometheus_client
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, failpoints, run
from services.provider_gateway import domain, evidence, keyring, providers, recorder, store
from services.provider_gateway.providers import exchange
from services.provider_gateway.store import METADATA

log = logging.getLogger(__name__)

MOST_BYTES = 64 << 10
"""A longer callback is refused unread."""

CALLBACKS = sa.Table(
    "callbacks",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("submission_id", sa.Text, nullable=False),
    sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
)

_HEARD = prometheus_client.Counter("rushes_callbacks", "Callbacks that came.", ["result"])


_KEPT = timedelta(days=30)
"""Longer than any provider repeats a callback."""


async def sweep(conn: AsyncConnection, now: datetime) -> None:
    """Forget callbacks that will not come again."""
    await conn.execute(sa.delete(CALLBACKS).where(CALLBACKS.c.heard_at < now - _KEPT))


class Addresses:
    """Where each submission is called back: its id, and a word that nobody can guess."""

    def __init__(self, public_url: str | None, secret: str) -> None:
        """Without `public_url` nobody is asked to call back."""
        self._public_url, self._secret = (public_url or "").rstrip("/"), secret.encode()

    def of(self, submission: domain.Submission) -> str | None:
        """The address to put into an order; None when this installation cannot be reached.

        `attempt` repeats the id where an operator of a provider would look for it.
        """
        if not self._public_url:
            return None
        path = f"/callbacks/{submission.id}/{self._word(submission.id)}"
        return f"{self._public_url}{path}?attempt={submission.id}"

    def is_word(self, submission_id: str, word: str) -> bool:
        """Whether this is the submission's own word."""
        return hmac.compare_digest(self._word(submission_id).encode(), word.encode(errors="replace"))

    def _word(self, submission_id: str) -> str:
        return hmac.new(self._secret, submission_id.encode(), hashlib.sha256).hexdigest()[:40]


class Door:
    """Hears callbacks: answers 204 only once what they say is written down."""

    def __init__(
        self, database: db.Database, keys: keyring.Keyring, addresses: Addresses, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._keys, self._addresses, self._clock = database, keys, addresses, clock

    def app(self) -> web.Application:
        """The one route."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post("/callbacks/{submission_id}/{word}", self.hear)
        return app

    def serve(self, listen: str) -> run.Part:
        """A part that serves them at this `host:port` until it is told to stop."""

        async def part(stop: asyncio.Event) -> None:
            host, _, port = listen.rpartition(":")
            runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=5)
            await runner.setup()
            try:
                await web.TCPSite(runner, host.strip("[]"), int(port)).start()
                await stop.wait()
            finally:
                await runner.cleanup()

        return part

    def parts(self, listen: str | None) -> dict[str, run.Part]:
        """That part by its name; none where callbacks are served nowhere."""
        return {"callbacks": self.serve(listen)} if listen else {}

    async def hear(self, request: web.Request) -> web.Response:
        """A callback, from whoever knows the address: it must also be signed by the provider."""
        submission_id = request.match_info["submission_id"]
        if not self._addresses.is_word(submission_id, request.match_info["word"]):
            return _answer(404, "unknown")
        body = await request.read()
        submission = await self._find(submission_id)
        if submission is None:
            return _answer(404, "unknown")
        provider = await self._keys.provider(submission.account, submission.tenant_id)
        if provider.capabilities.webhook == "none":
            return _answer(404, "unwanted")
        try:
            hint = await provider.hint(request.headers, body, self._clock())
            _check(hint)
        except providers.HintInvalid as fault:
            log.warning("callback_refused", extra={"submission_id": submission_id, "why": str(fault)})
            return _answer(401, "refused")
        failpoints.reach("callback.verified")
        return _answer(204, await self._write_down(submission, hint))

    async def _find(self, submission_id: str) -> domain.Submission | None:
        async with self._database.house() as conn:
            found = await store.in_states(conn, [submission_id], list(domain.State))
        return found[0] if found else None

    async def _write_down(self, submission: domain.Submission, hint: providers.Hint) -> str:
        now = self._clock()
        row: dict[str, Any] = {
            "account": submission.account,
            "event_id": hint.event_id,
            "tenant_id": submission.tenant_id,
            "submission_id": submission.id,
            "heard_at": now,
        }
        new = pg.insert(CALLBACKS).values(row).on_conflict_do_nothing().returning(CALLBACKS.c.event_id)
        async with self._database.house() as conn:
            if (await conn.execute(new)).first() is None:
                return "repeated"
            if submission.provider_job_id is None:
                learned = domain.Evidence(domain.Learned.CALLBACK, now, hint.provider_job_id)
                await recorder.heard(conn, [evidence.Piece(submission, learned)])
            await store.hurry(conn, [submission.id])
        failpoints.reach("callback.written")
        return "heard"


def _check(hint: providers.Hint) -> None:
    """Raises HintInvalid for names that no provider gives."""
    named = hint.event_id + hint.provider_job_id
    if not named.isprintable() or max(len(hint.event_id), len(hint.provider_job_id)) > exchange.LONGEST_ID:
        raise providers.HintInvalid("Its names are no names.")


def _answer(status: int, result: str) -> web.Response:
    _HEARD.labels(result).inc()
    return web.Response(status=status)
