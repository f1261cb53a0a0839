"""SessionService: people sign in and out, and are known again."""

import dataclasses
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc.aio
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import api_tokens, audit, auth, db, errors, ids, moments, paging, rpc
from libs.rpc import access
from rushes.access.v1 import session_service_pb2 as pb
from rushes.access.v1 import session_service_pb2_grpc as pb_grpc
from services.storyboard import access_wire, guests, people, people_store, session_store, sessions, token_store, tokens

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class SessionApi(pb_grpc.SessionServiceServicer):
    """Answers whoever signs in, and whoever asks who that is. A session `lasts` so long."""

    database: db.Database
    clock: Callable[[], datetime]
    visitors: guests.Reception
    lasts: timedelta

    async def GetCaller(self, request: pb.GetCallerRequest, context: Context) -> pb.GetCallerResponse:
        """What their token says, and what is kept about it."""
        caller = auth.caller()
        roles = access_wire.roles(sorted(caller.roles & auth.ROLES))
        said = pb.Caller(tenant_id=caller.tenant_id, subject=caller.subject, roles=roles)
        said.guest = guests.is_guest(caller.tenant_id)
        name, expires_at = await self._kept(caller)
        said.name = name
        if expires_at:
            said.expire_time.CopyFrom(moments.stamp(expires_at))
        return pb.GetCallerResponse(caller=said)

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        """Its secret exists here and in the browser, and nowhere else."""
        person, device = _person(request.name), _short("device", request.device)
        async with self.database.tenant(person.tenant_id) as conn:
            begun, secret = await self._begin(conn, person, device)
        return pb.CreateSessionResponse(session=_message(begun), secret=secret)

    async def CreateTicket(self, request: pb.CreateTicketRequest, context: Context) -> pb.CreateTicketResponse:
        """Short, for it is to stand in an address; it lives too shortly to be guessed."""
        person, now = _person(request.name), self.clock()
        ticket, expires_at = sessions.text_of(secrets.token_bytes(sessions.TICKET_BYTES)), now + sessions.TICKET_LIVES
        async with self.database.tenant(person.tenant_id) as conn:
            await people_store.see(conn, sessions.known_as(ids.new("person"), person, now))
            await session_store.insert_ticket(conn, person, tokens.digest(ticket), expires_at)
        return pb.CreateTicketResponse(ticket=ticket, expire_time=moments.stamp(expires_at))

    async def RedeemTicket(self, request: pb.RedeemTicketRequest, context: Context) -> pb.RedeemTicketResponse:
        """In the scope of the house: the ticket says whose it is."""
        device = _short("device", request.device)
        async with self.database.house() as conn:
            person = await session_store.take_ticket(conn, tokens.digest(request.ticket), self.clock())
            with auth.acting_as(auth.Caller(person.tenant_id, person.subject)):
                begun, secret = await self._begin(conn, person, device)
        return pb.RedeemTicketResponse(session=_message(begun), secret=secret)

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        """Newest first."""
        caller = auth.caller()
        whose = caller.subject if request.mine or access.OWNER not in caller.roles else None
        page = paging.by_id(request.page_size, request.page_token, f"sessions {whose or ''}".rstrip())
        async with self.database.tenant(caller.tenant_id) as conn:
            found = await session_store.page(conn, caller.tenant_id, whose, self.clock(), page.below, page.most)
            mine = await session_store.find(conn, tokens.digest(caller.token))
        shown, more = page.cut(found)
        told = [_message(one, is_current=mine is not None and mine.id == one.id) for one in shown]
        return pb.ListSessionsResponse(sessions=told, next_page_token=more)

    async def EndSession(self, request: pb.EndSessionRequest, context: Context) -> pb.EndSessionResponse:
        """Once; whoever repeats it hears the same."""
        caller = auth.caller()
        async with self.database.tenant(caller.tenant_id) as conn:
            mine = await session_store.find(conn, tokens.digest(caller.token))
            session_id = request.session_id or (mine.id if mine else "")
            if not session_id:
                return pb.EndSessionResponse()
            found = await session_store.lock(conn, caller.tenant_id, session_id)
            if found.subject != caller.subject and access.OWNER not in caller.roles:
                raise sessions.SessionNotFound(session_id=session_id)
            if found.ended_at is None:
                await session_store.end(conn, found.id, self.clock())
                found = await session_store.lock(conn, caller.tenant_id, found.id)
                await audit.note(conn, found.tenant_id, "session_ended", found.id, person=found.subject)
        return pb.EndSessionResponse(session=_message(found))

    async def IdentifySession(self, request: pb.IdentifySessionRequest, context: Context) -> pb.IdentifySessionResponse:
        """For the other services, which ask when it is used."""
        found = await self._known(request.secret)
        return pb.IdentifySessionResponse(tenant_id=found.tenant_id, session=_message(found))

    def servicer(self) -> rpc.Servicer:
        """How it is served."""
        return rpc.Servicer(pb_grpc.add_SessionServiceServicer_to_server, self, "rushes.access.v1.SessionService")

    def knowing(self, others: auth.Verifies) -> api_tokens.Verifier:
        """A verifier for this service's own door, which leaves other callers to others."""
        return api_tokens.Verifier(others, {api_tokens.SESSION: self._identify})

    async def _identify(self, token: str) -> auth.Caller:
        found = await self._known(token)
        return api_tokens.person(found.tenant_id, _message(found), token)

    async def _known(self, secret: str) -> sessions.Session:
        now = self.clock()
        async with self.database.house() as conn:
            found = await session_store.find(conn, tokens.digest(secret))
            if found is None or found.ended_at is not None:
                raise auth.TokenInvalid(why="no session is like it, or it was ended")
            if now >= found.expires_at:
                raise auth.TokenExpired
            if now >= found.last_seen_at + sessions.SEEN_EVERY:
                # As removing does: the person first, then what is theirs.
                await people_store.touch(conn, found.tenant_id, found.subject, now)
                await session_store.touch(conn, found.id, now)
        return found

    async def _begin(self, conn: AsyncConnection, who: sessions.Person, device: str) -> tuple[sessions.Session, str]:
        secret, now = sessions.PREFIX + sessions.text_of(secrets.token_bytes(sessions.SECRET_BYTES)), self.clock()
        known = await people_store.see(conn, sessions.known_as(ids.new("person"), who, now))
        lasts = max(self.lasts, people.LASTS) if who.invited_by else self.lasts
        begun = sessions.begun(ids.new("session"), who, device, now, lasts)
        await session_store.insert(conn, begun, tokens.digest(secret))
        told = {"invitation": who.invitation_id} if who.invitation_id else {}
        await audit.note(conn, who.tenant_id, "session_begun", begun.id, person=who.subject, **told)
        return dataclasses.replace(begun, roles=people.roles_now(known.given, begun.roles)), secret

    async def _kept(self, caller: auth.Caller) -> tuple[str, datetime | None]:
        """How a caller is called, and until when they are known, where that is kept here."""
        if guests.is_guest(caller.tenant_id):
            return "", self.visitors.guest(caller.token, self.clock()).expires_at
        async with self.database.tenant(caller.tenant_id) as conn:
            if caller.token.startswith(sessions.PREFIX):
                session = await session_store.find(conn, tokens.digest(caller.token))
                return (session.name, session.expires_at) if session else ("", None)
            if caller.token.startswith(tokens.PREFIX):
                token = await token_store.find(conn, tokens.digest(caller.token))
                return (token.name, token.expires_at) if token else ("", None)
        return "", None


def _person(name: str) -> sessions.Person:
    """Raises SignInFirst, WholeTokenNeeded or Invalid."""
    caller = auth.caller()
    if guests.is_guest(caller.tenant_id):
        raise guests.SignInFirst
    tokens.check_maker(caller.subject, caller.scopes is not None or caller.token.startswith(sessions.PREFIX))
    return sessions.Person(caller.tenant_id, caller.subject, _short("name", name), tuple(sorted(caller.roles)))


def _short(field: str, text: str) -> str:
    """Raises Invalid."""
    if len(text.strip()) > sessions.LONGEST_NAME:
        raise errors.Invalid([errors.Violation(field, f"should be up to {sessions.LONGEST_NAME} characters")])
    return text.strip()


def _message(of: sessions.Session, is_current: bool = False) -> pb.Session:
    return pb.Session(
        id=of.id,
        subject=of.subject,
        name=of.name,
        roles=access_wire.roles(of.roles),
        create_time=moments.stamp(of.created_at),
        expire_time=moments.stamp(of.expires_at),
        end_time=moments.stamp(of.ended_at),
        device=of.device,
        last_seen_time=moments.stamp(of.last_seen_at),
        current=is_current,
    )
