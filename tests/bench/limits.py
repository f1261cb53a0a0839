"""The bare limits that the line is measured against: an echo RPC, the same with one insert, a JetStream publish."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import nats
import sqlalchemy as sa
from nats.js import api
from sqlalchemy.ext.asyncio import create_async_engine

_AT_ONCE = 32
_CALLS = 4000


async def echo_rpc() -> float:
    """Calls a second of a unary RPC that returns its request, client and server in one process."""

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    return await _served(echo)


async def echo_rpc_with_insert(database_url: str) -> float:
    """The same, with one committed insert in each call."""
    engine = create_async_engine(database_url, pool_size=8, max_overflow=0)
    async with engine.begin() as conn:
        await conn.execute(sa.text("CREATE TABLE IF NOT EXISTS bench (id bigserial PRIMARY KEY, body bytea)"))
    insert = sa.text("INSERT INTO bench (body) VALUES (:body)")

    async def keep(request: bytes, context: Any) -> bytes:
        async with engine.begin() as conn:
            await conn.execute(insert, {"body": request})
        return request

    try:
        return await _served(keep)
    finally:
        async with engine.begin() as conn:
            await conn.execute(sa.text("DROP TABLE bench"))
        await engine.dispose()


async def jetstream_publish(url: str) -> float:
    """Acknowledged messages of 512 bytes a second, 32 at a time, on a stream as durable as ours."""
    connection = await nats.connect(url)
    js = connection.jetstream()
    await js.add_stream(api.StreamConfig(name="bench", subjects=["bench"], storage=api.StorageType.FILE))
    try:
        return await rate(lambda: js.publish("bench", b"x" * 512), _CALLS // 2)
    finally:
        await js.delete_stream("bench")
        await connection.close()


async def _served(handler: Callable[[bytes, Any], Awaitable[bytes]]) -> float:
    server = grpc.aio.server()
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bench", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/bench.Bench/Echo")
        calls_a_second = await rate(lambda: call(b"x" * 200), _CALLS)
    await server.stop(None)
    return calls_a_second


async def rate(call: Callable[[], Awaitable[Any]], calls: int) -> float:
    """So many calls, 32 at a time: how many a second."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await call()

    await worker(50)
    began = time.monotonic()
    await asyncio.gather(*(worker(calls // _AT_ONCE) for _ in range(_AT_ONCE)))
    return calls / (time.monotonic() - began)
