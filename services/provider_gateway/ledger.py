"""The tables of money: budgets, which are the wall, and the ledger, which says how they came to be."""

from datetime import datetime

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


async def hold_if_left(conn: AsyncConnection, submission: domain.Submission) -> bool:
    """Set the money aside; False, and nothing done, when the budget has less left. This statement is the whole wall."""
    used = BUDGETS.c.reserved_micros + BUDGETS.c.spent_micros + BUDGETS.c.suspense_micros
    query = (
        sa.update(BUDGETS)
        .where(
            BUDGETS.c.tenant_id == submission.tenant_id,
            BUDGETS.c.currency == submission.currency,
            used + submission.reserved_micros <= BUDGETS.c.limit_micros,
        )
        .values(reserved_micros=BUDGETS.c.reserved_micros + submission.reserved_micros)
        .returning(BUDGETS.c.id)
    )
    return (await conn.execute(query)).first() is not None


async def write(conn: AsyncConnection, submission: domain.Submission, posting: domain.Posting, now: datetime) -> None:
    """Add a line to the ledger; the budget has been moved in this transaction."""
    await conn.execute(
        sa.insert(LEDGER).values(
            id=ids.new("entry"),
            tenant_id=submission.tenant_id,
            currency=submission.currency,
            submission_id=submission.id,
            kind=posting.kind,
            available=posting.available,
            reserved=posting.reserved,
            spent=posting.spent,
            suspense=posting.suspense,
            at=now,
        )
    )


async def post(conn: AsyncConnection, submission: domain.Submission, posting: domain.Posting, now: datetime) -> None:
    """Move money between the accounts, in the budget and in the ledger."""
    await conn.execute(
        sa.update(BUDGETS)
        .where(BUDGETS.c.tenant_id == submission.tenant_id, BUDGETS.c.currency == submission.currency)
        .values(
            reserved_micros=BUDGETS.c.reserved_micros + posting.reserved,
            spent_micros=BUDGETS.c.spent_micros + posting.spent,
            suspense_micros=BUDGETS.c.suspense_micros + posting.suspense,
        )
    )
    await write(conn, submission, posting, now)
