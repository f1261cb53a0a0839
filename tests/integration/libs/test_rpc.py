"""The one way the house serves gRPC: who asks, what goes wrong, when it is ready, how it leaves."""

import asyncio
import itertools

import grpc
import prometheus_client
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from libs import auth, errors, rpc
from libs.rpc import client as client_room
from libs.rpc import server as server_room
from rushes.type.v1 import access_pb2
from tests.integration.libs import contracts

NAME = "rushes.test.v1.EchoService"
contracts.declare(NAME, dict.fromkeys(["Say", "Watch"], access_pb2.Access(role=access_pb2.ROLE_VIEWER)))
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class EchoMissing(errors.NotFound):
    """There is no echo of {word}; shout louder."""


class EchoBusy(errors.Exhausted):
    """Too many shouts; wait."""


class Echo:
    """Does what the word says."""

    def __init__(self):
        self.ended = asyncio.Event()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def Say(self, request, context):
        match request.value:
            case "missing":
                raise EchoMissing(word="ž" * 9000)
            case "busy":
                raise EchoBusy(retry_after_s=2.5)
            case "invalid":
                raise errors.Invalid(
                    [errors.Violation(f"scenes[{n}].subject", "should be " + "x" * 200) for n in range(500)]
                )
            case "broken":
                raise RuntimeError("the secret of the database")
            case "neighbour":
                async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
                    await channel.unary_unary("/x/y")(b"", timeout=2)
            case "slow":
                try:
                    self.begun.set()
                    await self.go_on.wait()
                finally:
                    self.ended.set()
        caller = auth.caller()
        return StringValue(value=f"{caller.tenant_id}/{caller.subject}: {request.value}")

    async def Watch(self, request, context):
        for number in itertools.count() if request.value == "endless" else range(3):
            yield StringValue(value=f"{auth.caller().tenant_id} {number}")
        if request.value == "broken":
            raise EchoMissing(word="stream")
        if request.value == "slow":
            try:
                self.begun.set()
                await self.go_on.wait()
            finally:
                self.ended.set()


def add(api, server):
    wire = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(api.Say, **wire),
        "Watch": grpc.unary_stream_rpc_method_handler(api.Watch, **wire),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class Client:
    def __init__(self, door, issuer):
        self.door, self.issuer = door, issuer
        wire = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self._say = door.channel.unary_unary(f"/{NAME}/Say", **wire)
        self._watch = door.channel.unary_stream(f"/{NAME}/Watch", **wire)

    async def say(self, word, timeout=10, metadata=None):
        metadata = self.issuer.bearer() if metadata is None else metadata
        return (await self._say(StringValue(value=word), timeout=timeout, metadata=metadata)).value

    def watch(self, word, timeout=10):
        return self._watch(StringValue(value=word), timeout=timeout, metadata=self.issuer.bearer())


@pytest.fixture
async def echo():
    return Echo()


@pytest.fixture
async def client(echo, serve, issuer):
    return Client(await serve("test", rpc.Servicer(add, echo, NAME)), issuer)


async def fault(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def details(fault):
    """Each detail by its kind; there is one of each."""
    kinds = error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo
    found = {}
    for packed in rpc_status.from_call(fault).details:
        (kind,) = (kind for kind in kinds if packed.Is(kind.DESCRIPTOR))
        found[kind.__name__] = kind.FromString(packed.value)
    assert len(found) == len(rpc_status.from_call(fault).details)
    return found


async def test_the_caller_is_who_the_token_says(client):
    assert await client.say("hello") == "acme/ada: hello"
    assert await client.say("hello", metadata=client.issuer.bearer("other", "bo")) == "other/bo: hello"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "TOKEN_MISSING"),
        ((("authorization", "Basic abc"),), "TOKEN_MISSING"),
        ((("authorization", "Bearer abc"),), "TOKEN_INVALID"),
    ],
)
async def test_without_a_good_token_nothing_is_done(client, metadata, reason):
    error = await fault(client.say("hello", metadata=metadata))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    info = details(error)["ErrorInfo"]
    assert (info.reason, info.domain) == (reason, "test.rushes")


