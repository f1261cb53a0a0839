"""What a session is: who may begin one, how long it lasts, and the ticket that begins one elsewhere."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors
from services.storyboard import people

PREFIX = "rushes_session_"
TICKET_LIVES = timedelta(minutes=10)
SECRET_BYTES, TICKET_BYTES = 32, 16
LONGEST_NAME = 100
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when somebody was last seen."""


class TicketInvalid(errors.Unauthenticated):
    """The ticket was used or taken back, or its time is over; `rushes studio` prints another, an owner invites anew."""


class SessionNotFound(errors.NotFound):
    """There is no session {session_id} of yours; it has ended, or is somebody else's."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in: their roles are those of the token that they came with, or of the invitation."""

    tenant_id: str
    subject: str
    name: str
    roles: tuple[str, ...]
    invitation_id: str | None = None
    invited_by: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in, without its secret."""

    id: str
    tenant_id: str
    subject: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    device: str = ""
    seen_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def last_seen_at(self) -> datetime:
        """When it was last used, to the minute."""
        return self.seen_at or self.created_at


def known_as(person_id: str, who: Person, now: datetime) -> people.Person:
    """How somebody is kept whom nobody has seen before: with the issuer's roles, or the one of their invitation."""
    claimed, given = ((), who.roles[0]) if who.invited_by else (who.roles, None)
    if who.invited_by:
        person_id = who.subject
    return people.Person(
        person_id, who.tenant_id, who.subject, who.name, claimed, given, who.invited_by, now, now, None, 1
    )


def begun(session_id: str, who: Person, device: str, now: datetime, lasts: timedelta) -> Session:
    """A session of this person."""
    return Session(session_id, who.tenant_id, who.subject, who.name, who.roles, now, now + lasts, device)


def text_of(chance: bytes) -> str:
    """Chance as it can stand in a header and in an address."""
    return base64.urlsafe_b64encode(chance).decode().rstrip("=")
