"""The tables of productions, jobs and takes, and every query on them."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.job import domain

METADATA = sa.MetaData()
_TIME = sa.DateTime(timezone=True)

PRODUCTIONS = sa.Table(
    "productions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("quote_id", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("most_micros", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("film_id", sa.Text, nullable=False),
    sa.Column("film_progress", sa.Float),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("scene_number", sa.Integer, nullable=False),
    sa.Column("scene_title", sa.Text, nullable=False),
    sa.Column("seam", sa.Integer, nullable=False),
    sa.Column("spec", sa.LargeBinary, nullable=False),
    sa.Column("waits_for", sa.Text),
    sa.Column("last_frame_wanted", sa.Boolean, nullable=False),
    sa.Column("first_frame", pg.JSONB(none_as_null=True)),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("quoted_micros", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("submission_state", sa.Text, nullable=False),
    sa.Column("submission_version", sa.BigInteger, nullable=False),
    sa.Column("parked", pg.JSONB(none_as_null=True)),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("changed_in", sa.BigInteger, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

TAKES = sa.Table(
    "takes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("clip", pg.JSONB, nullable=False),
    sa.Column("last_frame", pg.JSONB(none_as_null=True)),
    sa.Column("picked", sa.Boolean, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
)

_KEPT_IN_TAKES = TAKES.alias("take")
_JOB_ROWS = sa.select(
    JOBS,
    _KEPT_IN_TAKES.c.id.label("take_id"),
    _KEPT_IN_TAKES.c.clip.label("take_clip"),
    _KEPT_IN_TAKES.c.last_frame.label("take_last_frame"),
    _KEPT_IN_TAKES.c.picked.label("take_picked"),
    _KEPT_IN_TAKES.c.created_at.label("take_created_at"),
).select_from(JOBS.outerjoin(_KEPT_IN_TAKES, _KEPT_IN_TAKES.c.job_id == JOBS.c.id))
_PRODUCTION_FIELDS = [field.name for field in dataclasses.fields(domain.Production)]
_CHANGING = (
    "id",
    "state",
    "attempt",
    "first_frame",
    "submission_state",
    "submission_version",
    "parked",
    "cost_micros",
    "fault",
    "changed_in",
    "updated_at",
    "ended_at",
)
_JOB_FIELDS = [field.name for field in dataclasses.fields(domain.Job) if field.name != "take"]


async def insert_production_once(
    conn: AsyncConnection,
    production: domain.Production,
    jobs: Sequence[domain.Job],
    request_id: str,
    digest: bytes,
) -> bool:
    """Insert a production with its jobs; False, and nothing written, when the request_id has one already."""
    row = _production_row(production) | {"request_id": request_id, "request_digest": digest}
    inserted = await conn.execute(
        pg.insert(PRODUCTIONS).values(row).on_conflict_do_nothing().returning(PRODUCTIONS.c.id)
    )
    if inserted.first() is None:
        return False
    await conn.execute(sa.insert(JOBS), [_job_row(job, production.version) for job in jobs])
    return True


async def find_requested(
    conn: AsyncConnection, tenant_id: str, request_id: str
) -> tuple[domain.Production, bytes] | None:
    """The production this request_id made before, and the digest of that request."""
    query = sa.select(PRODUCTIONS).where(PRODUCTIONS.c.tenant_id == tenant_id, PRODUCTIONS.c.request_id == request_id)
    row = (await conn.execute(query)).mappings().first()
    return (_production(row), row["request_digest"]) if row else None


async def get_production(conn: AsyncConnection, tenant_id: str, production_id: str) -> domain.Production:
    """One production. Raises ProductionNotFound."""
    query = sa.select(PRODUCTIONS).where(PRODUCTIONS.c.tenant_id == tenant_id, PRODUCTIONS.c.id == production_id)
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.ProductionNotFound(production_id=production_id)
    return _production(row)


async def list_productions(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, below: str | None, most: int
) -> list[domain.Production]:
    """Productions, newest first, whose id is below the one given."""
    query = sa.select(PRODUCTIONS).where(PRODUCTIONS.c.tenant_id == tenant_id)
    if storyboard_id:
        query = query.where(PRODUCTIONS.c.storyboard_id == storyboard_id)
    if below:
        query = query.where(PRODUCTIONS.c.id < below)
    rows = await conn.execute(query.order_by(PRODUCTIONS.c.id.desc()).limit(most))
    return [_production(row) for row in rows.mappings()]


async def get_job(conn: AsyncConnection, tenant_id: str, job_id: str) -> domain.Job:
    """One job. Raises JobNotFound."""
    rows = await conn.execute(_JOB_ROWS.where(JOBS.c.tenant_id == tenant_id, JOBS.c.id == job_id))
    row = rows.mappings().first()
    if row is None:
        raise domain.JobNotFound(job_id=job_id)
    return _job(row)


async def list_jobs(
    conn: AsyncConnection, tenant_id: str, state: domain.JobState | None, below: str | None, most: int
) -> list[domain.Job]:
    """Jobs, newest first, whose id is below the one given."""
    query = _JOB_ROWS.where(JOBS.c.tenant_id == tenant_id)
    if state:
        query = query.where(JOBS.c.state == state)
    if below:
        query = query.where(JOBS.c.id < below)
    rows = await conn.execute(query.order_by(JOBS.c.id.desc()).limit(most))
    return [_job(row) for row in rows.mappings()]


async def jobs_of(conn: AsyncConnection, production: domain.Production, changed_after: int = 0) -> list[domain.Job]:
    """The production's jobs in scene order; only those changed after that version of it, when one is given."""
    query = _JOB_ROWS.where(
        JOBS.c.tenant_id == production.tenant_id,
        JOBS.c.production_id == production.id,
        JOBS.c.changed_in > changed_after,
    )
    return [_job(row) for row in (await conn.execute(query.order_by(JOBS.c.scene_number))).mappings()]


