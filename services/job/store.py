"""The queries on productions and jobs."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.job import domain, tables

METADATA = tables.METADATA

_TAKE_COLUMNS = [column for column in tables.TAKES.c if column.name != "tenant_id"]
TAKE_FIELDS = [column.name for column in _TAKE_COLUMNS]
OF_ITS_JOB = ("scene_number", "scene_title", "currency", "cost_micros")
"""What a take is shown with of the job that made it."""
_JOB_ROWS = sa.select(tables.JOBS, *(column.label(f"take_{column.name}") for column in _TAKE_COLUMNS)).select_from(
    tables.JOBS.outerjoin(tables.TAKES, tables.TAKES.c.job_id == tables.JOBS.c.id)
)
# Made once: to put a query of so many columns together costs more than to run it.
_BY_ID = _JOB_ROWS.where(db.among(tables.JOBS.c.id, "job_ids"))
_FOUND = _BY_ID.where(tables.JOBS.c.tenant_id == sa.bindparam("of_tenant"))
_PRODUCTION_FIELDS = [field.name for field in dataclasses.fields(domain.Production)]
_REQUESTED = sa.select(tables.PRODUCTIONS).where(
    tables.PRODUCTIONS.c.tenant_id == sa.bindparam("of_tenant"),
    tables.PRODUCTIONS.c.request_id == sa.bindparam("asked"),
)
_ADD_PRODUCTION = (
    pg.insert(tables.PRODUCTIONS)
    .values({name: sa.bindparam(name) for name in (*_PRODUCTION_FIELDS, "request_id", "request_digest")})
    .values(changed_at=tables.CHANGED_AT)
    .on_conflict_do_nothing()
    .returning(tables.PRODUCTIONS.c.id)
)
_CHANGING = (
    "id",
    "state",
    "hold",
    "attempt",
    "first_frame",
    "input_take_id",
    "submission_id",
    "account",
    "accepted_at",
    "submission_state",
    "submission_version",
    "parked",
    "cost_micros",
    "fault",
    "changed_in",
    "updated_at",
    "ended_at",
)
_CHANGING_PRODUCTION = ("state", "approved_by", "film_id", "film_progress", "fault", "updated_at", "ended_at")
_NEW = db.recordset(tables.JOBS, _CHANGING, "new")
_SAVE = (
    sa.update(tables.JOBS)
    .where(tables.JOBS.c.id == _NEW.c.id)
    .values({name: _NEW.c[name] for name in _CHANGING if name != "id"} | {"changed_at": tables.CHANGED_AT})
)
_JOB_FIELDS = [field.name for field in dataclasses.fields(domain.Job) if field.name != "take"]
_SLOT_FIELDS = [field.name for field in dataclasses.fields(domain.Slot)]
_ADD_JOBS = db.insertion(tables.JOBS, _JOB_FIELDS, changed_at=tables.CHANGED_AT)
_ADD_SLOTS = db.insertion(tables.SLOTS, _SLOT_FIELDS)


async def insert_production_once(
    conn: AsyncConnection,
    production: domain.Production,
    jobs: Sequence[domain.Job],
    slots: Sequence[domain.Slot],
    request_id: str,
    digest: bytes,
) -> bool:
    """Insert a production with all that is in it; False, and nothing written, when the request_id has one already."""
    row = _production_row(production) | {"request_id": request_id, "request_digest": digest}
    if (await conn.execute(_ADD_PRODUCTION, row)).first() is None:
        return False
    await add_jobs(conn, jobs, production.version)
    await conn.execute(_ADD_SLOTS, db.columns(_SLOT_FIELDS, [_slot_row(slot) for slot in slots]))
    return True


async def find_requested(
    conn: AsyncConnection, tenant_id: str, request_id: str
) -> tuple[domain.Production, bytes] | None:
    """The production this request_id made before, and the digest of that request."""
    row = (await conn.execute(_REQUESTED, {"of_tenant": tenant_id, "asked": request_id})).mappings().first()
    return (production(row), row["request_digest"]) if row else None


async def get_production(conn: AsyncConnection, tenant_id: str, production_id: str) -> domain.Production:
    """One production. Raises ProductionNotFound."""
    query = sa.select(tables.PRODUCTIONS).where(
        tables.PRODUCTIONS.c.tenant_id == tenant_id, tables.PRODUCTIONS.c.id == production_id
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.ProductionNotFound(production_id=production_id)
    return production(row)


async def list_productions(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, below: str | None, most: int
) -> list[domain.Production]:
    """Productions, newest first, whose id is below the one given."""
    query = sa.select(tables.PRODUCTIONS).where(tables.PRODUCTIONS.c.tenant_id == tenant_id)
    if storyboard_id:
        query = query.where(tables.PRODUCTIONS.c.storyboard_id == storyboard_id)
    if below:
        query = query.where(tables.PRODUCTIONS.c.id < below)
    rows = await conn.execute(query.order_by(tables.PRODUCTIONS.c.id.desc()).limit(most))
    return [production(row) for row in rows.mappings()]


async def find_jobs(conn: AsyncConnection, tenant_id: str, job_ids: Collection[str]) -> dict[str, domain.Job]:
    """Those of these jobs that the tenant has."""
    rows = await conn.execute(_FOUND, {"of_tenant": tenant_id, "job_ids": list(job_ids)})
    return {row["id"]: _job(row) for row in rows.mappings()}


async def list_jobs(
    conn: AsyncConnection,
    tenant_id: str,
    state: domain.JobState | None,
    below: str | None,
    most: int,
    production_id: str = "",
    silent_since: datetime | None = None,
) -> list[domain.Job]:
    """Jobs, newest first, whose id is below the one given; only those asked for and silent since, if that is given."""
    query = _JOB_ROWS.where(tables.JOBS.c.tenant_id == tenant_id)
    if state:
        # Written out, so that the index on the few that are lost is seen to fit.
        query = query.where(tables.JOBS.c.state == sa.literal(state.value, literal_execute=True))
        query = query if state in domain.JOB_ENDS else query.where(tables.JOBS.c.ended_at.is_(None))
    if production_id:
        query = query.where(tables.JOBS.c.production_id == production_id)
    if silent_since:
        asked_for = tables.JOBS.c.state.in_((domain.JobState.RUNNING, domain.JobState.CANCELING))
        query = query.where(asked_for, tables.JOBS.c.ended_at.is_(None), tables.JOBS.c.updated_at < silent_since)
    if below:
        query = query.where(tables.JOBS.c.id < below)
    rows = await conn.execute(query.order_by(tables.JOBS.c.id.desc()).limit(most))
    return [_job(row) for row in rows.mappings()]


async def jobs_of(conn: AsyncConnection, production: domain.Production, changed_after: int = 0) -> list[domain.Job]:
    """The production's jobs in scene order; only those changed after that version of it, when one is given."""
    query = _JOB_ROWS.where(
        tables.JOBS.c.tenant_id == production.tenant_id,
        tables.JOBS.c.production_id == production.id,
        tables.JOBS.c.changed_in > changed_after,
    )
    rows = await conn.execute(query.order_by(tables.JOBS.c.scene_number, tables.JOBS.c.take_number, tables.JOBS.c.id))
    return [_job(row) for row in rows.mappings()]


