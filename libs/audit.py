"""What was decided about money, keys and access, each entry chained to the one before it by its hash."""

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth

log = logging.getLogger(__name__)

METADATA = sa.MetaData()

AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

# The database numbers and chains: a service may only say what happened. The owner's rights reach past row-level
# security, for the chain goes through all tenants; the lock is held until the transaction ends, so that nobody follows
# what is undone.
DDL = """
CREATE TABLE audit (
  position bigint PRIMARY KEY,
  tenant_id text NOT NULL,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  facts text NOT NULL,
  previous bytea NOT NULL,
  hash bytea NOT NULL
);
CREATE INDEX audit_of_tenants ON audit (tenant_id, position);
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  field text;
  said bytea := '';
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('audit'));
  SELECT position + 1, hash INTO NEW.position, NEW.previous FROM audit ORDER BY position DESC LIMIT 1;
  NEW.position := coalesce(NEW.position, 1);
  NEW.previous := coalesce(NEW.previous, decode(repeat('00', 32), 'hex'));
  NEW.at := clock_timestamp();
  FOREACH field IN ARRAY ARRAY[NEW.position::text, NEW.tenant_id, (extract(epoch FROM NEW.at) * 1000000)::bigint::text,
    NEW.actor, NEW.action, NEW.target, NEW.facts]
  LOOP
    said := said || sha256(convert_to(field, 'UTF8'));
  END LOOP;
  NEW.hash := sha256(NEW.previous || said);
  RETURN NEW;
END $$;
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what was written down stays' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_chain();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON audit EXECUTE FUNCTION audit_stays();
"""
"""The table above, for a service's migration."""

FIRST = bytes(32)
"""What comes before the first entry."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_PAGE = 1000
_NOTE = (
    sa.insert(AUDIT)
    .values(position=0, at=sa.func.now(), previous=b"", hash=b"")  # as the trigger has them
    .returning(AUDIT.c.position, AUDIT.c.hash)
)
_AFTER = sa.select(AUDIT).where(AUDIT.c.position > sa.bindparam("last")).order_by(AUDIT.c.position).limit(_PAGE)


class Entry(NamedTuple):
    """One decision: who did what to which thing; `facts` is JSON."""

    position: int
    tenant_id: str
    at: datetime
    actor: str
    action: str
    target: str
    facts: str
    previous: bytes
    hash: bytes

    @property
    def id(self) -> str:
        """As page tokens name it."""
        return str(self.position)

    def digest(self) -> bytes:
        """What its hash has to be."""
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        fields = (self.position, self.tenant_id, micros, self.actor, self.action, self.target, self.facts)
        said = b"".join(hashlib.sha256(str(field).encode()).digest() for field in fields)
        return hashlib.sha256(self.previous + said).digest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain holds: `entries` of it, up to `last_hash`; `broken_at` is the first position where it does
    not, and `fault` says what is wrong there.
    """

    entries: int
    last_hash: bytes
    broken_at: int | None = None
    fault: str = ""


async def note(conn: AsyncConnection, tenant_id: str, action: str, target: str, **facts: str | int | bool) -> None:
    """Write down a decision of the caller's, in the transaction that carries it out.

    Call it last: until the transaction ends, no other decision of this service can be written down. The log says
    the hash as well, and is a witness that no administrator of the database can change.
    """
    told = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    row = {"tenant_id": tenant_id, "actor": auth.caller().subject, "action": action, "target": target, "facts": told}
    position, chained = (await conn.execute(_NOTE, row)).one()
    log.info("audited", extra={"position": position, "hash": chained.hex(), "noted": action, "target": target})


async def verify(conn: AsyncConnection, known: tuple[int, bytes] | None = None) -> Verdict:
    """Go through the whole chain, across tenants; `known` is a position and its hash as somebody has seen them."""
    verdict = Verdict(0, FIRST)
    async for entry in _entries(conn):
        if fault := _fault(entry, verdict, known):
            return Verdict(verdict.entries, verdict.last_hash, verdict.entries + 1, fault)
        verdict = Verdict(entry.position, entry.hash)
    if known and known[0] > verdict.entries:
        return Verdict(verdict.entries, verdict.last_hash, verdict.entries + 1, "the end of the chain is missing")
    return verdict


def _fault(entry: Entry, so_far: Verdict, known: tuple[int, bytes] | None) -> str:
    if entry.position != so_far.entries + 1:
        return f"the next entry that is there is {entry.position}"
    if entry.previous != so_far.last_hash:
        return "it does not follow the entry before it"
    if entry.hash != entry.digest():
        return "it was changed"
    if known and known[0] == entry.position and known[1] != entry.hash:
        return "it is not the entry that was seen here before"
    return ""


async def _entries(conn: AsyncConnection) -> AsyncIterator[Entry]:
    last = 0
    while rows := (await conn.execute(_AFTER, {"last": last})).all():
        for row in rows:
            yield Entry(*row)
        last = rows[-1].position
