"""Asks every service about its audit, and shows what they say to a person."""

from pathlib import Path
from typing import Any

import rich.console
from google.protobuf import message

from rushes.ops.v1 import audit_service_pb2 as pb
from rushes.ops.v1 import audit_service_pb2_grpc
from services.cli import each, exits, house, wire


def list_entries(home: Path, target: str, as_json: bool, out: rich.console.Console) -> None:
    """Print the newest page of each service."""
    found = _ask_all(home, "ListAuditEntries", pb.ListAuditEntriesRequest(target=target))
    if as_json:
        out.print_json(data={service: each.plain(answer) for service, answer in found.items()})
        return
    for service, answer in found.items():
        for one in answer.audit_entries:
            out.print(_line(service, one), markup=False)
        if answer.next_page_token:
            out.print(f"{service}: there are more", markup=False)
    if not any(answer.audit_entries for answer in found.values()):
        out.print("nothing was decided", markup=False)


def verify(home: Path, as_json: bool, out: rich.console.Console) -> None:
    """Print how far each chain holds. Raises Ended when one does not hold to its end."""
    found = _ask_all(home, "VerifyAudit", pb.VerifyAuditRequest())
    if as_json:
        out.print_json(data={service: each.plain(answer) for service, answer in found.items()})
    for service, answer in found.items() if not as_json else ():
        out.print(f"{service}: {answer.entries} entries hold, the last is {answer.last_hash[:16]}", markup=False)
    broken = {service: answer for service, answer in found.items() if answer.broken_position}
    if broken:
        faults = (f"{service}: entry {one.broken_position}: {one.fault}" for service, one in broken.items())
        raise exits.Ended(f"The audit does not hold. {'; '.join(faults)}.")


def _ask_all(home: Path, verb: str, request: message.Message) -> dict[str, Any]:
    stub = audit_service_pb2_grpc.AuditServiceStub
    return {service: each.ask(home, service, stub, verb, request) for service in house.DATABASES}


def _line(service: str, one: pb.AuditEntry) -> str:
    facts = ", ".join(f"{name} {fact}" for name, fact in sorted(one.facts.items()) if fact)
    what = f"{service} {one.position}; {wire.clock(one.create_time)}; {one.actor}; {one.action} {one.target}"
    return f"{what}; {facts}" if facts else what
