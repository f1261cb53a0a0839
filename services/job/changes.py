"""The queries on what has changed since a place in a story, which is a version, or a transaction, and an id in it."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.job import domain, store, tables

_JOBS, _PRODUCTIONS = tables.JOBS, tables.PRODUCTIONS

LAST = "~"
"""Sorts behind every id: the production comes after the jobs that have changed with it."""


class Place(NamedTuple):
    """Where a watcher is: all of the versions before, and of this one what comes up to `upto`."""

    version: int
    upto: str


def place(job: domain.Job) -> Place:
    """Where a job's last change is in the story of its production: in film order."""
    return Place(job.changed_in, f"{job.scene_number:05}/{job.take_number:03}")


class Changed(NamedTuple):
    """A production, what it has cost, and the jobs that have changed in it."""

    production: domain.Production
    cost_micros: int
    jobs: Sequence[domain.Job] = ()


Row = Changed | domain.Job


async def versions(conn: AsyncConnection, production_ids: Collection[str]) -> dict[str, int]:
    """The versions of these productions."""
    query = sa.select(_PRODUCTIONS.c.id, _PRODUCTIONS.c.version).where(db.one_of(_PRODUCTIONS.c.id, production_ids))
    return {production_id: version for production_id, version in await conn.execute(query)}


async def since(conn: AsyncConnection, tenant_id: str, production_id: str, seen: Place) -> Changed:
    """What has changed in a production since then, in order. Raises ProductionNotFound."""
    production = await store.get_production(conn, tenant_id, production_id)
    if seen >= (production.version, LAST):
        return Changed(production, 0)
    # Not what has changed after the production was read: that comes with its own version.
    between = (_JOBS.c.changed_in >= seen.version, _JOBS.c.changed_in <= production.version)
    jobs = await store.read_jobs(conn, _JOBS.c.production_id == production_id, *between)
    costs = await store.cost_micros(conn, [production_id])
    in_order = [job for job in sorted(jobs, key=place) if place(job) > seen]
    return Changed(production, costs.get(production_id, 0), in_order)


async def horizon(conn: AsyncConnection) -> int:
    """Transactions before this one are over: nothing can appear among them any more."""
    found = await conn.execute(sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
    return int(found.scalar_one())


async def everywhere(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, seen: Place | None, upto: int, most: int
) -> list[tuple[Place, Row]] | None:
    """What has changed in the tenant, or in one storyboard, in transactions before `upto`, in order.

    Without `seen`, what is not finished. None when more than `most` productions have changed, or `seen` lies ahead.
    """
    if seen and seen.version >= upto:
        return None
    after = seen.version if seen else 0
    productions = await _productions(conn, tenant_id, storyboard_id, after, seen is None, most + 1)
    if seen and len(productions) > most:
        return None
    costs = await store.cost_micros(conn, [one.id for _, one in productions])
    rows: list[tuple[Place, Row]] = [
        (Place(at, LAST + one.id), Changed(one, costs.get(one.id, 0))) for at, one in productions
    ]
    rows += [(Place(at, job.id), job) for at, job in await _jobs(conn, [one.id for _, one in productions], after)]
    if seen is None:
        rows = [row for row in rows if not isinstance(row[1], domain.Job) or not row[1].ended_at]
    return sorted((row for row in rows if row[0].version < upto and (not seen or row[0] > seen)), key=_where)


def _where(row: tuple[Place, Row]) -> Place:
    return row[0]


async def _productions(
    conn: AsyncConnection, tenant_id: str, storyboard_id: str, after: int, open_only: bool, most: int
) -> list[tuple[int, domain.Production]]:
    """Also those that have changed since: the jobs that changed with them before are among what is looked for."""
    query = sa.select(_PRODUCTIONS).where(_PRODUCTIONS.c.tenant_id == tenant_id)
    if storyboard_id:
        query = query.where(_PRODUCTIONS.c.storyboard_id == storyboard_id)
    # From the place on: of that transaction not everything may have been sent.
    query = query.where(_PRODUCTIONS.c.ended_at.is_(None) if open_only else _PRODUCTIONS.c.changed_at >= after)
    rows = await conn.execute(query.order_by(_PRODUCTIONS.c.changed_at).limit(most))
    return [(row["changed_at"], store.production(row)) for row in rows.mappings()]


async def _jobs(conn: AsyncConnection, production_ids: Sequence[str], after: int) -> list[tuple[int, domain.Job]]:
    if not production_ids:
        return []
    theirs = (db.one_of(_JOBS.c.production_id, production_ids), _JOBS.c.changed_at >= after)
    return await store.read_jobs_at(conn, *theirs)
