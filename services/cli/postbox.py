"""Asks the job service about webhooks, and shows what it says to a person."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import rich.console
from google.protobuf import field_mask_pb2, message, timestamp_pb2

from libs import moments
from rushes.job.v1 import webhook_pb2, webhook_service_pb2_grpc
from rushes.job.v1 import webhook_service_pb2 as pb
from services.cli import each, exits, gateway, wire

Answer = TypeVar("Answer", bound=message.Message)

_ENDPOINT, _DELIVERY = webhook_pb2.WebhookEndpoint, webhook_pb2.WebhookDelivery


class Times(NamedTuple):
    """From when to when, as a person writes it; empty for no bound."""

    since: str
    until: str


def ask(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask, and return the answer. Raises Ended."""
    verb = kind.DESCRIPTOR.name.removesuffix("Response")
    answer: Answer = each.ask(home, "job", webhook_service_pb2_grpc.WebhookServiceStub, verb, request)
    return answer


def add(
    home: Path,
    url: str,
    events: Sequence[str],
    description: str,
    concurrency: int,
    as_json: bool,
    out: rich.console.Console,
) -> None:
    """Add one, and show its secret."""
    wanted = _ENDPOINT(url=url, event_types=events, description=description, concurrency=concurrency)
    request = pb.CreateWebhookEndpointRequest(request_id=str(uuid.uuid4()), webhook_endpoint=wanted)
    answer = ask(home, pb.CreateWebhookEndpointResponse, request)
    gateway.show(answer, lambda one: _secret(one.webhook_endpoint, one.secret), as_json, out)


def list_endpoints(home: Path, as_json: bool, out: rich.console.Console) -> None:
    """Print them all."""
    answer = ask(home, pb.ListWebhookEndpointsResponse, pb.ListWebhookEndpointsRequest(page_size=200))
    gateway.show(answer, lambda one: map(endpoint, one.webhook_endpoints), as_json, out)


def show(home: Path, told: str, as_json: bool, out: rich.console.Console) -> None:
    """Print an endpoint or a delivery, as the id says."""
    if told.startswith("whd_"):
        found = ask(home, pb.GetWebhookDeliveryResponse, pb.GetWebhookDeliveryRequest(webhook_delivery_id=told))
        gateway.show(found, lambda one: _log(one.webhook_delivery), as_json, out)
        return
    answer = _get(home, told)
    gateway.show(answer, lambda one: [endpoint(one.webhook_endpoint)], as_json, out)


def switch(home: Path, endpoint_id: str, on: bool, as_json: bool, out: rich.console.Console) -> None:
    """Pause it or let it go on."""
    wanted = _ENDPOINT(id=endpoint_id, state=_ENDPOINT.STATE_ENABLED if on else _ENDPOINT.STATE_PAUSED)
    mask = field_mask_pb2.FieldMask(paths=["state"])
    request = pb.UpdateWebhookEndpointRequest(webhook_endpoint=wanted, update_mask=mask)
    answer = ask(home, pb.UpdateWebhookEndpointResponse, request)
    gateway.show(answer, lambda one: [endpoint(one.webhook_endpoint)], as_json, out)


