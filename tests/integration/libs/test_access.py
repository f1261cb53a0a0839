"""Who gets in: each role to its methods, each scope to its own, and nobody to a method that does not say."""

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from libs import auth, rpc
from rushes.type.v1 import access_pb2
from tests.integration import refusals
from tests.integration.libs import contracts

NAME = "rushes.test.v1.DoorService"
DENIED = grpc.StatusCode.PERMISSION_DENIED
METHODS = {
    "Look": access_pb2.Access(role=access_pb2.ROLE_VIEWER),
    "Make": access_pb2.Access(role=access_pb2.ROLE_EDITOR),
    "Decide": access_pb2.Access(role=access_pb2.ROLE_OWNER, operator=True),
    "Tend": access_pb2.Access(role=access_pb2.ROLE_OPERATOR),
    "Serve": access_pb2.Access(role=access_pb2.ROLE_SERVICE),
    "Enter": access_pb2.Access(role=access_pb2.ROLE_ANYBODY),
}
contracts.declare(NAME, METHODS)
contracts.declare("rushes.test.v1.SilentService", {"Speak": None})


class Caller:
    """Calls methods of the door."""

    def __init__(self, channel, issuer):
        self._channel, self._issuer = channel, issuer

    async def __call__(self, method, *roles, **claims):
        await self.bare(method, rpc.bearer(self._issuer.token(roles=roles, **claims)))

    async def bare(self, method, metadata=()):
        call = self._channel.unary_unary(f"/{NAME}/{method}", StringValue.SerializeToString, StringValue.FromString)
        await call(StringValue(), metadata=metadata, timeout=10)


def add(api, server):
    async def answer(request, context):
        return request

    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {method: grpc.unary_unary_rpc_method_handler(answer, **wire) for method in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


@pytest.fixture
async def call(serve, issuer):
    door = await serve("test", rpc.Servicer(add, None, NAME))
    return Caller(door.channel, issuer)


@pytest.mark.parametrize(
    ("roles", "open_doors"),
    [
        ((), {"Enter"}),
        (("viewer",), {"Enter", "Look"}),
        (("editor",), {"Enter", "Look", "Make"}),
        (("owner",), {"Enter", "Look", "Make", "Decide"}),
        (("operator",), {"Enter", "Look", "Decide", "Tend"}),
        (("service",), {"Enter", "Look", "Make", "Serve"}),
        (("editor", "operator"), {"Enter", "Look", "Make", "Decide", "Tend"}),
        (("guest", "anybody", "admin", "Owner"), {"Enter"}),
    ],
)
async def test_a_role_opens_its_doors_and_no_other(call, roles, open_doors):
    for method in METHODS.keys() & open_doors:
        await call(method, *roles)
    for method in METHODS.keys() - open_doors:
        assert (await refusals.refused(call(method, *roles), DENIED)).reason == "ROLE_MISSING"


async def test_a_refusal_names_the_role_that_is_needed(call, caplog):
    for method, role in (("Make", "editor"), ("Decide", "owner or operator"), ("Tend", "operator")):
        told = await refusals.refused(call(method, "viewer"), DENIED)
        assert (told.reason, told.domain, dict(told.metadata)) == ("ROLE_MISSING", "test.rushes", {"role": role})
    denials = [record for record in caplog.records if record.message == "access_denied"]
    assert [record.method.rpartition("/")[2] for record in denials] == ["Make", "Decide", "Tend"]


async def test_what_needs_no_token_needs_none_and_all_else_does(call):
    await call.bare("Enter")
    for method in METHODS.keys() - {"Enter"}:
        assert (await refusals.refused(call.bare(method), grpc.StatusCode.UNAUTHENTICATED)).reason == "TOKEN_MISSING"


@pytest.mark.parametrize(
    ("scope", "reads", "makes"),
    [
        ("rushes:test", True, True),
        ("openid rushes:test:read profile", True, False),
        ("rushes:read", True, False),
        (["rushes:test"], True, True),
        ("rushes:job rushes:storyboard:read", False, False),
        ("rushes:", False, False),
        ("openid profile", True, True),
        ("", True, True),
    ],
)
async def test_a_scope_takes_away_and_never_gives(call, scope, reads, makes):
    for method, good in (("Look", reads), ("Make", makes)):
        if good:
            await call(method, "editor", scope=scope)
        else:
            told = await refusals.refused(call(method, "editor", scope=scope), DENIED)
            assert told.reason == "SCOPE_MISSING"
    assert (await refusals.refused(call("Decide", "editor", scope=scope), DENIED)).reason == "ROLE_MISSING"


@pytest.mark.parametrize("scope", [7, {"rushes:test": True}, [["rushes:test"]]])
async def test_a_scope_that_cannot_be_read_lets_nobody_in(call, scope):
    told = await refusals.refused(call("Look", "owner", scope=scope), grpc.StatusCode.UNAUTHENTICATED)
    assert told.reason == "TOKEN_INVALID"


async def test_a_service_whose_method_says_nothing_does_not_start(issuer):
    servicer = rpc.Servicer(add, None, "rushes.test.v1.SilentService")
    with pytest.raises(ValueError, match=r"rushes\.test\.v1\.SilentService\.Speak does not say who may call it"):
        rpc.Server("127.0.0.1:0", "test", [servicer], issuer.verifier(), lambda: True)


async def test_a_service_with_a_deadline_of_no_method_does_not_start(issuer):
    servicer = rpc.Servicer(add, None, NAME, {"Lok": 30.0})
    with pytest.raises(ValueError, match=f"deadlines of methods that are not there: /{NAME}/Lok"):
        rpc.Server("127.0.0.1:0", "test", [servicer], issuer.verifier(), lambda: True)


def test_no_token_is_shown_by_accident():
    assert "secret" not in repr(auth.Caller("acme", "ada", token="secret"))
