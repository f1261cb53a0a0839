"""What the books say: the lines of the ledger, and where a tenant stands."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.provider_gateway import budgets, domain
from services.provider_gateway.ledger import LEDGER
from services.provider_gateway.store import SUBMISSIONS

_AT_STAKE = "state IN ('PARKED', 'UNKNOWN', 'UNRESOLVED')"
"""As the index says it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger, in micros."""

    id: str
    currency: str
    submission_id: str
    kind: str
    available: int
    reserved: int
    spent: int
    suspense: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a tenant stands in one currency; micros."""

    budget: budgets.Budget
    unknown: int = 0
    unknown_micros: int = 0
    parked: int = 0
    over_quote_micros: int = 0


async def lines(
    conn: AsyncConnection, tenant_id: str, submission_id: str, currency: str, below: str | None, most: int
) -> list[Line]:
    """Lines of the ledger, newest first, whose id is below the one given."""
    query = sa.select(*(LEDGER.c[name] for name in Line.__slots__)).where(LEDGER.c.tenant_id == tenant_id)
    if submission_id:
        query = query.where(LEDGER.c.submission_id == submission_id)
    if currency:
        query = query.where(LEDGER.c.currency == currency)
    if below:
        query = query.where(LEDGER.c.id < below)
    return [Line(*row) for row in await conn.execute(query.order_by(LEDGER.c.id.desc()).limit(most))]


async def balance(conn: AsyncConnection, budget: budgets.Budget) -> Balance:
    """Where the tenant of this wall, its own, stands in the wall's currency."""
    is_parked = SUBMISSIONS.c.state == domain.State.PARKED
    stake = sa.select(
        sa.func.count().filter(~is_parked),
        sa.func.coalesce(sa.func.sum(SUBMISSIONS.c.reserved_micros).filter(~is_parked), 0),
        sa.func.count().filter(is_parked),
    ).where(
        SUBMISSIONS.c.tenant_id == budget.tenant_id,
        SUBMISSIONS.c.currency == budget.currency,
        sa.text(_AT_STAKE),
    )
    over = sa.select(sa.func.coalesce(-sa.func.sum(LEDGER.c.available), 0)).where(
        LEDGER.c.tenant_id == budget.tenant_id,
        LEDGER.c.currency == budget.currency,
        sa.text("kind = 'commit' AND available < 0"),
    )
    unknown, micros, parked = (await conn.execute(stake)).one()
    return Balance(budget, unknown, int(micros), parked, int((await conn.execute(over)).scalar_one()))
