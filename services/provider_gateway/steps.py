"""One step with one submission: send it, have it found again, ask how it is going, or bring its clip home."""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs import db, errors, failpoints
from services.provider_gateway import (
    callbacks,
    catalogue,
    domain,
    fetch,
    keyring,
    lifecycle,
    metering,
    orders,
    pace,
    providers,
    resolver,
    wire,
)
from services.provider_gateway.claims import Change, Claimed

log = logging.getLogger(__name__)

_MOST_KEPT = 4096
MOST_SENT_AT_ONCE = 64
"""More orders than this are not begun: what waits for a hand would count as sent."""

_MOST_FETCHED_AT_ONCE, _OF_ONE_TENANT = 48, 32

S = domain.State


class Watch(Protocol):
    """Who is told how calls went."""

    def went(self, account: str, operation: str, well: bool) -> None:
        """A call ended: with any answer of the provider's own, or without one."""
        ...

    def pause(self, account: str, reason: str, seconds: float | None) -> None:
        """The provider wants no more orders of this account for a while."""
        ...

    def sending(self, account: str) -> contextlib.AbstractContextManager[None]:
        """While an order of this account is being sent."""
        ...


class Steps:
    """The steps, each from a claimed submission to what has become of it."""

    def __init__(
        self,
        database: db.Database,
        offer: catalogue.Catalogue,
        keys: keyring.Keyring,
        fetcher: fetch.Fetcher,
        door: callbacks.Addresses,
        watch: Watch,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._offer, self._keys, self._fetcher = database, offer, keys, fetcher
        self._watch, self._clock = watch, clock
        self._orders = orders.Orders(offer, fetcher, door)
        self._resolver = resolver.Resolver(database, keys, self._orders, self._ask, clock)
        self._pace = pace.Pace()
        self._done: dict[str, providers.Done] = {}
        self._sending = asyncio.Semaphore(MOST_SENT_AT_ONCE)
        self._fetching = asyncio.Semaphore(_MOST_FETCHED_AT_ONCE)
        self._fetching_for = weakref.WeakValueDictionary[str, asyncio.Semaphore]()
        self._by_state: Mapping[S, Callable[[Claimed], Awaitable[Change]]] = {
            S.INTENT: self._cancel,
            S.SENDING: self._send_claimed,
            S.UNKNOWN: self._resolve,
            S.UNRESOLVED: self._resolve,
            S.ACCEPTED: self._poll,
            S.FETCHING: self._fetch,
        }

    async def take(self, claimed: Claimed) -> Change:
        """Take the step that the submission's state asks for."""
        return await self._by_state[claimed.submission.state](claimed)

    async def poll_many(self, claimed: Sequence[Claimed]) -> AsyncIterator[Change]:
        """Ask for all of them, which were bought with one account, in few calls."""
        provider = await self._provider(claimed[0].submission)
        ids = [one.submission.provider_job_id or "" for one in claimed if one.submission.id not in self._done]
        try:
            told = await provider.poll_many(ids) if ids else {}
            self._watch.went(claimed[0].submission.account, "poll", True)
        except providers.ProviderAway as fault:
            self._watch.went(claimed[0].submission.account, "poll", False)
            log.warning("provider_away", extra={"account": claimed[0].submission.account, "why": str(fault)})
            for one in claimed:
                yield Change(one.submission, lifecycle.away(one.submission, self._clock()))
            return
        left_out = []
        for one in claimed:
            outcome = self._done.pop(one.submission.id, None) or told.get(one.submission.provider_job_id or "")
            if outcome:
                yield self._told(one.submission, outcome, provider)
            else:
                left_out.append(one)
        for change in await asyncio.gather(*map(self._poll, left_out)):
            yield change

    def polls_by_list(self, submission: domain.Submission) -> bool:
        """Whether one call can say how many of its account's jobs are going."""
        terms = self._offer.endpoints.get(submission.endpoint)
        return terms is not None and terms.capabilities.polls_by_list

    async def _cancel(self, claimed: Claimed) -> Change:
        """An intent whose cancel could not be heard in time: it had not been sent after all, or was not there."""
        return Change(claimed.submission, lifecycle.canceled(claimed.submission, self._clock()))

    async def _send_claimed(self, claimed: Claimed) -> Change:
        before = claimed.submission
        try:
            self._offer.usable(before.model, {before.endpoint}, self._clock().date())
        except errors.Error as fault:  # it was sold when it was quoted, and is not any more
            return Change(before, lifecycle.refused(before, fault.reason, str(fault), self._clock()))
        with self._watch.sending(before.account):
            return await self._send(before)

    async def _send(self, before: domain.Submission) -> Change:
        """The one paid call; or the same again, to a provider that knows it again."""
        async with self._sending, contextlib.AsyncExitStack() as stack:
            provider = await self._keys.provider(before.account, before.tenant_id, buying=before.state is S.SENDING)
            try:
                order = await stack.enter_async_context(self._orders.to_send(before, provider))
            except (errors.Error, OSError) as fault:
                outcome: providers.CreateOutcome = providers.NotSent(f"A still cannot be had: {type(fault).__name__}.")
            else:
                if before.state is S.UNKNOWN and not await self._resolver.begin_repeat(before, provider):
                    return Change(before, lifecycle.unknown(before, self._clock()))
                outcome = await provider.create(order)
                is_answered = not isinstance(outcome, providers.NotSent | providers.Unknown)
                self._watch.went(before.account, "create", is_answered)
        return await self._created(before, outcome)

    async def _created(self, before: domain.Submission, outcome: providers.CreateOutcome) -> Change:
        now, first_try = self._clock(), before.state is S.SENDING
        match outcome:
            case providers.Accepted(provider_job_id, done):
                if done:
                    self._keep(before, done)
                wait_s = 0 if done else self._pace.first_s(before.model)
                answer = domain.Evidence(domain.Learned.ANSWER, now, provider_job_id)
                after = lifecycle.accepted(before, provider_job_id, now, wait_s)
                return Change(before, after, answer, is_passing=done is not None)
            case providers.Rejected() if first_try or not (outcome.passing or outcome.retired):
                return await self._rejected(before, outcome)
            case providers.NotSent(why) if first_try:
                log.warning("not_sent", extra={"submission_id": before.id, "why": why})
                return Change(before, lifecycle.not_sent(before, now), domain.not_taken(now, why))
            # A repeat that is refused for the moment proves nothing about the order it repeats.
            case providers.NotSent(why) | providers.Unknown(why) | providers.Rejected(why):
                level = logging.WARNING if first_try else logging.INFO
                log.log(level, "outcome_unknown", extra={"submission_id": before.id, "why": why})
                lost = lifecycle.answer_lost if first_try else lifecycle.repeat_lost
                return Change(before, lost(before, now, why))

    async def _rejected(self, before: domain.Submission, refusal: providers.Rejected) -> Change:
        now = self._clock()
        if refusal.retired:
            if before.account.startswith("endpoint:"):  # a tenant's own server speaks for nobody else
                self._offer.note(before.model, False)
            why = f"The provider sells {before.model} no more; nothing is charged. {refusal.message}"
            return Change(before, lifecycle.refused(before, "MODEL_RETIRED", why, now), domain.not_taken(now, why))
        if refusal.account or refusal.passing:
            self._watch.pause(before.account, _why_paused(before, refusal), refusal.retry_after_s)
        retryable = refusal.retryable
        if refusal.account:
            async with self._database.house() as conn:
                await self._keys.judged(conn, before.account, refusal.message)
                others = await self._keys.accounts(conn, before.tenant_id, before.endpoint)
            retryable = any(one.name != before.account for one in others)
        return Change(
            before, lifecycle.rejected(before, refusal.message, retryable, now), domain.not_taken(now, refusal.message)
        )

    async def _resolve(self, claimed: Claimed) -> Change:
        return await self._resolver.resolve(claimed.submission) or await self._send(claimed.submission)

    async def _poll(self, claimed: Claimed) -> Change:
        before = claimed.submission
        provider = await self._provider(before)
        try:
            if claimed.cancels and provider.capabilities.cancel != "none":
                await provider.cancel(before.provider_job_id or "")
            outcome = self._done.pop(before.id, None) or await self._ask(before)
        except providers.ProviderAway as fault:
            log.warning("provider_away", extra={"submission_id": before.id, "why": str(fault)})
            return Change(before, lifecycle.away(before, self._clock()))
        return self._told(before, outcome, provider)

    def _told(self, before: domain.Submission, outcome: providers.PollOutcome, provider: providers.Provider) -> Change:
        """What a poll makes of an accepted submission."""
        failpoints.reach("poll.told")
        now = self._clock()
        match outcome:
            case providers.Pending(after_s):
                return Change(before, lifecycle.pending(before, after_s, now))
            case providers.Missing():
                return Change(before, lifecycle.missing(before, now))
            case providers.Failed(message, retryable):
                cost = _cost_of_failure(before, outcome, provider.capabilities)
                return Change(before, lifecycle.provider_failed(before, message, retryable, cost, now))
            case providers.Done() as done:
                self._keep(before, done)
                self._pace.note(before.model, now - (before.sent_at or before.created_at))
                kept_s = provider.capabilities.retention_s
                sent_at = before.sent_at or before.created_at
                # A date before the order is no date; one in the past can be true: we may have been away.
                told = done.expires_at if done.expires_at and done.expires_at > sent_at else None
                expires_at = told or (now + timedelta(seconds=kept_s) if kept_s else None)
                return Change(before, lifecycle.provider_done(before, done.cost_micros, expires_at, now))

    async def _fetch(self, claimed: Claimed) -> Change:
        before = claimed.submission
        try:
            # A fresh address after every failure: the old one may be what failed.
            done = self._done.pop(before.id, None) or await self._ask(before)
            if not isinstance(done, providers.Done):
                raise fetch.ClipGone("the provider has no clip for it at the moment")
            home = (await self._provider(before)).home
            async with self._turn_of(before.tenant_id), self._fetching:
                seconds = wire.ordered_seconds(before)
                with metering.call(before.endpoint, "fetch"):
                    clip = await self._fetcher.fetch(before, done.url, done.headers, home, seconds)
        except (fetch.FetchFailed, providers.ProviderAway) as fault:
            log.warning("fetch_failed", extra={"submission_id": before.id, "why": str(fault)})
            gone = isinstance(fault, fetch.ClipGone)
            return Change(before, lifecycle.fetch_failed(before, str(fault), gone, self._clock()))
        return Change(before, lifecycle.stored(before, clip, self._clock()))

    def _turn_of(self, tenant_id: str) -> asyncio.Semaphore:
        """However slowly a tenant's clips come, there is a hand for those of others."""
        return self._fetching_for.setdefault(tenant_id, asyncio.Semaphore(_OF_ONE_TENANT))

    async def _ask(self, before: domain.Submission) -> providers.PollOutcome:
        provider = await self._provider(before)
        try:
            outcome = await provider.poll(before.provider_job_id or "")
        except providers.ProviderAway:
            self._watch.went(before.account, "poll", False)
            raise
        self._watch.went(before.account, "poll", True)
        return outcome

    async def _provider(self, submission: domain.Submission) -> providers.Provider:
        return await self._keys.provider(submission.account, submission.tenant_id)

    def _keep(self, submission: domain.Submission, done: providers.Done) -> None:
        """Save a poll; what another process went on with is forgotten in time."""
        self._done[submission.id] = done
        if len(self._done) > _MOST_KEPT:
            del self._done[next(iter(self._done))]


def _why_paused(before: domain.Submission, refusal: providers.Rejected) -> str:
    """Everybody who shares an account reads it: nobody's order is quoted there."""
    if not before.account.startswith("endpoint:"):
        return refusal.message
    return "The provider refuses the key." if refusal.account else "The provider takes no orders at the moment."


def _cost_of_failure(before: domain.Submission, failed: providers.Failed, can: providers.Capabilities) -> int:
    if failed.cost_micros is not None:
        return failed.cost_micros
    by_default = can.charges_cancelled if failed.cancelled else can.charges_failed
    return before.reserved_micros if (by_default if failed.charged is None else failed.charged) else 0
