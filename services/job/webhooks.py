"""Webhooks: endpoints, deliveries, their signatures, and what an answer makes of them; no clock and no network.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import dataclasses
import enum
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libs import errors
from services.job import domain

SCHEDULE_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds from each failed attempt to the next; after the last, the delivery has failed: three days and four hours."""

JITTER = 0.2
"""By how much longer than that it may take, by chance: what failed together does not come back together."""

DEAD_AFTER = timedelta(days=3)
"""How long an endpoint may answer nothing with 2xx before it is paused."""

BOTH_SIGN_FOR = timedelta(hours=24)
"""How long a replaced secret still signs beside the new one."""

SHOWN_FOR = timedelta(minutes=10)
"""How long a repeated call, whose answer was lost, is shown the new secret once more."""

MOST_ENDPOINTS = 50
TEST = "webhook.test"
GONE = 410

_FAILING_AFTER = 3
_LONGEST_REST_S = 300.0

EVENT_TYPES = frozenset(
    [f"job.{state.lower()}" for state in domain.JobState]
    + [f"production.{state.lower()}" for state in domain.ProductionState]
    + ["job.*", "production.*"]
)
"""What an endpoint can ask for."""


class WebhookEndpointNotFound(errors.NotFound):
    """There is no webhook endpoint {webhook_endpoint_id}."""


class WebhookDeliveryNotFound(errors.NotFound):
    """There is no webhook delivery {webhook_delivery_id}."""


class WebhookEndpointStale(errors.Stale):
    """The webhook endpoint has changed since it was read; read it again and retry."""


class WebhookEndpointsFull(errors.Exhausted):
    """The tenant has {most} webhook endpoints, and may have no more; delete one."""


class WebhooksOff(errors.Conflict):
    """This installation has no key to sign webhooks with; the operator gives it with RUSHES_WEBHOOK_KEYS."""


class EndpointState(enum.StrEnum):
    """Whether anything is sent."""

    ENABLED = "ENABLED"
    PAUSED = "PAUSED"
    DELETED = "DELETED"


class Pause(enum.StrEnum):
    """Why nothing is sent."""

    NOTHING = ""
    ASKED = "ASKED"
    GONE = "GONE"
    FAILING = "FAILING"


class DeliveryState(enum.StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a tenant's own.

    `key_id` names the installation's key that its secret is made with, `key_id_before` that of the secret before.
    Of its deliveries in a row `failures` have failed; while it rests, nothing is sent.
    """

    id: str
    tenant_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    concurrency: int
    key_id: str
    created_at: datetime
    updated_at: datetime
    state: EndpointState = EndpointState.ENABLED
    pause: Pause = Pause.NOTHING
    pause_note: str = ""
    secret_version: int = 1
    key_id_before: str = ""
    secret_replaced_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    resting_until: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint; `tries` of its schedule are over, `attempts` were made in all."""

    id: str
    tenant_id: str
    endpoint_id: str
    type: str
    data: Mapping[str, Any]
    state: DeliveryState
    due_at: datetime
    created_at: datetime
    tries: int = 0
    attempts: int = 0
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: what was answered, or why nothing was."""

    at: datetime
    status: int | None
    fault: str
    duration_ms: int

    @property
    def is_delivered(self) -> bool:
        """Whether the endpoint has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def ended_at(self) -> datetime:
        """When it was over."""
        return self.at + timedelta(milliseconds=self.duration_ms)

    @property
    def told(self) -> str:
        """For people."""
        return self.fault or f"status {self.status}"


class Keys:
    """What the installation makes secrets of: `current` makes new ones, the others are only known."""

    def __init__(self, keys: Mapping[str, str], current: str) -> None:
        self._keys, self.current = dict(keys), current

    def __repr__(self) -> str:
        return f"Keys({', '.join(self._keys)})"

    def secret(self, endpoint: Endpoint) -> bytes:
        """What signs for an endpoint now. Raises WebhooksOff."""
        return self._made(endpoint, endpoint.key_id, endpoint.secret_version)

    def secrets(self, endpoint: Endpoint, now: datetime) -> list[bytes]:
        """As secret, and after it the one before, while both sign. Raises WebhooksOff."""
        found = [self.secret(endpoint)]
        if endpoint.secret_replaced_at and now < endpoint.secret_replaced_at + BOTH_SIGN_FOR:
            found.append(self._made(endpoint, endpoint.key_id_before, endpoint.secret_version - 1))
        return found

    def check(self) -> None:
        """Raise WebhooksOff when there is none to make a new secret of."""
        if self.current not in self._keys:
            raise WebhooksOff

    def _made(self, endpoint: Endpoint, key_id: str, version: int) -> bytes:
        if key_id not in self._keys:
            raise WebhooksOff
        # Neither a tenant nor an id can hold the separator, so no two endpoints have the same secret.
        said = f"rushes webhook v1|{endpoint.tenant_id}|{endpoint.id}|{version}"
        return hmac.digest(self._keys[key_id].encode(), said.encode(), "sha256")


def shown(secret: bytes) -> str:
    """The secret as receivers are given it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def rotated(endpoint: Endpoint, replaced: int, key_id: str, now: datetime) -> Endpoint:
    """With a new secret in place of version `replaced`; a repeat changes nothing. Raises WebhookEndpointStale."""
    replaced_at = endpoint.secret_replaced_at
    if replaced_at and replaced == endpoint.secret_version - 1 and now < replaced_at + SHOWN_FOR:
        return endpoint
    if replaced != endpoint.secret_version:
        raise WebhookEndpointStale(webhook_endpoint_id=endpoint.id)
    return dataclasses.replace(
        endpoint,
        secret_version=replaced + 1,
        key_id=key_id,
        key_id_before=endpoint.key_id,
        secret_replaced_at=now,
        version=endpoint.version + 1,
        updated_at=now,
    )


def body(delivery: Delivery) -> bytes:
    """What is sent: the same bytes at each attempt."""
    happened = delivery.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"type": delivery.type, "timestamp": happened, "data": dict(sorted(delivery.data.items()))}
    return json.dumps(event, separators=(",", ":")).encode()


def headers(delivery: Delivery, sent: bytes, secrets: list[bytes], now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks: whose id, when, and a signature by each secret."""
    at = str(int(now.timestamp()))
    signed = f"{delivery.id}.{at}.".encode() + sent
    marks = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }


