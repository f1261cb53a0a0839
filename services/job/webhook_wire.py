"""Webhooks between protobuf and their rules; checks requests, does no I/O, and shows no secret."""

import hashlib
import json
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2

from libs import egress, errors, moments
from rushes.job.v1 import webhook_pb2
from rushes.job.v1 import webhook_service_pb2 as pb
from services.job import webhook_store, webhooks, wire

EDITABLE = ("url", "event_types", "description", "concurrency", "state")

_URL_CHARACTERS, _DESCRIPTION_CHARACTERS, _MOST_TYPES, _MOST_AT_ONCE = 2000, 200, 30, 10
_STATES = (webhook_pb2.WebhookEndpoint.STATE_ENABLED, webhook_pb2.WebhookEndpoint.STATE_PAUSED)
_NUMERIC = re.compile(r"[0-9a-fx.]+|.*:.*")
_LOCAL_NAMES = (".local", ".internal", ".localhost", ".svc")

Faults = Iterator[errors.Violation]


def check_create(request: pb.CreateWebhookEndpointRequest, private: bool) -> None:
    """Raises BadRequest; `private` allows http and private addresses."""
    faults = [*_faults(request.webhook_endpoint, EDITABLE[:-1], private)]
    try:
        uuid.UUID(request.request_id)
    except ValueError:
        faults.append(errors.Violation("request_id", "should be a UUID that you choose once for this endpoint"))
    _raise(faults)