async def lock_production(conn: AsyncConnection, tenant_id: str, production_id: str) -> domain.Production:
    """The production under its next version; changes of one production queue here. Raises ProductionNotFound."""
    query = (
        sa.update(PRODUCTIONS)
        .where(PRODUCTIONS.c.tenant_id == tenant_id, PRODUCTIONS.c.id == production_id)
        .values(version=PRODUCTIONS.c.version + 1)
        .returning(PRODUCTIONS)
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.ProductionNotFound(production_id=production_id)
    return _production(row)


async def lock_productions_of(conn: AsyncConnection, job_ids: Collection[str]) -> dict[str, domain.Production]:
    """The productions of these jobs under their next versions, by id."""
    theirs = sa.select(JOBS.c.production_id).where(db.one_of(JOBS.c.id, job_ids))
    # In the order of their ids, so that two who lock several never wait for each other.
    in_order = sa.select(PRODUCTIONS.c.id).where(PRODUCTIONS.c.id.in_(theirs)).order_by(PRODUCTIONS.c.id)
    locked = in_order.with_for_update().cte("locked")
    query = (
        sa.update(PRODUCTIONS)
        .where(PRODUCTIONS.c.id == locked.c.id)
        .values(version=PRODUCTIONS.c.version + 1)
        .returning(PRODUCTIONS)
    )
    return {row["id"]: _production(row) for row in (await conn.execute(query)).mappings()}


async def jobs_by_id(conn: AsyncConnection, job_ids: Collection[str]) -> dict[str, domain.Job]:
    """Those of these jobs that exist."""
    rows = await conn.execute(_JOB_ROWS.where(db.one_of(JOBS.c.id, job_ids)))
    return {row["id"]: _job(row) for row in rows.mappings()}


async def waiting_for(conn: AsyncConnection, job_ids: Collection[str]) -> list[domain.Job]:
    """The jobs that wait for a take of one of these."""
    rows = await conn.execute(_JOB_ROWS.where(db.one_of(JOBS.c.waits_for, job_ids)))
    return [_job(row) for row in rows.mappings()]


async def tallies(conn: AsyncConnection, production_ids: Collection[str]) -> dict[str, domain.Tally]:
    """How many jobs of each of these productions are open, succeeded, or ended otherwise."""
    ended, succeeded = JOBS.c.state.in_(domain.JOB_ENDS), JOBS.c.state == domain.JobState.SUCCEEDED
    query = (
        sa.select(
            JOBS.c.production_id,
            sa.func.count().filter(~ended),
            sa.func.count().filter(succeeded),
            sa.func.count().filter(ended, ~succeeded),
        )
        .where(db.one_of(JOBS.c.production_id, production_ids))
        .group_by(JOBS.c.production_id)
    )
    return {production_id: domain.Tally(*counts) for production_id, *counts in await conn.execute(query)}


async def cost_micros(conn: AsyncConnection, production_ids: Collection[str]) -> dict[str, int]:
    """What each of these productions has been charged so far, in micros."""
    query = (
        sa.select(JOBS.c.production_id, sa.func.coalesce(sa.func.sum(JOBS.c.cost_micros), 0))
        .where(db.one_of(JOBS.c.production_id, production_ids))
        .group_by(JOBS.c.production_id)
    )
    return {production_id: int(micros) for production_id, micros in await conn.execute(query)}


async def save_production(conn: AsyncConnection, production: domain.Production) -> None:
    """Write what may change; the caller holds its lock."""
    row = _production_row(production)
    kept = {name: row[name] for name in ("state", "film_id", "film_progress", "fault", "updated_at", "ended_at")}
    await conn.execute(sa.update(PRODUCTIONS).where(PRODUCTIONS.c.id == production.id).values(kept))


async def save_jobs(conn: AsyncConnection, jobs: Sequence[domain.Job], changed_in: Mapping[str, int]) -> None:
    """Write jobs as changed in these versions of their productions, whose locks the caller holds; takes once."""
    if not jobs:
        return
    new = db.recordset(JOBS, _CHANGING, [_job_row(job, changed_in[job.production_id]) for job in jobs])
    changes = {name: new.c[name] for name in _CHANGING if name != "id"}
    await conn.execute(sa.update(JOBS).where(JOBS.c.id == new.c.id).values(changes))
    if takes := [_take_row(job, job.take) for job in jobs if job.take]:
        await conn.execute(pg.insert(TAKES).on_conflict_do_nothing(), takes)


def _production(row: sa.RowMapping) -> domain.Production:
    values = {name: row[name] for name in _PRODUCTION_FIELDS}
    values["state"] = domain.ProductionState(row["state"])
    values["fault"] = _fault(row["fault"])
    return domain.Production(**values)


def _production_row(production: domain.Production) -> dict[str, Any]:
    values = {name: getattr(production, name) for name in _PRODUCTION_FIELDS}
    values["fault"] = dataclasses.asdict(production.fault) if production.fault else None
    return values


def _job(row: sa.RowMapping) -> domain.Job:
    values = {name: row[name] for name in _JOB_FIELDS}
    values["state"] = domain.JobState(row["state"])
    values["fault"], values["parked"] = _fault(row["fault"]), _fault(row["parked"])
    values["first_frame"] = _media(row["first_frame"])
    if row["take_id"]:
        clip = domain.Media(**row["take_clip"])
        last = _media(row["take_last_frame"])
        values["take"] = domain.Take(row["take_id"], clip, last, row["take_picked"], row["take_created_at"])
    return domain.Job(**values)


def _job_row(job: domain.Job, changed_in: int) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _JOB_FIELDS}
    for name in ("fault", "parked", "first_frame"):
        values[name] = dataclasses.asdict(values[name]) if values[name] else None
    return values | {"changed_in": changed_in}


def _take_row(job: domain.Job, take: domain.Take) -> dict[str, Any]:
    return {
        "id": take.id,
        "tenant_id": job.tenant_id,
        "job_id": job.id,
        "production_id": job.production_id,
        "scene_id": job.scene_id,
        "clip": dataclasses.asdict(take.clip),
        "last_frame": dataclasses.asdict(take.last_frame) if take.last_frame else None,
        "picked": take.picked,
        "created_at": take.created_at,
    }


def _fault(value: Mapping[str, Any] | None) -> domain.Fault | None:
    return domain.Fault(**value) if value else None


def _media(value: Mapping[str, Any] | None) -> domain.Media | None:
    return domain.Media(**value) if value else None
