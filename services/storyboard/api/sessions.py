"""SessionService: people sign in and out, and are known again."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc.aio
from google.protobuf import timestamp_pb2

from libs import api_tokens, audit, auth, db, errors, ids, paging, rpc
from libs.rpc import access
from rushes.access.v1 import session_service_pb2 as pb
from rushes.access.v1 import session_service_pb2_grpc as pb_grpc
from rushes.type.v1 import access_pb2
from services.storyboard import guests, session_store, sessions, token_store, tokens

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
        roles = [access_pb2.Role.Value(f"ROLE_{role.upper()}") for role in sorted(caller.roles & auth.ROLES)]
        said = pb.Caller(tenant_id=caller.tenant_id, subject=caller.subject, roles=roles)
        said.guest = guests.is_guest(caller.tenant_id)
        name, expires_at = await self._kept(caller)
        said.name = name
        if expires_at:
            said.expire_time.CopyFrom(_time(expires_at))
        return pb.GetCallerResponse(caller=said)

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        """Its secret exists here and in the browser, and nowhere else."""
        person = _person(request.name)
        async with self.database.tenant(person.tenant_id) as conn:
            begun, secret = await self._begin(conn, person)
        return pb.CreateSessionResponse(session=_message(begun), secret=secret)

    async def CreateTicket(self, request: pb.CreateTicketRequest, context: Context) -> pb.CreateTicketResponse:
        """Short, for it is to stand in an address; it lives too shortly to be guessed."""
        person, now = _person(request.name), self.clock()
        ticket, expires_at = sessions.text_of(secrets.token_bytes(sessions.TICKET_BYTES)), now + sessions.TICKET_LIVES
        async with self.database.tenant(person.tenant_id) as conn:
            await session_store.insert_ticket(conn, person, tokens.digest(ticket), expires_at)
        return pb.CreateTicketResponse(ticket=ticket, expire_time=_time(expires_at))

    async def RedeemTicket(self, request: pb.RedeemTicketRequest, context: Context) -> pb.RedeemTicketResponse:
        """In the scope of the house: the ticket says whose it is."""
        async with self.database.house() as conn:
            person = await session_store.take_ticket(conn, tokens.digest(request.ticket), self.clock())
            with auth.acting_as(auth.Caller(person.tenant_id, person.subject)):
                begun, secret = await self._begin(conn, person)
        return pb.RedeemTicketResponse(session=_message(begun), secret=secret)

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        """Newest first."""
        page, tenant_id = paging.by_id(request.page_size, request.page_token, "sessions"), auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await session_store.page(conn, tenant_id, self.clock(), page.below, page.most)
        shown, more = page.cut(found)
        return pb.ListSessionsResponse(sessions=map(_message, shown), next_page_token=more)

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
        """For the other services."""
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
        async with self.database.house() as conn:
            found = await session_store.find(conn, tokens.digest(secret))
        if found is None or found.ended_at is not None:
            raise auth.TokenInvalid(why="no session is like it, or it was ended")
        if self.clock() >= found.expires_at:
            raise auth.TokenExpired
        return found

    async def _begin(self, conn: Any, person: sessions.Person) -> tuple[sessions.Session, str]:
        secret = sessions.PREFIX + sessions.text_of(secrets.token_bytes(sessions.SECRET_BYTES))
        begun = sessions.begun(ids.new("session"), person, self.clock(), self.lasts)
        await session_store.insert(conn, begun, tokens.digest(secret))
        await audit.note(conn, person.tenant_id, "session_begun", begun.id, person=person.subject)
        return begun, secret

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
    caller, name = auth.caller(), name.strip()
    if guests.is_guest(caller.tenant_id):
        raise guests.SignInFirst
    tokens.check_maker(caller.subject, caller.scopes is not None or caller.token.startswith(sessions.PREFIX))
    if len(name) > sessions.LONGEST_NAME:
        raise errors.Invalid([errors.Violation("name", f"should be up to {sessions.LONGEST_NAME} characters")])
    return sessions.Person(caller.tenant_id, caller.subject, name, tuple(sorted(caller.roles)))


def _message(of: sessions.Session) -> pb.Session:
    return pb.Session(
        id=of.id,
        subject=of.subject,
        name=of.name,
        roles=[access_pb2.Role.Value(f"ROLE_{role.upper()}") for role in of.roles],
        create_time=_time(of.created_at),
        expire_time=_time(of.expires_at),
        end_time=_time(of.ended_at) if of.ended_at else None,
    )


def _time(moment: datetime) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(moment)
    return made
