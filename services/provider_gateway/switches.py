"""The table of switches that stop buying, and what has to wake when one is released."""

import dataclasses
import logging
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, ids
from services.provider_gateway import budgets, domain
from services.provider_gateway.store import METADATA, SUBMISSIONS

log = logging.getLogger(__name__)

_TIME = sa.DateTime(timezone=True)

SWITCHES = sa.Table(
    "switches",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("thrown_by", sa.Text, nullable=False),
    sa.Column("thrown_at", _TIME, nullable=False),
    sa.Column("released_by", sa.Text),
    sa.Column("released_at", _TIME),
)

_FIELDS = [SWITCHES.c[field.name] for field in dataclasses.fields(budgets.Switch)]
_IS_THROWN = SWITCHES.c.released_at.is_(None)


async def throw(
    conn: AsyncConnection, tenant_id: str, scope: budgets.Reach, target: str, reason: str, by: str, now: datetime
) -> budgets.Switch:
    """Stop buying; the switch that was thrown before for the same, where there is one."""
    switch = budgets.Switch(ids.new("switch"), tenant_id, scope, target, reason, by, now)
    row = dataclasses.asdict(switch)
    inserted = await conn.execute(pg.insert(SWITCHES).values(row).on_conflict_do_nothing().returning(SWITCHES.c.id))
    if inserted.first() is not None:
        facts = {"switch_id": switch.id, "tenant_id": switch.tenant_id, "scope": switch.scope, "by": switch.thrown_by}
        log.warning("spending_stopped", extra=facts)
        return switch
    query = sa.select(*_FIELDS).where(
        _IS_THROWN,
        SWITCHES.c.tenant_id == switch.tenant_id,
        SWITCHES.c.scope == switch.scope,
        SWITCHES.c.target == switch.target,
    )
    before = (await conn.execute(query)).mappings().first()
    if before is None:  # it was released between the two: ours is thrown now
        return await throw(conn, tenant_id, scope, target, reason, by, now)
    return _switch(before)


async def release(conn: AsyncConnection, tenant_id: str, switch_id: str, by: str, now: datetime) -> None:
    """Let buying go on, and wake what waited for it. The row stays. Raises SpendSwitchNotFound."""
    query = (
        sa.update(SWITCHES)
        .where(_IS_THROWN, SWITCHES.c.tenant_id == tenant_id, SWITCHES.c.id == switch_id)
        .values(released_at=now, released_by=by)
        .returning(SWITCHES.c.id)
    )
    if (await conn.execute(query)).first() is None:
        raise budgets.SpendSwitchNotFound(spend_switch_id=switch_id)
    log.warning("spending_goes_on", extra={"switch_id": switch_id, "tenant_id": tenant_id, "by": by})
    await wake(conn, None if tenant_id == budgets.HOUSE else tenant_id, now)


async def find(conn: AsyncConnection, tenant_id: str, switch_id: str) -> budgets.Switch:
    """A thrown switch that stops this tenant. Raises SpendSwitchNotFound."""
    found = [one for one in await thrown(conn, tenant_id) if one.id == switch_id]
    if not found:
        raise budgets.SpendSwitchNotFound(spend_switch_id=switch_id)
    return found[0]


async def thrown(conn: AsyncConnection, tenant_id: str) -> list[budgets.Switch]:
    """The switches that stop this tenant, newest first; those of the whole house are among them."""
    query = sa.select(*_FIELDS).where(_IS_THROWN, SWITCHES.c.tenant_id.in_([tenant_id, budgets.HOUSE]))
    rows = await conn.execute(query.order_by(SWITCHES.c.id.desc()))
    return [_switch(row) for row in rows.mappings()]


async def in_force(conn: AsyncConnection, tenant_ids: Collection[str]) -> list[budgets.Switch]:
    """The switches that stop any of these tenants: none of them is released before this transaction has ended.

    So an order that is parked for a switch is there when its release wakes those that wait.
    """
    query = (
        sa.select(*_FIELDS)
        .where(_IS_THROWN, db.one_of(SWITCHES.c.tenant_id, {budgets.HOUSE, *tenant_ids}))
        .with_for_update(read=True)
    )
    return [_switch(row) for row in (await conn.execute(query)).mappings()]


def last_release(tenant_id: str, thrown_by: str) -> sa.ScalarSelect[datetime]:
    """When the last switch that this one threw for the tenant was released, for a query; NULL when none was."""
    query = sa.select(sa.func.max(SWITCHES.c.released_at))
    return query.where(SWITCHES.c.tenant_id == tenant_id, SWITCHES.c.thrown_by == thrown_by).scalar_subquery()


def is_thrown(submissions: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a switch is thrown that stops the row of these submissions, as a condition of a query on them."""
    column = submissions.c
    reaches = sa.case(
        {budgets.Reach.ENDPOINT: column.endpoint, budgets.Reach.MODEL: column.model}, value=SWITCHES.c.scope, else_=""
    )
    return (
        sa.exists()
        .where(
            _IS_THROWN,
            sa.or_(SWITCHES.c.tenant_id == budgets.HOUSE, SWITCHES.c.tenant_id == column.tenant_id),
            SWITCHES.c.target == reaches,
        )
        .correlate(submissions)
    )


async def wake(conn: AsyncConnection, tenant_id: str | None, now: datetime) -> None:
    """Let what is parked try again now: a tenant's, or everyone's. What is locked is being tried, and waits for us."""
    waiting = sa.select(SUBMISSIONS.c.id).where(
        SUBMISSIONS.c.state == domain.State.PARKED, SUBMISSIONS.c.next_action_at > now
    )
    if tenant_id is not None:
        waiting = waiting.where(SUBMISSIONS.c.tenant_id == tenant_id)
    due = waiting.with_for_update(skip_locked=True).cte("due")
    await conn.execute(sa.update(SUBMISSIONS).where(SUBMISSIONS.c.id == due.c.id).values(next_action_at=now))


def _switch(row: sa.RowMapping) -> budgets.Switch:
    return budgets.Switch(**dict(row) | {"scope": budgets.Reach(row["scope"])})
