"""Watches the clips that are paid and not yet here: how many, how long they can still be had, and which are late."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.provider_gateway import domain, store

log = logging.getLogger(__name__)

_MOST_LATE = 100
_WAITING = prometheus_client.Gauge("rushes_paid_clips_waiting", "Clips that are paid and not yet stored.", ["endpoint"])
_LEAST_LEFT = prometheus_client.Gauge(
    "rushes_paid_clips_least_seconds_left",
    "How long the provider still keeps the paid clip that expires first; below zero, it may be gone.",
    ["endpoint"],
)
_OLDEST_S = prometheus_client.Gauge(
    "rushes_paid_clips_oldest_age_seconds", "How long ago the first of them was finished.", ["endpoint"]
)


class Waiting(NamedTuple):
    """The paid clips of one endpoint that are not stored; `first_expiry` is None where nobody knows it."""

    endpoint: str
    clips: int
    first_expiry: datetime | None
    first_finished: datetime | None


class Late(NamedTuple):
    """A paid clip that has waited for half of the time for which its provider keeps it."""

    submission_id: str
    endpoint: str
    expires_at: datetime


class Watch:
    """Every replica sees the whole house: alerts take the largest count and the least time, not sums."""

    def __init__(self, database: db.Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._endpoints = set[str]()
        self._warned = set[str]()

    async def look(self) -> int:
        """Set the gauges, and warn of each late clip once; 0, so that it can be a loop's tick."""
        now = self._clock()
        async with self._database.house() as conn:
            waiting, late = await waiting_clips(conn), await late_clips(conn, now, _MOST_LATE)
        self._show(waiting, now)
        for clip in late:
            if clip.submission_id not in self._warned:
                left_s = round((clip.expires_at - now).total_seconds())
                facts = {"submission_id": clip.submission_id, "endpoint": clip.endpoint, "seconds_left": left_s}
                log.warning("paid_clip_waits", extra=facts)
        self._warned = {clip.submission_id for clip in late}
        return 0

    def _show(self, waiting: Sequence[Waiting], now: datetime) -> None:
        for endpoint in self._endpoints - {one.endpoint for one in waiting}:
            _WAITING.labels(endpoint).set(0)
            _OLDEST_S.labels(endpoint).set(0)
        for endpoint in self._endpoints - {one.endpoint for one in waiting if one.first_expiry}:
            _LEAST_LEFT.remove(endpoint)
        for one in waiting:
            self._endpoints.add(one.endpoint)
            _WAITING.labels(one.endpoint).set(one.clips)
            waited = now - one.first_finished if one.first_finished else timedelta()
            _OLDEST_S.labels(one.endpoint).set(max(0.0, waited.total_seconds()))
            if one.first_expiry:
                _LEAST_LEFT.labels(one.endpoint).set((one.first_expiry - now).total_seconds())


_PAID = sa.and_(
    store.SUBMISSIONS.c.state.in_([domain.State.PROVIDER_DONE, domain.State.FETCHING]),
    store.SUBMISSIONS.c.next_action_at.is_not(None),
)


_LOG = store.SUBMISSION_LOG.c
_FINISHED_AT = (
    sa.select(sa.func.min(_LOG.at))
    .where(_LOG.submission_id == store.SUBMISSIONS.c.id, _LOG.state == domain.State.PROVIDER_DONE)
    .correlate(store.SUBMISSIONS)
    .scalar_subquery()
)


async def waiting_clips(conn: AsyncConnection) -> list[Waiting]:
    """What is paid and not stored, by endpoint."""
    table = store.SUBMISSIONS.c
    firsts = (sa.func.min(table.clip_expires_at), sa.func.min(_FINISHED_AT))
    query = sa.select(table.endpoint, sa.func.count(), *firsts)
    return [Waiting(*row) for row in await conn.execute(query.where(_PAID).group_by(table.endpoint))]


async def late_clips(conn: AsyncConnection, now: datetime, most: int) -> list[Late]:
    """Those that have used half of their retention since the provider finished them, the most urgent first."""
    table = store.SUBMISSIONS.c
    query = (
        sa.select(table.id, table.endpoint, table.clip_expires_at)
        .where(_PAID, table.clip_expires_at - now <= now - _FINISHED_AT)
        .order_by(table.clip_expires_at)
        .limit(most)
    )
    return [Late(*row) for row in await conn.execute(query)]