async def read_jobs(conn: AsyncConnection, *where: sa.ColumnElement[bool]) -> list[domain.Job]:
    """The jobs of which all this is true."""
    return [_job(row) for row in (await conn.execute(_JOB_ROWS.where(*where))).mappings()]


async def read_jobs_at(conn: AsyncConnection, *where: sa.ColumnElement[bool]) -> list[tuple[int, domain.Job]]:
    """As read_jobs, each with the transaction that changed it last."""
    return [(row["changed_at"], _job(row)) for row in (await conn.execute(_JOB_ROWS.where(*where))).mappings()]


async def lock_filming(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, besides: Collection[str]
) -> dict[str, domain.Production]:
    """A storyboard's productions whose takes are not settled, and these besides, under their next versions, by id."""
    filming = sa.and_(tables.PRODUCTIONS.c.storyboard_id == storyboard_id, tables.PRODUCTIONS.c.state.in_(domain.FILMS))
    theirs = sa.or_(filming, db.one_of(tables.PRODUCTIONS.c.id, besides))
    return await _lock(conn, sa.and_(tables.PRODUCTIONS.c.tenant_id == tenant_id, theirs))


async def lock_production(conn: AsyncConnection, tenant_id: str, production_id: str) -> domain.Production:
    """The production under its next version; changes of one production queue here. Raises ProductionNotFound."""
    query = (
        sa.update(tables.PRODUCTIONS)
        .where(tables.PRODUCTIONS.c.tenant_id == tenant_id, tables.PRODUCTIONS.c.id == production_id)
        .values(version=tables.PRODUCTIONS.c.version + 1, changed_at=tables.CHANGED_AT)
        .returning(tables.PRODUCTIONS)
    )
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.ProductionNotFound(production_id=production_id)
    return production(row)


