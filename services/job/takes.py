"""The queries on takes, and on the places that they fill in productions."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.job import domain, store, tables

_TAKES, _SLOTS, _JOBS = tables.TAKES, tables.SLOTS, tables.JOBS
_ROWS = sa.select(_TAKES, *(_JOBS.c[name] for name in store.OF_ITS_JOB)).select_from(
    _TAKES.join(_JOBS, _JOBS.c.id == _TAKES.c.job_id)
)
_FILLING = ("production_id", "scene_number", "take_id")
_NEW = db.recordset(_SLOTS, _FILLING, "new")
_FILL = (
    sa.update(_SLOTS)
    .where(_SLOTS.c.production_id == _NEW.c.production_id, _SLOTS.c.scene_number == _NEW.c.scene_number)
    .values(take_id=_NEW.c.take_id)
)
_QUEUE = sa.text("""
    SELECT pg_advisory_xact_lock(hashtextextended(one, 0))
    FROM (SELECT one FROM unnest(CAST(:names AS text[])) AS one ORDER BY one) AS names""")


Scene = tuple[str, str, str]
"""Its tenant's, its storyboard's and its own id."""


async def queue(conn: AsyncConnection, storyboard_ids: Collection[str]) -> None:
    """Be the only one who picks takes of these storyboards, until the transaction ends."""
    await conn.execute(_QUEUE, {"names": list(storyboard_ids)})


async def insert(conn: AsyncConnection, jobs: Sequence[domain.Job]) -> None:
    """Keep the takes of these jobs, each once; what is picked takes the place of what was."""
    rows = [_row(job, job.take) for job in jobs if job.take]
    if not rows:
        return
    newest = {_scene_of(row): row for row in rows if row["picked"]}
    await unpick(conn, list(newest))
    for row in rows:
        row["picked"] = row is newest.get(_scene_of(row))
    await conn.execute(pg.insert(_TAKES).on_conflict_do_nothing(index_elements=[_TAKES.c.job_id]), rows)


async def unpick(conn: AsyncConnection, scenes: Sequence[Scene]) -> list[domain.Take]:
    """Leave these scenes without a picked take; who picks in a storyboard queues here."""
    if not scenes:
        return []
    await queue(conn, {storyboard_id for _, storyboard_id, _ in scenes})
    theirs = sa.tuple_(_TAKES.c.tenant_id, _TAKES.c.storyboard_id, _TAKES.c.scene_id).in_(scenes)
    found = await _read(conn, _ROWS.where(theirs, _TAKES.c.picked))
    if found:
        ids = [take.id for take in found]
        await conn.execute(sa.update(_TAKES).where(db.one_of(_TAKES.c.id, ids)).values(picked=False))
    return found


async def pick(conn: AsyncConnection, tenant_id: str, take: domain.Take) -> list[domain.Take]:
    """Make it the picked take of its scene; returns those that were."""
    before = await unpick(conn, [(tenant_id, take.storyboard_id, take.scene_id)])
    await conn.execute(sa.update(_TAKES).where(_TAKES.c.id == take.id).values(picked=True))
    return before


async def leave(conn: AsyncConnection, take: domain.Take) -> None:
    """Unpick this one; what somebody else has picked for its scene meanwhile stays picked."""
    await conn.execute(sa.update(_TAKES).where(_TAKES.c.id == take.id).values(picked=False))


async def note(conn: AsyncConnection, take: domain.Take, text: str) -> None:
    """Write a note on a take."""
    await conn.execute(sa.update(_TAKES).where(_TAKES.c.id == take.id).values(note=text))


async def get(conn: AsyncConnection, tenant_id: str, take_id: str) -> domain.Take:
    """One take. Raises TakeNotFound."""
    found = await _read(conn, _ROWS.where(_TAKES.c.tenant_id == tenant_id, _TAKES.c.id == take_id))
    if not found:
        raise domain.TakeNotFound(take_id=take_id)
    return found[0]


async def page(
    conn: AsyncConnection,
    tenant_id: str,
    storyboard_id: str,
    scene_id: str,
    picked_only: bool,
    below: str | None,
    most: int,
) -> list[domain.Take]:
    """Takes, newest first, whose id is below the one given."""
    query = _ROWS.where(_TAKES.c.tenant_id == tenant_id)
    if storyboard_id:
        query = query.where(_TAKES.c.storyboard_id == storyboard_id)
    if scene_id:
        query = query.where(_TAKES.c.scene_id == scene_id)
    if picked_only:
        query = query.where(_TAKES.c.picked)
    if below:
        query = query.where(_TAKES.c.id < below)
    return await _read(conn, query.order_by(_TAKES.c.id.desc()).limit(most))


async def picked(conn: AsyncConnection, tenant_id: str, storyboard_id: str) -> list[domain.Take]:
    """The picked takes of a storyboard's scenes."""
    theirs = (_TAKES.c.tenant_id == tenant_id, _TAKES.c.storyboard_id == storyboard_id, _TAKES.c.picked)
    return await _read(conn, _ROWS.where(*theirs))


