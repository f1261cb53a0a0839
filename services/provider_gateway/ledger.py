"""The tables of money: budgets, which are the walls, and the ledger, which says how they came to be."""

import collections
import dataclasses
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, ids
from services.provider_gateway import budgets, domain, switches
from services.provider_gateway.store import METADATA

log = logging.getLogger(__name__)

BUDGETS = sa.Table(
    "budgets",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("limit_micros", sa.BigInteger, nullable=False),
    sa.Column("reserved_micros", sa.BigInteger, nullable=False),
    sa.Column("spent_micros", sa.BigInteger, nullable=False),
    sa.Column("suspense_micros", sa.BigInteger, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("scope_id", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("period_id", sa.Text, nullable=False),
)

LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("submission_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("available", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("suspense", sa.BigInteger, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

BRAKE = budgets.Brake()

_WALL = (BUDGETS.c.tenant_id, BUDGETS.c.currency, BUDGETS.c.scope_id, BUDGETS.c.scope, BUDGETS.c.period)
_MOVED = ("id", "reserved_micros", "spent_micros", "suspense_micros")
_BY = db.recordset(BUDGETS, _MOVED, "moves")
_MOVE = (
    sa.update(BUDGETS)
    .where(BUDGETS.c.id == _BY.c.id)
    .values({name: BUDGETS.c[name] + _BY.c[name] for name in _MOVED if name != "id"})
)
_IS_OWN = sa.and_(BUDGETS.c.scope == budgets.Scope.TENANT, BUDGETS.c.period == budgets.Period.EVER)


class Entry(NamedTuple):
    """A posting, and the submission it is for."""

    submission: domain.Submission
    posting: budgets.Posting


def standing() -> sa.Select[Any]:
    """The walls that stand, for a query on what is behind them; a period that is over stands until the next begins."""
    newest = sa.select(BUDGETS).order_by(*_WALL, BUDGETS.c.period_id.desc())
    return newest.ext(pg.distinct_on(*_WALL))


async def open_budget(conn: AsyncConnection, tenant_id: str, currency: str, limit_micros: int) -> budgets.Budget:
    """The tenant's own wall in this currency; made with this limit when there is none yet."""
    await make(conn, [budgets.Budget(ids.new("budget"), tenant_id, currency, limit_micros)])
    query = sa.select(BUDGETS).where(BUDGETS.c.tenant_id == tenant_id, BUDGETS.c.currency == currency, _IS_OWN)
    return _budget((await conn.execute(query)).mappings().one())


async def hold(
    conn: AsyncConnection, asks: Sequence[domain.Submission], now: datetime, brake: budgets.Brake = BRAKE
) -> budgets.Admission:
    """Set money aside for these, in their order, with the lines of the ledger; or say why not, and until when.

    Every wall around any of them is locked, and no switch is released, until the transaction ends. Those held have to
    be in the database by then.
    """
    if not asks:
        return budgets.Admission([], [])
    walls = await stand(conn, _around(asks), now)
    thrown = await switches.in_force(conn, {ask.tenant_id for ask in asks})
    admission = budgets.admit(asks, walls, thrown, now)
    entries = [Entry(one, budgets.reservation(one)) for one in admission.held]
    await _move(conn, entries)
    await _write(conn, entries, now)
    await _brake(conn, admission.held, brake, now)
    return admission


async def post(conn: AsyncConnection, entries: Sequence[Entry], now: datetime) -> None:
    """Move money between the accounts, in every wall of each submission and in the ledger."""
    if not entries:
        return
    await _lock(conn, db.one_of(BUDGETS.c.id, {wall_id for one, _ in entries for wall_id in one.budgets}))
    await _move(conn, entries)
    await _write(conn, entries, now)
    await _flag(conn, [entry for entry in entries if entry.posting.over_quote], now)


async def stand(conn: AsyncConnection, which: sa.ColumnElement[bool], now: datetime) -> list[budgets.Budget]:
    """Those of these walls that stand now, locked until the transaction ends.

    A new period begins here, with a copy of the last limit; whoever waited for the lock reads again what stands since.
    """
    found = await _lock(conn, BUDGETS.c.id.in_(_newest(which)))
    past = [wall for wall in found if wall.period_id < budgets.period_id(wall.period, now)]
    if not past:
        return found
    await make(conn, [begin(one.tenant_id, one.currency, one.place, one.limit_micros, now) for one in past])
    return await _lock(conn, BUDGETS.c.id.in_(_newest(which)))


async def make(conn: AsyncConnection, walls: Sequence[budgets.Budget]) -> None:
    """Put up those of these that do not stand yet."""
    rows = [dataclasses.asdict(wall) for wall in walls]
    await conn.execute(pg.insert(BUDGETS).on_conflict_do_nothing(), rows)


def begin(tenant_id: str, currency: str, place: budgets.Place, limit_micros: int, now: datetime) -> budgets.Budget:
    """A wall for the present period, with nothing behind it."""
    return budgets.Budget(
        ids.new("budget"),
        tenant_id,
        currency,
        limit_micros,
        scope=place.scope,
        scope_id=place.scope_id,
        period=place.period,
        period_id=budgets.period_id(place.period, now),
    )


def _around(asks: Iterable[domain.Submission]) -> sa.ColumnElement[bool]:
    """The walls around any of these, and perhaps some more."""
    keys = {(ask.tenant_id, ask.currency, scope_id) for ask in asks for _, scope_id in budgets.places(ask)}
    tenant_ids, currencies, scope_ids = map(set, zip(*keys, strict=True))
    return sa.and_(
        db.one_of(BUDGETS.c.tenant_id, tenant_ids),
        db.one_of(BUDGETS.c.currency, currencies),
        db.one_of(BUDGETS.c.scope_id, scope_ids),
    )


def _newest(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    newest = sa.select(BUDGETS.c.id).where(which).order_by(*_WALL, BUDGETS.c.period_id.desc())
    return newest.ext(pg.distinct_on(*_WALL))


async def _lock(conn: AsyncConnection, which: sa.ColumnElement[bool]) -> list[budgets.Budget]:
    """In one order, the tenants' own walls first, so that nobody waits in a circle."""
    query = sa.select(BUDGETS).where(which).order_by(_IS_OWN.desc(), BUDGETS.c.id).with_for_update()
    return [_budget(row) for row in (await conn.execute(query)).mappings()]


async def _move(conn: AsyncConnection, entries: Iterable[Entry]) -> None:
    sums: dict[str, budgets.Posting] = collections.defaultdict(lambda: budgets.Posting("sum"))
    for submission, posting in entries:
        for wall_id in submission.budgets:
            sums[wall_id] += posting
    if not sums:
        return
    rows = [
        {"id": i, "reserved_micros": p.reserved, "spent_micros": p.spent, "suspense_micros": p.suspense}
        for i, p in sums.items()
    ]
    await conn.execute(_MOVE, {"moves": db.records(_MOVED, rows)})


async def _write(conn: AsyncConnection, entries: Iterable[Entry], now: datetime) -> None:
    if rows := [_row(entry, now) for entry in entries]:
        await conn.execute(sa.insert(LEDGER), rows)


async def _brake(conn: AsyncConnection, held: Iterable[domain.Submission], brake: budgets.Brake, now: datetime) -> None:
    for tenant_id in sorted({one.tenant_id for one in held if one.currency != budgets.PLAY_MONEY}):
        if why := brake.reason(await _pace(conn, tenant_id, now)):
            reason = f"The brake was put on: {why}."
            await switches.throw(conn, tenant_id, budgets.Reach.TENANT, "", reason, "brake", now)


async def _pace(conn: AsyncConnection, tenant_id: str, now: datetime) -> budgets.Pace:
    """What was before the last brake that a person has released is forgiven."""
    minute, hour, day = now - timedelta(minutes=1), now - timedelta(hours=1), now - timedelta(hours=25)
    at, micros = LEDGER.c.at, sa.func.sum(LEDGER.c.reserved)
    query = sa.select(
        sa.func.count().filter(at > minute),
        sa.func.coalesce(micros.filter(at > hour), 0),
        sa.func.coalesce(micros.filter(at <= hour), 0),
    ).where(
        LEDGER.c.tenant_id == tenant_id,
        LEDGER.c.kind == sa.literal_column("'reserve'"),  # as the index says it
        LEDGER.c.currency != sa.literal_column(f"'{budgets.PLAY_MONEY}'"),
        LEDGER.c.available < 0,
        at > sa.func.greatest(day, switches.last_release(tenant_id, "brake")),
    )
    return budgets.Pace(*map(int, (await conn.execute(query)).one()))


async def _flag(conn: AsyncConnection, drifted: Sequence[Entry], now: datetime) -> None:
    """What was charged is the truth, also beyond the quote; a model that drifts too far is bought no more."""
    worst: dict[tuple[str, str], str] = {}
    for one, posting in drifted:
        facts = {"submission_id": one.id, "model": one.model, "over_micros": posting.over_quote}
        log.warning("price_drifted", extra=facts)
        if budgets.has_drifted(one, posting):
            charged, most = (budgets.amount(micros, one.currency) for micros in (posting.spent, one.reserved_micros))
            worst[one.tenant_id, one.model] = f"The price drifted: {charged} charged where at most {most} was quoted."
    for (tenant_id, model), reason in sorted(worst.items()):
        await switches.throw(conn, tenant_id, budgets.Reach.MODEL, model, reason, "drift", now)


def _budget(row: sa.RowMapping) -> budgets.Budget:
    return budgets.Budget(**dict(row) | {"scope": budgets.Scope(row["scope"]), "period": budgets.Period(row["period"])})


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    submission, posting = entry
    return {
        "id": ids.new("entry"),
        "tenant_id": submission.tenant_id,
        "currency": submission.currency,
        "submission_id": submission.id,
        "kind": posting.kind,
        "available": posting.available,
        "reserved": posting.reserved,
        "spent": posting.spent,
        "suspense": posting.suspense,
        "at": now,
    }
