"""The table of pieces, and every query on it; whoever needs both locks pieces first, then films, each in order."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.compiler import domain, store
from services.compiler.segments import Segment, State
from services.compiler.store import FILMS, METADATA, WANTED

_TIME = sa.DateTime(timezone=True)

SEGMENTS = sa.Table(
    "segments",
    METADATA,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("needs", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("used_at", _TIME, nullable=False),
    sa.Column("made_at", _TIME),
    sa.Column("next_action_at", _TIME),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False),
    sa.Column("lease_until", _TIME),
    sa.Column("traceparent", sa.Text, nullable=False),
)


class Stale(NamedTuple):
    """A piece that may go, and when it was used last."""

    tenant_id: str
    address: str
    used_at: datetime


_FIELDS = [field.name for field in dataclasses.fields(Segment)]
_NEW = ("tenant_id", "address", "kind", "recipe", "needs", "steps", "state", "traceparent")
_IS_WANTED = sa.exists().where(WANTED.c.tenant_id == SEGMENTS.c.tenant_id, WANTED.c.address == SEGMENTS.c.address)


async def fault_of(conn: AsyncConnection, film: domain.Film) -> domain.Fault | None:
    """Why a piece that this film waits for cannot be made."""
    query = sa.select(SEGMENTS.c.fault).where(_of(film), SEGMENTS.c.state == State.FAILED).limit(1)
    fault = (await conn.execute(query)).scalar_one_or_none()
    return domain.Fault(**fault) if fault else None


async def want(conn: AsyncConnection, film: domain.Film, wanted: Sequence[Segment]) -> frozenset[str]:
    """Let this film wait for these pieces, written down where there is none yet; returns which are done.

    What has failed for another film is tried anew. The pieces are then locked.
    """
    rows = [dataclasses.asdict(one) for one in sorted(wanted, key=lambda one: one.address)]
    new = db.recordset(SEGMENTS, _NEW, "new")
    columns = [new.c[name] for name in _NEW]
    zero, at = sa.literal(0), sa.func.now()
    query = sa.select(*columns, sa.literal(0.0), zero, zero, zero, at, at).order_by(new.c.address)
    names = [*_NEW, "share", "size_bytes", "attempts", "lease_epoch", "used_at", "next_action_at"]
    insert = pg.insert(SEGMENTS).from_select(names, query)
    has_failed = SEGMENTS.c.state == State.FAILED
    anew = {"state": State.WAITING, "attempts": 0, "fault": sa.null(), "next_action_at": at}
    kept = {name: sa.case((has_failed, value), else_=SEGMENTS.c[name]) for name, value in anew.items()}
    upsert = insert.on_conflict_do_update(
        index_elements=["tenant_id", "address"], set_=kept | {"used_at": at}
    ).returning(SEGMENTS.c.address, SEGMENTS.c.state)
    done = frozenset(
        row.address for row in await conn.execute(upsert, {"new": db.records(_NEW, rows)}) if row.state == State.DONE
    )
    links = [
        {"film_id": film.id, "tenant_id": one.tenant_id, "address": one.address, "reused": one.address in done}
        for one in wanted
    ]
    await conn.execute(pg.insert(WANTED).on_conflict_do_nothing(), links)
    return done


async def reused(conn: AsyncConnection, film: domain.Film) -> frozenset[str]:
    """The pieces that were there when the film first wanted them."""
    query = sa.select(WANTED.c.address).where(WANTED.c.film_id == film.id, WANTED.c.reused)
    return frozenset((await conn.execute(query)).scalars())


async def claim(conn: AsyncConnection, owner: str, lease_s: float) -> Segment | None:
    """Take a piece that some film needs, that is due longest, that nobody holds, and whose own pieces are all there.

    The longest work of a film comes first. Claiming is also the rescue, as with films.
    """
    at, other = sa.func.now(), SEGMENTS.alias()
    lacks = sa.exists().where(
        other.c.tenant_id == SEGMENTS.c.tenant_id,
        other.c.address == sa.any_(SEGMENTS.c.needs),
        other.c.state != State.DONE,
    )
    is_free = sa.or_(SEGMENTS.c.lease_until.is_(None), SEGMENTS.c.lease_until < at)
    due = (
        sa.select(SEGMENTS.c.tenant_id, SEGMENTS.c.address)
        .where(SEGMENTS.c.next_action_at <= at, is_free, _IS_WANTED, ~lacks)
        .order_by(SEGMENTS.c.next_action_at, SEGMENTS.c.steps.desc())
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = {
        "state": State.RUNNING,
        "share": 0.0,
        "attempts": SEGMENTS.c.attempts + 1,
        "lease_owner": owner,
        "lease_epoch": SEGMENTS.c.lease_epoch + 1,
        "lease_until": store.until(lease_s),
    }
    is_due = sa.and_(SEGMENTS.c.tenant_id == due.c.tenant_id, SEGMENTS.c.address == due.c.address)
    row = (await conn.execute(sa.update(SEGMENTS).where(is_due).values(taken).returning(SEGMENTS))).mappings().first()
    return _segment(row) if row else None


async def renew(conn: AsyncConnection, one: Segment, lease_s: float, share: float) -> list[domain.Film]:
    """Hold on to the piece, and note how far it is; returns the films whose progress that is.

    Raises LeaseLost, also when no film needs it any more.
    """
    await _update_held(conn, one, {"lease_until": store.until(lease_s), "share": share}, _IS_WANTED)
    return await _note_progress(conn, await store.waiting(conn, _films_of(one)))


async def save(conn: AsyncConnection, one: Segment) -> list[domain.Film]:
    """Write what became of the piece, and give the lease back; returns the films whose progress that is.

    A film that waits for nothing else is woken, and each that cannot be made any more. Raises LeaseLost.
    """
    names = ("state", "attempts", "size_bytes", "seconds", "made_at", "next_action_at")
    values = {name: getattr(one, name) for name in names}
    values["fault"] = dataclasses.asdict(one.fault) if one.fault else None
    await _update_held(conn, one, values | {"lease_owner": None, "lease_until": None, "share": 0.0})
    films = await store.waiting(conn, _films_of(one)) if one.state is not State.WAITING else []
    for film in films:
        unmade = sa.select(sa.func.count()).where(_of(film), SEGMENTS.c.state != State.DONE)
        if one.fault or not (await conn.execute(unmade)).scalar_one():
            await store.wake(conn, film)
    return await _note_progress(conn, films)


async def made_steps(conn: AsyncConnection, film: domain.Film) -> float:
    """How much work of those pieces is done that were not there before."""
    is_done = SEGMENTS.c.state == State.DONE
    return await _sum(conn, film, SEGMENTS.c.steps * sa.case((is_done, 1.0), else_=SEGMENTS.c.share))


async def lose(conn: AsyncConnection, tenant_id: str, address: str) -> bool:
    """This piece is not where it was kept, and has to be made again; False when this is no piece of ours."""
    is_it = sa.and_(SEGMENTS.c.tenant_id == tenant_id, SEGMENTS.c.address == address)
    values = {"state": State.WAITING, "made_at": None, "attempts": 0, "next_action_at": sa.func.now()}
    await conn.execute(sa.update(SEGMENTS).where(is_it, SEGMENTS.c.state == State.DONE).values(values))
    return (await conn.execute(sa.select(sa.exists().where(is_it)))).scalar_one()


async def stale(conn: AsyncConnection, kept: timedelta, most_bytes: int, most: int) -> list[Stale]:
    """Pieces that no film needs now, and that were not used for so long or are over what a tenant may keep.

    The least recently used of a tenant go first.
    """
    newest_first = (SEGMENTS.c.used_at.desc(), SEGMENTS.c.address)
    sizes = sa.func.sum(SEGMENTS.c.size_bytes)
    total = sizes.over(partition_by=SEGMENTS.c.tenant_id, order_by=newest_first).label("total")
    all_of_them = sa.select(SEGMENTS.c.tenant_id, SEGMENTS.c.address, SEGMENTS.c.used_at, ~_IS_WANTED, total).subquery()
    tenant_id, address, used_at, is_free, size = all_of_them.c
    goes = sa.or_(used_at < sa.func.now() - kept, size > most_bytes)
    query = sa.select(tenant_id, address, used_at).where(is_free, goes).order_by(used_at).limit(most)
    return [Stale(*row) for row in await conn.execute(query)]


async def evict(conn: AsyncConnection, one: Stale) -> bool:
    """Forget a piece unless it was used since; its row is locked until the transaction ends."""
    is_same = sa.and_(
        SEGMENTS.c.tenant_id == one.tenant_id, SEGMENTS.c.address == one.address, SEGMENTS.c.used_at == one.used_at
    )
    free = sa.select(SEGMENTS.c.address).where(is_same, ~_IS_WANTED, SEGMENTS.c.state != State.RUNNING)
    if (await conn.execute(free.with_for_update(skip_locked=True))).first() is None:
        return False
    await conn.execute(sa.delete(SEGMENTS).where(is_same))
    return True


async def _note_progress(conn: AsyncConnection, films: Sequence[domain.Film]) -> list[domain.Film]:
    """Write how far these films are; returns those of which that changes what can be seen."""
    moved = []
    for film in films:
        own = (await conn.execute(sa.select(FILMS.c.steps).where(FILMS.c.id == film.id))).scalar_one()
        whole = own + await _sum(conn, film, SEGMENTS.c.steps)
        progress = await made_steps(conn, film) / whole if whole else 0.0
        if progress > (film.progress or 0.0):
            await store.note_progress(conn, film, progress)
            moved.append(dataclasses.replace(film, progress=progress))
    return moved


async def _sum(conn: AsyncConnection, film: domain.Film, what: sa.ColumnElement[Any]) -> float:
    query = sa.select(sa.func.coalesce(sa.func.sum(what), 0)).where(_of(film), ~WANTED.c.reused)
    return float((await conn.execute(query)).scalar_one())


def _of(film: domain.Film) -> sa.ColumnElement[bool]:
    return sa.and_(
        WANTED.c.film_id == film.id, SEGMENTS.c.tenant_id == film.tenant_id, SEGMENTS.c.address == WANTED.c.address
    )


def _films_of(one: Segment) -> sa.Select[Any]:
    return sa.select(WANTED.c.film_id).where(WANTED.c.tenant_id == one.tenant_id, WANTED.c.address == one.address)


async def _update_held(
    conn: AsyncConnection, one: Segment, values: dict[str, Any], *also: sa.ColumnElement[bool]
) -> None:
    """Compare and set: only for the worker that claimed this epoch, and only while it runs."""
    held = sa.and_(
        SEGMENTS.c.tenant_id == one.tenant_id,
        SEGMENTS.c.address == one.address,
        SEGMENTS.c.state == State.RUNNING,
        SEGMENTS.c.lease_epoch == one.lease_epoch,
    )
    if (await conn.execute(sa.update(SEGMENTS).where(held, *also).values(values))).rowcount == 0:
        raise store.LeaseLost(one.address)


def _segment(row: sa.RowMapping) -> Segment:
    values = {name: row[name] for name in _FIELDS}
    values["state"] = State(row["state"])
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    return Segment(**values)
