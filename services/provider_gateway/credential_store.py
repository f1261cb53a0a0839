"""The table of credentials, and every query on it."""

import dataclasses
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, failpoints
from services.provider_gateway import credentials, domain, vault
from services.provider_gateway.store import METADATA, SUBMISSIONS

log = logging.getLogger(__name__)

_TIME = sa.DateTime(timezone=True)

CREDENTIALS = sa.Table(
    "credentials",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("settings", pg.JSONB, nullable=False),
    sa.Column("per_minute", sa.Integer, nullable=False),
    sa.Column("most_at_once", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("key_hint", sa.Text, nullable=False),
    sa.Column("has_webhook_secret", sa.Boolean, nullable=False),
    sa.Column("kek_id", sa.Text),
    sa.Column("wrapped_key", sa.LargeBinary),
    sa.Column("ciphertext", sa.LargeBinary),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_fingerprint", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("rotated_at", _TIME, nullable=False),
    sa.Column("deleted_at", _TIME),
    sa.Column("verified_at", _TIME),
    sa.Column("used_at", _TIME),
    sa.Column("refused_at", _TIME),
    sa.Column("refusal", sa.Text, nullable=False),
)

_SEALED = [field.name for field in dataclasses.fields(vault.Sealed)]
_FIELDS = [field.name for field in dataclasses.fields(credentials.Credential) if field.name != "sealed"]
_OF_THE_KEY = (*_SEALED, "verified_at", "refused_at", "refusal")
_THERE = CREDENTIALS.c.state != credentials.State.DELETED


class Requested(NamedTuple):
    """A credential that a request made before, and the fingerprint of that request."""

    credential: credentials.Credential
    fingerprint: str


async def insert_once(
    conn: AsyncConnection, new: credentials.Credential, request_id: str, fingerprint: str
) -> Requested | None:
    """Keep a credential; or return what this request_id made before. Raises CredentialNameTaken."""
    row = _row(new) | {"request_id": request_id, "request_fingerprint": fingerprint}
    inserted = pg.insert(CREDENTIALS).values(row).on_conflict_do_nothing().returning(CREDENTIALS.c.id)
    if (await conn.execute(inserted)).first():
        return None
    before = sa.select(CREDENTIALS).where(
        CREDENTIALS.c.tenant_id == new.tenant_id, CREDENTIALS.c.request_id == request_id
    )
    kept = (await conn.execute(before)).mappings().first()
    if kept is None:
        raise credentials.CredentialNameTaken(name=new.name, endpoint=new.endpoint)
    return Requested(_credential(kept), kept["request_fingerprint"])


async def find(
    conn: AsyncConnection, tenant_id: str, credential_id: str, lock: bool = False
) -> credentials.Credential | None:
    """One credential unless it is deleted. Locked, nobody can choose it to buy with until the transaction ends."""
    query = sa.select(CREDENTIALS).where(
        CREDENTIALS.c.tenant_id == tenant_id, CREDENTIALS.c.id == credential_id, _THERE
    )
    row = (await conn.execute(query.with_for_update() if lock else query)).mappings().first()
    return _credential(row) if row else None


async def get(conn: AsyncConnection, tenant_id: str, credential_id: str, lock: bool = False) -> credentials.Credential:
    """As `find`. Raises CredentialNotFound."""
    found = await find(conn, tenant_id, credential_id, lock)
    if found is None:
        raise credentials.CredentialNotFound(credential_id=credential_id)
    return found


async def page(
    conn: AsyncConnection, tenant_id: str, endpoint: str, below: str | None, most: int
) -> list[credentials.Credential]:
    """Credentials, newest first, whose id is below the one given; of one endpoint, or of all."""
    query = sa.select(CREDENTIALS).where(CREDENTIALS.c.tenant_id == tenant_id, _THERE)
    if endpoint:
        query = query.where(CREDENTIALS.c.endpoint == endpoint)
    if below:
        query = query.where(CREDENTIALS.c.id < below)
    rows = await conn.execute(query.order_by(CREDENTIALS.c.id.desc()).limit(most))
    return [_credential(row) for row in rows.mappings()]


async def anybody(conn: AsyncConnection, endpoint: str) -> tuple[str, str] | None:
    """A credential of whoever it is, enabled and not refused at the endpoint's own address, and its tenant."""
    good = sa.and_(
        CREDENTIALS.c.state == credentials.State.ENABLED, CREDENTIALS.c.refusal == "", CREDENTIALS.c.base_url == ""
    )
    query = sa.select(CREDENTIALS.c.id, CREDENTIALS.c.tenant_id).where(CREDENTIALS.c.endpoint == endpoint, good)
    row = (await conn.execute(query.limit(1))).first()
    return (row.id, row.tenant_id) if row else None


async def enabled(conn: AsyncConnection, tenant_id: str, endpoint: str | None = None) -> list[credentials.Credential]:
    """What can be bought with, what is not refused and was used longest ago first.

    For one endpoint it is to choose from: until the transaction ends, none of them is deleted.
    """
    query = sa.select(CREDENTIALS).where(
        CREDENTIALS.c.tenant_id == tenant_id, CREDENTIALS.c.state == credentials.State.ENABLED
    )
    if endpoint is not None:
        query = query.where(CREDENTIALS.c.endpoint == endpoint).with_for_update(read=True, key_share=True)
    in_turn = (
        CREDENTIALS.c.refusal != "",
        CREDENTIALS.c.refused_at.nulls_first(),
        CREDENTIALS.c.used_at.nulls_first(),
        CREDENTIALS.c.id,
    )
    return [_credential(row) for row in (await conn.execute(query.order_by(*in_turn))).mappings()]


async def save(
    conn: AsyncConnection, before: credentials.Credential, after: credentials.Credential
) -> credentials.Credential:
    """Compare and set, and only what has changed: its data key may be wrapped anew meanwhile, or its key be judged.

    What belongs to a key changes as a whole with the key. Raises CredentialStale, CredentialNameTaken.
    """
    was, of_the_key = _row(before), _OF_THE_KEY if after.sealed != before.sealed else ()
    values = {name: value for name, value in _row(after).items() if value != was[name] or name in of_the_key}
    query = (
        sa.update(CREDENTIALS)
        .where(CREDENTIALS.c.id == before.id, CREDENTIALS.c.version == before.version, _THERE)
        .values(values | {"version": before.version + 1})
        .returning(CREDENTIALS)
    )
    try:
        row = (await conn.execute(query)).mappings().first()
    except sa.exc.IntegrityError:
        raise credentials.CredentialNameTaken(name=after.name, endpoint=after.endpoint) from None
    if row is None:
        raise credentials.CredentialStale(credential_id=before.id)
    return _credential(row)


async def under_way(conn: AsyncConnection, credential_id: str) -> int:
    """How many paid calls made with it are not over."""
    query = sa.select(sa.func.count()).where(
        SUBMISSIONS.c.account == credential_id, SUBMISSIONS.c.state.not_in(domain.FINAL)
    )
    return int((await conn.execute(query)).scalar_one())


async def note_use(conn: AsyncConnection, credential_id: str, minute: datetime) -> None:
    """An order was sent with it in this minute."""
    later = sa.or_(CREDENTIALS.c.used_at.is_(None), CREDENTIALS.c.used_at < minute)
    await conn.execute(sa.update(CREDENTIALS).where(CREDENTIALS.c.id == credential_id, later).values(used_at=minute))


async def note_word(conn: AsyncConnection, of: credentials.Credential, refusal: str, now: datetime) -> None:
    """What the provider said of this version of the key; an empty refusal is that it takes it."""
    said = {"refusal": refusal, "refused_at": now} if refusal else {"refusal": "", "verified_at": now}
    same_key = sa.and_(CREDENTIALS.c.id == of.id, CREDENTIALS.c.key_version == of.key_version, _THERE)
    await conn.execute(sa.update(CREDENTIALS).where(same_key).values(said))


async def rewrap_some(conn: AsyncConnection, safe: vault.Vault, above: str, most: int) -> str:
    """Wrap anew what another outer key wraps that is here; returns the last id looked at, empty at the end.

    It can run beside everything else and be killed at any line: a row has either its old wrapping or its new one.
    """
    past = db.one_of(CREDENTIALS.c.kek_id, safe.kek_ids - {safe.current})
    query = sa.select(CREDENTIALS).where(past, CREDENTIALS.c.id > above).order_by(CREDENTIALS.c.id).limit(most)
    rows = (await conn.execute(query.with_for_update(skip_locked=True, key_share=True))).mappings().all()
    for found in map(_credential, rows):
        await _rewrap(conn, safe, found)
    return rows[-1]["id"] if len(rows) == most else ""


async def _rewrap(conn: AsyncConnection, safe: vault.Vault, found: credentials.Credential) -> None:
    if found.sealed is None:
        return
    try:
        values = _sealed_row(safe.rewrap(found.sealed, found.facts))
    except vault.VaultTampered:
        log.error("vault_tampered", extra={"credential_id": found.id})
        return
    same = sa.and_(CREDENTIALS.c.id == found.id, CREDENTIALS.c.wrapped_key == found.sealed.wrapped_key)
    await conn.execute(sa.update(CREDENTIALS).where(same).values(values))
    failpoints.reach("key.rewrapped")


async def count_by_kek(conn: AsyncConnection) -> Mapping[str, int]:
    """How many credentials each outer key wraps."""
    query = sa.select(CREDENTIALS.c.kek_id, sa.func.count()).where(_THERE).group_by(CREDENTIALS.c.kek_id)
    return {kek_id: count for kek_id, count in await conn.execute(query)}


def _credential(row: sa.RowMapping) -> credentials.Credential:
    values = {name: row[name] for name in _FIELDS} | {"state": credentials.State(row["state"])}
    sealed = vault.Sealed(**{name: row[name] for name in _SEALED}) if row["ciphertext"] else None
    return credentials.Credential(**values, sealed=sealed)


def _row(of: credentials.Credential) -> dict[str, Any]:
    return {name: getattr(of, name) for name in _FIELDS} | _sealed_row(of.sealed)


def _sealed_row(sealed: vault.Sealed | None) -> dict[str, Any]:
    return {name: getattr(sealed, name) if sealed else None for name in _SEALED}