def tried(delivery: Delivery, attempt: Attempt, chance: float) -> Delivery:
    """What the attempt makes of the delivery; `chance` is from 0 to 1. A test is never repeated."""
    after = dataclasses.replace(delivery, tries=delivery.tries + 1, attempts=delivery.attempts + 1)
    if attempt.is_delivered:
        return dataclasses.replace(after, state=DeliveryState.DELIVERED, ended_at=attempt.ended_at)
    if delivery.tries >= len(SCHEDULE_S) or delivery.type == TEST:
        return dataclasses.replace(after, state=DeliveryState.FAILED, ended_at=attempt.ended_at)
    wait = timedelta(seconds=SCHEDULE_S[delivery.tries] * (1 + JITTER * chance))
    return dataclasses.replace(after, due_at=attempt.ended_at + wait)


def answered(endpoint: Endpoint, attempt: Attempt) -> Endpoint:
    """What an attempt makes of the endpoint: the same object when nothing changes.

    After three failures in a row it rests between attempts, each time longer, up to five minutes.
    """
    if attempt.is_delivered:
        if not endpoint.failures:
            return endpoint
        return dataclasses.replace(endpoint, failures=0, failing_since=None, resting_until=None)
    now, failures = attempt.ended_at, endpoint.failures + 1
    since = endpoint.failing_since or attempt.at
    rest_s = min(_LONGEST_REST_S, 5.0 * 2.0 ** min(10, failures - _FAILING_AFTER))
    failed = dataclasses.replace(
        endpoint,
        failures=failures,
        failing_since=since,
        resting_until=now + timedelta(seconds=rest_s) if failures >= _FAILING_AFTER else None,
    )
    if endpoint.state is not EndpointState.ENABLED:
        return failed
    if attempt.status == GONE:
        return _paused(failed, Pause.GONE, "It answered 410: nothing is wanted there any more.", now)
    if now - since >= DEAD_AFTER:
        note = f"Nothing was answered with 2xx since {since:%Y-%m-%d %H:%M} UTC; the last was {attempt.told}."
        return _paused(failed, Pause.FAILING, note, now)
    return failed


def _paused(endpoint: Endpoint, why: Pause, note: str, now: datetime) -> Endpoint:
    return dataclasses.replace(
        endpoint,
        state=EndpointState.PAUSED,
        pause=why,
        pause_note=note,
        version=endpoint.version + 1,
        updated_at=now,
    )


def switched(endpoint: Endpoint, state: EndpointState) -> Endpoint:
    """Paused or enabled by a person; an endpoint that is enabled again begins with a clean slate."""
    if state is endpoint.state:
        return endpoint
    pause = Pause.ASKED if state is EndpointState.PAUSED else Pause.NOTHING
    return dataclasses.replace(
        endpoint, state=state, pause=pause, pause_note="", failures=0, failing_since=None, resting_until=None
    )
