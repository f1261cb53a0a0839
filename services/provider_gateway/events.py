"""What the gateway does about the facts it hears."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, errors, ids, outbox
from rushes.job.v1.events_pb2 import CancelRequested, ClipRequested
from rushes.provider_gateway.v1.quote_pb2 import Quote
from services.provider_gateway import catalogue, domain, ledger, store, wire

HEARS = (ClipRequested, CancelRequested)


class Events:
    """The handlers, with what they need to know: the models, the endpoints that have a key here, and the time."""

    def __init__(self, offer: catalogue.Catalogue, configured: frozenset[str], clock: Callable[[], datetime]) -> None:
        self._offer, self._configured, self._clock = offer, configured, clock

    def handlers(self) -> bus.Handlers:
        """What to do about each event."""
        return {ClipRequested: self.on_clip_requested, CancelRequested: self.on_cancel_requested}

    async def on_clip_requested(self, conn: AsyncConnection, event: ClipRequested) -> None:
        """Reserve the money and write the intent, in this one transaction; or say why not."""
        now = self._clock()
        try:
            await self._open(conn, event, now)
        except errors.Error as error:
            await outbox.put(conn, wire.order_refused(event, error, "USD", now))

    async def on_cancel_requested(self, conn: AsyncConnection, event: CancelRequested) -> None:
        """Cancel what has not been sent; anything later is finished and kept."""
        now = self._clock()
        submission = await store.lock_unsent(conn, event.tenant_id, event.job_id)
        if submission is None:
            return
        after = await store.save(conn, submission, domain.canceled(submission, now))
        if posting := domain.posting(submission, after):
            await ledger.post(conn, after, posting, now)
        if news := wire.news(after):
            await outbox.put(conn, news)

    async def _open(self, conn: AsyncConnection, event: ClipRequested, now: datetime) -> None:
        quote = Quote.FromString(await store.get_quote(conn, event.tenant_id, event.quote_id))
        item = wire.quoted_item(quote, event)
        model = self._offer.usable(event.spec.model, self._configured, now.date())
        submission = wire.submission_of(event, item, model.endpoint, model.wire_model, ids.new("sub"), now)
        if await store.attempt_exists(conn, event.job_id, event.attempt):
            return
        if not await ledger.hold_if_left(conn, submission):
            raise await self._exceeded(conn, submission)
        await store.insert_submission(conn, submission)
        await ledger.write(conn, submission, domain.reservation(submission), now)

    async def _exceeded(self, conn: AsyncConnection, submission: domain.Submission) -> domain.BudgetExceeded:
        budget = await ledger.open_budget(conn, submission.tenant_id, submission.currency, 0)
        return exceeded(budget, submission.reserved_micros)


def exceeded(budget: domain.Budget, needed_micros: int) -> domain.BudgetExceeded:
    """What to say when the budget has less left."""

    def amount(micros: int) -> str:
        return f"{micros / 1e6:.2f} {budget.currency}"

    return domain.BudgetExceeded(
        needed=amount(needed_micros), left=amount(budget.left_micros), limit=amount(budget.limit_micros)
    )
