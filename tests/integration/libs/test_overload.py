"""A crowd does not make a service look sick: health is answered as ever while calls are refused or wait."""

import asyncio
import collections
import contextlib

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import limits, rpc, schema
from rushes.type.v1 import access_pb2
from tests.integration.libs import contracts

NAME = "rushes.test.v1.CrowdedService"
SERVING = health_pb2.HealthCheckResponse.SERVING
CROWD, ROUNDS = 400, 40
contracts.declare(
    NAME,
    {
        "Make": access_pb2.Access(role=access_pb2.ROLE_EDITOR, limit=access_pb2.LIMIT_GENERATE),
        "Wait": access_pb2.Access(role=access_pb2.ROLE_EDITOR),
    },
)


class Busy:
    """Answers when it is let go on."""

    def __init__(self):
        self.go_on, self.waiting = asyncio.Event(), 0

    async def Make(self, request, context):
        return request

    async def Wait(self, request, context):
        self.waiting += 1
        await self.go_on.wait()
        return request


def add(api, server):
    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(call, **wire)
        for name, call in (("Make", api.Make), ("Wait", api.Wait))
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class Crowd:
    """So many callers who wait for their answers, and so many of whom each calls again as soon as it was refused.

    `ends` counts the answers by their codes.
    """

    def __init__(self, channel, busy, metadata):
        wire = StringValue.SerializeToString, StringValue.FromString
        self._make, self._wait = (channel.unary_unary(f"/{NAME}/{method}", *wire) for method in ("Make", "Wait"))
        self._busy, self._metadata = busy, metadata
        self.ends = collections.Counter()

    async def __aenter__(self):
        waiting = [self._ends(self._wait) for _ in range(CROWD)]
        self._callers = [asyncio.create_task(one) for one in [*waiting, *(self._shout() for _ in range(CROWD))]]
        async with asyncio.timeout(60):
            while self._busy.waiting < CROWD or not self.ends:  # noqa: ASYNC110, until all of them are there
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_):
        self._busy.go_on.set()
        await asyncio.gather(*self._callers)

    async def _shout(self):
        while not self._busy.go_on.is_set():
            await self._ends(self._make)

    async def _ends(self, method):
        self.ends[await method(StringValue(), metadata=self._metadata, timeout=60).code()] += 1


async def test_health_is_served_as_ever_while_a_crowd_is_refused(database, serve, issuer):
    place = await database("storyboard")
    counting, known = limits.Limits(place.database, {"generate": 3}), schema.Schema(place.database, "storyboard")
    busy = Busy()
    door = await serve("test", rpc.Servicer(add, busy, NAME), ready=known.ready, count=counting.count)
    await door.health()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{door.server.port}") as probe:
        health, during = health_pb2_grpc.HealthStub(probe), []
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        changed = asyncio.create_task(watch.read())
        async with Crowd(door.channel, busy, rpc.bearer(issuer.token())) as crowd:
            for service in ["", NAME, "liveness"] * ROUNDS:
                before = crowd.ends.total()
                answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=60)
                assert answer.status == SERVING
                during.append(crowd.ends.total() - before)
            assert not changed.done()
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await changed
    assert max(during) < CROWD // 4, "health waits behind the crowd"
    assert crowd.ends.keys() == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert crowd.ends[grpc.StatusCode.OK] == 3 + CROWD


async def test_a_process_whose_connections_are_all_lent_out_is_ready(database):
    place = await database("storyboard")
    known = schema.Schema(place.database, "storyboard")
    async with contextlib.AsyncExitStack() as lent:
        for _ in range(8):
            await lent.enter_async_context(place.database.house())
            await lent.enter_async_context(place.database.tenant("acme"))
        assert await known.ready()
