"""The tables of money: budgets, which are the wall, and the ledger, which says how they came to be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import ids
from services.provider_gateway import domain
from services.provider_gateway.store import METADATA

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


async def open_budget(conn: AsyncConnection, tenant_id: str, currency: str, limit_micros: int) -> domain.Budget:
    """The tenant's budget in this currency; made with this limit when there is none yet."""
    row = {"id": ids.new("budget"), "tenant_id": tenant_id, "currency": currency, "limit_micros": limit_micros}
    empty = {"reserved_micros": 0, "spent_micros": 0, "suspense_micros": 0}
    await conn.execute(pg.insert(BUDGETS).values(row | empty).on_conflict_do_nothing())
    query = sa.select(BUDGETS).where(BUDGETS.c.tenant_id == tenant_id, BUDGETS.c.currency == currency)
    return domain.Budget(**(await conn.execute(query)).mappings().one())


async def set_limit(conn: AsyncConnection, tenant_id: str, currency: str, limit_micros: int) -> domain.Budget:
    """Move the wall; what is behind it already stays."""
    await open_budget(conn, tenant_id, currency, limit_micros)
    query = (
        sa.update(BUDGETS)
        .where(BUDGETS.c.tenant_id == tenant_id, BUDGETS.c.currency == currency)
        .values(limit_micros=limit_micros)
        .returning(BUDGETS)
    )
    return domain.Budget(**(await conn.execute(query)).mappings().one())


class Entry(NamedTuple):
    """A posting, and the submission it is for."""

    submission: domain.Submission
    posting: domain.Posting


async def hold_if_left(conn: AsyncConnection, tenant_id: str, currency: str, micros: int) -> bool:
    """Set money aside; False, and nothing done, when the budget has less left. This statement is the whole wall."""
    used = BUDGETS.c.reserved_micros + BUDGETS.c.spent_micros + BUDGETS.c.suspense_micros
    query = (
        sa.update(BUDGETS)
        .where(
            BUDGETS.c.tenant_id == tenant_id,
            BUDGETS.c.currency == currency,
            used + micros <= BUDGETS.c.limit_micros,
        )
        .values(reserved_micros=BUDGETS.c.reserved_micros + micros)
        .returning(BUDGETS.c.id)
    )
    return (await conn.execute(query)).first() is not None


async def post(conn: AsyncConnection, entries: Sequence[Entry], now: datetime) -> None:
    """Move money between the accounts, in the budgets and in the ledger."""
    sums: dict[tuple[str, str], domain.Posting] = {}
    for submission, posting in entries:
        key = (submission.tenant_id, submission.currency)
        sums[key] = posting + sums[key] if key in sums else posting
    for (tenant_id, currency), total in sorted(sums.items()):  # in one order, so that nobody waits in a circle
        await conn.execute(
            sa.update(BUDGETS)
            .where(BUDGETS.c.tenant_id == tenant_id, BUDGETS.c.currency == currency)
            .values(
                reserved_micros=BUDGETS.c.reserved_micros + total.reserved,
                spent_micros=BUDGETS.c.spent_micros + total.spent,
                suspense_micros=BUDGETS.c.suspense_micros + total.suspense,
            )
        )
    await write(conn, entries, now)


async def write(conn: AsyncConnection, entries: Sequence[Entry], now: datetime) -> None:
    """Add lines to the ledger; the budgets have been moved in this transaction."""
    if entries:
        await conn.execute(sa.insert(LEDGER), [_row(entry, now) for entry in entries])


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
