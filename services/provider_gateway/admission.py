"""Letting orders in: each becomes a submission that has its money, or waits for it with a reason and a date."""

import dataclasses
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, db, errors, failpoints, ids, outbox
from rushes.provider_gateway.v1.quote_pb2 import Quote, QuoteItem
from services.provider_gateway import (
    budgets,
    catalogue,
    claims,
    domain,
    keyring,
    ledger,
    lifecycle,
    memory,
    models,
    recorder,
    store,
    whereabouts,
    wire,
)

_MOST_AT_ONCE = 64

Terms = Mapping[str, QuoteItem]
"""A quote's items, by scene."""

Refusal = tuple[bus.Heard, errors.Error]


class Admission:
    """Who may buy: the order must be quoted, its stills one's own, its model sold, a key there, and the money left."""

    def __init__(self, offer: catalogue.Catalogue, keys: keyring.Keyring, clock: Callable[[], datetime]) -> None:
        self._offer, self._keys, self._clock = offer, keys, clock

    async def take(self, conn: AsyncConnection, heard: Sequence[bus.Heard]) -> list[Refusal]:
        """Write a submission for each order, in this transaction; returns the orders that can never be one."""
        now = self._clock()
        terms = await _terms(conn, {one.event.quote_id for one in heard})
        cancelled = await store.cancelled(conn, {one.event.job_id for one in heard})
        accounts = await self._accounts(conn, heard)
        restored = await whereabouts.restored_at(conn)
        refused_by = await store.accounts_tried(conn, {one.event.job_id for one in heard if one.event.attempt > 1})
        wanted, refusals = list[domain.Submission](), list[Refusal]()
        for one in heard:
            try:
                if (one.event.tenant_id, one.event.job_id) in cancelled:
                    raise domain.Canceled
                wire.check_order(one.event)
                item = wire.quoted_item(terms.get((one.event.tenant_id, one.event.quote_id), {}), one.event)
                account = _account(
                    accounts[one.event.tenant_id, one.event.spec.model], refused_by.get(one.event.job_id)
                )
                wanted.append(self._intent(one, item, account, now, restored))
            except errors.Error as error:
                refusals.append((one, error))
        await self._hold(conn, await _in_turn(conn, wanted), now)
        return refusals

    async def let_in(self, database: db.Database) -> int:
        """Try again for those that have waited until now; returns how many can be sent."""
        now = self._clock()
        async with database.house() as conn:
            stale = await store.lock_stale(conn, now - lifecycle.SENT_AT_LATEST, _MOST_AT_ONCE)
            await recorder.record(conn, [claims.Change(one, _ended(one, now)) for one in stale], now)
        async with database.house() as conn:  # another: walls are locked once in each, in one order
            waiting = await _wanted(conn, await store.lock_parked(conn, _MOST_AT_ONCE), now)
            if not waiting:
                return 0
            held, denied = await ledger.hold(conn, waiting, now)
            before = {one.id: one for one in waiting}
            in_turn = await _in_turn(conn, held)
            let_in = [claims.Change(before[one.id], lifecycle.admitted(one, now)) for one in in_turn]
            parked = [claims.Change(before[one.id], _parked(one, denial, now)) for one, denial in denied]
            await recorder.record(conn, [*let_in, *parked], now)
            if any(one.doubted_from for one in held):
                await memory.doubt(conn)
            failpoints.reach("admit.before_commit")
        failpoints.reach("admit.committed")
        return len(held)

    async def _accounts(
        self, conn: AsyncConnection, heard: Sequence[bus.Heard]
    ) -> Mapping[tuple[str, str], deque[str]]:
        """The accounts that each tenant can buy each model with; none where nobody sells it to them."""
        endpoints = {model.id: model.endpoint for model in self._offer.models}
        endpoints[""] = endpoints[self._offer.default_model]
        found = dict[tuple[str, str], deque[str]]()
        for tenant_id, model in {(one.event.tenant_id, one.event.spec.model) for one in heard}:
            known = await self._keys.accounts(conn, tenant_id, endpoints[model]) if model in endpoints else []
            found[tenant_id, model] = deque(account.name for account in known)
        return found

    def _intent(
        self, heard: bus.Heard, item: QuoteItem, account: str | None, now: datetime, restored: datetime | None
    ) -> domain.Submission:
        model = self._offer.find(heard.event.spec.model or self._offer.default_model)
        self._offer.usable(model.id, {model.endpoint} if account else set(), now.date())
        models.check(model, heard.event.spec)
        event, trace = heard.event, heard.headers.get("traceparent", "")
        # Always the same for the same attempt: who was restored to before it finds under this id what it has bought.
        new_id, doubted_from = (
            ids.nth("sub", event.job_id, event.attempt),
            whereabouts.doubted_from(event.job_id, restored),
        )
        return wire.submission_of(event, item, model, account or "", new_id, trace, now, doubted_from)

    async def _hold(self, conn: AsyncConnection, wanted: Sequence[domain.Submission], now: datetime) -> None:
        if not wanted:
            return
        held, denied = await ledger.hold(conn, wanted, now)
        parked = [_parked(one, denial, now) for one, denial in denied]
        await store.insert_submissions(conn, [*held, *parked])
        if any(one.doubted_from for one in held):
            await memory.doubt(conn)
        await outbox.put_all(conn, list(recorder.news(iter(parked))))
        failpoints.reach("intent.before_commit")


