"""People sign in once and are known everywhere, until they sign out, or their time is over."""

import asyncio
import datetime

import grpc
import pydantic
import pytest
import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import StringValue

from libs import api_tokens, auditors, auth, rpc
from rushes.access.v1 import session_service_pb2 as pb
from rushes.access.v1 import session_service_pb2_grpc as pb_grpc
from rushes.type.v1 import access_pb2
from services.storyboard import guests, session_store
from services.storyboard.api import sessions
from tests.integration import refusals
from tests.integration.access.test_tokens import Clock
from tests.integration.libs import contracts

NAME = "rushes.session.v1.ListeningService"
METHODS = {
    "Look": access_pb2.Access(role=access_pb2.ROLE_VIEWER),
    "Decide": access_pb2.Access(role=access_pb2.ROLE_OWNER),
    "Operate": access_pb2.Access(role=access_pb2.ROLE_OPERATOR),
}
UNKNOWN, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
MISSING, WRONG = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
HOUR = datetime.timedelta(hours=1)
contracts.declare(NAME, METHODS)


def add(api, server):
    async def answer(request, context):
        return StringValue(value=f"{auth.caller().tenant_id}/{auth.caller().subject}")

    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {method: grpc.unary_unary_rpc_method_handler(answer, **wire) for method in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class Sessions:
    """The service that keeps sessions, and another that asks it."""

    def __init__(self, place, keeping, listening, issuer, clock, visitors):
        self.place, self.clock, self.issuer, self.visitors = place, clock, issuer, visitors
        self._stub, self._listening = pb_grpc.SessionServiceStub(keeping.channel), listening

    async def __call__(self, verb, token="", **fields):
        metadata = rpc.bearer(token or self.issuer.token("acme", "ada", ["owner", "operator"]))
        return await getattr(self._stub, verb)(getattr(pb, f"{verb}Request")(**fields), metadata=metadata, timeout=10)

    async def redeem(self, ticket):
        """Without any token."""
        return await self._stub.RedeemTicket(pb.RedeemTicketRequest(ticket=ticket), timeout=10)

    async def listen(self, method, token):
        channel = self._listening.channel
        ask = channel.unary_unary(f"/{NAME}/{method}", StringValue.SerializeToString, StringValue.FromString)
        return (await ask(StringValue(), metadata=rpc.bearer(token), timeout=10)).value


@pytest.fixture
async def kept(database, serve, issuer):
    place, clock = await database("storyboard"), Clock()
    visitors = guests.Reception(pydantic.SecretStr("g" * 32))
    porter = sessions.SessionApi(place.database, clock, visitors, HOUR)
    # Neither remembers anything: what it asks is kept, and this is about that.
    known = guests.Verifier(issuer.verifier(), visitors, clock)
    verifier = porter.knowing(known)
    keeping = await serve("storyboard", porter.servicer(), auditors.servicer(place.database), verifier=verifier)
    asking = api_tokens.asking(f"127.0.0.1:{keeping.server.port}")
    verifier = api_tokens.Verifier(issuer.verifier(), asking, clock.seconds)
    listening = await serve("test", rpc.Servicer(add, None, NAME), verifier=verifier)
    return Sessions(place, keeping, listening, issuer, clock, visitors)


async def test_whoever_signs_in_is_themselves_everywhere(kept):
    begun = await kept("CreateSession", name=" Ada Lovelace ")
    assert begun.secret.startswith("rushes_session_")
    assert len(begun.secret) > 50
    assert begun.session.expire_time.ToDatetime(datetime.UTC) == kept.clock.now + HOUR
    for method in METHODS:
        assert await kept.listen(method, begun.secret) == "acme/ada"
    said = (await kept("GetCaller", begun.secret)).caller
    assert (said.tenant_id, said.subject, said.name, said.guest) == ("acme", "ada", "Ada Lovelace", False)
    assert list(said.roles) == [access_pb2.ROLE_OPERATOR, access_pb2.ROLE_OWNER]
    assert said.expire_time == begun.session.expire_time
    plain = (await kept("GetCaller")).caller
    assert (plain.subject, plain.name, plain.HasField("expire_time")) == ("ada", "", False)


async def test_signing_in_gives_no_role_that_one_did_not_have(kept):
    begun = await kept("CreateSession", kept.issuer.token(roles=["viewer"]))
    assert await kept.listen("Look", begun.secret) == "acme/ada"
    for method in ("Decide", "Operate"):
        assert (await refusals.refused(kept.listen(method, begun.secret), DENIED)).reason == "ROLE_MISSING"


async def test_a_ticket_lets_one_browser_in(kept):
    made = await kept("CreateTicket", name="Ada")
    assert len(made.ticket) == 22
    assert made.expire_time.ToDatetime(datetime.UTC) == kept.clock.now + datetime.timedelta(minutes=10)
    came = await asyncio.gather(*(kept.redeem(made.ticket) for _ in range(5)), return_exceptions=True)
    (let_in,) = [one for one in came if not isinstance(one, grpc.aio.AioRpcError)]
    assert {one.code() for one in came if isinstance(one, grpc.aio.AioRpcError)} == {UNKNOWN}
    assert await kept.listen("Decide", let_in.secret) == "acme/ada"
    assert (await kept("GetCaller", let_in.secret)).caller.name == "Ada"
    for wrong in (made.ticket, "", "x" * 22, let_in.secret):
        assert (await refusals.refused(kept.redeem(wrong), UNKNOWN)).reason == "TICKET_INVALID"
    assert (await refusals.refused(kept.listen("Look", made.ticket), UNKNOWN)).reason == "TOKEN_INVALID"


async def test_a_ticket_is_good_for_ten_minutes(kept):
    early, late = (await kept("CreateTicket")).ticket, (await kept("CreateTicket")).ticket
    kept.clock.forward(seconds=599)
    assert (await kept.redeem(early)).secret
    kept.clock.forward(seconds=1)
    assert (await refusals.refused(kept.redeem(late), UNKNOWN)).reason == "TICKET_INVALID"


async def test_what_is_no_person_cannot_stay(kept):
    session = (await kept("CreateSession")).secret
    narrow = kept.issuer.token(scope="rushes:read")
    whole = [narrow, kept.issuer.token(scope="rushes:access"), kept.issuer.token(subject="token:token_1"), session]
    for verb in ("CreateSession", "CreateTicket"):
        for token in whole[1:]:
            assert (await refusals.refused(kept(verb, token), DENIED)).reason == "WHOLE_TOKEN_NEEDED"
        assert (await refusals.refused(kept(verb, narrow), DENIED)).reason in ("WHOLE_TOKEN_NEEDED", "SCOPE_MISSING")
        guest = kept.visitors.welcome(b"0" * 16, kept.clock.now)
        assert (await refusals.refused(kept(verb, guest.code), DENIED)).reason == "SIGN_IN_FIRST"
        assert (await refusals.refused(kept(verb, name="x" * 101), WRONG)).reason == "INVALID"


async def test_a_guest_is_told_until_when(kept):
    guest = kept.visitors.welcome(b"0" * 16, kept.clock.now)
    said = (await kept("GetCaller", guest.code)).caller
    assert (said.guest, said.subject, list(said.roles)) == (True, "guest", [])
    assert said.expire_time.ToDatetime(datetime.UTC) == guest.expires_at


async def test_who_signs_out_is_unknown_within_half_a_minute(kept):
    begun = await kept("CreateSession")
    assert await kept.listen("Look", begun.secret)
    ended = (await kept("EndSession", begun.secret)).session
    assert (ended.id, ended.HasField("end_time")) == (begun.session.id, True)
    assert (await kept("EndSession", session_id=begun.session.id)).session == ended
    kept.clock.forward(seconds=30)
    assert (await refusals.refused(kept.listen("Look", begun.secret), UNKNOWN)).reason == "TOKEN_INVALID"
    assert not (await kept("EndSession")).HasField("session")


async def test_a_session_ends_by_itself(kept):
    begun = await kept("CreateSession")
    kept.clock.forward(hours=1)
    assert (await refusals.refused(kept.listen("Look", begun.secret), UNKNOWN)).reason == "TOKEN_INVALID"
    assert (await refusals.refused(kept("GetCaller", begun.secret), UNKNOWN)).reason == "TOKEN_EXPIRED"


async def test_owners_end_those_of_others_and_nobody_else_does(kept):
    editor = kept.issuer.token(subject="bob", roles=["editor"])
    of_ada, of_bob = (await kept("CreateSession")).session, (await kept("CreateSession", editor)).session
    stranger = kept.issuer.token("else", "eve", ["owner"])
    for token in (editor, stranger):
        told = await refusals.refused(kept("EndSession", token, session_id=of_ada.id), MISSING)
        assert (told.reason, told.metadata["session_id"]) == ("SESSION_NOT_FOUND", of_ada.id)
    assert [one.id for one in (await kept("ListSessions")).sessions] == [of_bob.id, of_ada.id]
    assert not (await kept("ListSessions", stranger)).sessions
    await kept("EndSession", session_id=of_bob.id)
    assert [one.id for one in (await kept("ListSessions")).sessions] == [of_ada.id]
    kept.clock.forward(hours=1)
    assert not (await kept("ListSessions")).sessions


async def test_secrets_are_kept_nowhere_and_what_is_over_is_forgotten(kept):
    begun, made = await kept("CreateSession"), await kept("CreateTicket")
    async with kept.place.database.house() as conn:
        for (table,) in await conn.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")):
            rows = [*(await conn.execute(sa.text(f"SELECT CAST(t AS text) FROM {table} t"))).scalars()]
            assert not any(secret in row for row in rows for secret in (begun.secret[20:], made.ticket))
        assert await session_store.forget(conn, kept.clock.now) == 0
        assert await session_store.forget(conn, kept.clock.now + HOUR + datetime.timedelta(seconds=1)) == 2
