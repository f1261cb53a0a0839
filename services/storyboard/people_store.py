"""The table of people, and every query on it."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import people
from services.storyboard.store import METADATA

_TIME = sa.DateTime(timezone=True)

PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("claimed", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("given", sa.Text),
    sa.Column("invited_by", sa.Text),
    sa.Column("first_seen_at", _TIME, nullable=False),
    sa.Column("last_seen_at", _TIME, nullable=False),
    sa.Column("removed_at", _TIME),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("is_owner", sa.Boolean, sa.Computed("given = 'owner'"), nullable=False),
)
_FIELDS = [PEOPLE.c[field.name] for field in dataclasses.fields(people.Person)]
_CHECK_VIOLATION = "23514"
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtext('people'), hashtext(:tenant_id))")


async def alone(conn: AsyncConnection, tenant_id: str) -> None:
    """Nobody else changes people of this tenant until the transaction ends: two who change each other wait in turn."""
    await conn.execute(_ALONE, {"tenant_id": tenant_id})


async def see(conn: AsyncConnection, who: people.Person) -> people.Person:
    """Keep that they were here, as they are now; of whom is known already, the issuer's word, the name and the time.

    Raises PersonRemoved.
    """
    made = pg.insert(PEOPLE).values(dataclasses.asdict(who) | {"claimed": list(who.claimed)})
    said = made.excluded
    name = sa.case((said.name == "", PEOPLE.c.name), else_=said.name)
    news = {"claimed": said.claimed, "name": name, "last_seen_at": said.last_seen_at}
    kept = made.on_conflict_do_update(index_elements=[PEOPLE.c.tenant_id, PEOPLE.c.subject], set_=news)
    found = _person((await conn.execute(kept.returning(*_FIELDS))).one())
    if found.removed_at:
        raise people.PersonRemoved
    return found


async def share(conn: AsyncConnection, tenant_id: str, subject: str) -> people.Person | None:
    """Whom this subject is; nobody changes them until the transaction ends."""
    query = sa.select(*_FIELDS).where(PEOPLE.c.tenant_id == tenant_id, PEOPLE.c.subject == subject)
    row = (await conn.execute(query.with_for_update(read=True))).first()
    return _person(row) if row else None


async def get(conn: AsyncConnection, tenant_id: str, person_id: str) -> people.Person:
    """One, also when they were removed. Raises PersonNotFound."""
    query = sa.select(*_FIELDS).where(PEOPLE.c.tenant_id == tenant_id, PEOPLE.c.id == person_id)
    row = (await conn.execute(query)).first()
    if row is None:
        raise people.PersonNotFound(person_id=person_id)
    return _person(row)


async def page(
    conn: AsyncConnection, tenant_id: str, below: str | None, most: int, removed: bool
) -> list[people.Person]:
    """Newest first, with those who were removed or without."""
    query = sa.select(*_FIELDS).where(PEOPLE.c.tenant_id == tenant_id).order_by(PEOPLE.c.id.desc()).limit(most)
    query = query if removed else query.where(PEOPLE.c.removed_at.is_(None))
    rows = await conn.execute(query.where(PEOPLE.c.id < below) if below else query)
    return [_person(row) for row in rows]


async def give(conn: AsyncConnection, before: people.Person, role: str | None) -> people.Person:
    """This role, if nothing has changed since; None leaves it to the issuer. Raises PersonChanged or LastOwner."""
    return await _change(conn, before, sa.update(PEOPLE).values(given=role))


async def remove(conn: AsyncConnection, before: people.Person, at: datetime | None) -> people.Person:
    """From then on, or not any more, if nothing has changed since. Raises PersonChanged or LastOwner."""
    return await _change(conn, before, sa.update(PEOPLE).values(removed_at=at))


async def touch(conn: AsyncConnection, tenant_id: str, subject: str, now: datetime) -> None:
    """They were here."""
    whose = (PEOPLE.c.tenant_id == tenant_id, PEOPLE.c.subject == subject, PEOPLE.c.last_seen_at < now)
    await conn.execute(sa.update(PEOPLE).where(*whose).values(last_seen_at=now))


def beside(table: sa.Table, names: Sequence[str], subject: sa.ColumnElement[str]) -> sa.Select[Any]:
    """These columns of a table, and what was decided about whom this subject is: `given` and `removed_at`."""
    whose = sa.and_(PEOPLE.c.tenant_id == table.c.tenant_id, PEOPLE.c.subject == subject)
    columns = (*(table.c[name] for name in names), PEOPLE.c.given, PEOPLE.c.removed_at)
    return sa.select(*columns).select_from(table.outerjoin(PEOPLE, whose))


async def _change(conn: AsyncConnection, before: people.Person, change: sa.Update) -> people.Person:
    as_seen = change.where(
        PEOPLE.c.tenant_id == before.tenant_id, PEOPLE.c.id == before.id, PEOPLE.c.version == before.version
    )
    try:
        row = (await conn.execute(as_seen.values(version=PEOPLE.c.version + 1).returning(*_FIELDS))).first()
    except sa.exc.IntegrityError as fault:
        if getattr(fault.orig, "sqlstate", None) != _CHECK_VIOLATION:
            raise
        raise people.LastOwner(person_id=before.id) from fault
    if row is None:
        raise people.PersonChanged(person_id=before.id)
    return _person(row)


def _person(row: sa.Row[tuple[object, ...]]) -> people.Person:
    found = dict(row._mapping)
    return people.Person(**found | {"claimed": tuple(found["claimed"])})
