"""PeopleService: who belongs to a tenant is listed, given a role, removed, let in again, and invited."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc.aio
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, db, errors, ids, paging, rpc
from rushes.access.v1 import people_service_pb2 as pb
from rushes.access.v1 import people_service_pb2_grpc as pb_grpc
from services.storyboard import (
    access_wire,
    guests,
    invitation_store,
    people,
    people_store,
    session_store,
    sessions,
    token_store,
    tokens,
)
from services.storyboard.api import standing

Context = grpc.aio.ServicerContext[Any, Any]

_OURS = "rushes_"
_ISSUERS = "issuer's"
"""In the audit, for a role that is left to the issuer."""


@dataclass(frozen=True)
class PeopleApi(pb_grpc.PeopleServiceServicer):
    """Answers the people of a tenant, and does what its owners decide."""

    database: db.Database
    clock: Callable[[], datetime]

    async def ListPeople(self, request: pb.ListPeopleRequest, context: Context) -> pb.ListPeopleResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, f"people {request.show_removed}")
        caller = auth.caller()
        async with self.database.tenant(caller.tenant_id) as conn:
            if _is_known_by_issuer(caller):
                await people_store.see(conn, _as_seen(caller, self.clock()))
            found = await people_store.page(conn, caller.tenant_id, page.below, page.most, request.show_removed)
        shown, more = page.cut(found)
        return pb.ListPeopleResponse(people=map(access_wire.from_person, shown), next_page_token=more)

    async def GetPerson(self, request: pb.GetPersonRequest, context: Context) -> pb.GetPersonResponse:
        """As they are."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await people_store.get(conn, tenant_id, request.person_id)
        return pb.GetPersonResponse(person=access_wire.from_person(found))

    async def UpdatePerson(self, request: pb.UpdatePersonRequest, context: Context) -> pb.UpdatePersonResponse:
        """Once; whoever repeats it hears the same."""
        role = access_wire.given(request.person, request.update_mask)
        async with self.database.tenant(auth.caller().tenant_id) as conn:
            found = await self._decided_on(conn, request.person.id)
            if role is None and found.invited_by:
                raise errors.Invalid([errors.Violation("person.given_role", "should be said: no issuer knows them")])
            if found.given != role:
                people.check_etag(found, request.person.etag)
                found = await people_store.give(conn, found, role)
                await _note(conn, "person_role_given", found, role=role or _ISSUERS)
        return pb.UpdatePersonResponse(person=access_wire.from_person(found))

    async def RemovePerson(self, request: pb.RemovePersonRequest, context: Context) -> pb.RemovePersonResponse:
        """All that they could come in with ends in the same transaction."""
        async with self.database.tenant(auth.caller().tenant_id) as conn:
            found = await self._decided_on(conn, request.person_id)
            if found.removed_at is None:
                people.check_etag(found, request.etag)
                found = await self._shut_out(conn, found)
        return pb.RemovePersonResponse(person=access_wire.from_person(found))

    async def RestorePerson(self, request: pb.RestorePersonRequest, context: Context) -> pb.RestorePersonResponse:
        """What was ended stays ended: they sign in anew."""
        async with self.database.tenant(auth.caller().tenant_id) as conn:
            found = await self._decided_on(conn, request.person_id)
            if found.removed_at:
                found = await people_store.remove(conn, found, None)
                await _note(conn, "person_restored", found)
        return pb.RestorePersonResponse(person=access_wire.from_person(found))

    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, context: Context
    ) -> pb.CreateInvitationResponse:
        """Its ticket exists here and with the caller, and nowhere else."""
        now, caller = self.clock(), auth.caller()
        ends = access_wire.check_invitation(request.invitation, now)
        ticket = sessions.text_of(secrets.token_bytes(sessions.TICKET_BYTES))
        async with self.database.tenant(caller.tenant_id) as conn:
            await people_store.alone(conn, caller.tenant_id)
            await standing.check_owner(conn, caller)
            made = await _invited(conn, request.invitation, caller, now, ends)
            await invitation_store.insert(conn, made, tokens.digest(ticket))
            facts = {"role": made.role, "person": made.subject}
            await audit.note(conn, made.tenant_id, "invitation_created", made.id, **facts)
        return pb.CreateInvitationResponse(invitation=access_wire.from_invitation(made), ticket=ticket)

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Context) -> pb.ListInvitationsResponse:
        """Newest first."""
        page, tenant_id = paging.by_id(request.page_size, request.page_token, "invitations"), auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await invitation_store.page(conn, tenant_id, self.clock(), page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListInvitationsResponse(invitations=map(access_wire.from_invitation, shown), next_page_token=more)

    async def RevokeInvitation(
        self, request: pb.RevokeInvitationRequest, context: Context
    ) -> pb.RevokeInvitationResponse:
        """Once; whoever repeats it hears the same."""
        caller = auth.caller()
        async with self.database.tenant(caller.tenant_id) as conn:
            await standing.check_owner(conn, caller)
            found = await invitation_store.revoke(conn, caller.tenant_id, request.invitation_id, self.clock())
            await audit.note(conn, found.tenant_id, "invitation_revoked", found.id, person=found.subject)
        return pb.RevokeInvitationResponse(invitation=access_wire.from_invitation(found))

    def servicer(self) -> rpc.Servicer:
        """How it is served."""
        return rpc.Servicer(pb_grpc.add_PeopleServiceServicer_to_server, self, "rushes.access.v1.PeopleService")

    async def _decided_on(self, conn: AsyncConnection, person_id: str) -> people.Person:
        """Whom an owner decides about, alone, until the transaction ends."""
        caller = auth.caller()
        await people_store.alone(conn, caller.tenant_id)
        await standing.check_owner(conn, caller)
        return await people_store.get(conn, caller.tenant_id, person_id)

    async def _shut_out(self, conn: AsyncConnection, of: people.Person) -> people.Person:
        """In the order in which whoever signs in takes the same: the ticket, the person, their sessions."""
        dropped = await invitation_store.drop_all(conn, of)
        gone = await people_store.remove(conn, of, self.clock())
        ended = await session_store.end_all(conn, of.tenant_id, of.subject, self.clock())
        revoked = await token_store.revoke_all(conn, of.tenant_id, of.subject, self.clock())
        await _note(conn, "person_removed", of, sessions=ended, api_tokens=revoked, tickets=dropped)
        return gone


async def _invited(
    conn: AsyncConnection, asked: pb.Invitation, by: auth.Caller, now: datetime, ends: datetime
) -> people.Invitation:
    """Somebody new, or who came by an invitation before: nobody signs in as whom the issuer vouches for.

    Raises PersonNotFound, PersonRemoved or Invalid.
    """
    subject, name, role = ids.new("person"), asked.name.strip(), access_wire.word(asked.role)
    if asked.person_id:
        found = await people_store.get(conn, by.tenant_id, asked.person_id)
        if found.removed_at:
            raise people.PersonNotFound(person_id=found.id)
        if not (found.invited_by and found.given):
            raise errors.Invalid(
                [errors.Violation("invitation.person_id", "should be somebody who was invited before")]
            )
        subject, name, role = found.subject, found.name, found.given
    return people.Invitation(ids.new("invitation"), by.tenant_id, subject, name, role, by.subject, now, ends)


async def _note(conn: AsyncConnection, action: str, of: people.Person, **facts: str | int) -> None:
    await audit.note(conn, of.tenant_id, action, of.id, person=of.subject, **facts)


def _is_known_by_issuer(caller: auth.Caller) -> bool:
    return not (guests.is_guest(caller.tenant_id) or caller.token.startswith(_OURS) or caller.scopes is not None)


def _as_seen(caller: auth.Caller, now: datetime) -> people.Person:
    who = sessions.Person(caller.tenant_id, caller.subject, "", tuple(sorted(caller.roles)))
    return sessions.known_as(ids.new("person"), who, now)
