"""Asks the storyboard service about people and invitations, and shows what it says to a person."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import rich.console
from google.protobuf import field_mask_pb2, message

from rushes.access.v1 import people_service_pb2 as pb
from rushes.access.v1 import people_service_pb2_grpc
from rushes.type.v1 import access_pb2
from services.cli import each, exits, gateway, studio, wire

Answer = TypeVar("Answer", bound=message.Message)

_GIVEN = ("viewer", "editor", "owner")
_ISSUER = "issuer"
_MOST = 200


class Wish(NamedTuple):
    """Whom to invite: a new person by name and role, or one who was invited before; for so many days."""

    name: str
    role: str
    person_id: str
    days: int


def ask(home: Path, kind: type[Answer], request: message.Message) -> Answer:
    """Ask, and return the answer. Raises Ended."""
    verb = kind.DESCRIPTOR.name.removesuffix("Response")
    answer: Answer = each.ask(home, "storyboard", people_service_pb2_grpc.PeopleServiceStub, verb, request)
    return answer


def list_people(home: Path, removed: bool, as_json: bool, out: rich.console.Console) -> None:
    """Print them all."""
    answer = ask(home, pb.ListPeopleResponse, pb.ListPeopleRequest(page_size=_MOST, show_removed=removed))
    gateway.show(answer, lambda one: map(_person, one.people), as_json, out)


def give(home: Path, person_id: str, role: str, as_json: bool, out: rich.console.Console) -> None:
    """Give them the role. Raises Ended with USAGE."""
    given = access_pb2.ROLE_UNSPECIFIED if role == _ISSUER else _role(role, (*_GIVEN, _ISSUER))
    mask = field_mask_pb2.FieldMask(paths=["given_role"])
    request = pb.UpdatePersonRequest(person=pb.Person(id=person_id, given_role=given), update_mask=mask)
    answer = ask(home, pb.UpdatePersonResponse, request)
    gateway.show(answer, lambda one: [_person(one.person)], as_json, out)


def remove(home: Path, person_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Sign them out for good."""
    answer = ask(home, pb.RemovePersonResponse, pb.RemovePersonRequest(person_id=person_id))
    gateway.show(answer, lambda one: [_person(one.person)], as_json, out)


def restore(home: Path, person_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Let them sign in again."""
    answer = ask(home, pb.RestorePersonResponse, pb.RestorePersonRequest(person_id=person_id))
    gateway.show(answer, lambda one: [_person(one.person)], as_json, out)


def invite(home: Path, wish: Wish, as_json: bool, out: rich.console.Console) -> None:
    """Print the address. Raises Ended with USAGE."""
    wanted = pb.Invitation(name=wish.name, person_id=wish.person_id)
    if not wish.person_id:
        wanted.role = _role(wish.role, _GIVEN)
    wanted.expire_time.FromDatetime(datetime.now(UTC) + timedelta(days=wish.days))
    of = gateway.running(home)
    answer = ask(home, pb.CreateInvitationResponse, pb.CreateInvitationRequest(invitation=wanted))
    place = studio.door(of, answer.ticket)
    gateway.show(answer, lambda one: [_invitation(one.invitation), f"shown only now: {place}"], as_json, out)


def invitations(home: Path, as_json: bool, out: rich.console.Console) -> None:
    """Print those that are open."""
    answer = ask(home, pb.ListInvitationsResponse, pb.ListInvitationsRequest(page_size=_MOST))
    gateway.show(answer, lambda one: map(_invitation, one.invitations), as_json, out)


def revoke(home: Path, invitation_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Take it back."""
    answer = ask(home, pb.RevokeInvitationResponse, pb.RevokeInvitationRequest(invitation_id=invitation_id))
    gateway.show(answer, lambda one: [f"{one.invitation.id} lets nobody in any more"], as_json, out)


def _role(told: str, known: tuple[str, ...]) -> access_pb2.Role.ValueType:
    if told not in known:
        raise exits.Ended(f"{told} is no role: write one of {', '.join(known)}.", exits.Code.USAGE)
    return access_pb2.Role.Value(f"ROLE_{told.upper()}")


def _word(role: access_pb2.Role.ValueType) -> str:
    return access_pb2.Role.Name(role).removeprefix("ROLE_").lower()


def _person(of: pb.Person) -> str:
    """One line for a person."""
    called = f"{of.name} ({of.subject})" if of.name and not of.invited_by else of.name or of.subject
    roles = ", ".join(map(_word, of.roles)) + (", given here" if of.given_role and not of.invited_by else "")
    came = f"invited by {of.invited_by}" if of.invited_by else "signs in at the issuer"
    parts = [f"{of.id} {called}", roles, came, f"seen {wire.clock(of.last_seen_time)}"]
    return "; ".join([*parts, f"removed {wire.clock(of.remove_time)}"] if of.HasField("remove_time") else parts)


def _invitation(of: pb.Invitation) -> str:
    """One line for an invitation."""
    return f"{of.id} {of.name}; {_word(of.role)}; by {of.created_by}; until {wire.clock(of.expire_time)}"
