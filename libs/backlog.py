"""Measures what a service has not got rid of: events not yet published, and dead letters."""

import prometheus_client

from libs import db, outbox, run

_LOOK_EVERY_S = 15.0
_MOST_COUNTED = 10_000

_PENDING = prometheus_client.Gauge(
    "rushes_outbox_pending", "Events that JetStream has not acknowledged yet; ten thousand may be more."
)
_OLDEST_S = prometheus_client.Gauge("rushes_outbox_oldest_age_seconds", "For how long the oldest of them has waited.")
_DEAD = prometheus_client.Gauge("rushes_dead_letters", "Events that could not be handled, and wait for a person.")


def watch(database: db.Database) -> run.Part:
    """A part that looks every 15 seconds; every replica sees the same, so alerts take the largest, not sums."""

    async def look() -> int:
        async with database.house() as conn:
            waiting = await outbox.waiting(conn, _MOST_COUNTED)
        _PENDING.set(waiting.events)
        _OLDEST_S.set(waiting.oldest_age_s)
        _DEAD.set(waiting.dead_letters)
        return 0

    return run.every("backlog", _LOOK_EVERY_S, look)
