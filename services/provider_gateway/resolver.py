"""Finds out what became of a call whose answer was lost: by evidence, never by trying again on suspicion."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from libs import db, failpoints
from services.provider_gateway import domain, evidence, keyring, lifecycle, orders, providers
from services.provider_gateway.claims import Change, repeats

log = logging.getLogger(__name__)

_WINDOW = timedelta(minutes=2)
"""How far the clocks of a provider may be from ours."""

Ask = Callable[[domain.Submission], Awaitable[providers.PollOutcome]]


class Resolver:
    """Looks into what is known, then at the provider; `ask` polls a job by the id that its submission has."""

    def __init__(
        self,
        database: db.Database,
        keys: keyring.Keyring,
        written: orders.Orders,
        ask: Ask,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._keys, self._orders, self._ask, self._clock = database, keys, written, ask, clock

    async def resolve(self, before: domain.Submission) -> Change | None:
        """What has become of it; None when it should be sent again, to a provider that knows it again."""
        provider = await self._keys.provider(before.account, before.tenant_id)
        sought = self._orders.sought(before, provider)
        async with self._database.house() as conn:
            known = [row.learned for row in await evidence.about(conn, before.id)]
            names = {provider.called(sought, name) for name in lifecycle.named(known)}
            owners = await evidence.taken(conn, before.account, names)
        if before.provider_job_id and not names - owners.keys() - {before.provider_job_id}:
            return await self._ask_again(before)
        if free := names - owners.keys():
            return self._named(before, free)
        can = provider.capabilities
        if not can.idempotency_s and not names and any(one.kind is domain.Learned.ANSWER for one in known):
            return Change(before, lifecycle.absent(before, self._clock()))  # its sender's own word, which came too late
        # Where both can be done they take turns: a repeat whose answers say nothing must not keep us from looking.
        if (can.lookup == "none" or before.tries % 2 == 0) and self._may_repeat(before, provider):
            return None
        if can.lookup == "none":
            return self._unknown(before)
        return await self._look(before, sought, known, provider)

    async def begin_repeat(self, before: domain.Submission, provider: providers.Provider) -> bool:
        """Whether it may still be repeated, after it waited for a free hand; and note that it is."""
        if not self._may_repeat(before, provider):
            return False
        async with self._database.house() as conn:
            return await repeats(conn, before)

    def _unknown(self, before: domain.Submission, learned: domain.Evidence | None = None) -> Change:
        return Change(before, lifecycle.unknown(before, self._clock()), learned)

    def _named(self, before: domain.Submission, names: set[str]) -> Change:
        if len(names) > 1:
            log.error("evidence_contradicts", extra={"submission_id": before.id, "names": len(names)})
            return self._unknown(before)
        return Change(before, lifecycle.accepted(before, names.pop(), self._clock()))

    def _may_repeat(self, before: domain.Submission, provider: providers.Provider) -> bool:
        """Whether the provider still knows the order again: it must be the same account there, and not too late."""
        window = timedelta(seconds=provider.capabilities.idempotency_s)
        return self._is_same_key(before) and lifecycle.may_be_repeated(before, window, self._clock())

    def _is_same_key(self, before: domain.Submission) -> bool:
        return self._keys.is_as_of(before.account, lifecycle.first_sent_at(before) - _WINDOW)

    async def _ask_again(self, before: domain.Submission) -> Change:
        """The provider did not know its own id any more; perhaps it does now."""
        try:
            outcome = await self._ask(before)
        except providers.ProviderAway:
            return self._unknown(before)
        if isinstance(outcome, providers.Missing):
            return self._unknown(before)
        return Change(before, lifecycle.accepted(before, before.provider_job_id or "", self._clock()))

    async def _look(
        self,
        before: domain.Submission,
        sought: providers.Order,
        known: Sequence[domain.Evidence],
        provider: providers.Provider,
    ) -> Change:
        now, can = self._clock(), provider.capabilities
        since = lifecycle.first_sent_at(before) - _WINDOW
        until = (before.answered_at or now) + lifecycle.SETTLING
        try:
            found = set(await provider.find(sought, since, until))
        except providers.ProviderAway as fault:
            log.warning("lookup_failed", extra={"submission_id": before.id, "why": str(fault)})
            return self._unknown(before)
        failpoints.reach("lookup.done")
        if not found:
            return self._nothing(before, known, can, now)
        return await self._found(before, found, known, can, now)

    async def _found(
        self,
        before: domain.Submission,
        found: set[str],
        known: Sequence[domain.Evidence],
        can: providers.Capabilities,
        now: datetime,
    ) -> Change:
        async with self._database.house() as conn:
            free = found - (await evidence.taken(conn, before.account, found)).keys()
            rivalled = can.lookup == "list" and await evidence.has_rival(conn, before)
        if len(free) == 1 and not rivalled:
            learned = domain.Evidence(domain.Learned.FOUND, now, name := free.pop(), f"lookup: {can.lookup}")
            return Change(before, lifecycle.accepted(before, name, now), learned)
        if not free and can.lookup == "list":  # others that are like it; whatever else is looked up is ours alone
            return self._nothing(before, known, can, now)
        note = f"{len(found)} jobs of the provider fit; a person can name the right one"
        return self._unknown(before, domain.Evidence(domain.Learned.AMBIGUOUS, now, "", note))

    def _nothing(
        self, before: domain.Submission, known: Sequence[domain.Evidence], can: providers.Capabilities, now: datetime
    ) -> Change:
        nothing = domain.Evidence(domain.Learned.NOT_FOUND, now, "", f"lookup: {can.lookup}")
        is_strong = can.absence == "strong" and self._is_same_key(before)
        if lifecycle.is_absent(before, [*known, nothing], is_strong, timedelta(seconds=can.list_lag_s), now):
            return Change(before, lifecycle.absent(before, now), nothing)
        return self._unknown(before, nothing)
