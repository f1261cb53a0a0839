"""Writes the results of many steps in one transaction: whoever waits longest takes the others along."""

import asyncio
import functools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import prometheus_client
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, failpoints, outbox
from services.provider_gateway import budgets, claims, domain, evidence, ledger, store, wire

log = logging.getLogger(__name__)

_MOST = 200
_SAYS_ALL = (domain.Learned.ANSWER, domain.Learned.FOUND, domain.Learned.CALLBACK, domain.Learned.PERSON)
_FREE_ENDS = (domain.State.ABSENT, domain.State.REJECTED, domain.State.CANCELED_FREE)
_AFTER_ALL = prometheus_client.Counter(
    "rushes_paid_after_all", "Submissions that ended as free, and then a provider's job turned up.", ["endpoint"]
)

_LOST = prometheus_client.Counter("rushes_paid_clips_lost", "Paid clips that their provider had deleted.", ["endpoint"])

_CHARGED = prometheus_client.Counter(
    "rushes_charged_micros", "Money that providers have charged, in millionths.", ["endpoint", "model", "currency"]
)

Waiting = tuple[claims.Change, "asyncio.Future[None]"]


class LeaseLost(Exception):
    """Somebody else decides about this submission now: stop, and leave it alone."""


class Recorder:
    """Group commit: while one transaction is under way, results gather for the next.

    What was learned of a paid call is written at once, and takes the others along. What can be asked again waits for
    company where something was written just now: if the process dies meanwhile, it is asked again.
    """

    def __init__(self, database: db.Database, clock: Callable[[], datetime], rest_s: float = 0.05) -> None:
        self._database, self._clock, self._rest_s = database, clock, rest_s
        self._waiting: list[Waiting] = []
        self._writing = asyncio.Lock()
        self._wrote_at = -math.inf

    async def record(self, change: claims.Change) -> None:
        """Return once the change is committed with its money and its news. Raises LeaseLost, or why it failed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if not change.learned:
            await self._company(done)
        async with self._writing:
            while self._waiting and not done.done():  # more may wait before it than go at once
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write(batch)
                self._wrote_at = done.get_loop().time()
        await done

    async def _company(self, done: "asyncio.Future[None]") -> None:
        """Return once another has taken it along, or the last one was written long enough ago."""
        rest_s = self._wrote_at + self._rest_s - done.get_loop().time()
        if rest_s > 0:
            await asyncio.wait([done], timeout=rest_s)

    async def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            async with self._database.house() as conn:
                saved = await record(conn, [change for change, _ in batch], self._clock())
                for change, _ in batch:
                    failpoints.reach(f"record.{change.after.state}.before_commit")
            for change, _ in batch:
                failpoints.reach(f"record.{change.after.state}.committed")
        except Exception as fault:
            if len(batch) == 1:
                batch[0][1].set_exception(fault)
                return
            for one in batch:  # one of them cannot be written: it must not hold up the others
                await self._write([one])
            return
        for change, done in batch:
            _tell(change, saved.get(change.before.id), done)


async def record(
    conn: AsyncConnection, changes: Sequence[claims.Change], now: datetime
) -> dict[str, domain.Submission]:
    """Save what has changed, move its money, and say it, in this transaction; returns what was still ours to decide."""
    if not changes:
        return {}
    saved = await claims.save(conn, changes)
    moved = [change for change in changes if change.before.id in saved]
    entries = [
        ledger.Entry(saved[one.before.id], posting)
        for one in moved
        if (posting := budgets.posting(one.before, one.after))
    ]
    if entries:
        await ledger.post(conn, entries, now)
        db.after_commit(conn, functools.partial(_count, entries))
    if len(moved) < len(changes) or any(one.learned for one in changes):
        await _write_down(conn, changes, saved)
    fresh = (saved[one.before.id] for one in moved if _is_news(one))
    await outbox.put_all(conn, list(news(fresh)))
    return saved


def _count(entries: Sequence[ledger.Entry]) -> None:
    for one, posting in entries:
        if posting.spent > 0:
            _CHARGED.labels(one.endpoint, one.model, one.currency).inc(posting.spent)


def _is_news(change: claims.Change) -> bool:
    """Another state; or the same, waiting for something else or for longer. Of downloads, the first that fails."""
    before, after = change.before, change.after
    if change.is_passing:
        return False
    if after.state is domain.State.PROVIDER_DONE:
        return before.state is domain.State.FETCHING and before.tries == 0
    return before.state is not after.state or after.state is domain.State.PARKED


async def _write_down(
    conn: AsyncConnection, changes: Iterable[claims.Change], saved: dict[str, domain.Submission]
) -> None:
    """Keep what was learned: an answer that is in the row already needs no second place."""
    pieces = [
        evidence.Piece(one.before, one.learned)
        for one in changes
        if one.learned and not (one.learned.kind is domain.Learned.ANSWER and one.before.id in saved)
    ]
    await evidence.add(conn, [one for one in pieces if one.submission.id in saved])
    await heard(conn, [one for one in pieces if one.submission.id not in saved])


async def heard(conn: AsyncConnection, pieces: Sequence[evidence.Piece]) -> None:
    """Keep what was learned by who has no say: who has looks at once. An alert says where it comes too late."""
    await evidence.add(conn, pieces)
    there = [one.submission.id for one in pieces if one.learned.is_of_a_job]
    await store.hurry(conn, [one.submission.id for one in pieces if one.learned.kind in _SAYS_ALL])
    for one in await store.in_states(conn, there, _FREE_ENDS):
        log.error("paid_after_all", extra={"submission_id": one.id, "job_id": one.job_id, "state": one.state})
        _AFTER_ALL.labels(one.endpoint).inc()


def news(submissions: Iterator[domain.Submission]) -> Iterator[outbox.Said]:
    """What others should hear of submissions that have just come to their states, each in its own trace."""
    for submission in submissions:
        if event := wire.news(submission):
            yield outbox.Said(event, {"traceparent": submission.traceparent})


def _tell(change: claims.Change, saved: domain.Submission | None, done: "asyncio.Future[None]") -> None:
    if saved is None:
        done.set_exception(LeaseLost(change.before.id))
        return
    done.set_result(None)
    if saved.state is not change.before.state:
        facts = {"submission_id": saved.id, "job_id": saved.job_id, "from": change.before.state, "to": saved.state}
        log.info("submission_moved", extra=facts)
        if saved.state is domain.State.CLIP_EXPIRED:
            log.error("paid_clip_lost", extra=facts)
            _LOST.labels(saved.endpoint).inc()