def digest(request: pb.CreateWebhookEndpointRequest) -> bytes:
    """What tells a repeat from another request."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def new(request: pb.CreateWebhookEndpointRequest, of: tuple[str, str], key_id: str, now: datetime) -> webhooks.Endpoint:
    """The endpoint that is asked for; `of` is its id and its tenant."""
    wanted = request.webhook_endpoint
    types, at_once = tuple(wanted.event_types), wanted.concurrency or 1
    return webhooks.Endpoint(*of, wanted.url, types, wanted.description, at_once, key_id, now, now)


def changes(request: pb.UpdateWebhookEndpointRequest, private: bool) -> dict[str, Any]:
    """The fields that change, but for the state, and what they become. Raises BadRequest."""
    paths, wanted = list(request.update_mask.paths), request.webhook_endpoint
    known = ", ".join(EDITABLE)
    faults = [
        errors.Violation("update_mask", f"names {path!r}; what can be changed is {known}")
        for path in paths
        if path not in EDITABLE
    ]
    if not paths:
        faults.append(errors.Violation("update_mask", f"should name what changes, of {known}"))
    _raise([*faults, *_faults(wanted, paths, private)])
    told = {
        "url": wanted.url,
        "event_types": tuple(wanted.event_types),
        "description": wanted.description,
        "concurrency": wanted.concurrency or 1,
    }
    return {name: value for name, value in told.items() if name in paths}


def state(request: pb.UpdateWebhookEndpointRequest) -> webhooks.EndpointState | None:
    """The state that is asked for; None when it stays."""
    if "state" not in request.update_mask.paths:
        return None
    name = webhook_pb2.WebhookEndpoint.State.Name(request.webhook_endpoint.state)
    return webhooks.EndpointState(name.removeprefix("STATE_"))


def replay(request: pb.ReplayWebhookDeliveriesRequest) -> webhook_store.Replay:
    """Which deliveries are meant. Raises BadRequest."""
    since, until = wire.between(request)
    if not request.webhook_delivery_id and since is None:
        _raise([errors.Violation("start_time", "should be there, or a webhook_delivery_id")])
    return webhook_store.Replay(request.webhook_delivery_id, since, until, request.failed_only)


def etag(endpoint: webhooks.Endpoint) -> str:
    """Of this version of it."""
    return f"{endpoint.id}.{endpoint.version}"


def endpoint(value: webhooks.Endpoint, pending: int = 0) -> webhook_pb2.WebhookEndpoint:
    """The message of an endpoint."""
    reason = f"PAUSE_REASON_{value.pause or 'UNSPECIFIED'}"
    return webhook_pb2.WebhookEndpoint(
        id=value.id,
        url=value.url,
        event_types=value.event_types,
        description=value.description,
        concurrency=value.concurrency,
        state=webhook_pb2.WebhookEndpoint.State.Value(f"STATE_{value.state}"),
        pause_reason=webhook_pb2.WebhookEndpoint.PauseReason.Value(reason),
        pause_note=value.pause_note,
        secret_version=value.secret_version,
        failing_since=moments.stamp(value.failing_since),
        pending=pending,
        etag=etag(value),
        create_time=moments.stamp(value.created_at),
        update_time=moments.stamp(value.updated_at),
    )


def delivery(value: webhooks.Delivery, log: Sequence[tuple[int, webhooks.Attempt]] = ()) -> webhook_pb2.WebhookDelivery:
    """The message of a delivery."""
    is_pending = value.state is webhooks.DeliveryState.PENDING
    return webhook_pb2.WebhookDelivery(
        id=value.id,
        webhook_endpoint_id=value.endpoint_id,
        type=value.type,
        data=json.dumps(dict(sorted(value.data.items()))),
        state=webhook_pb2.WebhookDelivery.State.Value(f"STATE_{value.state}"),
        attempts=value.attempts,
        due_time=moments.stamp(value.due_at if is_pending else None),
        create_time=moments.stamp(value.created_at),
        end_time=moments.stamp(value.ended_at),
        log=[_attempt(number, one) for number, one in log],
    )


def _attempt(number: int, value: webhooks.Attempt) -> webhook_pb2.WebhookAttempt:
    duration = duration_pb2.Duration()
    duration.FromTimedelta(timedelta(milliseconds=value.duration_ms))
    return webhook_pb2.WebhookAttempt(
        number=number,
        start_time=moments.stamp(value.at),
        status_code=value.status or 0,
        fault=value.fault,
        duration=duration,
    )


def _faults(wanted: webhook_pb2.WebhookEndpoint, paths: Sequence[str], private: bool) -> Faults:
    told = {
        "url": _url_fault(wanted.url, private),
        "event_types": _types_fault(list(wanted.event_types)),
        "description": "" if len(wanted.description) <= _DESCRIPTION_CHARACTERS else "should be at most 200 characters",
        "concurrency": "" if 0 <= wanted.concurrency <= _MOST_AT_ONCE else "should be 1 to 10, or 0 for 1",
        "state": "" if wanted.state in _STATES else "should be STATE_ENABLED or STATE_PAUSED",
    }
    for name, wrong in told.items():
        if name in paths and wrong:
            yield errors.Violation(f"webhook_endpoint.{name}", wrong)


def _types_fault(types: Sequence[str]) -> str:
    unknown = [one for one in types if one not in webhooks.EVENT_TYPES]
    if unknown:
        return f"names {unknown[0]!r}; known are {', '.join(sorted(webhooks.EVENT_TYPES))}"
    return "" if len(types) <= _MOST_TYPES else "should be at most 30"


def _url_fault(text: str, private: bool) -> str:
    """Why nothing may be sent there; what a name leads to is seen only when it is connected to."""
    try:
        url = egress.parsed(text)
        host = (url.host or "").rstrip(".").lower()
    except (egress.Refused, ValueError):
        return "should be an address such as https://example.com/rushes, without a user in it"
    if url.scheme not in ("http", "https") or not host or len(text) > _URL_CHARACTERS or url.raw_fragment:
        return "should be an address such as https://example.com/rushes, without a fragment, of up to 2000 characters"
    if _is_metadata(host) or (not private and (url.scheme != "https" or _is_near(host))):
        return "should be https and a public host"
    return ""


def _is_metadata(host: str) -> bool:
    """Whether clouds answer there with their secrets, in any spelling that resolvers take."""
    try:
        return egress.is_metadata(host if ":" in host else socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return False


def _is_near(host: str) -> bool:
    if _NUMERIC.fullmatch(host):
        return not egress.is_public(host)
    return "." not in host or host.endswith(_LOCAL_NAMES)


def _raise(faults: Sequence[errors.Violation]) -> None:
    if faults:
        raise wire.BadRequest(faults)
