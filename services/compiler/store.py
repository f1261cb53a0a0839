"""The tables of films and of the pieces they wait for, and every query on films."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.compiler import domain, orders

METADATA = sa.MetaData()
_TIME = sa.DateTime(timezone=True)
_TOO_EARLY = 0.02  # of the work: what is measured by then says nothing of the rest

FILMS = sa.Table(
    "films",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("edit_list", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float),
    sa.Column("seconds_left", sa.Float),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("work", pg.JSONB(none_as_null=True)),
    sa.Column("planned_at", _TIME),
    sa.Column("result", pg.JSONB(none_as_null=True)),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("next_action_at", _TIME),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False),
    sa.Column("lease_until", _TIME),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("cut_number", sa.Integer, nullable=False),
)

WANTED = sa.Table(
    "film_segments",
    METADATA,
    sa.Column("film_id", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("reused", sa.Boolean, nullable=False),
)
"""What films that are not over need: nobody makes, nobody evicts by anything else. `reused`: it was there before."""

_FIELDS = [field.name for field in dataclasses.fields(domain.Film)]


class LeaseLost(Exception):
    """Somebody else decides about this film now, or it was cancelled: stop, and leave it alone."""


async def now(conn: AsyncConnection) -> datetime:
    """The time of this transaction, for those who bring no clock."""
    return (await conn.execute(sa.select(sa.func.now()))).scalar_one()


async def insert_film_once(conn: AsyncConnection, film: domain.Film, request_id: str) -> domain.Film:
    """Insert the film; when the request_id has one already nothing is written, and that one is returned.

    A cut gets the number after the last of its storyboard.
    """
    values = _row(film) | {"request_id": request_id, "steps": 0}
    if film.storyboard_id:
        values["cut_number"] = await _next_cut(conn, film)
    insert = pg.insert(FILMS).values(values)
    await conn.execute(insert.on_conflict_do_nothing(index_elements=["tenant_id", "request_id"]))
    query = sa.select(FILMS).where(FILMS.c.tenant_id == film.tenant_id, FILMS.c.request_id == request_id)
    return _film((await conn.execute(query)).mappings().one())


async def _next_cut(conn: AsyncConnection, film: domain.Film) -> int:
    """The number, which nobody else is given before this transaction ends."""
    key = sa.func.hashtextextended(f"{film.tenant_id} {film.storyboard_id}", 0)
    await conn.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
    cuts = sa.and_(FILMS.c.tenant_id == film.tenant_id, FILMS.c.storyboard_id == film.storyboard_id)
    last = await conn.execute(sa.select(sa.func.max(FILMS.c.cut_number)).where(cuts))
    return (last.scalar_one() or 0) + 1


async def get_film(conn: AsyncConnection, tenant_id: str, film_id: str) -> domain.Film:
    """One film. Raises FilmNotFound."""
    return await _one(conn, _of(tenant_id, film_id), film_id)


async def lock_film(conn: AsyncConnection, tenant_id: str, film_id: str) -> domain.Film:
    """One film, locked until the transaction ends. Raises FilmNotFound."""
    return await _one(conn, _of(tenant_id, film_id).with_for_update(), film_id)


async def list_films(
    conn: AsyncConnection, tenant_id: str, only: Mapping[str, str], below: str | None, most: int
) -> list[domain.Film]:
    """Films, newest first, whose id is below the one given; `only` those with these values, where one is told."""
    query = sa.select(FILMS).where(FILMS.c.tenant_id == tenant_id)
    query = query.where(*(FILMS.c[name] == value for name, value in only.items() if value))
    if below:
        query = query.where(FILMS.c.id < below)
    rows = await conn.execute(query.order_by(FILMS.c.id.desc()).limit(most))
    return [_film(row) for row in rows.mappings()]


async def alike(conn: AsyncConnection, film: domain.Film) -> domain.Film | None:
    """The newest finished film of its tenant that is made by the same recipe."""
    query = sa.select(FILMS).where(
        FILMS.c.tenant_id == film.tenant_id, FILMS.c.address == film.address, FILMS.c.state == domain.State.COMPLETED
    )
    row = (await conn.execute(query.order_by(FILMS.c.id.desc()).limit(1))).mappings().first()
    return _film(row) if row else None


async def claim(conn: AsyncConnection, owner: str, lease_s: float) -> domain.Film | None:
    """Take the film that is due longest and that nobody holds; the database's clock alone decides.

    Claiming is also the rescue: the film of a process that is gone comes up here when its lease runs out.
    """
    at = sa.func.now()
    due = (
        sa.select(FILMS.c.id)
        .where(FILMS.c.next_action_at <= at, sa.or_(FILMS.c.lease_until.is_(None), FILMS.c.lease_until < at))
        .order_by(FILMS.c.next_action_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    query = (
        sa.update(FILMS)
        .where(FILMS.c.id == due)
        .values(
            state=domain.State.RUNNING,
            attempts=FILMS.c.attempts + 1,
            lease_owner=owner,
            lease_epoch=FILMS.c.lease_epoch + 1,
            lease_until=until(lease_s),
            updated_at=at,
        )
        .returning(FILMS)
    )
    row = (await conn.execute(query)).mappings().first()
    return _film(row) if row else None


async def renew(conn: AsyncConnection, film: domain.Film, lease_s: float, progress: float | None) -> None:
    """Hold on to the film for another while, and note how far it is. Raises LeaseLost."""
    at = sa.func.now()
    noted = {"progress": progress, "seconds_left": _left(progress), "updated_at": at} if progress is not None else {}
    await _update_held(conn, film, {"lease_until": until(lease_s)} | noted)


async def note_plan(conn: AsyncConnection, film: domain.Film, steps: int) -> None:
    """Write down by what the film is made, what its own part costs, and when that was first known. Raises LeaseLost."""
    row = _row(film)
    values = {"address": row["address"], "work": row["work"], "steps": steps}
    await _update_held(conn, film, values | {"planned_at": sa.func.coalesce(FILMS.c.planned_at, sa.func.now())})


async def save(conn: AsyncConnection, film: domain.Film) -> None:
    """Write what the worker decided, and give the lease back. Raises LeaseLost."""
    names = ("state", "attempts", "progress", "seconds_left", "result", "fault", "updated_at", "ended_at")
    row = _row(film)
    values = {name: row[name] for name in (*names, "next_action_at", "address", "work")}
    await _update_held(conn, film, values | {"lease_owner": None, "lease_until": None})
    await _let_go(conn, film)


async def cancel(conn: AsyncConnection, film: domain.Film) -> domain.Film:
    """Write a film's cancellation; the caller holds its row. Whoever works on it loses it with the lease."""
    names = ("state", "updated_at", "ended_at", "next_action_at", "seconds_left")
    values = {name: getattr(film, name) for name in names}
    update = sa.update(FILMS).where(FILMS.c.id == film.id).values(values).returning(FILMS)
    canceled = _film((await conn.execute(update)).mappings().one())
    await _let_go(conn, canceled)
    return canceled


