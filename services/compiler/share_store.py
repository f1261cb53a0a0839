"""The table of shares, and every query on it."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pydantic
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.compiler import shares, store
from services.compiler.shares import Share

_TIME = sa.DateTime(timezone=True)

SHARES = sa.Table(
    "shares",
    store.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("film_id", sa.Text, nullable=False),
    sa.Column("take_id", sa.Text, nullable=False),
    sa.Column("snapshot", pg.JSONB(none_as_null=True), nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary),
    sa.Column("allow_download", sa.Boolean, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("revoked_at", _TIME),
    sa.Column("views", sa.BigInteger, nullable=False),
    sa.Column("viewed_at", _TIME),
    sa.Column("full_until", _TIME, nullable=False),
)
"""`full_until` is how full the bucket of tried passphrases is, as in libs.limits; the database's clock counts."""

_SNAPSHOT = pydantic.TypeAdapter(shares.Snapshot)
_FIELDS = [field.name for field in dataclasses.fields(Share)]
_STEP = timedelta(minutes=1) / shares.TRIES
_SLACK = timedelta(minutes=1) - _STEP


class Place(NamedTuple):
    """Where a share is."""

    tenant_id: str
    share_id: str


async def insert_once(conn: AsyncConnection, share: Share, digest: bytes, request_id: str) -> Share:
    """Keep it, or return the one that this request made before."""
    row = {name: getattr(share, name) for name in _FIELDS} | {"snapshot": dataclasses.asdict(share.snapshot)}
    known = {"sha256": digest, "request_id": request_id, "full_until": share.created_at}
    await conn.execute(pg.insert(SHARES).values(row | known).on_conflict_do_nothing())
    query = sa.select(SHARES).where(SHARES.c.tenant_id == share.tenant_id, SHARES.c.request_id == request_id)
    return _share((await conn.execute(query)).mappings().one())


async def find(conn: AsyncConnection, digest: bytes) -> Place | None:
    """Whosoever's link has this secret: the one thing that is looked for across tenants."""
    query = sa.select(SHARES.c.tenant_id, SHARES.c.id).where(SHARES.c.sha256 == digest)
    row = (await conn.execute(query)).first()
    return Place(*row) if row else None


async def get(conn: AsyncConnection, place: Place) -> Share:
    """One share. Raises ShareNotFound."""
    return await _one(conn, sa.select(SHARES), place)


async def lock(conn: AsyncConnection, place: Place) -> Share:
    """One share, locked until the transaction ends. Raises ShareNotFound."""
    return await _one(conn, sa.select(SHARES).with_for_update(), place)


async def page(
    conn: AsyncConnection, tenant_id: str, film_id: str, take_id: str, below: str | None, most: int
) -> list[Share]:
    """Newest first, below this id; of one film, or of one take, where one is named."""
    query = sa.select(SHARES).where(SHARES.c.tenant_id == tenant_id).order_by(SHARES.c.id.desc()).limit(most)
    if film_id:
        query = query.where(SHARES.c.film_id == film_id)
    if take_id:
        query = query.where(SHARES.c.take_id == take_id)
    if below:
        query = query.where(SHARES.c.id < below)
    return [_share(row) for row in (await conn.execute(query)).mappings()]


async def revoke(conn: AsyncConnection, place: Place, now: datetime) -> None:
    """Take it back."""
    await conn.execute(sa.update(SHARES).where(_is(place)).values(revoked_at=now))


async def count_view(conn: AsyncConnection, place: Place, now: datetime) -> None:
    """Somebody has opened it."""
    await conn.execute(sa.update(SHARES).where(_is(place)).values(views=SHARES.c.views + 1, viewed_at=now))


async def take_try(conn: AsyncConnection, place: Place) -> float:
    """Use up one of the passphrases that may be tried; the seconds to wait when there is none, else 0."""
    at = sa.func.clock_timestamp(type_=_TIME)
    full = sa.update(SHARES).where(_is(place), SHARES.c.full_until <= at + _SLACK)
    taken = await conn.execute(full.values(full_until=sa.func.greatest(SHARES.c.full_until, at) + _STEP))
    if taken.rowcount:
        return 0.0
    wait = sa.select(sa.extract("epoch", SHARES.c.full_until - at - _SLACK)).where(_is(place))
    return max(1.0, float((await conn.execute(wait)).scalar() or 0))


async def give_back_try(conn: AsyncConnection, place: Place) -> None:
    """It was right: whoever knows the passphrase is not counted."""
    await conn.execute(sa.update(SHARES).where(_is(place)).values(full_until=SHARES.c.full_until - _STEP))


def place(share: Share) -> Place:
    """Where this one is."""
    return Place(share.tenant_id, share.id)


async def _one(conn: AsyncConnection, query: sa.Select[Any], place: Place) -> Share:
    row = (await conn.execute(query.where(_is(place)))).mappings().first()
    if row is None:
        raise shares.ShareNotFound(share_id=place.share_id)
    return _share(row)


def _is(place: Place) -> sa.ColumnElement[bool]:
    return sa.and_(SHARES.c.tenant_id == place.tenant_id, SHARES.c.id == place.share_id)


def _share(row: sa.RowMapping) -> Share:
    values = {name: row[name] for name in _FIELDS}
    return Share(**values | {"snapshot": _SNAPSHOT.validate_python(row["snapshot"])})
