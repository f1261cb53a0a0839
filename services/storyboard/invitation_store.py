"""Tickets that invite somebody: every query on them besides those that any ticket has."""

import dataclasses
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import people, session_store
from services.storyboard.session_store import TICKETS

_FIELDS = [
    TICKETS.c.invitation_id.label("id"),
    TICKETS.c.tenant_id,
    TICKETS.c.subject,
    TICKETS.c.name,
    TICKETS.c.roles[1].label("role"),
    TICKETS.c.invited_by,
    TICKETS.c.created_at,
    TICKETS.c.expires_at,
]


async def insert(conn: AsyncConnection, made: people.Invitation, digest: bytes) -> None:
    """Keep it until it is used."""
    row = dataclasses.asdict(made) | {"invitation_id": made.id, "roles": [made.role], "sha256": digest}
    del row["id"], row["role"]
    await conn.execute(sa.insert(TICKETS).values(row))


async def page(
    conn: AsyncConnection, tenant_id: str, now: datetime, below: str | None, most: int
) -> list[people.Invitation]:
    """Those that can still be used, newest first."""
    pending = sa.select(*_FIELDS).where(_of(tenant_id), TICKETS.c.expires_at > now, ~session_store.made_by_no_owner())
    query = pending.order_by(TICKETS.c.invitation_id.desc()).limit(most)
    rows = await conn.execute(query.where(TICKETS.c.invitation_id < below) if below else query)
    return [people.Invitation(**row._mapping) for row in rows]


async def revoke(conn: AsyncConnection, tenant_id: str, invitation_id: str, now: datetime) -> people.Invitation:
    """End it, and keep it for whoever repeats that. Raises InvitationNotFound."""
    ends = sa.func.least(TICKETS.c.expires_at, now)
    ended = sa.update(TICKETS).where(_of(tenant_id), TICKETS.c.invitation_id == invitation_id).values(expires_at=ends)
    row = (await conn.execute(ended.returning(*_FIELDS))).first()
    if row is None:
        raise people.InvitationNotFound(invitation_id=invitation_id)
    return people.Invitation(**row._mapping)


async def drop_all(conn: AsyncConnection, of: people.Person) -> int:
    """Every ticket that would let them in, and those with which they let in others; returns how many."""
    theirs = sa.or_(TICKETS.c.subject == of.subject, TICKETS.c.invited_by == of.subject)
    return (await conn.execute(sa.delete(TICKETS).where(TICKETS.c.tenant_id == of.tenant_id, theirs))).rowcount


def _of(tenant_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(TICKETS.c.tenant_id == tenant_id, TICKETS.c.invitation_id.is_not(None))
