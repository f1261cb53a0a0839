"""Measures jobs and productions: how many there are, how old the oldest is, and how those went that ended."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.job import domain, lifecycle, tables

_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400)
_JOBS = prometheus_client.Gauge("rushes_jobs", "Jobs that are not over.", ["state"])
_OLDEST_JOB_S = prometheus_client.Gauge(
    "rushes_job_oldest_age_seconds", "How long ago the oldest of them was created.", ["state"]
)
_STUCK = prometheus_client.Gauge("rushes_jobs_stuck", "Jobs that were asked for, and of which nothing is heard.")
_PRODUCTIONS = prometheus_client.Gauge("rushes_productions", "Productions that are not over.", ["state"])
_OLDEST_PRODUCTION_S = prometheus_client.Gauge(
    "rushes_production_oldest_age_seconds", "How long ago the oldest of them was created.", ["state"]
)
_CREATED = prometheus_client.Counter("rushes_jobs_created", "Jobs that were created.")
_FINISHED = prometheus_client.Counter("rushes_jobs_finished", "Jobs that ended.", ["outcome"])
_TOOK_S = prometheus_client.Histogram(
    "rushes_job_duration_seconds", "From the creation of a job to its end.", ["outcome"], buckets=_BUCKETS
)
_START_S = prometheus_client.Histogram(
    "rushes_job_start_seconds", "From the creation of a job to the provider's yes.", buckets=_BUCKETS
)
_FILMED = prometheus_client.Counter("rushes_productions_finished", "Productions that ended.", ["outcome"])
_FILMING_S = prometheus_client.Histogram(
    "rushes_production_duration_seconds", "From the order of a film to its end.", ["outcome"], buckets=_BUCKETS
)
for _end in ("SUCCEEDED", "FAILED", "CANCELED"):
    for _one in (_FINISHED, _TOOK_S, _FILMED, _FILMING_S):
        _one.labels(_end)

_OPEN_JOBS = [state for state in domain.JobState if state not in domain.JOB_ENDS]
_OPEN_PRODUCTIONS = [state for state in domain.ProductionState if state not in domain.PRODUCTION_ENDS]


def _open(table: sa.Table) -> sa.Select[Any]:
    oldest = sa.cast(sa.extract("epoch", sa.func.now() - sa.func.min(table.c.created_at)), sa.Float)
    return sa.select(table.c.state, sa.func.count(), oldest).where(table.c.ended_at.is_(None)).group_by(table.c.state)


_HELD_JOBS, _HELD_PRODUCTIONS = _open(tables.JOBS), _open(tables.PRODUCTIONS)
_IS_ASKED_FOR = tables.JOBS.c.state.in_([domain.JobState.RUNNING, domain.JobState.CANCELING])
_SILENT = sa.select(sa.func.count()).where(
    tables.JOBS.c.ended_at.is_(None),
    _IS_ASKED_FOR,
    tables.JOBS.c.parked.is_(None),
    tables.JOBS.c.updated_at < sa.bindparam("since", type_=sa.DateTime(timezone=True)),
)


class Gauges:
    """Every replica sees the whole house: alerts take the largest, not sums."""

    def __init__(self, database: db.Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock

    async def look(self) -> int:
        """Set the gauges; 0, so that it can be a loop's tick."""
        async with self._database.house() as conn:
            jobs = {state: (held, age) for state, held, age in await conn.execute(_HELD_JOBS)}
            filmed = {state: (held, age) for state, held, age in await conn.execute(_HELD_PRODUCTIONS)}
            stuck = (await conn.execute(_SILENT, {"since": self._clock() - lifecycle.STUCK_AFTER})).scalar_one()
        for state in _OPEN_JOBS:
            count, oldest_s = jobs.get(state, (0, 0.0))
            _JOBS.labels(state).set(count)
            _OLDEST_JOB_S.labels(state).set(oldest_s)
        for of in _OPEN_PRODUCTIONS:
            count, oldest_s = filmed.get(of, (0, 0.0))
            _PRODUCTIONS.labels(of).set(count)
            _OLDEST_PRODUCTION_S.labels(of).set(oldest_s)
        _STUCK.set(stuck)
        return 0


def created(conn: AsyncConnection, jobs: int) -> None:
    """So many jobs are there once this transaction commits."""
    db.after_commit(conn, lambda: _CREATED.inc(jobs))


def moved(conn: AsyncConnection, job: domain.Job, now: datetime) -> None:
    """This has become of a job now, once this transaction commits."""
    if job.ended_at == now:
        db.after_commit(conn, lambda: _note_job(job, now))


def settled(conn: AsyncConnection, production: domain.Production) -> None:
    """This has become of a production, once this transaction commits."""
    if production.ended_at and production.ended_at == production.updated_at:
        took_s = (production.ended_at - production.created_at).total_seconds()
        db.after_commit(conn, lambda: _note_production(production.state, took_s))


def _note_job(job: domain.Job, now: datetime) -> None:
    _FINISHED.labels(job.state).inc()
    _TOOK_S.labels(job.state).observe(max(0.0, (now - job.created_at).total_seconds()))
    if job.accepted_at:
        _START_S.observe(max(0.0, (job.accepted_at - job.created_at).total_seconds()))


def _note_production(outcome: str, took_s: float) -> None:
    _FILMED.labels(outcome).inc()
    _FILMING_S.labels(outcome).observe(max(0.0, took_s))
