"""The tables of webhooks, and every query on them."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.job import tables, webhooks

_TIME = sa.DateTime(timezone=True)

ENDPOINTS = sa.Table(
    "webhook_endpoints",
    tables.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("event_types", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("pause", sa.Text, nullable=False),
    sa.Column("pause_note", sa.Text, nullable=False),
    sa.Column("secret_version", sa.Integer, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("key_id_before", sa.Text, nullable=False),
    sa.Column("secret_replaced_at", _TIME),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", _TIME),
    sa.Column("resting_until", _TIME),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
)

DELIVERIES = sa.Table(
    "webhook_deliveries",
    tables.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("data", pg.JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("lease", sa.Text),
    sa.Column("leased_until", _TIME),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

ATTEMPTS = sa.Table(
    "webhook_attempts",
    tables.METADATA,
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
)

KEPT = timedelta(days=30)
"""How long deliveries stay."""

_SWEPT_AT_ONCE = 5000
_ENDPOINT_FIELDS = [field.name for field in dataclasses.fields(webhooks.Endpoint)]
_DELIVERY_FIELDS = [field.name for field in dataclasses.fields(webhooks.Delivery)]
_ATTEMPT_FIELDS = [field.name for field in dataclasses.fields(webhooks.Attempt)]
_UNLEASED = {"lease": None, "leased_until": None}
_ALIVE = ENDPOINTS.c.state != webhooks.EndpointState.DELETED
_PENDING = DELIVERIES.c.state == webhooks.DeliveryState.PENDING


class Leased(NamedTuple):
    """A delivery that this process alone may make, while the lease is its own, and where it goes."""

    delivery: webhooks.Delivery
    endpoint: webhooks.Endpoint
    lease: str


class Replay(NamedTuple):
    """Which deliveries to make again; None and empty leave nothing out."""

    delivery_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    failed_only: bool = False


class LeaseLost(Exception):
    """Somebody else makes this delivery by now, or it is gone."""


async def insert_once(
    conn: AsyncConnection, endpoint: webhooks.Endpoint, request_id: str, digest: bytes
) -> tuple[webhooks.Endpoint, bytes] | None:
    """None when it is inserted; else the endpoint that the request_id has already, and the digest it came with.

    Raises WebhookEndpointsFull.
    """
    place = sa.and_(ENDPOINTS.c.tenant_id == endpoint.tenant_id, ENDPOINTS.c.request_id == request_id)
    # Those of one tenant queue here, so that none slips past the limit.
    await conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(endpoint.tenant_id, 0))))
    if before := (await conn.execute(sa.select(ENDPOINTS).where(place))).mappings().first():
        return _endpoint(before), before["request_digest"]
    theirs = sa.select(sa.func.count()).where(ENDPOINTS.c.tenant_id == endpoint.tenant_id, _ALIVE)
    if (await conn.execute(theirs)).scalar_one() >= webhooks.MOST_ENDPOINTS:
        raise webhooks.WebhookEndpointsFull(most=webhooks.MOST_ENDPOINTS)
    row = dataclasses.asdict(endpoint) | {"request_id": request_id, "request_digest": digest}
    await conn.execute(sa.insert(ENDPOINTS).values(row | {"event_types": list(endpoint.event_types)}))
    return None


async def get(conn: AsyncConnection, tenant_id: str, endpoint_id: str, lock: bool = False) -> webhooks.Endpoint:
    """One endpoint, locked until the transaction ends when that is wanted. Raises WebhookEndpointNotFound."""
    query = sa.select(ENDPOINTS).where(ENDPOINTS.c.tenant_id == tenant_id, ENDPOINTS.c.id == endpoint_id, _ALIVE)
    row = (await conn.execute(query.with_for_update() if lock else query)).mappings().first()
    if row is None:
        raise webhooks.WebhookEndpointNotFound(webhook_endpoint_id=endpoint_id)
    return _endpoint(row)


async def page(conn: AsyncConnection, tenant_id: str, below: str | None, most: int) -> list[webhooks.Endpoint]:
    """Endpoints, newest first."""
    query = sa.select(ENDPOINTS).where(ENDPOINTS.c.tenant_id == tenant_id, _ALIVE)
    if below:
        query = query.where(ENDPOINTS.c.id < below)
    rows = await conn.execute(query.order_by(ENDPOINTS.c.id.desc()).limit(most))
    return [_endpoint(row) for row in rows.mappings()]


async def pending(conn: AsyncConnection, endpoint_id: str) -> int:
    """How many deliveries are still to be made."""
    query = sa.select(sa.func.count()).where(DELIVERIES.c.endpoint_id == endpoint_id, _PENDING)
    return int((await conn.execute(query)).scalar_one())


async def save(conn: AsyncConnection, endpoint: webhooks.Endpoint) -> None:
    """Write an endpoint; the caller holds its lock."""
    values = dataclasses.asdict(endpoint) | {"event_types": list(endpoint.event_types)}
    await conn.execute(sa.update(ENDPOINTS).where(ENDPOINTS.c.id == endpoint.id).values(values))


async def delete(conn: AsyncConnection, tenant_id: str, endpoint_id: str, now: datetime) -> None:
    """Send nothing there any more, not what was due either. Raises WebhookEndpointNotFound when there never was one."""
    gone = (
        sa.update(ENDPOINTS)
        .where(ENDPOINTS.c.tenant_id == tenant_id, ENDPOINTS.c.id == endpoint_id)
        .values(state=webhooks.EndpointState.DELETED, url="", description="", pause="", pause_note="", updated_at=now)
        .returning(ENDPOINTS.c.id)
    )
    if (await conn.execute(gone)).first() is None:
        raise webhooks.WebhookEndpointNotFound(webhook_endpoint_id=endpoint_id)
    due = sa.update(DELIVERIES).where(DELIVERIES.c.endpoint_id == endpoint_id, _PENDING)
    await conn.execute(due.values(state=webhooks.DeliveryState.FAILED, ended_at=now, **_UNLEASED))


async def claim(
    conn: AsyncConnection, now: datetime, lease: str, lease_s: float, most: int, failing: bool
) -> list[Leased]:
    """Take what is due at endpoints that answer, or at those that fail; each within its endpoint's concurrency."""
    found = await _ready(conn, now, most, failing)
    if not found:
        return []
    taken = list[Leased]()
    share = max(1, most // len(found))
    for endpoint in found.values():
        busy = sa.select(sa.func.count()).where(
            DELIVERIES.c.endpoint_id == endpoint.id, DELIVERIES.c.lease.is_not(None), DELIVERIES.c.leased_until > now
        )
        allowed = 1 if failing else endpoint.concurrency
        room = min(share, most - len(taken), allowed - (await conn.execute(busy)).scalar_one())
        if room > 0:
            due = _due(now).where(DELIVERIES.c.endpoint_id == endpoint.id)
            first = _locked(due.order_by(DELIVERIES.c.due_at, DELIVERIES.c.id).limit(room))
            query = sa.update(DELIVERIES).where(DELIVERIES.c.id == first.c.id)
            query = query.values(lease=lease, leased_until=now + timedelta(seconds=lease_s))
            rows = await conn.execute(query.returning(DELIVERIES))
            taken += [Leased(_delivery(row), endpoint, lease) for row in rows.mappings()]
    return taken


async def _ready(conn: AsyncConnection, now: datetime, most: int, failing: bool) -> dict[str, webhooks.Endpoint]:
    """Endpoints with something due, locked: two who claim at once never pass an endpoint's concurrency together."""
    query = (
        sa.select(ENDPOINTS)
        .where(
            ENDPOINTS.c.state == webhooks.EndpointState.ENABLED,
            ENDPOINTS.c.failures > 0 if failing else ENDPOINTS.c.failures == 0,
            sa.or_(ENDPOINTS.c.resting_until.is_(None), ENDPOINTS.c.resting_until <= now),
            sa.exists(_due(now).where(DELIVERIES.c.endpoint_id == ENDPOINTS.c.id)),
        )
        .order_by(sa.func.random())
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return {row["id"]: _endpoint(row) for row in (await conn.execute(query)).mappings()}


def _due(now: datetime) -> sa.Select[tuple[str]]:
    unleased = sa.or_(DELIVERIES.c.lease.is_(None), DELIVERIES.c.leased_until <= now)
    return sa.select(DELIVERIES.c.id).where(_PENDING, DELIVERIES.c.due_at <= now, unleased)


def _locked(wanted: sa.Select[tuple[str]]) -> sa.CTE:
    # Behind IN it might be made anew for each row that it is compared with, and lock more than its limit.
    return wanted.with_for_update(skip_locked=True).cte("locked")


async def add(conn: AsyncConnection, leased: Leased, until: datetime) -> None:
    """Add a delivery that is under way already."""
    row = dataclasses.asdict(leased.delivery) | {"lease": leased.lease, "leased_until": until}
    await conn.execute(sa.insert(DELIVERIES).values(row))


async def record(conn: AsyncConnection, leased: Leased, after: webhooks.Delivery, attempt: webhooks.Attempt) -> None:
    """Write down an attempt and what it made of the delivery and of the endpoint. Raises LeaseLost."""
    # A test is a person's who tries something out: it is no sign of an endpoint that was right before.
    if after.type != webhooks.TEST or attempt.is_delivered:
        await _note(conn, after, attempt)  # first: who deletes an endpoint locks it before its deliveries
    changed = {name: getattr(after, name) for name in ("state", "tries", "attempts", "due_at", "ended_at")}
    mine = sa.and_(DELIVERIES.c.id == after.id, DELIVERIES.c.lease == leased.lease)
    query = sa.update(DELIVERIES).where(mine).values(changed | _UNLEASED).returning(DELIVERIES.c.id)
    if (await conn.execute(query)).first() is None:
        raise LeaseLost
    row = dataclasses.asdict(attempt) | {"delivery_id": after.id, "number": after.attempts}
    await conn.execute(sa.insert(ATTEMPTS).values(row | {"tenant_id": after.tenant_id}))


async def _note(conn: AsyncConnection, after: webhooks.Delivery, attempt: webhooks.Attempt) -> None:
    query = sa.select(ENDPOINTS).where(ENDPOINTS.c.id == after.endpoint_id)
    row = (await conn.execute(query)).mappings().one()
    if webhooks.answered(_endpoint(row), attempt) == _endpoint(row):
        return
    row = (await conn.execute(query.with_for_update())).mappings().one()
    await save(conn, webhooks.answered(_endpoint(row), attempt))


async def get_delivery(conn: AsyncConnection, tenant_id: str, delivery_id: str) -> webhooks.Delivery:
    """One delivery. Raises WebhookDeliveryNotFound."""
    query = sa.select(DELIVERIES).where(DELIVERIES.c.tenant_id == tenant_id, DELIVERIES.c.id == delivery_id)
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise webhooks.WebhookDeliveryNotFound(webhook_delivery_id=delivery_id)
    return _delivery(row)


async def attempts(conn: AsyncConnection, delivery_id: str) -> list[tuple[int, webhooks.Attempt]]:
    """The log of a delivery: each attempt with its number, oldest first."""
    query = sa.select(ATTEMPTS).where(ATTEMPTS.c.delivery_id == delivery_id).order_by(ATTEMPTS.c.number)
    rows = (await conn.execute(query)).mappings()
    return [(row["number"], webhooks.Attempt(**{name: row[name] for name in _ATTEMPT_FIELDS})) for row in rows]


async def page_of(
    conn: AsyncConnection, endpoint_id: str, state: webhooks.DeliveryState | None, below: str | None, most: int
) -> list[webhooks.Delivery]:
    """An endpoint's deliveries, newest first."""
    query = sa.select(DELIVERIES).where(DELIVERIES.c.endpoint_id == endpoint_id)
    if state:
        query = query.where(DELIVERIES.c.state == state)
    if below:
        query = query.where(DELIVERIES.c.id < below)
    rows = await conn.execute(query.order_by(DELIVERIES.c.id.desc()).limit(most))
    return [_delivery(row) for row in rows.mappings()]


async def replay(conn: AsyncConnection, endpoint_id: str, which: Replay, now: datetime) -> int:
    """Make ended deliveries pending again, with the whole schedule before them; returns how many."""
    query = sa.update(DELIVERIES).where(
        DELIVERIES.c.endpoint_id == endpoint_id, ~_PENDING, DELIVERIES.c.type != webhooks.TEST
    )
    if which.delivery_id:
        query = query.where(DELIVERIES.c.id == which.delivery_id)
    if which.since:
        query = query.where(DELIVERIES.c.created_at >= which.since)
    if which.until:
        query = query.where(DELIVERIES.c.created_at < which.until)
    if which.failed_only:
        query = query.where(DELIVERIES.c.state == webhooks.DeliveryState.FAILED)
    values: Mapping[str, Any] = {"state": webhooks.DeliveryState.PENDING, "tries": 0, "due_at": now, "ended_at": None}
    return (await conn.execute(query.values(values))).rowcount


async def sweep(conn: AsyncConnection, now: datetime) -> int:
    """Forget what is older than 30 days, some of it at a time, and deleted endpoints; returns how many deliveries."""
    old = _locked(sa.select(DELIVERIES.c.id).where(DELIVERIES.c.created_at < now - KEPT).limit(_SWEPT_AT_ONCE))
    gone = await conn.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.id == old.c.id))
    empty = ~sa.exists(sa.select(1).where(DELIVERIES.c.endpoint_id == ENDPOINTS.c.id))
    await conn.execute(sa.delete(ENDPOINTS).where(~_ALIVE, ENDPOINTS.c.updated_at < now - KEPT, empty))
    return gone.rowcount


def _endpoint(row: Mapping[Any, Any]) -> webhooks.Endpoint:
    values = {name: row[name] for name in _ENDPOINT_FIELDS} | {"event_types": tuple(row["event_types"])}
    values["state"], values["pause"] = webhooks.EndpointState(row["state"]), webhooks.Pause(row["pause"])
    return webhooks.Endpoint(**values)


def _delivery(row: Mapping[Any, Any]) -> webhooks.Delivery:
    values = {name: row[name] for name in _DELIVERY_FIELDS} | {"state": webhooks.DeliveryState(row["state"])}
    return webhooks.Delivery(**values)
