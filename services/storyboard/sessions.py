"""What a session is: who may begin one, how long it lasts, and the ticket that begins one elsewhere."""

import base64
import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors

PREFIX = "rushes_session_"
TICKET_LIVES = timedelta(minutes=10)
SECRET_BYTES, TICKET_BYTES = 32, 16
LONGEST_NAME = 100


class TicketInvalid(errors.Unauthenticated):
    """The ticket was used, or is older than ten minutes; `rushes studio` prints another."""


class SessionNotFound(errors.NotFound):
    """There is no session {session_id} of yours; it has ended, or is somebody else's."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in: their roles are those of the token that they came with."""

    tenant_id: str
    subject: str
    name: str
    roles: tuple[str, ...]


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
    ended_at: datetime | None = None


def begun(session_id: str, person: Person, now: datetime, lasts: timedelta) -> Session:
    """A session of this person."""
    return Session(id=session_id, created_at=now, expires_at=now + lasts, **dataclasses.asdict(person))


def text_of(chance: bytes) -> str:
    """Chance as it can stand in a header and in an address."""
    return base64.urlsafe_b64encode(chance).decode().rstrip("=")
