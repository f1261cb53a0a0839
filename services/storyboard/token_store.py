"""The table of API tokens, and every query on it."""

import dataclasses
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.storyboard import people, people_store, tokens
from services.storyboard.store import METADATA

_TIME = sa.DateTime(timezone=True)

TOKENS = sa.Table(
    "api_tokens",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("revoked_at", _TIME),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("request_id", sa.Uuid(as_uuid=False), nullable=False),
)
_NAMES = [field.name for field in dataclasses.fields(tokens.ApiToken)]
# A token may no more than whoever made it may now.
_OF_NOW = people_store.beside(TOKENS, _NAMES, TOKENS.c.created_by)


async def insert_once(conn: AsyncConnection, made: tokens.ApiToken, digest: bytes, request_id: str) -> tokens.ApiToken:
    """Keep it, or return the one that this request made before."""
    row = dataclasses.asdict(made) | {"scopes": list(made.scopes), "sha256": digest, "request_id": request_id}
    await conn.execute(pg.insert(TOKENS).values(row).on_conflict_do_nothing())
    query = _OF_NOW.where(TOKENS.c.tenant_id == made.tenant_id, TOKENS.c.request_id == request_id)
    return _token((await conn.execute(query)).one())


async def page(conn: AsyncConnection, tenant_id: str, below: str | None, most: int) -> list[tokens.ApiToken]:
    """Newest first."""
    query = _OF_NOW.where(TOKENS.c.tenant_id == tenant_id).order_by(TOKENS.c.id.desc()).limit(most)
    rows = await conn.execute(query.where(TOKENS.c.id < below) if below else query)
    return [_token(row) for row in rows]


async def lock(conn: AsyncConnection, tenant_id: str, token_id: str) -> tokens.ApiToken:
    """One, until the transaction ends. Raises ApiTokenNotFound."""
    query = _OF_NOW.where(TOKENS.c.tenant_id == tenant_id, TOKENS.c.id == token_id)
    row = (await conn.execute(query.with_for_update(of=TOKENS))).first()
    if row is None:
        raise tokens.ApiTokenNotFound(api_token_id=token_id)
    return _token(row)


async def revoke(conn: AsyncConnection, token_id: str, now: datetime) -> None:
    """Take it back."""
    await conn.execute(sa.update(TOKENS).where(TOKENS.c.id == token_id).values(revoked_at=now))


async def revoke_all(conn: AsyncConnection, tenant_id: str, maker: str, now: datetime) -> int:
    """Every one that this person made and that is good; returns how many."""
    theirs = (TOKENS.c.tenant_id == tenant_id, TOKENS.c.created_by == maker, TOKENS.c.revoked_at.is_(None))
    return (await conn.execute(sa.update(TOKENS).where(*theirs).values(revoked_at=now))).rowcount


async def find(conn: AsyncConnection, digest: bytes) -> tokens.ApiToken | None:
    """Whosoever's it is."""
    row = (await conn.execute(_OF_NOW.where(TOKENS.c.sha256 == digest))).first()
    return _token(row) if row else None


def _token(row: sa.Row[Any]) -> tokens.ApiToken:
    found = dict(row._mapping)
    now = {"role": people.capped(found["role"], found["given"]), "scopes": tuple(found["scopes"])}
    now |= {"revoked_at": found["revoked_at"] or found["removed_at"]}
    return tokens.ApiToken(**{name: found[name] for name in _NAMES} | now)
