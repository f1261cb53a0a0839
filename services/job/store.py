"""The tables of productions, jobs and takes, and every query on them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

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
    sa.Column("quoted_micros", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("submission_state", sa.Text, nullable=False),
    sa.Column("submission_version", sa.BigInteger, nullable=False),
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


async def lock_production_of(conn: AsyncConnection, tenant_id: str, job_id: str) -> domain.Production | None:
    """As lock_production, by one of its jobs; None when there is no such job."""
    query = (
        sa.update(PRODUCTIONS)
        .where(PRODUCTIONS.c.id == JOBS.c.production_id, JOBS.c.tenant_id == tenant_id, JOBS.c.id == job_id)
        .values(version=PRODUCTIONS.c.version + 1)
        .returning(PRODUCTIONS)
    )
    row = (await conn.execute(query)).mappings().first()
    return _production(row) if row else None


async def waiting_for(conn: AsyncConnection, job: domain.Job) -> list[domain.Job]:
    """The jobs that wait for this one's take."""
    query = _JOB_ROWS.where(JOBS.c.tenant_id == job.tenant_id, JOBS.c.waits_for == job.id)
    return [_job(row) for row in (await conn.execute(query)).mappings()]


async def tally(conn: AsyncConnection, production: domain.Production) -> domain.Tally:
    """How many of its jobs are open, succeeded, or ended otherwise."""
    ended, succeeded = JOBS.c.state.in_(domain.JOB_ENDS), JOBS.c.state == domain.JobState.SUCCEEDED
    query = sa.select(
        sa.func.count().filter(~ended),
        sa.func.count().filter(succeeded),
        sa.func.count().filter(ended, ~succeeded),
    ).where(JOBS.c.production_id == production.id)
    return domain.Tally(*(await conn.execute(query)).one())


async def cost_micros(conn: AsyncConnection, production_ids: Sequence[str]) -> dict[str, int]:
    """What each of these productions has been charged so far, in micros."""
    query = (
        sa.select(JOBS.c.production_id, sa.func.coalesce(sa.func.sum(JOBS.c.cost_micros), 0))
        .where(JOBS.c.production_id == sa.any_(sa.literal(production_ids, pg.ARRAY(sa.Text))))
        .group_by(JOBS.c.production_id)
    )
    return {production_id: int(micros) for production_id, micros in await conn.execute(query)}


async def save_production(conn: AsyncConnection, production: domain.Production) -> None:
    """Write what may change; the caller holds its lock."""
    row = _production_row(production)
    kept = {name: row[name] for name in ("state", "film_id", "film_progress", "fault", "updated_at", "ended_at")}
    await conn.execute(sa.update(PRODUCTIONS).where(PRODUCTIONS.c.id == production.id).values(kept))


async def save_job(conn: AsyncConnection, job: domain.Job, changed_in: int) -> None:
    """Write a job as changed in this version of its production, whose lock the caller holds; with its take, once."""
    row = _job_row(job, changed_in)
    await conn.execute(sa.update(JOBS).where(JOBS.c.id == job.id).values(row))
    if job.take:
        await conn.execute(pg.insert(TAKES).values(_take_row(job, job.take)).on_conflict_do_nothing())


def _production(row: sa.RowMapping) -> domain.Production:
    values = {name: row[name] for name in _PRODUCTION_FIELDS}
    values["state"] = domain.ProductionState(row["state"])
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    return domain.Production(**values)


def _production_row(production: domain.Production) -> dict[str, Any]:
    values = {name: getattr(production, name) for name in _PRODUCTION_FIELDS}
    values["fault"] = dataclasses.asdict(production.fault) if production.fault else None
    return values


def _job(row: sa.RowMapping) -> domain.Job:
    values = {name: row[name] for name in _JOB_FIELDS}
    values["state"] = domain.JobState(row["state"])
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    values["first_frame"] = _media(row["first_frame"])
    if row["take_id"]:
        clip = domain.Media(**row["take_clip"])
        last = _media(row["take_last_frame"])
        values["take"] = domain.Take(row["take_id"], clip, last, row["take_picked"], row["take_created_at"])
    return domain.Job(**values)


def _job_row(job: domain.Job, changed_in: int) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _JOB_FIELDS}
    values["fault"] = dataclasses.asdict(job.fault) if job.fault else None
    values["first_frame"] = dataclasses.asdict(job.first_frame) if job.first_frame else None
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


def _media(value: Mapping[str, Any] | None) -> domain.Media | None:
    return domain.Media(**value) if value else None
