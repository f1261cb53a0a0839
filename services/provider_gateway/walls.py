"""What people do with walls: put them up, look at them, take them down."""

import dataclasses
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.provider_gateway import budgets, ledger, switches
from services.provider_gateway.ledger import BUDGETS

_FIRST = {scope: number for number, scope in enumerate(budgets.Scope)}


async def find(
    conn: AsyncConnection, tenant_id: str, currency: str, place: budgets.Place, now: datetime
) -> budgets.Budget:
    """The wall that stands there now. Raises BudgetNotFound."""
    found = await ledger.stand(conn, _at(tenant_id, currency, place), now)
    if not found:
        raise _missing(place)
    return found[0]


async def listed(conn: AsyncConnection, tenant_id: str, now: datetime) -> list[budgets.Budget]:
    """Every wall that stands now, the tenant's own first."""
    found = await ledger.stand(conn, BUDGETS.c.tenant_id == tenant_id, now)
    return sorted(found, key=lambda wall: (_FIRST[wall.scope], wall.scope_id, wall.currency, wall.period_id))


async def shortages(
    conn: AsyncConnection, tenant_id: str, currency: str, needed_micros: int, now: datetime
) -> list[str]:
    """What to say of the tenant's walls by day and month that will not let all of it pass at once."""
    own = sa.and_(BUDGETS.c.tenant_id == tenant_id, BUDGETS.c.currency == currency, BUDGETS.c.scope_id == "")
    found = await ledger.stand(conn, own, now)
    return [said for wall in found if (said := budgets.shortage(wall, needed_micros, now))]


async def set_limit(
    conn: AsyncConnection, tenant_id: str, currency: str, place: budgets.Place, limit_micros: int, now: datetime
) -> budgets.Budget:
    """Put a wall up, or move it; what is behind it already stays. What was parked for it is tried again.

    It counts what is ordered from now on. The tenant's own wall has to stand.
    """
    await _own(conn, tenant_id, currency, now)
    await ledger.make(conn, [ledger.begin(tenant_id, currency, place, limit_micros, now)])
    wall = await find(conn, tenant_id, currency, place, now)
    await conn.execute(sa.update(BUDGETS).where(BUDGETS.c.id == wall.id).values(limit_micros=limit_micros))
    await switches.wake(conn, tenant_id, now)
    return dataclasses.replace(wall, limit_micros=limit_micros)


async def remove(conn: AsyncConnection, tenant_id: str, currency: str, place: budgets.Place, now: datetime) -> None:
    """Take a wall down, with those of the periods before it. What was parked is tried again. Raises BudgetNotFound."""
    await _own(conn, tenant_id, currency, now)
    gone = await conn.execute(sa.delete(BUDGETS).where(_at(tenant_id, currency, place)))
    if not gone.rowcount:
        raise _missing(place)
    await switches.wake(conn, tenant_id, now)


async def _own(conn: AsyncConnection, tenant_id: str, currency: str, now: datetime) -> None:
    """Lock the tenant's own wall: every order of the tenant waits until this transaction has ended."""
    await ledger.stand(conn, _at(tenant_id, currency, budgets.OWN), now)


def _at(tenant_id: str, currency: str, place: budgets.Place) -> sa.ColumnElement[bool]:
    return sa.and_(
        BUDGETS.c.tenant_id == tenant_id,
        BUDGETS.c.currency == currency,
        BUDGETS.c.scope_id == place.scope_id,
        BUDGETS.c.scope == place.scope,
        BUDGETS.c.period == place.period,
    )


def _missing(place: budgets.Place) -> budgets.BudgetNotFound:
    return budgets.BudgetNotFound(scope=place.scope, scope_id=place.scope_id, period=place.period)
