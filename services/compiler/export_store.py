"""The table of exports, and every query on it."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.compiler import domain, store
from services.compiler.domain import State
from services.compiler.exports import Export, Format

_TIME = sa.DateTime(timezone=True)

EXPORTS = sa.Table(
    "exports",
    store.METADATA,
    sa.Column("film_id", sa.Text, primary_key=True),
    sa.Column("format", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float),
    sa.Column("media", pg.JSONB(none_as_null=True)),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("next_action_at", _TIME),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False),
    sa.Column("lease_until", _TIME),
)

_FIELDS = [field.name for field in dataclasses.fields(Export)]


async def want(conn: AsyncConnection, export: Export) -> Export:
    """Write the export down; one that is there stays as it is, but what has failed is tried anew."""
    insert = pg.insert(EXPORTS).values(_row(export))
    anew = ("state", "attempts", "progress", "fault", "updated_at", "ended_at", "next_action_at")
    upsert = insert.on_conflict_do_update(
        index_elements=["film_id", "format"],
        set_={name: insert.excluded[name] for name in anew},
        where=EXPORTS.c.state == State.FAILED,
    )
    await conn.execute(upsert)
    query = sa.select(EXPORTS).where(_is(export))
    return _export((await conn.execute(query)).mappings().one())


async def of_film(conn: AsyncConnection, film: domain.Film) -> list[Export]:
    """The film's exports, by format."""
    query = sa.select(EXPORTS).where(EXPORTS.c.film_id == film.id, EXPORTS.c.tenant_id == film.tenant_id)
    return [_export(row) for row in (await conn.execute(query.order_by(EXPORTS.c.format))).mappings()]


async def claim(conn: AsyncConnection, owner: str, lease_s: float) -> Export | None:
    """Take the export that is due longest and that nobody holds; claiming is also the rescue, as with films."""
    at = sa.func.now()
    due = (
        sa.select(EXPORTS.c.film_id, EXPORTS.c.format)
        .where(EXPORTS.c.next_action_at <= at, sa.or_(EXPORTS.c.lease_until.is_(None), EXPORTS.c.lease_until < at))
        .order_by(EXPORTS.c.next_action_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = {
        "state": State.RUNNING,
        "attempts": EXPORTS.c.attempts + 1,
        "lease_owner": owner,
        "lease_epoch": EXPORTS.c.lease_epoch + 1,
        "lease_until": store.until(lease_s),
        "updated_at": at,
    }
    is_due = sa.and_(EXPORTS.c.film_id == due.c.film_id, EXPORTS.c.format == due.c.format)
    row = (await conn.execute(sa.update(EXPORTS).where(is_due).values(taken).returning(EXPORTS))).mappings().first()
    return _export(row) if row else None


async def renew(conn: AsyncConnection, export: Export, lease_s: float, progress: float | None) -> None:
    """Hold on to it, and note how far it is. Raises LeaseLost."""
    noted = {"lease_until": store.until(lease_s), "progress": progress, "updated_at": sa.func.now()}
    await _update_held(conn, export, noted)


async def save(conn: AsyncConnection, export: Export) -> None:
    """Write what became of it, and give the lease back. Raises LeaseLost."""
    names = ("state", "attempts", "progress", "media", "fault", "updated_at", "ended_at", "next_action_at")
    row = _row(export)
    values = {name: row[name] for name in names} | {"lease_owner": None, "lease_until": None}
    await _update_held(conn, export, values)


async def _update_held(conn: AsyncConnection, export: Export, values: dict[str, Any]) -> None:
    held = sa.and_(_is(export), EXPORTS.c.state == State.RUNNING, EXPORTS.c.lease_epoch == export.lease_epoch)
    if (await conn.execute(sa.update(EXPORTS).where(held).values(values))).rowcount == 0:
        raise store.LeaseLost(export.film_id)


def _is(export: Export) -> sa.ColumnElement[bool]:
    return sa.and_(
        EXPORTS.c.film_id == export.film_id,
        EXPORTS.c.format == export.format,
        EXPORTS.c.tenant_id == export.tenant_id,
    )


def _export(row: sa.RowMapping) -> Export:
    values = {name: row[name] for name in _FIELDS}
    values["format"], values["state"] = Format(row["format"]), State(row["state"])
    values["media"] = domain.Media(**row["media"]) if row["media"] else None
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    return Export(**values)


def _row(export: Export) -> dict[str, Any]:
    values = {name: getattr(export, name) for name in _FIELDS}
    values["media"] = dataclasses.asdict(export.media) if export.media else None
    values["fault"] = dataclasses.asdict(export.fault) if export.fault else None
    return values
