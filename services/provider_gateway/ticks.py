"""Moves every submission that is due one step: send, resolve, poll or fetch, under a lease."""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import prometheus_client
import sqlalchemy as sa
from opentelemetry import trace
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, errors, failpoints, outbox, run, telemetry
from services.provider_gateway import claims, domain, keyring, lifecycle, recorder, steps, traffic

log = logging.getLogger(__name__)

_AWAY_S = 0.5
_LOOK_EVERY_S = 0.2
_REST_S = 0.05  # what comes due at nearly the same time costs less by the dozen

_ASKS = frozenset({domain.State.ACCEPTED, domain.State.UNKNOWN, domain.State.UNRESOLVED})

_STEPS = prometheus_client.Counter("rushes_submission_steps", "Steps taken with submissions.", ["endpoint", "state"])
_LATE_S = prometheus_client.Histogram(
    "rushes_poll_lateness_seconds",
    "How long after its time a poll began.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300),
)


class _Hand(NamedTuple):
    """A step under way, and for whom."""

    task: asyncio.Task[None]
    tenant_id: str
    is_sending: bool


class Driver:
    """Drives the submissions this process has claimed; a crash at any line is a lease that runs out."""

    def __init__(
        self,
        database: db.Database,
        taking: steps.Steps,
        keys: keyring.Keyring,
        gates: traffic.Traffic,
        clock: Callable[[], datetime],
        owner: str,
        lease_s: float,
        most: int,
    ) -> None:
        self._database, self._taking, self._keys, self._gates = database, taking, keys, gates
        self._clock, self._owner, self._lease_s, self._most = clock, owner, lease_s, most
        self._recorder = recorder.Recorder(database, clock)
        self._running = dict[str, _Hand]()
        self.due = asyncio.Event()

    async def claim(self) -> int:
        """Claim as many as there are free hands; returns how many."""
        free = self._most - len(self._running)
        if free <= 0:
            return 0
        claimed_at = time.monotonic()
        async with self._database.house() as conn:
            most = max(1, free // 2)  # the rest is for those who are not here yet
            claimed = await claims.claim(conn, self._owner, self._lease_s, most, self._running, self._crowding())
            lost = (one.submission for one in claimed if one.was is domain.State.SENDING)
            await outbox.put_all(conn, list(recorder.news(lost)))
            hands = steps.MOST_SENT_AT_ONCE - sum(hand.is_sending for hand in self._running.values())
            claimed += await self._begin(conn, min(free - len(claimed), hands))
            for one in claimed:
                failpoints.reach(f"claim.{one.was}.before_commit")
        for one in claimed:
            failpoints.reach(f"claim.{one.was}.committed")
        for group in self._groups(claimed):  # nothing between the commit and this may fail: they are ours to drive
            task = asyncio.create_task(self._drive(group, claimed_at))
            for one in group:
                is_sending = one.submission.state is domain.State.SENDING
                self._running[one.submission.id] = _Hand(task, one.submission.tenant_id, is_sending)
            task.add_done_callback(lambda _, group=group: self._ended(group))  # type: ignore[misc]
        return len(claimed)

    async def _begin(self, conn: AsyncConnection, free: int) -> list[claims.Claimed]:
        """Orders to send, of every account that may send now: paid clips and polls have been served first."""
        begun: list[claims.Claimed] = []
        for account in await claims.waiting_accounts(conn) if free > 0 else []:
            room = await self._gates.room(conn, account, free - len(begun))
            if room > 0:
                own = await claims.begin(conn, self._owner, self._lease_s, account, room, self._running)
                if own:
                    await self._gates.sent(conn, account, len(own))
                    await self._keys.used(conn, account)
                begun += own
        return begun

    def _groups(self, claimed: Sequence[claims.Claimed]) -> list[list[claims.Claimed]]:
        """Polls that one call can answer go together; everything else on its own."""
        alone: list[list[claims.Claimed]] = []
        polls: dict[str, list[claims.Claimed]] = collections.defaultdict(list)
        for one in claimed:
            if one.was is domain.State.ACCEPTED and not one.cancels:
                polls[one.submission.account].append(one)
            else:
                alone.append([one])
        for group in polls.values():
            together = len(group) > 1 and self._taking.polls_by_list(group[0].submission)
            alone += [group] if together else [[one] for one in group]
        return alone

    async def renew(self) -> int:
        """Hold on to what is being worked on; 0, so that it can be a loop's tick."""
        if self._running:
            failpoints.reach("lease.renew")
            async with self._database.house() as conn:
                await claims.renew(conn, self._owner, self._lease_s, list(self._running))
        return 0

    async def run(self, stop: asyncio.Event) -> None:
        """A part that moves what is due; told to stop, it holds on to the steps under way and sees them through.

        One part, because the last claim must have ended before anybody can know what there is to wait for.
        """
        done = asyncio.Event()
        renewing = asyncio.ensure_future(run.every("renew", self._lease_s / 4, self.renew)(done))
        try:
            await run.every("claim", _LOOK_EVERY_S, self.claim, self.due, _REST_S)(stop)
            await self.settle()
        finally:
            done.set()
            await renewing

    async def settle(self) -> None:
        """Return once the steps under way have ended: a paid call is never cut off."""
        await asyncio.gather(*(hand.task for hand in self._running.values()), return_exceptions=True)

    def _crowding(self) -> list[str]:
        """The tenants whose steps, slow downloads say, have half of all hands: others come first."""
        held = collections.Counter(hand.tenant_id for hand in self._running.values())
        return [tenant_id for tenant_id, hands in held.items() if hands >= self._most / 2]

    def _ended(self, group: Sequence[claims.Claimed]) -> None:
        for one in group:
            self._running.pop(one.submission.id, None)
        self.due.set()

    async def _drive(self, group: Sequence[claims.Claimed], claimed_at: float) -> None:
        first = group[0].submission
        facts = {"submission_id": first.id, "job_id": first.job_id, "state": first.state, "together": len(group)}
        with _span(group):
            try:
                changes = self._changes(group, claimed_at)
                await asyncio.gather(*[asyncio.ensure_future(self._record(change)) async for change in changes])
                _STEPS.labels(first.endpoint, first.state).inc(len(group))
            except recorder.LeaseLost:
                telemetry.lease_lost("submission")
                log.warning("lease_lost", extra=facts)
            except Exception:
                log.exception("step_failed", extra=facts)

    async def _changes(self, group: Sequence[claims.Claimed], claimed_at: float) -> AsyncIterator[claims.Change]:
        for one in group:
            if one.was is domain.State.ACCEPTED and one.submission.next_action_at:
                _LATE_S.observe(max(0.0, (self._clock() - one.submission.next_action_at).total_seconds()))
        if len(group) > 1:
            async for change in self._taking.poll_many(group):
                yield change
            return
        before = group[0].submission
        if before.state is domain.State.SENDING and time.monotonic() - claimed_at > self._lease_s / 2:
            now = self._clock()  # too late to send under this lease
            yield claims.Change(before, lifecycle.not_sent(before, now), domain.not_taken(now, "nothing was sent"))
        else:
            yield await self._taking.take(group[0])

    async def _record(self, change: claims.Change) -> None:
        """Write down what a step found out. It may have been paid for: a database that is away is waited for."""
        while True:
            try:
                return await self._recorder.record(change)
            except sa.exc.IntegrityError:
                if change.after.provider_job_id == change.before.provider_job_id:
                    raise
                change = self._collided(change)
            except recorder.LeaseLost:
                raise
            except (errors.Unavailable, sa.exc.DBAPIError) as fault:  # away, full, locked or slow: it passes
                if _is_unwritable(fault):
                    raise
                facts = {"submission_id": change.before.id, "to": change.after.state, "fault": type(fault).__name__}
                log.warning("record_waits", extra=facts)
                await asyncio.sleep(_AWAY_S)

    def _collided(self, change: claims.Change) -> claims.Change:
        """The provider answered with the id of another submission's job: that names nothing."""
        now = self._clock()
        log.error("provider_id_collision", extra={"submission_id": change.before.id, "job_id": change.before.job_id})
        note = "the provider answered with the id of another submission's job"
        learned = domain.Evidence(domain.Learned.AMBIGUOUS, now, "", note)
        return claims.Change(change.before, _of_no_use(change)(change.before, now), learned)


def _span(group: Sequence[claims.Claimed]) -> contextlib.AbstractContextManager[trace.Span]:
    """Orders and downloads belong to the trace that ordered them; what is asked again and again is linked to it."""
    first = group[0].submission
    title, headers = f"step {first.state}", [{"traceparent": one.submission.traceparent} for one in group]
    told: dict[str, telemetry.Attribute] = {
        "rushes.submission.id": first.id,
        "rushes.job.id": first.job_id,
        "rushes.job.attempt": first.attempt,
        "rushes.endpoint": first.endpoint,
        "rushes.together": len(group),
    }
    if first.state in _ASKS:
        return telemetry.apart(title, headers, attributes=told)
    return telemetry.span(title, headers[0], attributes=told)


def _of_no_use(change: claims.Change) -> Callable[[domain.Submission, datetime], domain.Submission]:
    """What becomes of a submission whose answer names nothing; a lookup says nothing of its sender."""
    if change.before.state is domain.State.SENDING:
        return lifecycle.answer_lost
    is_answer = change.learned is not None and change.learned.kind is domain.Learned.ANSWER
    return lifecycle.repeat_lost if is_answer else lifecycle.unknown


def _is_unwritable(fault: Exception) -> bool:
    """Whether the database can never take such a value, by its SQLSTATE; the lease runs out, and the log says so."""
    return (getattr(getattr(fault, "orig", None), "sqlstate", None) or "").startswith(("22", "54"))
