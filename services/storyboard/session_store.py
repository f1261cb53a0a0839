"""The tables of sessions and tickets, and every query on them."""

import dataclasses
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import people, people_store, sessions
from services.storyboard.people_store import PEOPLE
from services.storyboard.store import METADATA

_TIME = sa.DateTime(timezone=True)
_TEXTS = pg.ARRAY(sa.Text)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", _TEXTS, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("seen_at", _TIME),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
)
TICKETS = sa.Table(
    "tickets",
    METADATA,
    sa.Column("sha256", sa.LargeBinary, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", _TEXTS, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("invitation_id", sa.Text),
    sa.Column("invited_by", sa.Text),
    sa.Column("created_at", _TIME),
)
_NAMES = [field.name for field in dataclasses.fields(sessions.Session)]
_PERSON = [TICKETS.c[field.name] for field in dataclasses.fields(sessions.Person)]
# A session is what its person is now: those whom nobody has seen since people were kept have none.
_OF_NOW = people_store.beside(SESSIONS, _NAMES, SESSIONS.c.subject)


async def insert(conn: AsyncConnection, begun: sessions.Session, digest: bytes) -> None:
    """Keep it."""
    row = dataclasses.asdict(begun) | {"roles": list(begun.roles), "sha256": digest}
    await conn.execute(sa.insert(SESSIONS).values(row))


async def find(conn: AsyncConnection, digest: bytes) -> sessions.Session | None:
    """Whosoever's it is."""
    row = (await conn.execute(_OF_NOW.where(SESSIONS.c.sha256 == digest))).first()
    return _session(row) if row else None


async def page(
    conn: AsyncConnection, tenant_id: str, subject: str | None, now: datetime, below: str | None, most: int
) -> list[sessions.Session]:
    """Those that go on, newest first: one person's, or the tenant's."""
    goes_on = (SESSIONS.c.tenant_id == tenant_id, SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > now)
    query = _OF_NOW.where(*goes_on).order_by(SESSIONS.c.id.desc()).limit(most)
    query = query.where(SESSIONS.c.subject == subject) if subject is not None else query
    rows = await conn.execute(query.where(SESSIONS.c.id < below) if below else query)
    return [_session(row) for row in rows]


async def lock(conn: AsyncConnection, tenant_id: str, session_id: str) -> sessions.Session:
    """One, until the transaction ends. Raises SessionNotFound."""
    query = _OF_NOW.where(SESSIONS.c.tenant_id == tenant_id, SESSIONS.c.id == session_id)
    row = (await conn.execute(query.with_for_update(of=SESSIONS))).first()
    if row is None:
        raise sessions.SessionNotFound(session_id=session_id)
    return _session(row)


async def end(conn: AsyncConnection, session_id: str, now: datetime) -> None:
    """It is over."""
    await conn.execute(sa.update(SESSIONS).where(SESSIONS.c.id == session_id).values(ended_at=now))


async def end_all(conn: AsyncConnection, tenant_id: str, subject: str, now: datetime) -> int:
    """Every one of this person that goes on; returns how many."""
    theirs = (SESSIONS.c.tenant_id == tenant_id, SESSIONS.c.subject == subject, SESSIONS.c.ended_at.is_(None))
    return (await conn.execute(sa.update(SESSIONS).where(*theirs).values(ended_at=now))).rowcount


async def touch(conn: AsyncConnection, session_id: str, now: datetime) -> None:
    """It was used."""
    await conn.execute(sa.update(SESSIONS).where(SESSIONS.c.id == session_id).values(seen_at=now))


def made_by_no_owner() -> sa.ColumnElement[bool]:
    """Of a ticket that invites: whether whoever made it is known, and an owner no more."""
    theirs = (PEOPLE.c.tenant_id == TICKETS.c.tenant_id, PEOPLE.c.subject == TICKETS.c.invited_by)
    return sa.exists().where(*theirs, ~PEOPLE.c.is_owner)


async def insert_ticket(conn: AsyncConnection, of: sessions.Person, digest: bytes, expires_at: datetime) -> None:
    """Keep it until it is used."""
    row = dataclasses.asdict(of) | {"roles": list(of.roles), "sha256": digest, "expires_at": expires_at}
    await conn.execute(sa.insert(TICKETS).values(row))


async def take_ticket(conn: AsyncConnection, digest: bytes, now: datetime) -> sessions.Person:
    """Whose it was: of two who come with the same, one gets it. Raises TicketInvalid."""
    taken = sa.delete(TICKETS).where(TICKETS.c.sha256 == digest, TICKETS.c.expires_at > now, ~made_by_no_owner())
    row = (await conn.execute(taken.returning(*_PERSON))).first()
    if row is None:
        raise sessions.TicketInvalid
    found = dict(row._mapping)
    return sessions.Person(**found | {"roles": tuple(found["roles"])})


async def forget(conn: AsyncConnection, before: datetime) -> int:
    """Remove what was over by then; returns how many."""
    gone = [
        await conn.execute(
            sa.delete(SESSIONS).where(sa.or_(SESSIONS.c.expires_at < before, SESSIONS.c.ended_at < before))
        ),
        await conn.execute(sa.delete(TICKETS).where(TICKETS.c.expires_at < before)),
    ]
    return sum(one.rowcount for one in gone)


def _session(row: sa.Row[Any]) -> sessions.Session:
    found = dict(row._mapping)
    now = {
        "roles": people.roles_now(found["given"], found["roles"]),
        "ended_at": found["ended_at"] or found["removed_at"],
    }
    return sessions.Session(**{name: found[name] for name in _NAMES} | now)
