"""Asks the processes of a house how they do, and shows what they say to a person."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rich.console
from google.protobuf import duration_pb2, message, timestamp_pb2

from libs import moments
from rushes.ops.v1 import ops_service_pb2 as pb
from rushes.ops.v1 import ops_service_pb2_grpc
from services.cli import each, exits, gateway, house, wire

_SLOWEST = 3


def status(home: Path, as_json: bool, out: rich.console.Console) -> None:
    """Print how each service does. Raises Ended."""
    _show_all(_ask_all(home, "GetStatus", pb.GetStatusRequest()), _status, as_json, out)


def stuck(home: Path, overdue_s: float, as_json: bool, out: rich.console.Console) -> None:
    """Print what does not go on, in every service. Raises Ended."""
    request = pb.ListStuckRequest(page_size=200, overdue=_length(overdue_s))
    found = _ask_all(home, "ListStuck", request)
    _show_all(found, _stuck, as_json, out)
    if not as_json and not any(answer.items for _, answer in found):
        out.print("nothing is stuck", markup=False)


def config(home: Path, service: str, as_json: bool, out: rich.console.Console) -> None:
    """Print what a service was told, secrets hidden. Raises Ended."""
    answer = _ask(home, service, "DumpConfig", pb.DumpConfigRequest())
    gateway.show(answer, lambda one: map(_setting, one.settings), as_json, out)


def log_level(home: Path, service: str, level: str, seconds: float, as_json: bool, out: rich.console.Console) -> None:
    """Change what a service logs; 0 seconds: until it is restarted. Raises Ended."""
    lifetime = _length(seconds) if seconds else None
    answer = _ask(home, service, "SetLogLevel", pb.SetLogLevelRequest(level=level.upper(), lifetime=lifetime))
    gateway.show(answer, lambda one: [f"{service}: {one.previous_level} → {one.level}"], as_json, out)


def replay(
    home: Path, service: str, since: datetime | None, event_id: str, event_type: str, as_json: bool, out: Any
) -> None:
    """Have a service publish its events again. Raises Ended."""
    if (since is None) == (not event_id):
        raise exits.Ended("Say where to begin: --since a moment, or --event an id.", exits.Code.USAGE)
    request = pb.ReplayOutboxRequest(from_event_id=event_id, event_type=event_type)
    if since is not None:
        request = pb.ReplayOutboxRequest(from_time=_moment(since), event_type=event_type)
    answer = _ask(home, service, "ReplayOutbox", request)
    gateway.show(answer, lambda one: [f"{service}: {one.events} events are published again"], as_json, out)


def _ask_all(home: Path, verb: str, request: message.Message) -> list[tuple[str, Any]]:
    return [(service, _ask(home, service, verb, request)) for service in house.DATABASES]


def _ask(home: Path, service: str, verb: str, request: message.Message) -> Any:
    if service not in house.DATABASES:
        raise exits.Ended(f"{service}: write one of {', '.join(house.DATABASES)}.", exits.Code.USAGE)
    return each.ask(home, service, ops_service_pb2_grpc.OpsServiceStub, verb, request)


def _show_all(found: Sequence[tuple[str, Any]], lines: Any, as_json: bool, out: rich.console.Console) -> None:
    if as_json:
        out.print_json(data={name: each.plain(one) for name, one in found})
        return
    for service, answer in found:
        for line in lines(service, answer):
            out.print(line, markup=False)


def _status(service: str, of: pb.GetStatusResponse) -> Iterator[str]:
    schema = f"schema {of.schema_revision or 'none'}" + (
        "" if of.schema_fits else f", which {of.schema_known} cannot use"
    )
    parts = [f"{service} {of.build} on {of.host}", f"since {wire.clock(of.start_time)}", f"log {of.log_level}", schema]
    if of.draining:
        parts.append("draining")
    if of.outbox_waiting:
        parts.append(f"{of.outbox_waiting} events to publish, the oldest of {wire.clock(of.outbox_oldest_time)}")
    if of.dead_letters:
        parts.append(f"{of.dead_letters} dead letters")
    yield "; ".join(parts)
    for loop in of.loops[:_SLOWEST]:
        yield f"  {loop.name} succeeded {loop.since_success.ToTimedelta().total_seconds():.1f} s ago"


def _stuck(service: str, of: pb.ListStuckResponse) -> Iterator[str]:
    for one in of.items:
        stake = f"; at stake {wire.amount(one.at_stake)}" if one.HasField("at_stake") else ""
        yield f"{service}: {one.kind} {one.id} {one.state} of {one.tenant_id}; since {wire.clock(one.due_time)}{stake}"
        yield f"  {one.why}"
    if of.has_more:
        yield f"{service}: there are more"


def _setting(one: pb.Setting) -> str:
    return f"{one.name}={one.value}" + (" (default)" if one.is_default else "")


def _length(seconds: float) -> duration_pb2.Duration:
    length = duration_pb2.Duration()
    length.FromTimedelta(timedelta(seconds=seconds))
    return length


def _moment(at: datetime) -> timestamp_pb2.Timestamp:
    return moments.stamp(at if at.tzinfo else at.replace(tzinfo=UTC))