def rotate(home: Path, endpoint_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Replace the secret that is the newest now."""
    version = _get(home, endpoint_id).webhook_endpoint.secret_version
    request = pb.RotateWebhookSecretRequest(webhook_endpoint_id=endpoint_id, secret_version=version)
    answer = ask(home, pb.RotateWebhookSecretResponse, request)
    gateway.show(answer, lambda one: _secret(one.webhook_endpoint, one.secret), as_json, out)


def try_out(home: Path, endpoint_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Send a test. Raises Ended when it does not arrive."""
    request = pb.TestWebhookEndpointRequest(webhook_endpoint_id=endpoint_id)
    answer = ask(home, pb.TestWebhookEndpointResponse, request)
    gateway.show(answer, lambda one: map(_attempt, one.webhook_delivery.log), as_json, out)
    if answer.webhook_delivery.state != _DELIVERY.STATE_DELIVERED:
        raise exits.Ended("The test did not arrive.")


def deliveries(home: Path, endpoint_id: str, state: str, count: int, as_json: bool, out: rich.console.Console) -> None:
    """Print deliveries. Raises Ended with USAGE."""
    name = f"STATE_{state.upper()}" if state else "STATE_UNSPECIFIED"
    if name not in _DELIVERY.State.keys():
        raise exits.Ended(f"--state {state}: write one of pending, delivered, failed.", exits.Code.USAGE)
    request = pb.ListWebhookDeliveriesRequest(
        webhook_endpoint_id=endpoint_id, state=_DELIVERY.State.Value(name), page_size=count
    )
    answer = ask(home, pb.ListWebhookDeliveriesResponse, request)
    gateway.show(answer, lambda one: map(delivery, one.webhook_deliveries), as_json, out)


def replay(
    home: Path,
    endpoint_id: str,
    delivery_id: str,
    times: Times,
    failed: bool,
    as_json: bool,
    out: rich.console.Console,
) -> None:
    """Send again. Raises Ended with USAGE."""
    if not delivery_id and not times.since:
        raise exits.Ended("Name a delivery, or a time with --since.", exits.Code.USAGE)
    request = pb.ReplayWebhookDeliveriesRequest(
        webhook_endpoint_id=endpoint_id,
        webhook_delivery_id=delivery_id,
        start_time=_moment("--since", times.since),
        end_time=_moment("--until", times.until),
        failed_only=failed,
    )
    answer = ask(home, pb.ReplayWebhookDeliveriesResponse, request)
    gateway.show(answer, lambda one: [f"{one.deliveries} are sent again"], as_json, out)


def delete(home: Path, endpoint_id: str, out: rich.console.Console) -> None:
    """Delete it."""
    ask(home, pb.DeleteWebhookEndpointResponse, pb.DeleteWebhookEndpointRequest(webhook_endpoint_id=endpoint_id))
    out.print(f"{endpoint_id} is deleted", markup=False)


def endpoint(of: webhook_pb2.WebhookEndpoint) -> str:
    """One line for an endpoint."""
    state = "sends" if of.state == _ENDPOINT.STATE_ENABLED else _paused(of)
    parts = [f"{of.id} {of.url}", state, ", ".join(of.event_types) or "all events"]
    if of.HasField("failing_since"):
        parts.append(f"fails since {wire.clock(of.failing_since)}")
    if of.pending:
        parts.append(f"{of.pending} pending")
    return "; ".join([*parts, *filter(None, [of.description])])


def delivery(of: webhook_pb2.WebhookDelivery) -> str:
    """One line for a delivery."""
    state = _DELIVERY.State.Name(of.state).removeprefix("STATE_")
    parts = [f"{of.id} {state} {of.type}", f"{of.attempts} attempts", wire.clock(of.create_time)]
    if of.HasField("due_time") and of.attempts:
        parts.append(f"next at {wire.clock(of.due_time)}")
    return "; ".join(parts)


def _get(home: Path, endpoint_id: str) -> pb.GetWebhookEndpointResponse:
    return ask(home, pb.GetWebhookEndpointResponse, pb.GetWebhookEndpointRequest(webhook_endpoint_id=endpoint_id))


def _secret(of: webhook_pb2.WebhookEndpoint, secret: str) -> Iterable[str]:
    return [endpoint(of), f"secret, shown only now: {secret}"]


def _paused(of: webhook_pb2.WebhookEndpoint) -> str:
    why = _ENDPOINT.PauseReason.Name(of.pause_reason).removeprefix("PAUSE_REASON_").lower()
    return f"paused ({why}) {of.pause_note}".rstrip(" .")


def _log(of: webhook_pb2.WebhookDelivery) -> Iterator[str]:
    yield delivery(of)
    yield of.data
    yield from map(_attempt, of.log)


def _attempt(of: webhook_pb2.WebhookAttempt) -> str:
    came = of.fault or f"status {of.status_code}"
    return f"{of.number:>3} {wire.clock(of.start_time)} {came}, {of.duration.ToMilliseconds()} ms"


def _moment(option: str, told: str) -> timestamp_pb2.Timestamp | None:
    if not told:
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise exits.Ended(f"{option} {told}: write a time such as 2026-11-21T10:00.", exits.Code.USAGE) from None
    return moments.stamp(at if at.tzinfo else at.replace(tzinfo=UTC))
