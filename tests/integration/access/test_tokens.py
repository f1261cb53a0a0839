"""API tokens: shown once, limited, taken back, and known to every service."""

import datetime
import uuid

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf import timestamp_pb2
from google.protobuf.wrappers_pb2 import StringValue

from libs import api_tokens, auditors, auth, rpc
from rushes.access.v1 import token_service_pb2 as pb
from rushes.access.v1 import token_service_pb2_grpc as pb_grpc
from rushes.ops.v1 import audit_service_pb2, audit_service_pb2_grpc
from rushes.type.v1 import access_pb2
from services.storyboard import token_store
from services.storyboard.api import tokens
from tests.integration import refusals
from tests.integration.libs import contracts

NAME = "rushes.token.v1.ListeningService"
METHODS = {
    "Look": access_pb2.Access(role=access_pb2.ROLE_VIEWER),
    "Make": access_pb2.Access(role=access_pb2.ROLE_EDITOR),
    "Decide": access_pb2.Access(role=access_pb2.ROLE_OWNER),
}
UNKNOWN, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
contracts.declare(NAME, METHODS)


def add(api, server):
    async def answer(request, context):
        return StringValue(value=f"{auth.caller().tenant_id}/{auth.caller().subject}")

    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {method: grpc.unary_unary_rpc_method_handler(answer, **wire) for method in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class Clock:
    def __init__(self):
        self.now = datetime.datetime.now(datetime.UTC)

    def __call__(self):
        return self.now

    def seconds(self):
        return self.now.timestamp()

    def forward(self, **by):
        self.now += datetime.timedelta(**by)


class Tokens:
    """The service that keeps tokens, and another that asks it."""

    def __init__(self, place, keeping, listening, issuer, clock):
        self.place, self.clock, self._keeping, self._listening, self._issuer = place, clock, keeping, listening, issuer
        self._stub = pb_grpc.TokenServiceStub(keeping.channel)

    async def __call__(self, verb, token="", tenant="acme", **fields):
        metadata = rpc.bearer(token or self._issuer.token(tenant, "ada", ["owner"]))
        return await getattr(self._stub, verb)(getattr(pb, f"{verb}Request")(**fields), metadata=metadata, timeout=10)

    async def make(self, role="ROLE_EDITOR", token="", tenant="acme", request_id="", **more):
        wish = {"name": "nightly", "role": role} | more
        request_id = request_id or str(uuid.uuid4())
        return await self("CreateApiToken", token, tenant, request_id=request_id, api_token=wish)

    async def listen(self, method, token):
        channel = self._listening.channel
        ask = channel.unary_unary(f"/{NAME}/{method}", StringValue.SerializeToString, StringValue.FromString)
        return (await ask(StringValue(), metadata=rpc.bearer(token), timeout=10)).value

    async def audited(self):
        stub = audit_service_pb2_grpc.AuditServiceStub(self._keeping.channel)
        request = audit_service_pb2.ListAuditEntriesRequest()
        metadata = rpc.bearer(self._issuer.token(roles=["owner"]))
        found = (await stub.ListAuditEntries(request, metadata=metadata)).audit_entries
        return [(one.action, one.target, one.actor) for one in reversed(found)]


@pytest.fixture
async def kept(database, serve, issuer):
    place, clock = await database("storyboard"), Clock()
    keeper = tokens.TokenApi(place.database, clock)
    verifier = keeper.knowing(issuer.verifier())
    keeping = await serve("storyboard", keeper.servicer(), auditors.servicer(place.database), verifier=verifier)
    asking = api_tokens.asking(f"127.0.0.1:{keeping.server.port}")
    verifier = api_tokens.Verifier(issuer.verifier(), asking, clock.seconds)
    listening = await serve("test", rpc.Servicer(add, None, NAME), verifier=verifier)
    return Tokens(place, keeping, listening, issuer, clock)


async def test_a_token_works_everywhere_as_itself(kept):
    made = await kept.make()
    assert made.secret.startswith("rushes_token_")
    assert len(made.secret) > 50
    for _ in range(2):
        assert await kept.listen("Make", made.secret) == f"acme/token:{made.api_token.id}"
    told = await refusals.refused(kept.listen("Decide", made.secret), DENIED)
    assert (told.reason, told.metadata["role"]) == ("ROLE_MISSING", "owner")
    assert (made.api_token.created_by, made.api_token.role) == ("ada", access_pb2.ROLE_EDITOR)
    left = made.api_token.expire_time.ToDatetime(datetime.UTC) - kept.clock.now
    assert left == datetime.timedelta(days=90)


async def test_a_secret_is_shown_once_and_kept_nowhere(kept):
    request_id = str(uuid.uuid4())
    made, again = [await kept.make(request_id=request_id) for _ in range(2)]
    assert (again.api_token, again.secret) == (made.api_token, "")
    other = kept.make(request_id=request_id, name="Another")
    assert (await refusals.refused(other, grpc.StatusCode.FAILED_PRECONDITION)).reason == "REQUEST_ID_REUSED"
    listed = await kept("ListApiTokens")
    assert list(listed.api_tokens) == [made.api_token]
    assert made.secret not in str(listed)
    async with kept.place.database.house() as conn:
        for (table,) in await conn.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")):
            rows = await conn.execute(sa.text(f"SELECT CAST(t AS text) FROM {table} t"))
            assert not any(made.secret[20:] in row for row in rows.scalars())
        assert len((await conn.execute(sa.select(token_store.TOKENS.c.sha256))).scalar_one()) == 32


async def test_scopes_limit_it(kept):
    reading = (await kept.make(scopes=["rushes:token:read"])).secret
    elsewhere = (await kept.make(scopes=["rushes:job", "rushes:compiler:read"])).secret
    assert await kept.listen("Look", reading)
    for method, secret in (("Make", reading), ("Look", elsewhere)):
        assert (await refusals.refused(kept.listen(method, secret), DENIED)).reason == "SCOPE_MISSING"


async def test_one_that_is_taken_back_is_good_for_half_a_minute_more(kept):
    made = await kept.make()
    await kept.listen("Look", made.secret)
    for _ in range(2):
        revoked = (await kept("RevokeApiToken", api_token_id=made.api_token.id)).api_token
        assert revoked.HasField("revoke_time")
    assert await kept.listen("Look", made.secret)
    kept.clock.forward(seconds=30)
    for _ in range(2):
        assert (await refusals.refused(kept.listen("Look", made.secret), UNKNOWN)).reason == "TOKEN_INVALID"
    token_id = made.api_token.id
    assert await kept.audited() == [("api_token_created", token_id, "ada"), ("api_token_revoked", token_id, "ada")]


async def test_it_ends(kept):
    soon = timestamp_pb2.Timestamp()
    soon.FromDatetime(kept.clock.now + datetime.timedelta(days=1))
    made = await kept.make(expire_time=soon)
    await kept.listen("Look", made.secret)
    kept.clock.forward(days=1)
    await refusals.refused(kept.listen("Look", made.secret), UNKNOWN)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"role": "ROLE_OPERATOR"}, "api_token.role"),
        ({"role": "ROLE_ANYBODY"}, "api_token.role"),
        ({"role": "ROLE_UNSPECIFIED"}, "api_token.role"),
        ({"name": " "}, "api_token.name"),
        ({"scopes": ["everything"]}, "api_token.scopes"),
        ({"scopes": ["rushes:job rushes:read"]}, "api_token.scopes"),
        ({"expire_time": timestamp_pb2.Timestamp(seconds=1)}, "api_token.expire_time"),
        ({"expire_time": timestamp_pb2.Timestamp(seconds=1 << 33)}, "api_token.expire_time"),
        ({"expire_time": timestamp_pb2.Timestamp(seconds=1 << 40)}, "api_token.expire_time"),
        ({"request_id": "one"}, "request_id"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused(kept, wish, field):
    assert set(await refusals.violations(kept.make(**wish))) == {field}


async def test_tokens_make_no_tokens(kept, issuer):
    whole = (await kept.make("ROLE_OWNER")).secret
    assert len((await kept("ListApiTokens", whole)).api_tokens) == 1
    limited = issuer.token(roles=["owner"], scope="rushes:access")
    for token in (whole, limited):
        assert (await refusals.refused(kept.make(token=token), DENIED)).reason == "WHOLE_TOKEN_NEEDED"


async def test_tenants_have_their_own(kept):
    made = await kept.make()
    assert not (await kept("ListApiTokens", tenant="other")).api_tokens
    revoking = kept("RevokeApiToken", tenant="other", api_token_id=made.api_token.id)
    assert (await refusals.refused(revoking, grpc.StatusCode.NOT_FOUND)).reason == "API_TOKEN_NOT_FOUND"
    assert await kept.listen("Look", made.secret)


async def test_what_nobody_made_is_nobody_s_and_is_asked_about_once(kept):
    for secret in ("rushes_token_", "rushes_token_" + "A" * 43, "rushes_token_' OR 1=1"):
        for _ in range(2):
            assert (await refusals.refused(kept.listen("Look", secret), UNKNOWN)).reason == "TOKEN_INVALID"


async def test_while_the_keeper_is_away_nobody_is_blamed(serve, issuer):
    verifier = api_tokens.Verifier(issuer.verifier(), api_tokens.asking("127.0.0.1:1"))
    with pytest.raises(api_tokens.TokensUnavailable):
        await verifier.verify("rushes_token_" + "A" * 43)
    assert (await verifier.verify(issuer.token())).subject == "ada"