async def _let_go(conn: AsyncConnection, film: domain.Film) -> None:
    """A film that is over needs its pieces no more."""
    if film.state in domain.ENDS:
        await conn.execute(sa.delete(WANTED).where(WANTED.c.film_id == film.id))


async def waiting(conn: AsyncConnection, film_ids: sa.Select[Any]) -> list[domain.Film]:
    """Those of these films that wait for pieces, locked in the order that all lock them in."""
    query = sa.select(FILMS).where(
        FILMS.c.id.in_(film_ids), FILMS.c.state == domain.State.RUNNING, FILMS.c.lease_until.is_(None)
    )
    rows = await conn.execute(query.order_by(FILMS.c.id).with_for_update())
    return [_film(row) for row in rows.mappings()]


async def note_progress(conn: AsyncConnection, film: domain.Film, progress: float) -> None:
    """How far a film is that waits for its pieces; the caller holds its row."""
    values = {"progress": progress, "seconds_left": _left(progress), "updated_at": sa.func.now()}
    await conn.execute(sa.update(FILMS).where(FILMS.c.id == film.id).values(values))


async def wake(conn: AsyncConnection, film: domain.Film) -> None:
    """Let a worker look at a film that waits; the caller holds its row."""
    await conn.execute(sa.update(FILMS).where(FILMS.c.id == film.id).values(next_action_at=sa.func.now()))


def _left(progress: float) -> sa.ColumnElement[Any] | None:
    """The seconds that the rest takes if it goes on as it has since the film was planned."""
    if progress < _TOO_EARLY:
        return None
    return sa.extract("epoch", sa.func.clock_timestamp() - FILMS.c.planned_at) * ((1 - progress) / progress)


async def _update_held(conn: AsyncConnection, film: domain.Film, values: dict[str, Any]) -> None:
    """Compare and set: only for the worker that claimed this epoch and still has it, and only while the film runs."""
    held = sa.and_(
        FILMS.c.id == film.id,
        FILMS.c.state == domain.State.RUNNING,
        FILMS.c.lease_epoch == film.lease_epoch,
        FILMS.c.lease_until.is_not(None),
    )
    if (await conn.execute(sa.update(FILMS).where(held).values(values))).rowcount == 0:
        raise LeaseLost(film.id)


def until(lease_s: float) -> sa.ColumnElement[Any]:
    """When a lease of so many seconds ends, by the clock of the database."""
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_s)


def _of(tenant_id: str, film_id: str) -> sa.Select[Any]:
    return sa.select(FILMS).where(FILMS.c.tenant_id == tenant_id, FILMS.c.id == film_id)


async def _one(conn: AsyncConnection, query: sa.Select[Any], film_id: str) -> domain.Film:
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.FilmNotFound(film_id=film_id)
    return _film(row)


def _film(row: sa.RowMapping) -> domain.Film:
    values = {name: row[name] for name in _FIELDS}
    values["state"] = domain.State(row["state"])
    values["result"] = _result(row["result"]) if row["result"] else None
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    values["work"] = domain.Work(**row["work"]) if row["work"] else None
    return domain.Film(**values)


def _result(value: dict[str, Any]) -> domain.Result:
    files = {one.field: domain.Media(**value[one.field]) for one in orders.OUTPUTS if value.get(one.field)}
    notices = tuple(domain.Notice(**one | {"kind": domain.Oddity(one["kind"])}) for one in value.get("notices", ()))
    chapters = tuple(domain.Chapter(**one) for one in value.get("chapters", ()))
    return domain.Result(**value | files | {"notices": notices, "chapters": chapters})


def _row(film: domain.Film) -> dict[str, Any]:
    values = {name: getattr(film, name) for name in _FIELDS}
    values["result"] = dataclasses.asdict(film.result) if film.result else None
    values["fault"] = dataclasses.asdict(film.fault) if film.fault else None
    values["work"] = dataclasses.asdict(film.work) if film.work else None
    return values
