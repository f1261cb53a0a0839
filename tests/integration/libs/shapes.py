"""A service whose methods have every shape there is, each of which ends as it is told: a process of its own."""

import asyncio
import sys

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from libs import errors, rpc, telemetry
from rushes.type.v1 import access_pb2
from tests.integration.libs import contracts

NAME = "rushes.test.v1.ShapesService"
SECRET = "the secret of the database"
OWN_DEADLINE_S = 0.3
SHAPES = {
    "Unary": (False, False),
    "Iterated": (True, False),
    "Read": (True, False),
    "Yielded": (False, True),
    "Written": (False, True),
    "YieldedBoth": (True, True),
    "WrittenBoth": (True, True),
    "Impatient": (False, False),
}
"""Whether the caller sends many, and gets many; where two are alike, the style of their handlers differs, or one has a
deadline of its own.
"""
contracts.declare(NAME, dict.fromkeys(SHAPES, access_pb2.Access(role=access_pb2.ROLE_ANYBODY)), SHAPES)


class ShapeMissing(errors.NotFound):
    """There is no such shape."""


class Shapes:
    """Each method answers with what it was asked, and ends so."""

    async def Unary(self, request, context):
        return await ended(request, context)

    Impatient = Unary

    async def Iterated(self, requests, context):
        return [await ended(request, context) async for request in requests][-1]

    async def Read(self, requests, context):
        while (request := await context.read()) is not grpc.aio.EOF:
            last = await ended(request, context)
        return last

    async def Yielded(self, request, context):
        yield request
        yield await ended(request, context)

    async def Written(self, request, context):
        await context.write(request)
        await context.write(await ended(request, context))

    async def YieldedBoth(self, requests, context):
        async for request in requests:
            yield request
            yield await ended(request, context)

    async def WrittenBoth(self, requests, context):
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(request)
            await context.write(await ended(request, context))


async def ended(request, context):
    """The end that was asked for."""
    match request.value:
        case "refused":
            raise ShapeMissing
        case "aborted":
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "by hand")
        case "raised":
            raise RuntimeError(SECRET)
        case "cancelled" | "late":
            await asyncio.Event().wait()
    return request


def add(api, server):
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {name: kinds[shape](getattr(api, name), **wire) for name, shape in SHAPES.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


async def main(listen: str, metrics: str, collector: str) -> None:
    """Serve until the standard input ends."""
    telemetry.setup("shapes", "INFO", collector)

    async def always():
        return True

    servicer = rpc.Servicer(add, Shapes(), NAME, {"Impatient": OWN_DEADLINE_S})
    server = rpc.Server(listen, "shapes", [servicer], None, always)
    shown, stop = telemetry.serve_metrics(metrics), asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    await server.run(stop)
    shown.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