async def lock_productions_of(conn: AsyncConnection, job_ids: Collection[str]) -> dict[str, domain.Production]:
    """The productions of these jobs under their next versions, by id."""
    theirs = sa.select(tables.JOBS.c.production_id).where(db.one_of(tables.JOBS.c.id, job_ids))
    return await _lock(conn, tables.PRODUCTIONS.c.id.in_(theirs))


async def _lock(conn: AsyncConnection, which: sa.ColumnElement[bool]) -> dict[str, domain.Production]:
    # In the order of their ids, so that two who lock several never wait for each other.
    in_order = sa.select(tables.PRODUCTIONS.c.id).where(which).order_by(tables.PRODUCTIONS.c.id)
    locked = in_order.with_for_update().cte("locked")
    query = (
        sa.update(tables.PRODUCTIONS)
        .where(tables.PRODUCTIONS.c.id == locked.c.id)
        .values(version=tables.PRODUCTIONS.c.version + 1, changed_at=tables.CHANGED_AT)
        .returning(tables.PRODUCTIONS)
    )
    return {row["id"]: production(row) for row in (await conn.execute(query)).mappings()}


async def jobs_by_id(conn: AsyncConnection, job_ids: Collection[str]) -> dict[str, domain.Job]:
    """Those of these jobs that exist."""
    rows = await conn.execute(_BY_ID, {"job_ids": list(job_ids)})
    return {row["id"]: _job(row) for row in rows.mappings()}


async def waiting_in(conn: AsyncConnection, production_ids: Collection[str]) -> list[domain.Job]:
    """The jobs of these productions that wait, in scene order."""
    query = _JOB_ROWS.where(
        db.one_of(tables.JOBS.c.production_id, production_ids), tables.JOBS.c.state == domain.JobState.WAITING
    ).order_by(tables.JOBS.c.production_id, tables.JOBS.c.scene_number, tables.JOBS.c.take_number)
    return [_job(row) for row in (await conn.execute(query)).mappings()]


async def under_way(conn: AsyncConnection, tenant_id: str, storyboard_id: str, scenes: Mapping[str, str]) -> int:
    """How many clips of these scenes, with these digests, are being made or wait to be."""
    query = sa.select(sa.func.count()).where(
        tables.JOBS.c.tenant_id == tenant_id,
        tables.JOBS.c.storyboard_id == storyboard_id,
        tables.JOBS.c.ended_at.is_(None),
        sa.tuple_(tables.JOBS.c.scene_id, tables.JOBS.c.digest).in_(list(scenes.items())),
    )
    return int((await conn.execute(query)).scalar_one())


def _tallies() -> sa.Select[Any]:
    of_slot = sa.and_(
        tables.JOBS.c.production_id == tables.SLOTS.c.production_id,
        tables.JOBS.c.scene_number == tables.SLOTS.c.scene_number,
    )
    made = sa.func.count().filter(tables.JOBS.c.state == domain.JobState.SUCCEEDED) > 0
    made = sa.or_(made, tables.SLOTS.c.action == domain.Action.REUSE)
    scenes = (
        sa.select(
            tables.SLOTS.c.production_id,
            sa.func.count().filter(tables.JOBS.c.id.is_not(None), tables.JOBS.c.ended_at.is_(None)).label("open"),
            tables.SLOTS.c.take_id.is_not(None).label("filled"),
            made.label("made"),
        )
        .select_from(tables.SLOTS.outerjoin(tables.JOBS, of_slot))
        .where(db.among(tables.SLOTS.c.production_id, "production_ids"))
        .group_by(tables.SLOTS.c.production_id, tables.SLOTS.c.scene_number)
        .subquery()
    )
    filled, made = scenes.c.filled, scenes.c.made
    return sa.select(
        scenes.c.production_id,
        sa.cast(sa.func.sum(scenes.c.open), sa.Integer),
        sa.func.count().filter(filled),
        sa.func.count().filter(~filled, ~made),
        sa.func.count().filter(~filled, made),
    ).group_by(scenes.c.production_id)


