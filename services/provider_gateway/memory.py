"""Knows when the database is a restored copy, which has forgotten what was sent since, and doubts what it says of that.

docs/adr/0040-a-restored-database-has-forgotten.md
"""

import logging

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, outbox
from services.provider_gateway import domain, recorder, store, whereabouts
from services.provider_gateway.store import SUBMISSIONS

log = logging.getLogger(__name__)

_RESTORES = prometheus_client.Counter("rushes_restores", "Restored copies of the database that were come upon.")
_DOUBTED = prometheus_client.Counter("rushes_doubted_orders", "Orders that may have been sent before a restore.")
_WHY = "The database was restored from a copy, after which it may have been sent. It may be charged: it is looked for."
_FAULT = {"reason": "OUTCOME_UNKNOWN", "message": _WHY, "retryable": False}

_LOOK = sa.select(whereabouts.WHEREABOUTS.c.place, whereabouts.HERE.label("here")).with_for_update()
_SETTLE = sa.text("""
    INSERT INTO whereabouts (place) VALUES (database_place())
    ON CONFLICT ("only") DO UPDATE SET place = database_place(), restored_at = now()""")
_NOTE_WAITING = (
    sa.update(SUBMISSIONS)
    .where(
        SUBMISSIONS.c.state.in_([domain.State.PARKED, domain.State.INTENT, domain.State.SENDING]),
        SUBMISSIONS.c.doubted_from.is_(None),
    )
    .values(doubted_from=sa.func.coalesce(SUBMISSIONS.c.sent_at, SUBMISSIONS.c.created_at))
)
_BEGIN = sa.update(SUBMISSIONS).where(
    SUBMISSIONS.c.state == domain.State.INTENT, SUBMISSIONS.c.doubted_from.is_not(None)
)
_LOSE = sa.update(SUBMISSIONS).where(
    SUBMISSIONS.c.state == domain.State.SENDING, SUBMISSIONS.c.doubted_from.is_not(None)
)
_BURY_SENDERS = (
    sa.update(SUBMISSIONS)
    .where(
        SUBMISSIONS.c.state.in_([domain.State.UNKNOWN, domain.State.UNRESOLVED]), SUBMISSIONS.c.answered_at.is_(None)
    )
    .values(answered_at=sa.func.now())
)


async def doubt(conn: AsyncConnection) -> int:
    """Send none of the intents that may have been sent: they are looked for, as any whose answer was lost.

    The way there is the one of a sender that died. Whoever sent them is gone since the restore: that must be over
    before anything of ours runs on the copy.
    """
    ended = sa.func.coalesce(sa.select(whereabouts.WHEREABOUTS.c.restored_at).scalar_subquery(), sa.func.now())
    await conn.execute(_BEGIN.values(state=domain.State.SENDING, sent_at=sa.func.now()))
    lost = _LOSE.values(
        state=domain.State.UNKNOWN,
        sent_at=sa.func.now(),
        answered_at=ended,
        updated_at=sa.func.now(),
        next_action_at=sa.func.now(),
        fault=_FAULT,
        tries=0,
        lease_owner=None,
        lease_until=None,
        lease_epoch=SUBMISSIONS.c.lease_epoch + 1,
    )
    found = [store.submission_of(row) for row in (await conn.execute(lost.returning(SUBMISSIONS))).mappings()]
    await outbox.put_all(conn, list(recorder.news(iter(found))))
    _DOUBTED.inc(len(found))
    return len(found)


class Memory:
    """Looks whether the database is where it was; until it has, nothing is sent from another place."""

    def __init__(self, database: db.Database) -> None:
        self._database = database

    async def look(self) -> int:
        """Settle in a new place, and doubt what a copy that came there says of unsent orders; 0, for a loop's tick."""
        async with self._database.house() as conn:
            known = (await conn.execute(_LOOK)).first()
            if known is not None and known.place == known.here:
                return 0
            doubted = await self._settle(conn) if known is not None else 0
            await conn.execute(_SETTLE)
        if known is not None:
            _RESTORES.inc()
            log.error("database_restored", extra={"was": known.place, "here": known.here, "doubted": doubted})
        return 0

    async def _settle(self, conn: AsyncConnection) -> int:
        await conn.execute(_NOTE_WAITING)
        await conn.execute(_BURY_SENDERS)
        return await doubt(conn)