async def test_an_error_carries_its_reason_and_facts(client):
    error = await fault(client.say("missing"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details().startswith("There is no echo of žžž")
    (info,) = details(error).values()
    assert (info.reason, info.domain) == ("ECHO_MISSING", "test.rushes")
    assert info.metadata["word"].startswith("žžž")


async def test_a_limit_says_when_to_come_back(client):
    error = await fault(client.say("busy"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(error)["RetryInfo"].retry_delay.ToTimedelta().total_seconds() == 2.5


async def test_many_violations_still_arrive(client):
    error = await fault(client.say("invalid"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = details(error)
    assert found["ErrorInfo"].reason == "INVALID"
    violations = found["BadRequest"].field_violations
    assert len(violations) >= 10
    assert violations[0].field == "scenes[0].subject"
    assert violations[0].description.startswith("should be xxx")
    assert violations[-1].description == f"and {500 - len(violations) + 1} more"


async def test_however_much_is_wrong_the_answer_is_heard(client):
    for word in ("missing", "invalid"):
        assert rpc_status.from_call(await fault(client.say(word))).ByteSize() <= 4096, "more may not come through"


async def test_a_message_that_is_too_large_is_refused_at_either_end_with_its_size(client):
    too_large, metadata = StringValue(value="x" * (9 << 20)), client.issuer.bearer()
    sent = await fault(client.say(too_large.value))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{client.door.server.port}") as whatever_size:
        ask = whatever_size.unary_unary(f"/{NAME}/Say", StringValue.SerializeToString, StringValue.FromString)
        received = await fault(ask(too_large, metadata=metadata, timeout=30))
    for error, said in ((sent, "Sent message larger than max"), (received, "Received message larger than max")):
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert said in error.details()
        assert f"({too_large.ByteSize()} vs. {8 << 20})" in error.details()


async def test_what_we_did_wrong_is_not_told(client, caplog):
    error = await fault(client.say("broken"))
    assert error.code() is grpc.StatusCode.INTERNAL
    info = details(error)["ErrorInfo"]
    assert info.reason == "FAULTY"
    assert "secret" not in str(rpc_status.from_call(error))
    (record,) = (record for record in caplog.records if record.message == "call_failed")
    assert record.error_id == info.metadata["error_id"]
    assert record.error_id in error.details()


async def test_a_neighbour_that_is_away_is_worth_a_retry(client):
    error = await fault(client.say("neighbour"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert {"ErrorInfo", "RetryInfo"} == details(error).keys()


async def test_the_deadline_of_the_caller_ends_the_work(client, echo):
    error = await fault(client.say("slow", timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        await echo.ended.wait()


async def test_a_stream_knows_its_caller_and_ends_with_its_error(client):
    assert [it.value async for it in client.watch("three")] == ["acme 0", "acme 1", "acme 2"]
    received = []

    async def watch():
        async for it in client.watch("broken"):
            received.append(it.value)

    error = await fault(watch())
    assert len(received) == 3
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error)["ErrorInfo"].reason == "ECHO_MISSING"


async def test_a_watcher_that_leaves_ends_its_stream(client, echo):
    call = client.watch("slow")
    async for it in call:
        if it.value.endswith("2"):
            break
    await echo.begun.wait()
    call.cancel()
    async with asyncio.timeout(5):
        await echo.ended.wait()


async def test_watchers_that_leave_in_the_middle_of_an_answer_are_no_fault(client, caplog):
    def ended(code):
        labels = {"grpc_type": "server_stream", "grpc_service": NAME, "grpc_method": "Watch", "grpc_code": code}
        return prometheus_client.REGISTRY.get_sample_value("grpc_server_handled_total", labels) or 0

    before = ended("Canceled"), ended("Internal")
    for _ in range(20):
        call = client.watch("endless")
        assert (await call.read()).value == "acme 0"
        call.cancel()
    async with asyncio.timeout(5):
        while ended("Canceled") < before[0] + 20:  # noqa: ASYNC110, the server counts when it notices
            await asyncio.sleep(0.01)
    assert ended("Internal") == before[1]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_calls_are_counted_by_their_end(client):
    def count(code):
        labels = {"grpc_type": "unary", "grpc_service": NAME, "grpc_method": "Say", "grpc_code": code}
        return prometheus_client.REGISTRY.get_sample_value("grpc_server_handled_total", labels) or 0

    before = {code: count(code) for code in ("OK", "NotFound", "Unauthenticated")}
    await client.say("hello")
    await fault(client.say("missing"))
    await fault(client.say("hello", metadata=()))
    async with asyncio.timeout(5):
        while count("Unauthenticated") == before["Unauthenticated"]:  # noqa: ASYNC110, counted just after the answer
            await asyncio.sleep(0.01)
    assert {code: count(code) - number for code, number in before.items()} == {
        "OK": 1,
        "NotFound": 1,
        "Unauthenticated": 1,
    }


async def test_calls_are_counted_where_they_are_made_too(client):
    def count(code, kind="unary", method="Say"):
        labels = {"grpc_type": kind, "grpc_service": NAME, "grpc_method": method, "grpc_code": code}
        return prometheus_client.REGISTRY.get_sample_value("grpc_client_handled_total", labels) or 0

    before = count("OK"), count("NotFound"), count("Canceled", "server_stream", "Watch")
    await client.say("hello")
    await fault(client.say("missing"))
    watch = client.watch("endless")
    await watch.read()
    watch.cancel()
    async with asyncio.timeout(5):
        while count("Canceled", "server_stream", "Watch") == before[2]:  # noqa: ASYNC110, counted when it is over
            await asyncio.sleep(0.01)
    assert (count("OK"), count("NotFound")) == (before[0] + 1, before[1] + 1)


async def test_reflection_lists_the_services(client):
    stub = reflection_pb2_grpc.ServerReflectionStub(client.door.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), timeout=5)
    answer = await call.read()
    assert NAME in {it.name for it in answer.list_services_response.service}
    call.cancel()


async def test_it_serves_only_while_it_is_ready(serve, echo, issuer):
    able = False

    async def ready():
        return able

    door = await serve("test", rpc.Servicer(add, echo, NAME), ready=ready)
    asked = health_pb2.HealthCheckRequest
    async with grpc.aio.insecure_channel(f"127.0.0.1:{door.server.port}") as plain:
        health = health_pb2_grpc.HealthStub(plain)
        assert (await health.Check(asked(service=NAME), timeout=5, wait_for_ready=True)).status == NOT_SERVING
        assert (await health.Check(asked(service="liveness"), timeout=5)).status != NOT_SERVING
    able = True
    await door.health(service=NAME)
    able = False
    await door.health(NOT_SERVING, service=NAME)
    able = True
    await door.health(service="")


async def test_a_bus_that_is_away_has_a_name_of_its_own_and_calls_go_on(serve, echo, issuer):
    there = [False]

    async def ready():
        return True

    servicer = rpc.Servicer(add, echo, NAME)
    server = rpc.Server("127.0.0.1:0", "test", [servicer], issuer.verifier(), ready, bus=lambda: there[0])
    door = await serve("test", server=server)
    await door.health(NOT_SERVING, service="bus")
    for name in ("", NAME, "liveness"):
        await door.health(service=name)
    there[0] = True
    await door.health(service="bus")


async def test_it_answers_on_for_a_while_after_it_has_said_that_it_goes(serve, echo, issuer):
    door = await serve("test", rpc.Servicer(add, echo, NAME), drain_s=1.0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{door.server.port}") as plain:
        leaving = asyncio.create_task(door.health(NOT_SERVING))
        door.stop.set()
        await leaving
        assert not door.server.draining.is_set()
        say = plain.unary_unary(f"/{NAME}/Say", StringValue.SerializeToString, StringValue.FromString)
        told = await say(StringValue(value="still here"), metadata=issuer.bearer(), timeout=15)
        assert "still here" in told.value


async def test_while_it_drains_it_is_not_serving_and_ends_what_it_began(client, echo):
    said = asyncio.create_task(client.say("slow"))
    leaving = asyncio.create_task(client.door.health(NOT_SERVING, service=NAME))
    await echo.begun.wait()
    client.door.stop.set()
    await leaving
    assert client.door.server.draining.is_set()
    assert not client.door.running.done()
    echo.go_on.set()
    assert await said == "acme/ada: slow"
    async with asyncio.timeout(5):
        await client.door.running


async def test_a_taken_port_is_refused(client, issuer):
    server = rpc.Server(f"127.0.0.1:{client.door.server.port}", "test", [], issuer.verifier(), asyncio.Event().wait)
    with pytest.raises(RuntimeError, match="bind"):
        await server.run(asyncio.Event())


def test_bearer_needs_a_caller_or_a_token():
    with pytest.raises(auth.TokenMissing):
        rpc.bearer()
    with auth.acting_as(auth.Caller("acme", "ada", token="abc")):
        assert ("authorization", "Bearer abc") in rpc.bearer()


def test_no_client_of_ours_pings_more_often_than_its_server_bears():
    """A server that hears of too many pings ends the connection, two of them too soon are too many (gRFC A8)."""
    asked, borne = dict(client_room.OPTIONS), dict(server_room.OPTIONS)
    assert asked["grpc.keepalive_time_ms"] >= 2 * borne["grpc.http2.min_recv_ping_interval_without_data_ms"]
    assert asked["grpc.http2.max_pings_without_data"] == 0, "an idle stream is asked after as well"
    assert "grpc.keepalive_permit_without_calls" not in asked, "a channel without calls does not ping at all"
    for end in (asked, borne):
        assert end["grpc.keepalive_timeout_ms"] < end["grpc.keepalive_time_ms"]
