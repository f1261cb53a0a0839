"""What the gateway does about the facts it hears."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, errors, ids, outbox
from rushes.job.v1.events_pb2 import CancelRequested, ClipRequested
from rushes.provider_gateway.v1.quote_pb2 import Quote, QuoteItem
from services.provider_gateway import catalogue, domain, ledger, recorder, store, wire

Terms = Mapping[str, QuoteItem]
"""A quote's items, by scene."""


class Events:
    """The handlers, with what they need to know: the models, the endpoints that have a key here, and the time."""

    def __init__(self, offer: catalogue.Catalogue, configured: frozenset[str], clock: Callable[[], datetime]) -> None:
        self._offer, self._configured, self._clock = offer, configured, clock

    def handlers(self) -> bus.Handlers:
        """What to do about each event."""
        return {ClipRequested: bus.Together(self.on_clips_requested), CancelRequested: self.on_cancel_requested}

    async def on_clips_requested(self, conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
        """Reserve the money and write the intents, in this one transaction; or say why not."""
        now = self._clock()
        new = await _unknown(conn, heard)
        quotes = await _terms(conn, {one.event.quote_id for one in new})
        cancelled = await store.cancelled(conn, {one.event.job_id for one in new})
        intents, refusals = [], []
        for one in new:
            tenant_id = one.event.tenant_id
            try:
                if (tenant_id, one.event.job_id) in cancelled:
                    raise domain.Canceled
                intents.append((one, self._intent(one, quotes.get((tenant_id, one.event.quote_id), {}), now)))
            except errors.Error as error:
                refusals.append((one, error))
        held, denied = await _hold(conn, intents)
        if held:
            await store.insert_submissions(conn, held)
            await ledger.write(conn, [ledger.Entry(one, domain.reservation(one)) for one in held], now)
        await outbox.put_all(
            conn,
            [
                outbox.Said(wire.order_refused(one.event, error, wire.CURRENCY, now), one.headers)
                for one, error in refusals + denied
            ],
        )

    async def on_cancel_requested(self, conn: AsyncConnection, event: CancelRequested) -> None:
        """Cancel what has not been sent; anything later is finished and kept."""
        now = self._clock()
        await store.note_cancel(conn, event.tenant_id, event.job_id, now)
        submission = await store.lock_unsent(conn, event.tenant_id, event.job_id)
        if submission:
            await recorder.record(conn, [store.Change(submission, domain.canceled(submission, now))], now)

    def _intent(self, heard: bus.Heard, terms: Terms, now: datetime) -> domain.Submission:
        item = wire.quoted_item(terms, heard.event)
        model = self._offer.usable(heard.event.spec.model, self._configured, now.date())
        trace = heard.headers.get("traceparent", "")
        return wire.submission_of(heard.event, item, model, ids.new("sub"), trace, now)


async def _unknown(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> list[bus.Heard]:
    """The orders that have no submission yet, each once."""
    known = await store.attempts(conn, {event.job_id for event, _ in heard})
    attempts = {(one.event.job_id, one.event.attempt): one for one in heard}
    return [one for attempt, one in attempts.items() if attempt not in known]


async def _terms(conn: AsyncConnection, quote_ids: set[str]) -> dict[tuple[str, str], Terms]:
    found = await store.quotes(conn, quote_ids)
    return {
        (tenant_id, quote_id): {item.scene_id: item for item in Quote.FromString(content).items}
        for quote_id, (tenant_id, content) in found.items()
    }


async def _hold(
    conn: AsyncConnection, intents: Sequence[tuple[bus.Heard, domain.Submission]]
) -> tuple[list[domain.Submission], list[tuple[bus.Heard, errors.Error]]]:
    """Set the money aside for all of a tenant's intents at once; where that is too much, one after the other."""
    held: list[domain.Submission] = []
    denied: list[tuple[bus.Heard, errors.Error]] = []
    in_order = sorted(intents, key=_purse)
    for (tenant_id, currency), group in itertools.groupby(in_order, key=_purse):
        together = list(group)
        total = sum(submission.reserved_micros for _, submission in together)
        if await ledger.hold_if_left(conn, tenant_id, currency, total):
            held += [submission for _, submission in together]
            continue
        for one, submission in together:
            if await ledger.hold_if_left(conn, tenant_id, currency, submission.reserved_micros):
                held.append(submission)
            else:
                budget = await ledger.open_budget(conn, tenant_id, currency, 0)
                denied.append((one, domain.exceeded(budget, submission.reserved_micros)))
    return held, denied


def _purse(intent: tuple[bus.Heard, domain.Submission]) -> tuple[str, str]:
    return intent[1].tenant_id, intent[1].currency
