"""The query on what jobs were quoted, were charged and hold, by whatever a caller asks for."""

import enum
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.job import domain, tables

_JOBS, _PRODUCTIONS = tables.JOBS, tables.PRODUCTIONS
_MOST = 1000


class GroupBy(enum.StrEnum):
    """What the lines are for."""

    TENANT = "TENANT"
    PRODUCTION = "PRODUCTION"
    SCENE = "SCENE"
    MODEL = "MODEL"
    ACCOUNT = "ACCOUNT"
    DAY = "DAY"
    STORYBOARD = "STORYBOARD"


class Line(NamedTuple):
    """What the jobs of one key have cost, in micros of one currency."""

    key: str
    title: str
    currency: str
    jobs: int
    quoted: int
    spent: int
    held: int
    suspense: int


_NOTHING = sa.literal("")
_DAY = sa.func.to_char(sa.func.timezone("UTC", _JOBS.c.created_at), "YYYY-MM-DD")
_KEYS: dict[GroupBy, tuple[sa.ColumnElement[str], sa.ColumnElement[str]]] = {
    GroupBy.TENANT: (_NOTHING, _NOTHING),
    GroupBy.PRODUCTION: (_JOBS.c.production_id, sa.func.max(_PRODUCTIONS.c.title)),
    GroupBy.SCENE: (_JOBS.c.scene_id, sa.func.max(_JOBS.c.scene_title)),
    GroupBy.MODEL: (_JOBS.c.model, _NOTHING),
    GroupBy.ACCOUNT: (_JOBS.c.account, _NOTHING),
    GroupBy.DAY: (_DAY, _NOTHING),
    GroupBy.STORYBOARD: (_JOBS.c.storyboard_id, sa.func.max(_PRODUCTIONS.c.title)),
}


async def lines(
    conn: AsyncConnection,
    tenant_id: str,
    by: GroupBy,
    storyboard_id: str = "",
    production_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Line]:
    """One for each key and currency, the dearest first."""
    key, title = _KEYS[by]
    in_suspense = sa.and_(
        _JOBS.c.ended_at.is_not(None),
        _JOBS.c.cost_micros.is_(None),
        _JOBS.c.fault["metadata"]["charged"].astext == "unknown",
    )
    asked_for = _JOBS.c.state.in_((domain.JobState.RUNNING, domain.JobState.CANCELING))
    held = sa.and_(asked_for, _JOBS.c.submission_state != "PARKED")
    query = (
        sa.select(
            key.label("key"),
            title.label("title"),
            _JOBS.c.currency,
            sa.func.count().label("jobs"),
            _micros(_JOBS.c.quoted_micros).label("quoted"),
            _micros(_JOBS.c.cost_micros).label("spent"),
            _micros(_JOBS.c.quoted_micros, held).label("held"),
            _micros(_JOBS.c.quoted_micros, in_suspense).label("suspense"),
        )
        .join(_PRODUCTIONS, _PRODUCTIONS.c.id == _JOBS.c.production_id)
        .where(_JOBS.c.tenant_id == tenant_id)
        .group_by(sa.text("key"), _JOBS.c.currency)
        .order_by(sa.desc("spent"), sa.text("key"))
        .limit(_MOST)
    )
    if storyboard_id:
        # By its productions, for they and their jobs have an index: a board costs no look at all the tenant's jobs.
        query = query.where(_PRODUCTIONS.c.tenant_id == tenant_id, _PRODUCTIONS.c.storyboard_id == storyboard_id)
    if production_id:
        query = query.where(_JOBS.c.production_id == production_id)
    if since:
        query = query.where(_JOBS.c.created_at >= since)
    if until:
        query = query.where(_JOBS.c.created_at < until)
    return [Line(*row) for row in await conn.execute(query)]


def _micros(column: sa.ColumnElement[int], which: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[int]:
    total = sa.func.sum(column) if which is None else sa.func.sum(column).filter(which)
    return sa.cast(sa.func.coalesce(total, 0), sa.BigInteger)
