"""Moves every submission that is due one step: send, resolve, poll or fetch, under a lease."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import prometheus_client
import sqlalchemy as sa

from libs import db, errors, outbox, run, telemetry
from services.provider_gateway import domain, fetch, providers, recorder, store, wire

log = logging.getLogger(__name__)

_AWAY_S = 0.5
_LOOK_EVERY_S = 0.2
_MOST_KEPT = 1024

Step = Callable[[domain.Submission], Awaitable[domain.Submission]]

_STEPS = prometheus_client.Counter("rushes_submission_steps", "Steps taken with submissions.", ["endpoint", "state"])


class _Nobody:
    """Who sells at an endpoint whose key is not installed any more: its submissions wait."""

    capabilities = providers.Capabilities()

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        return providers.NotSent("No key for this endpoint is installed.")

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        raise providers.ProviderAway("No key for this endpoint is installed.")

    async def close(self) -> None:
        pass


_NOBODY = _Nobody()


class Driver:
    """Drives the submissions this process has claimed; a crash at any line is a lease that runs out."""

    def __init__(
        self,
        database: db.Database,
        sellers: Mapping[str, providers.Provider],
        fetcher: fetch.Fetcher,
        clock: Callable[[], datetime],
        owner: str,
        lease_s: float,
        most: int,
    ) -> None:
        self._database, self._sellers, self._fetcher, self._clock = database, sellers, fetcher, clock
        self._owner, self._lease_s, self._most = owner, lease_s, most
        self._recorder = recorder.Recorder(database, clock)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, providers.Done] = {}
        self.due = asyncio.Event()
        self._steps: dict[domain.State, Step] = {
            domain.State.INTENT: self._cancel,
            domain.State.SENDING: self._send,
            domain.State.UNKNOWN: self._resolve,
            domain.State.UNRESOLVED: self._resolve,
            domain.State.ACCEPTED: self._poll,
            domain.State.FETCHING: self._fetch,
        }

    async def claim(self) -> int:
        """Claim as many as there are free hands; returns how many."""
        free = self._most - len(self._running)
        if free <= 0:
            return 0
        claimed_at = time.monotonic()
        async with self._database.house() as conn:
            claimed = await store.claim(conn, self._owner, self._lease_s, free, self._running)
            lost = (one.submission for one in claimed if one.was is domain.State.SENDING)
            await outbox.put_all(conn, list(recorder.news(lost)))
        for one in claimed:
            task = asyncio.create_task(self._drive(one.submission, claimed_at))
            self._running[one.submission.id] = task
            task.add_done_callback(lambda _, key=one.submission.id: self._ended(key))  # type: ignore[misc]
        return len(claimed)

    async def renew(self) -> int:
        """Hold on to what is being worked on; 0, so that it can be a loop's tick."""
        if self._running:
            async with self._database.house() as conn:
                await store.renew(conn, self._owner, self._lease_s, list(self._running))
        return 0

    async def run(self, stop: asyncio.Event) -> None:
        """A part that moves what is due; told to stop, it holds on to the steps under way and sees them through.

        One part, because the last claim must have ended before anybody can know what there is to wait for.
        """
        done = asyncio.Event()
        renewing = asyncio.ensure_future(run.every("renew", self._lease_s / 4, self.renew)(done))
        try:
            await run.every("claim", _LOOK_EVERY_S, self.claim, self.due)(stop)
            await self.settle()
        finally:
            done.set()
            await renewing

    async def settle(self) -> None:
        """Return once the steps under way have ended: a paid call is never cut off."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _ended(self, submission_id: str) -> None:
        del self._running[submission_id]
        self.due.set()

    async def _drive(self, before: domain.Submission, claimed_at: float) -> None:
        facts = {"submission_id": before.id, "job_id": before.job_id, "state": before.state}
        with telemetry.span(f"step {before.state}", {"traceparent": before.traceparent}):
            try:
                if before.state is domain.State.SENDING and time.monotonic() - claimed_at > self._lease_s / 2:
                    after = domain.not_sent(before, self._clock())  # too late to send under this lease
                else:
                    after = await self._steps[before.state](before)
                await self._record(store.Change(before, after))
                _STEPS.labels(before.endpoint, before.state).inc()
            except recorder.LeaseLost:
                log.warning("lease_lost", extra=facts)
            except Exception:
                log.exception("step_failed", extra=facts)

    async def _record(self, change: store.Change) -> None:
        """Write down what a step found out. It may have been paid for: a database that is away is waited for."""
        while True:
            try:
                return await self._recorder.record(change)
            except (recorder.LeaseLost, sa.exc.IntegrityError):
                raise
            except (errors.Unavailable, sa.exc.DBAPIError) as fault:  # away, full, locked or slow: it passes
                facts = {"submission_id": change.before.id, "to": change.after.state, "fault": type(fault).__name__}
                log.warning("record_waits", extra=facts)
                await asyncio.sleep(_AWAY_S)

    async def _cancel(self, before: domain.Submission) -> domain.Submission:
        """An intent that was cancelled while it could not be seen: it had not been sent after all, or was not there."""
        return domain.canceled(before, self._clock())

    async def _send(self, before: domain.Submission) -> domain.Submission:
        """The one paid call."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                first_frame = await stack.enter_async_context(self._fetcher.still(wire.first_frame_key(before)))
            except (errors.Error, OSError) as fault:
                why = f"The first frame cannot be had: {type(fault).__name__}."
                return self._created(before, providers.NotSent(why))
            outcome = await self._seller(before).create(wire.order(before, first_frame))
        return self._created(before, outcome)

    async def _resolve(self, before: domain.Submission) -> domain.Submission:
        """Find out what became of a call whose answer was lost: only where the provider promises to know it again."""
        now = self._clock()
        if self._seller(before).capabilities.idempotent and domain.may_be_repeated(before, now):
            return await self._send(before)
        return domain.unknown(before, now)

    def _created(self, before: domain.Submission, outcome: providers.CreateOutcome) -> domain.Submission:
        now = self._clock()
        match outcome:
            case providers.Accepted(provider_job_id, done):
                if done:
                    self._keep(before, done)
                return domain.accepted(before, provider_job_id, now)
            case providers.Rejected(message, retryable, _, passing) if (
                before.state is domain.State.SENDING or not passing
            ):
                return domain.rejected(before, message, retryable, now)
            case providers.NotSent(why) if before.state is domain.State.SENDING:
                log.warning("not_sent", extra={"submission_id": before.id, "why": why})
                return domain.not_sent(before, now)
            # A repeat that is refused for the moment proves nothing about the order it repeats.
            case providers.NotSent(why) | providers.Unknown(why) | providers.Rejected(why):
                log.warning("outcome_unknown", extra={"submission_id": before.id, "why": why})
                return domain.unknown(before, now)

    async def _poll(self, before: domain.Submission) -> domain.Submission:
        try:
            outcome = self._done.pop(before.id, None) or await self._ask(before)
        except providers.ProviderAway as fault:
            log.warning("provider_away", extra={"submission_id": before.id, "why": str(fault)})
            return domain.away(before, self._clock())
        now, capabilities = self._clock(), self._seller(before).capabilities
        match outcome:
            case providers.Pending(after_s):
                return domain.pending(before, after_s, now)
            case providers.Missing():
                return domain.missing(before, now)
            case providers.Failed(message, retryable, charged):
                charged = capabilities.charges_failed if charged is None else charged
                return domain.provider_failed(before, message, retryable, charged, now)
            case providers.Done() as done:
                self._keep(before, done)
                kept_s = capabilities.retention_s
                expires_at = done.expires_at or (now + timedelta(seconds=kept_s) if kept_s else None)
                return domain.provider_done(before, done.cost_micros, expires_at, now)

    async def _fetch(self, before: domain.Submission) -> domain.Submission:
        try:
            # A fresh address after every failure: the old one may be what failed.
            done = self._done.pop(before.id, None) or await self._ask(before)
            if not isinstance(done, providers.Done):
                raise fetch.ClipGone("the provider has no clip for it at the moment")
            clip = await self._fetcher.fetch(before, done.url, done.headers)
        except (fetch.FetchFailed, providers.ProviderAway) as fault:
            log.warning("fetch_failed", extra={"submission_id": before.id, "why": str(fault)})
            return domain.fetch_failed(before, str(fault), isinstance(fault, fetch.ClipGone), self._clock())
        return domain.stored(before, clip, self._clock())

    async def _ask(self, before: domain.Submission) -> providers.PollOutcome:
        return await self._seller(before).poll(before.provider_job_id or "")

    def _seller(self, submission: domain.Submission) -> providers.Provider:
        return self._sellers.get(submission.endpoint, _NOBODY)

    def _keep(self, submission: domain.Submission, done: providers.Done) -> None:
        """Save a poll; what another process went on with is forgotten in time."""
        self._done[submission.id] = done
        if len(self._done) > _MOST_KEPT:
            del self._done[next(iter(self._done))]
