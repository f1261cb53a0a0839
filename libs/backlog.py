"""Measures what a service has not got rid of: events not yet published, and dead letters."""

import prometheus_client
import sqlalchemy as sa

from libs import db, run
from libs.outbox import DEAD_LETTERS, OUTBOX

_LOOK_EVERY_S = 15.0
_MOST_COUNTED = 10_000

_PENDING = prometheus_client.Gauge(
    "rushes_outbox_pending", "Events that JetStream has not acknowledged yet; ten thousand may be more."
)
_OLDEST_S = prometheus_client.Gauge("rushes_outbox_oldest_age_seconds", "For how long the oldest of them has waited.")
_DEAD = prometheus_client.Gauge("rushes_dead_letters", "Events that could not be handled, and wait for a person.")

_WAITING = (
    sa.select(OUTBOX.c.created_at).where(OUTBOX.c.published_at.is_(None)).order_by(OUTBOX.c.id).limit(_MOST_COUNTED)
).subquery()
_AGE = sa.extract("epoch", sa.func.clock_timestamp() - sa.func.min(_WAITING.c.created_at))
_OUTBOX = sa.select(sa.func.count(), sa.func.coalesce(_AGE, 0)).select_from(_WAITING)
_LETTERS = sa.select(sa.func.count()).where(DEAD_LETTERS.c.state == "DEAD")


def watch(database: db.Database) -> run.Part:
    """A part that looks every 15 seconds; every replica sees the same, so alerts take the largest, not sums."""

    async def look() -> int:
        async with database.house() as conn:
            waiting, oldest_s = (await conn.execute(_OUTBOX)).one()
            dead = (await conn.execute(_LETTERS)).scalar_one()
        _PENDING.set(waiting)
        _OLDEST_S.set(float(oldest_s))
        _DEAD.set(dead)
        return 0

    return run.every("backlog", _LOOK_EVERY_S, look)