async def _wanted(conn: AsyncConnection, parked: Sequence[domain.Submission], now: datetime) -> list[domain.Submission]:
    """Those that are wanted still; the others end here."""
    gone = await store.cancelled(conn, {one.job_id for one in parked})
    canceled = [one for one in parked if (one.tenant_id, one.job_id) in gone]
    await recorder.record(conn, [claims.Change(one, lifecycle.canceled(one, now)) for one in canceled], now)
    return [one for one in parked if one not in canceled]


async def withdraw(conn: AsyncConnection, tenant_id: str, job_id: str, now: datetime) -> None:
    """End the job's submission where that is free; else note the wish."""
    submission = await store.lock_unsent(conn, tenant_id, job_id)
    if submission:
        await recorder.record(conn, [claims.Change(submission, lifecycle.canceled(submission, now))], now)
    else:
        await store.want_cancel(conn, tenant_id, job_id, now)


def _account(names: deque[str], refused_by: Collection[str] | None) -> str | None:
    """The next in turn, rather one that has not refused the job before."""
    chosen = next((name for name in names if name not in (refused_by or ())), names[0] if names else None)
    if chosen:  # who has been used goes to the end
        names.remove(chosen)
        names.append(chosen)
    return chosen


def _ended(one: domain.Submission, now: datetime) -> domain.Submission:
    """An intent that nobody wants any more, or that could not be sent for too long."""
    return lifecycle.canceled(one, now) if one.cancel_wanted_at else lifecycle.given_up(one, now)


def _parked(one: domain.Submission, denial: budgets.Denial, now: datetime) -> domain.Submission:
    return lifecycle.parked(one, domain.Fault(denial.reason, denial.message), denial.retry_at, now)


async def _in_turn(conn: AsyncConnection, wanted: Sequence[domain.Submission]) -> list[domain.Submission]:
    """Each with its place in the fair order of tenants."""
    last = await store.turns(conn, {(one.account, one.tenant_id) for one in wanted})
    placed = []
    for one in wanted:
        last[one.account, one.tenant_id] += 1
        placed.append(dataclasses.replace(one, turn=last[one.account, one.tenant_id]))
    return placed


async def _terms(conn: AsyncConnection, quote_ids: set[str]) -> dict[tuple[str, str], Terms]:
    found = await store.quotes(conn, quote_ids)
    return {
        (tenant_id, quote_id): {item.scene_id: item for item in Quote.FromString(content).items}
        for quote_id, (tenant_id, content) in found.items()
    }
