"""Asks every service about its dead letters, and shows what they say to a person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich.console
from google.protobuf import message

from rushes.ops.v1 import dead_letter_service_pb2 as pb
from rushes.ops.v1 import dead_letter_service_pb2_grpc
from services.cli import client, each, exits, gateway, wire

HEARING = ("job", "provider_gateway", "compiler")
"""The services that hear events."""


def list_letters(home: Path, state: str, as_json: bool, out: rich.console.Console) -> None:
    """Print the letters of every service. Raises Ended with USAGE."""
    name = f"STATE_{state.upper()}"
    if name not in pb.DeadLetter.State.keys()[1:]:
        raise exits.Ended(f"--state {state}: write one of dead, handled, discarded.", exits.Code.USAGE)
    request = pb.ListDeadLettersRequest(state=pb.DeadLetter.State.Value(name), page_size=200)
    found = {service: _ask(home, service, "ListDeadLetters", request) for service in HEARING}
    if as_json:
        shown = {
            service: each.plain(answer)["dead_letters"] for service, answer in found.items() if answer.dead_letters
        }
        out.print_json(data=shown)
        return
    for service, answer in found.items():
        for one in answer.dead_letters:
            out.print(_line(service, one), markup=False)
        if answer.next_page_token:
            out.print(f"{service}: there are more", markup=False)
    if not any(answer.dead_letters for answer in found.values()):
        out.print(f"no {state} letters", markup=False)


def show(home: Path, event_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print one, whichever service has it."""
    service, answer = _find(home, event_id)
    gateway.show(answer, lambda one: _whole(service, one.dead_letter), as_json, out)


def retry(home: Path, event_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Retry it. Raises Ended when it fails again."""
    service, _ = _find(home, event_id)
    answer = _ask(home, service, "RetryDeadLetter", pb.RetryDeadLetterRequest(event_id=event_id))
    gateway.show(answer, lambda one: [_line(service, one.dead_letter)], as_json, out)
    if answer.dead_letter.state == pb.DeadLetter.STATE_DEAD:
        raise exits.Ended(f"It failed again: {answer.dead_letter.reason} at {answer.dead_letter.place}.")


def discard(home: Path, event_id: str, note: str, as_json: bool, out: rich.console.Console) -> None:
    """Discard it."""
    service, _ = _find(home, event_id)
    request = pb.DiscardDeadLetterRequest(event_id=event_id, note=note)
    answer = _ask(home, service, "DiscardDeadLetter", request)
    gateway.show(answer, lambda one: [_line(service, one.dead_letter)], as_json, out)


def _find(home: Path, event_id: str) -> tuple[str, Any]:
    for service in HEARING:
        try:
            return service, _ask(home, service, "GetDeadLetter", pb.GetDeadLetterRequest(event_id=event_id))
        except client.Refused as refusal:
            if refusal.reason != "DEAD_LETTER_NOT_FOUND":
                raise
    raise exits.Ended(f"No service has a dead letter of the event {event_id}.", exits.Code.NOT_FOUND)


def _ask(home: Path, service: str, verb: str, request: message.Message) -> Any:
    return each.ask(home, service, dead_letter_service_pb2_grpc.DeadLetterServiceStub, verb, request)


def _line(service: str, of: pb.DeadLetter) -> str:
    state = pb.DeadLetter.State.Name(of.state).removeprefix("STATE_")
    parts = [f"{of.event_id} {state}", service, of.event_type.rpartition(".")[2], of.reason, f"{of.attempts} attempts"]
    parts.append(f"given up {wire.clock(of.create_time)}")
    if of.HasField("at_stake"):
        parts.append(f"at stake {wire.amount(of.at_stake)}")
    if of.note:
        parts.append(f"{of.settled_by}: {of.note}")
    return "; ".join(parts)


def _whole(service: str, of: pb.DeadLetter) -> Iterator[str]:
    yield _line(service, of)
    if of.place:
        yield f"failed at {of.place}"
    yield ", ".join(f"{name} {value}" for name, value in sorted(of.facts.items()))
    yield f"{of.size_bytes} bytes, sha256 {of.sha256}"
