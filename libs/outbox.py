"""What a service says and has heard, written down in the same transaction as the work itself."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from google.protobuf import symbol_database
from google.protobuf.message import DecodeError, Message
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, ids, telemetry

METADATA = sa.MetaData()

OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("headers", pg.JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("published_at", sa.DateTime(timezone=True)),
)

INBOX = sa.Table(
    "inbox",
    METADATA,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

DEAD_LETTERS = sa.Table(
    "dead_letters",
    METADATA,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("headers", pg.JSONB, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("died_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("settled_at", sa.DateTime(timezone=True)),
    sa.Column("settled_by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

STREAM = sa.Table(
    "outbox_stream",
    METADATA,
    sa.Column("only", sa.Boolean, primary_key=True),
    sa.Column("incarnation", sa.Text, nullable=False),
)

# Made once: to put one together costs more than to run it.
_SAID = ("id", "subject", "payload", "headers")
_SAY = db.insertion(OUTBOX, _SAID)
_UNPUBLISHED = (
    sa.select(OUTBOX.c.id, OUTBOX.c.subject, OUTBOX.c.payload, OUTBOX.c.headers)
    .where(OUTBOX.c.published_at.is_(None))
    .order_by(OUTBOX.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_MARK = sa.update(OUTBOX).where(db.among(OUTBOX.c.id, "event_ids")).values(published_at=sa.func.now())
_HEAR = sa.text("""
    INSERT INTO inbox (event_id) SELECT unnest(CAST(:event_ids AS text[]))
    ON CONFLICT DO NOTHING RETURNING event_id""")

KEPT = timedelta(days=7)
"""How long published rows stay, so that a lost JetStream store can be filled again from them."""

HEARD_FOR = timedelta(days=14)
"""How long handled event ids stay: longer than any event can come again."""

SETTLED_FOR = timedelta(days=90)
"""How long a dead letter stays after somebody has decided about it."""

DDL = """
CREATE TABLE outbox (
  id text PRIMARY KEY,
  subject text NOT NULL,
  payload bytea NOT NULL,
  headers jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE TABLE inbox (
  event_id text PRIMARY KEY,
  handled_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE dead_letters (
  event_id text PRIMARY KEY,
  subject text NOT NULL,
  payload bytea NOT NULL,
  headers jsonb NOT NULL,
  reason text NOT NULL,
  attempts integer NOT NULL,
  died_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE outbox_stream (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  incarnation text NOT NULL
);
"""
"""The tables above, for a service's first migration."""

SETTLED_DDL = """
ALTER TABLE dead_letters
  ADD COLUMN tenant_id text NOT NULL DEFAULT '',
  ADD COLUMN place text NOT NULL DEFAULT '',
  ADD COLUMN state text NOT NULL DEFAULT 'DEAD' CHECK (state IN ('DEAD', 'HANDLED', 'DISCARDED')),
  ADD COLUMN settled_at timestamptz,
  ADD COLUMN settled_by text NOT NULL DEFAULT '',
  ADD COLUMN note text NOT NULL DEFAULT '';
CREATE INDEX dead_letters_by_state ON dead_letters (state, event_id DESC);
CREATE INDEX dead_letters_of_tenant ON dead_letters (tenant_id, state, event_id DESC);
"""
"""Whose dead letters are, and what became of them: for a second migration, before `guard_tenants("dead_letters")`."""


AGAIN = "Rushes-Again"
"""The header of an event that is published once more: which time it is."""


class Said(NamedTuple):
    """An event to say, and the headers that carry the trace it belongs to."""

    event: Message
    headers: Mapping[str, str]


async def put(conn: AsyncConnection, *events: Message) -> None:
    """Say these once the transaction commits, in the running trace; the subject is the message's full name."""
    headers = telemetry.current()
    await put_all(conn, [Said(event, headers) for event in events])


async def put_all(conn: AsyncConnection, said: Sequence[Said]) -> None:
    """As put, each in its own trace."""
    if not said:
        return
    rows = [
        {
            "id": ids.new("evt"),
            "subject": event.DESCRIPTOR.full_name,
            "payload": event.SerializeToString(deterministic=True),
            "headers": headers,
        }
        for event, headers in said
    ]
    await conn.execute(_SAY, db.columns(_SAID, rows))
    conn.info["spoken"] = True


class Event(NamedTuple):
    """A row of the outbox, as it goes out; or an event that came in, as it is buried."""

    id: str
    subject: str
    payload: bytes
    headers: dict[str, str]


async def unpublished(conn: AsyncConnection, most: int) -> list[Event]:
    """Events to publish, oldest first, locked until the transaction ends; those another relay holds are skipped."""
    return [Event(*row) for row in await conn.execute(_UNPUBLISHED, {"most": most})]


async def mark_published(conn: AsyncConnection, event_ids: Sequence[str]) -> None:
    """These have been acknowledged by JetStream."""
    await conn.execute(_MARK, {"event_ids": list(event_ids)})


async def first_times(conn: AsyncConnection, event_ids: Collection[str]) -> set[str]:
    """Note these as handled, in one order: so two who hear of them at once never wait in a circle.

    Returns those that were not before.
    """
    return set((await conn.execute(_HEAR, {"event_ids": sorted(event_ids)})).scalars())


class Fault(NamedTuple):
    """Why an event cannot be handled: the kind of the fault, where it came up, and after how many attempts."""

    reason: str
    place: str
    attempts: int


def read(event: Event) -> Message | None:
    """What an event says; None when this process does not know its kind, or it is no such message."""
    try:
        kind: type[Message] = symbol_database.Default().GetSymbol(event.subject)
        return kind.FromString(event.payload)
    except (KeyError, DecodeError):
        return None


async def say_again(conn: AsyncConnection, event_id: str) -> bool:
    """Publish an event of our own once more; whether it is still kept."""
    turn = sa.func.jsonb_build_object(AGAIN, ids.new("again"))
    values = {"published_at": None, "headers": OUTBOX.c.headers.op("||")(turn)}
    again = await conn.execute(sa.update(OUTBOX).where(OUTBOX.c.id == event_id).values(values))
    conn.info["spoken"] = True
    return again.rowcount == 1


class Span(NamedTuple):
    """Which events of our own to publish again: from a time or an id on, to a time, of one subject or of all."""

    since: datetime | None = None
    from_id: str = ""
    until: datetime | None = None
    subject: str = ""


async def replay(conn: AsyncConnection, span: Span) -> int:
    """Publish these again, under message ids of their own: JetStream drops an id it has seen lately. Returns how many.

    Whoever hears them knows them by their event ids all the same.
    """
    rules = [OUTBOX.c.published_at.is_not(None), OUTBOX.c.id >= span.from_id]
    rules += [OUTBOX.c.created_at >= span.since] if span.since else []
    rules += [OUTBOX.c.created_at < span.until] if span.until else []
    rules += [OUTBOX.c.subject == span.subject] if span.subject else []
    turn = sa.func.jsonb_build_object(AGAIN, ids.new("again"))
    anew = sa.update(OUTBOX).where(*rules).values(published_at=None, headers=OUTBOX.c.headers.op("||")(turn))
    conn.info["spoken"] = True
    return (await conn.execute(anew)).rowcount


class Waiting(NamedTuple):
    """Events that are to be published, and since when; and letters nobody has decided about."""

    events: int
    oldest: datetime | None
    oldest_age_s: float
    dead_letters: int


async def waiting(conn: AsyncConnection, most: int | None = None) -> Waiting:
    """What is to be said, of which at most so many are counted, and what could not be heard."""
    unsaid = sa.select(OUTBOX.c.created_at).where(OUTBOX.c.published_at.is_(None))
    counted = unsaid.order_by(OUTBOX.c.id).limit(most).subquery()
    oldest = sa.func.min(counted.c.created_at)
    age_s = sa.func.coalesce(sa.extract("epoch", sa.func.clock_timestamp() - oldest), 0)
    said = (await conn.execute(sa.select(sa.func.count(), oldest, age_s).select_from(counted))).one()
    dead = sa.select(sa.func.count()).select_from(DEAD_LETTERS).where(DEAD_LETTERS.c.state == "DEAD")
    return Waiting(said[0], said[1], float(said[2]), (await conn.execute(dead)).scalar_one())


async def oldest_kept(conn: AsyncConnection) -> datetime | None:
    """When the oldest event was written that can be published again."""
    found: datetime | None = (await conn.execute(sa.select(sa.func.min(OUTBOX.c.created_at)))).scalar()
    return found


async def bury(conn: AsyncConnection, event: Event, fault: Fault) -> None:
    """Keep an event that cannot be handled, or not be said, where a person can see it; a discarded one stays so."""
    row = {
        "event_id": event.id,
        "subject": event.subject,
        "payload": event.payload,
        "headers": event.headers,
        "tenant_id": getattr(read(event), "tenant_id", ""),
        **fault._asdict(),
    }
    added = pg.insert(DEAD_LETTERS).values(row)
    anew = {"state": "DEAD", "settled_at": None, "settled_by": "", "died_at": sa.func.now()} | fault._asdict()
    is_open = DEAD_LETTERS.c.state != "DISCARDED"
    await conn.execute(added.on_conflict_do_update(index_elements=["event_id"], set_=anew, where=is_open))


async def publish_again_if_lost(conn: AsyncConnection, incarnation: str) -> int:
    """Mark every kept event unpublished when the stream is not the one they were published to; returns how many."""
    known = pg.insert(STREAM).values(only=True, incarnation=incarnation)
    changed = await conn.execute(
        known.on_conflict_do_update(
            index_elements=[STREAM.c.only],
            set_={"incarnation": incarnation},
            where=STREAM.c.incarnation != incarnation,
        ).returning(STREAM.c.only)
    )
    if changed.first() is None:
        return 0
    again = await conn.execute(sa.update(OUTBOX).where(OUTBOX.c.published_at.is_not(None)).values(published_at=None))
    return again.rowcount


async def sweep(conn: AsyncConnection) -> None:
    """Forget what is older than it can matter."""
    await conn.execute(sa.delete(OUTBOX).where(OUTBOX.c.published_at < sa.func.now() - KEPT))
    await conn.execute(sa.delete(INBOX).where(INBOX.c.handled_at < sa.func.now() - HEARD_FOR))
    await conn.execute(sa.delete(DEAD_LETTERS).where(DEAD_LETTERS.c.settled_at < sa.func.now() - SETTLED_FOR))
