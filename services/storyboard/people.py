"""Who belongs to a tenant: what role somebody has, who said so, and whom an owner invites."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors

GIVEN = ("viewer", "editor", "owner")
"""What an owner can make of somebody, from the least; the house's operators are the issuer's choice."""
INVITED_FOR, INVITED_FOR_AT_MOST = timedelta(days=7), timedelta(days=30)
LASTS = timedelta(days=30)
"""How long those who came by an invitation stay signed in at least: no provider lets them in anew for a click."""
_OPERATOR = "operator"
_RANKS = {"viewer": 1, "editor": 2, "service": 2, "owner": 3}


class PersonNotFound(errors.NotFound):
    """There is no person {person_id} in your tenant; list the people to see their ids."""


class PersonChanged(errors.Stale):
    """Somebody else has changed {person_id} in between; read it again and repeat your change."""


class LastOwner(errors.Conflict):
    """Nobody would be an owner any more without {person_id}; make somebody else an owner first."""


class PersonRemoved(errors.Denied):
    """An owner has removed you here; ask one of them to let you in again."""


class InvitationNotFound(errors.NotFound):
    """There is no invitation {invitation_id}; it was used, or never made."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a tenant; `claimed` is what the issuer said last, `given` what an owner said instead."""

    id: str
    tenant_id: str
    subject: str
    name: str
    claimed: tuple[str, ...]
    given: str | None
    invited_by: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    removed_at: datetime | None
    version: int

    @property
    def etag(self) -> str:
        """Changes with what owners decide about them, and not when they are seen."""
        return str(self.version)

    @property
    def roles(self) -> tuple[str, ...]:
        """Those they have."""
        return roles_now(self.given, self.claimed)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A ticket for somebody, without the ticket; `subject` is who they will be, and the id of a person."""

    id: str
    tenant_id: str
    subject: str
    name: str
    role: str
    invited_by: str
    created_at: datetime
    expires_at: datetime


def roles_now(given: str | None, came_with: Iterable[str]) -> tuple[str, ...]:
    """What somebody may who came with these roles of the issuer's: a role given here stands for all of them but the
    operator's, which concerns the house and not the tenant.
    """
    if given is None:
        return tuple(came_with)
    return tuple(sorted({given} | ({_OPERATOR} & set(came_with))))


def capped(role: str, given: str | None) -> str:
    """What an API token of this role may whose maker was given that one: no more than they."""
    return role if given is None or _RANKS[role] <= _RANKS[given] else given


def check_etag(of: Person, etag: str) -> None:
    """An empty one is any. Raises PersonChanged."""
    if etag not in ("", of.etag):
        raise PersonChanged(person_id=of.id)