_TALLIES = _tallies()


async def tallies(conn: AsyncConnection, production_ids: Collection[str]) -> dict[str, domain.Tally]:
    """How many jobs of each of these productions are open, and how many scenes are filled, lost or to be picked."""
    found = await conn.execute(_TALLIES, {"production_ids": list(production_ids)})
    return {production_id: domain.Tally(*counts) for production_id, *counts in found}


async def cost_micros(conn: AsyncConnection, production_ids: Collection[str]) -> dict[str, int]:
    """What each of these productions has been charged so far, in micros."""
    query = (
        sa.select(tables.JOBS.c.production_id, sa.func.coalesce(sa.func.sum(tables.JOBS.c.cost_micros), 0))
        .where(db.one_of(tables.JOBS.c.production_id, production_ids))
        .group_by(tables.JOBS.c.production_id)
    )
    return {production_id: int(micros) for production_id, micros in await conn.execute(query)}


async def save_production(conn: AsyncConnection, production: domain.Production) -> None:
    """Write what may change; the caller holds its lock."""
    row = _production_row(production)
    kept = {name: row[name] for name in _CHANGING_PRODUCTION}
    await conn.execute(sa.update(tables.PRODUCTIONS).where(tables.PRODUCTIONS.c.id == production.id).values(kept))


async def save_jobs(conn: AsyncConnection, jobs: Sequence[domain.Job], changed_in: Mapping[str, int]) -> None:
    """Write jobs as changed in these versions of their productions, whose locks the caller holds."""
    if not jobs:
        return
    rows = [_job_row(job, changed_in[job.production_id]) for job in jobs]
    await conn.execute(_SAVE, {"new": db.records(_CHANGING, rows)})


async def add_jobs(conn: AsyncConnection, jobs: Sequence[domain.Job], version: int) -> None:
    """Add jobs to a production, in this version of it, whose lock the caller holds."""
    rows = [_job_row(job, version) for job in jobs]
    await conn.execute(_ADD_JOBS, db.columns(_JOB_FIELDS, rows))


def production(row: sa.RowMapping) -> domain.Production:
    """A production from its row."""
    values = {name: row[name] for name in _PRODUCTION_FIELDS}
    values["state"], values["auto_pick"] = domain.ProductionState(row["state"]), domain.AutoPick(row["auto_pick"])
    values["fault"] = _fault(row["fault"])
    return domain.Production(**values)


def _production_row(production: domain.Production) -> dict[str, Any]:
    values = {name: getattr(production, name) for name in _PRODUCTION_FIELDS}
    values["fault"] = dataclasses.asdict(production.fault) if production.fault else None
    return values


def _job(row: sa.RowMapping) -> domain.Job:
    values = {name: row[name] for name in _JOB_FIELDS}
    values["state"], values["hold"] = domain.JobState(row["state"]), domain.Hold(row["hold"])
    values["fault"], values["parked"] = _fault(row["fault"]), _fault(row["parked"])
    values["first_frame"], values["last_frame"] = media(row["first_frame"]), media(row["last_frame"])
    if row["take_id"]:
        of_its_job = {name: row[name] for name in OF_ITS_JOB}
        values["take"] = take({name: row[f"take_{name}"] for name in TAKE_FIELDS} | of_its_job)
    return domain.Job(**values)


def take(row: Mapping[str, Any]) -> domain.Take:
    """A take from a row with the take's columns, and those of its job that it is shown with."""
    values = {name: row[name] for name in (*TAKE_FIELDS, *OF_ITS_JOB)}
    return domain.Take(**values | {"clip": domain.Media(**row["clip"]), "last_frame": media(row["last_frame"])})


def _job_row(job: domain.Job, changed_in: int) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _JOB_FIELDS}
    for name in ("fault", "parked", "first_frame", "last_frame"):
        values[name] = dataclasses.asdict(values[name]) if values[name] else None
    return values | {"changed_in": changed_in}


def _slot_row(slot: domain.Slot) -> dict[str, Any]:
    return {name: getattr(slot, name) for name in _SLOT_FIELDS}  # `asdict` copies deeply, a quarter of the price


def _fault(value: Mapping[str, Any] | None) -> domain.Fault | None:
    return domain.Fault(**value) if value else None


def media(value: Mapping[str, Any] | None) -> domain.Media | None:
    """A stored file, as a column has it."""
    return domain.Media(**value) if value else None
