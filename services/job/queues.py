"""The query on the jobs that are not finished: how many wait and run, and since when."""

import enum
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import errors
from services.job import domain, lifecycle, tables

_JOBS = tables.JOBS
_MOST = 1000


class OperatorNeeded(errors.Denied):
    """Only an operator may do this for the whole house."""


class GroupBy(enum.StrEnum):
    """What the lines are for."""

    PROVIDER = "PROVIDER"
    MODEL = "MODEL"
    TENANT = "TENANT"


class Line(NamedTuple):
    """What waits and runs of one key."""

    key: str
    waiting: int
    parked: int
    running: int
    oldest_waiting: datetime | None
    oldest_running: datetime | None
    stuck: int


_KEYS: dict[GroupBy, sa.ColumnElement[str]] = {
    GroupBy.PROVIDER: sa.func.split_part(_JOBS.c.model, "/", 1),
    GroupBy.MODEL: _JOBS.c.model,
    GroupBy.TENANT: _JOBS.c.tenant_id,
}


async def lines(conn: AsyncConnection, tenant_id: str | None, by: GroupBy, now: datetime) -> list[Line]:
    """One for each key, the longest queue first; of all tenants when none is named."""
    waits = _JOBS.c.state == domain.JobState.WAITING
    parked = sa.and_(~waits, _JOBS.c.submission_state == "PARKED")
    runs = sa.and_(~waits, _JOBS.c.submission_state != "PARKED")
    count = sa.func.count()
    query = (
        sa.select(
            _KEYS[by].label("key"),
            count.filter(waits),
            count.filter(parked),
            count.filter(runs),
            sa.func.min(_JOBS.c.created_at).filter(sa.or_(waits, parked)),
            sa.func.min(_JOBS.c.created_at).filter(runs),
            count.filter(runs, _JOBS.c.parked.is_(None), _JOBS.c.updated_at < now - lifecycle.STUCK_AFTER),
        )
        .where(_JOBS.c.ended_at.is_(None))
        .group_by(sa.text("key"))
        .order_by(count.desc(), sa.text("key"))
        .limit(_MOST)
    )
    if tenant_id is not None:
        query = query.where(_JOBS.c.tenant_id == tenant_id)
    return [Line(*row) for row in await conn.execute(query)]
