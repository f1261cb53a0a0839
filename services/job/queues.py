"""The queries on what waits and runs, and on what has ended in the last hour."""

import enum
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import errors
from services.job import domain, lifecycle, tables

_JOBS = tables.JOBS
_MOST, _MOST_REASONS = 1000, 20
_RECENT, _SHARES = timedelta(hours=1), {"p50_s": 0.5, "p95_s": 0.95}


class OperatorNeeded(errors.Denied):
    """Only an operator may do this for the whole house."""


class GroupBy(enum.StrEnum):
    """What the lines are for."""

    PROVIDER = "PROVIDER"
    MODEL = "MODEL"
    TENANT = "TENANT"


class Line(NamedTuple):
    """What waits and runs of one key, and what has ended in the last hour: p50 and p95 in seconds, None of nothing, and
    the jobs that failed for each reason.
    """

    key: str
    waiting: int = 0
    parked: int = 0
    running: int = 0
    oldest_waiting: datetime | None = None
    oldest_running: datetime | None = None
    stuck: int = 0
    succeeded: int = 0
    failed: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    failures: Sequence[tuple[str, int]] = ()


_KEYS: dict[GroupBy, sa.ColumnElement[str]] = {
    GroupBy.PROVIDER: sa.func.split_part(_JOBS.c.model, "/", 1),
    GroupBy.MODEL: _JOBS.c.model,
    GroupBy.TENANT: _JOBS.c.tenant_id,
}


async def lines(conn: AsyncConnection, tenant_id: str | None, by: GroupBy, now: datetime) -> list[Line]:
    """One for each key, the longest queue first; of all tenants when none is named."""
    ended = {row.key: row._asdict() for row in await conn.execute(_scoped(_ended(by, now), tenant_id))}
    held = {row.key: row._asdict() for row in await conn.execute(_scoped(_open(by, now), tenant_id))}
    why: dict[str, list[tuple[str, int]]] = defaultdict(list)
    if any(one["failed"] for one in ended.values()):
        for key, reason, failed in await conn.execute(_scoped(_failed(by, now), tenant_id)):
            why[key].append((reason, failed))
    found = (
        held.get(key, {}) | ended.get(key, {}) | {"failures": why[key][:_MOST_REASONS]} for key in {**held, **ended}
    )
    return [Line(**one) for one in found][:_MOST]


def _open(by: GroupBy, now: datetime) -> sa.Select[*tuple[Any, ...]]:
    waits = _JOBS.c.state == domain.JobState.WAITING
    parked = sa.and_(~waits, _JOBS.c.submission_state == "PARKED")
    runs = sa.and_(~waits, _JOBS.c.submission_state != "PARKED")
    silent = _JOBS.c.updated_at < now - lifecycle.STUCK_AFTER
    count = sa.func.count()
    return (
        sa.select(
            _KEYS[by].label("key"),
            count.filter(waits).label("waiting"),
            count.filter(parked).label("parked"),
            count.filter(runs).label("running"),
            sa.func.min(_JOBS.c.created_at).filter(sa.or_(waits, parked)).label("oldest_waiting"),
            sa.func.min(_JOBS.c.created_at).filter(runs).label("oldest_running"),
            count.filter(runs, _JOBS.c.parked.is_(None), silent).label("stuck"),
        )
        .where(_JOBS.c.ended_at.is_(None))
        .group_by(sa.text("key"))
        .order_by(count.desc(), sa.text("key"))
        .limit(_MOST)
    )


def _ended(by: GroupBy, now: datetime) -> sa.Select[Any]:
    done = _JOBS.c.state == domain.JobState.SUCCEEDED
    took = sa.extract("epoch", _JOBS.c.ended_at - _JOBS.c.accepted_at)
    return (
        sa.select(
            _KEYS[by].label("key"),
            sa.func.count().filter(done).label("succeeded"),
            sa.func.count().filter(_JOBS.c.state == domain.JobState.FAILED).label("failed"),
            *(_quantile(took, share).filter(done).label(name) for name, share in _SHARES.items()),
        )
        .where(_JOBS.c.ended_at > now - _RECENT)
        .group_by(sa.text("key"))
        .order_by(sa.text("key"))
        .limit(_MOST)
    )


def _failed(by: GroupBy, now: datetime) -> sa.Select[Any]:
    return (
        sa.select(_KEYS[by].label("key"), _JOBS.c.fault["reason"].astext.label("reason"), sa.func.count().label("jobs"))
        .where(_JOBS.c.ended_at > now - _RECENT, _JOBS.c.state == domain.JobState.FAILED)
        .group_by(sa.text("key"), sa.text("reason"))
        .order_by(sa.text("jobs DESC"), sa.text("reason"))
        .limit(_MOST)
    )


def _quantile(of: sa.ColumnElement[Any], share: float) -> Any:
    """The least value that so large a share does not exceed."""
    return sa.func.percentile_disc(share).within_group(sa.cast(of, sa.Float))


def _scoped(query: sa.Select[Any], tenant_id: str | None) -> sa.Select[Any]:
    return query if tenant_id is None else query.where(_JOBS.c.tenant_id == tenant_id)
