"""People, invitations, roles and moments as the contract of access has them, and what a request says about them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf import field_mask_pb2, timestamp_pb2

from libs import errors, moments
from rushes.access.v1 import people_service_pb2 as pb
from rushes.type.v1 import access_pb2
from services.storyboard import people, sessions

_ROLES = f"should be one of {', '.join(people.GIVEN)}"


def moment(stamp: timestamp_pb2.Timestamp) -> datetime:
    """The time; of what is none, one that has passed."""
    try:
        return stamp.ToDatetime(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def roles(of: Iterable[str]) -> list[access_pb2.Role.ValueType]:
    """Roles by their words."""
    return [access_pb2.Role.Value(f"ROLE_{role.upper()}") for role in of]


def word(role: access_pb2.Role.ValueType) -> str:
    """A role as a token has it."""
    return access_pb2.Role.Name(role).removeprefix("ROLE_").lower() if role in access_pb2.Role.values() else ""


def from_person(of: people.Person) -> pb.Person:
    """The person."""
    return pb.Person(
        id=of.id,
        subject=of.subject,
        name=of.name,
        roles=roles(of.roles),
        given_role=roles([of.given])[0] if of.given else access_pb2.ROLE_UNSPECIFIED,
        invited_by=of.invited_by or "",
        create_time=moments.stamp(of.first_seen_at),
        last_seen_time=moments.stamp(of.last_seen_at),
        remove_time=moments.stamp(of.removed_at),
        etag=of.etag,
    )


def from_invitation(of: people.Invitation) -> pb.Invitation:
    """The invitation."""
    return pb.Invitation(
        id=of.id,
        name=of.name,
        role=roles([of.role])[0],
        person_id=of.subject,
        created_by=of.invited_by,
        create_time=moments.stamp(of.created_at),
        expire_time=moments.stamp(of.expires_at),
    )


def given(asked: pb.Person, mask: field_mask_pb2.FieldMask) -> str | None:
    """The role that is given; None for the issuer's word. Raises Invalid."""
    wrong = []
    if list(mask.paths) != ["given_role"]:
        wrong.append(errors.Violation("update_mask", 'should be "given_role": nothing else of a person changes here'))
    role = word(asked.given_role)
    if asked.given_role and role not in people.GIVEN:
        wrong.append(errors.Violation("person.given_role", f"{_ROLES}, or none for what the issuer says"))
    if wrong:
        raise errors.Invalid(wrong)
    return role if asked.given_role else None


def check_invitation(asked: pb.Invitation, now: datetime) -> datetime:
    """When it ends. Raises Invalid."""
    ends = moment(asked.expire_time) if asked.HasField("expire_time") else now + people.INVITED_FOR
    most, anew = people.INVITED_FOR_AT_MOST, not asked.person_id
    rules = {
        "name": (
            1 <= len(asked.name.strip()) <= sessions.LONGEST_NAME if anew else not asked.name,
            f"should be 1 to {sessions.LONGEST_NAME} characters, and none where person_id is said",
        ),
        "role": (
            word(asked.role) in people.GIVEN if anew else not asked.role,
            f"{_ROLES}, and none where person_id is said",
        ),
        "expire_time": (now < ends <= now + most, f"should be in the next {most.days} days"),
    }
    wrong = [errors.Violation(f"invitation.{field}", should) for field, (kept, should) in rules.items() if not kept]
    if wrong:
        raise errors.Invalid(wrong)
    return ends