async def candidates(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, scenes: Mapping[str, str]
) -> dict[str, list[domain.Take]]:
    """Of each of these scenes, the takes that matter: of this digest, picked, and the newest; the picked one first."""
    wanted = sa.tuple_(_TAKES.c.scene_id, _TAKES.c.digest).in_(list(scenes.items()))
    newest = (
        sa.select(sa.func.max(_TAKES.c.id))
        .where(_TAKES.c.tenant_id == tenant_id, _TAKES.c.storyboard_id == storyboard_id)
        .group_by(_TAKES.c.scene_id)
    )
    theirs = (_TAKES.c.tenant_id == tenant_id, _TAKES.c.storyboard_id == storyboard_id)
    query = _ROWS.where(*theirs, sa.or_(wanted, _TAKES.c.picked, _TAKES.c.id.in_(newest)))
    found: dict[str, list[domain.Take]] = {scene_id: [] for scene_id in scenes}
    for take in await _read(conn, query.order_by(_TAKES.c.picked.desc(), _TAKES.c.id.desc())):
        if take.scene_id in found:
            found[take.scene_id].append(take)
    return found


async def filmed(conn: AsyncConnection, tenant_id: str, storyboard_id: str) -> set[str]:
    """The scenes of a storyboard that were ever asked for."""
    productions = tables.PRODUCTIONS
    query = (
        sa.select(_SLOTS.c.scene_id)
        .join(productions, productions.c.id == _SLOTS.c.production_id)
        .where(productions.c.tenant_id == tenant_id, productions.c.storyboard_id == storyboard_id)
        .distinct()
    )
    return set((await conn.execute(query)).scalars())


async def specs(conn: AsyncConnection, take_ids: Collection[str]) -> dict[str, bytes]:
    """What each of these takes was made of, by its id."""
    query = sa.select(_TAKES.c.id, _JOBS.c.spec).join(_JOBS, _JOBS.c.id == _TAKES.c.job_id)
    rows = await conn.execute(query.where(db.one_of(_TAKES.c.id, take_ids)))
    return {row.id: row.spec for row in rows}


async def slots(conn: AsyncConnection, production_ids: Collection[str]) -> dict[tuple[str, int], domain.Slot]:
    """The places of scenes in these productions, by production and scene number, in film order."""
    query = sa.select(_SLOTS).where(db.one_of(_SLOTS.c.production_id, production_ids))
    rows = (await conn.execute(query.order_by(_SLOTS.c.production_id, _SLOTS.c.scene_number))).mappings()
    return {(row["production_id"], row["scene_number"]): _slot(row) for row in rows}


async def fill(conn: AsyncConnection, slots: Sequence[domain.Slot]) -> None:
    """Write which takes fill these places; the caller holds the locks of their productions."""
    if not slots:
        return
    await conn.execute(_FILL, {"new": db.records(_FILLING, [dataclasses.asdict(slot) for slot in slots])})


async def by_id(conn: AsyncConnection, take_ids: Collection[str]) -> dict[str, domain.Take]:
    """Those of these takes that exist."""
    return {take.id: take for take in await _read(conn, _ROWS.where(db.one_of(_TAKES.c.id, take_ids)))}


async def _read(conn: AsyncConnection, query: sa.Select[Any]) -> list[domain.Take]:
    return [store.take(row) for row in (await conn.execute(query)).mappings()]


def _slot(row: sa.RowMapping) -> domain.Slot:
    values = {field.name: row[field.name] for field in dataclasses.fields(domain.Slot)}
    told = {"action": domain.Action(row["action"]), "reason": domain.Reason(row["reason"])}
    return domain.Slot(**values | told)


def _scene_of(row: Mapping[str, Any]) -> Scene:
    return row["tenant_id"], row["storyboard_id"], row["scene_id"]


def _row(job: domain.Job, take: domain.Take) -> dict[str, Any]:
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
        "storyboard_id": job.storyboard_id,
        "digest": job.digest,
        "opens_on": job.first_frame.sha256 if job.first_frame else "",
        "closes_on": job.last_frame.sha256 if job.last_frame else "",
        "input_take_id": job.input_take_id,
        "model": job.model,
        "note": "",
    }
