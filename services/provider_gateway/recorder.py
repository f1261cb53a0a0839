"""Writes the results of many steps in one transaction: whoever waits longest takes the others along."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, outbox
from services.provider_gateway import domain, ledger, store, wire

log = logging.getLogger(__name__)

_MOST = 200

Waiting = tuple[store.Change, "asyncio.Future[None]"]


class LeaseLost(Exception):
    """Somebody else decides about this submission now: stop, and leave it alone."""


class Recorder:
    """Group commit: while one transaction is under way, results gather for the next."""

    def __init__(self, database: db.Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._waiting: list[Waiting] = []
        self._writing = asyncio.Lock()

    async def record(self, change: store.Change) -> None:
        """Return once the change is committed with its money and its news. Raises LeaseLost, or why it failed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        async with self._writing:
            if not done.done():
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write(batch)
        await done

    async def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            async with self._database.house() as conn:
                saved = await record(conn, [change for change, _ in batch], self._clock())
        except Exception as fault:
            if len(batch) == 1:
                batch[0][1].set_exception(fault)
                return
            for one in batch:  # one of them cannot be written: it must not hold up the others
                await self._write([one])
            return
        for change, done in batch:
            _tell(change, saved.get(change.before.id), done)


async def record(conn: AsyncConnection, changes: Sequence[store.Change], now: datetime) -> dict[str, domain.Submission]:
    """Save what has changed, move its money, and say it, in this transaction; returns what was still ours to decide."""
    saved = await store.save(conn, changes)
    moved = [change for change in changes if change.before.id in saved]
    entries = [
        ledger.Entry(saved[before.id], posting) for before, after in moved if (posting := domain.posting(before, after))
    ]
    if entries:
        await ledger.post(conn, entries, now)
    await outbox.put_all(
        conn, list(news(saved[before.id] for before, after in moved if before.state is not after.state))
    )
    return saved


def news(submissions: Iterator[domain.Submission]) -> Iterator[outbox.Said]:
    """What others should hear of submissions that have just come to their states, each in its own trace."""
    for submission in submissions:
        if event := wire.news(submission):
            yield outbox.Said(event, {"traceparent": submission.traceparent})


def _tell(change: store.Change, saved: domain.Submission | None, done: "asyncio.Future[None]") -> None:
    if saved is None:
        done.set_exception(LeaseLost(change.before.id))
        return
    done.set_result(None)
    if saved.state is not change.before.state:
        facts = {"submission_id": saved.id, "job_id": saved.job_id, "from": change.before.state, "to": saved.state}
        log.info("submission_moved", extra=facts)
