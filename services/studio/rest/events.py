"""Watches as server-sent events: what a service says, resumed where the reader left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from starlette import responses

from services.studio.rest import calls, shapes

_FIRST_S, _PING_S = 1.0, 15.0
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_RETRY = b"retry: 1000\n\n"


async def stream(asked: calls.Asked) -> responses.Response:
    """Every message as an event; 204 when the story has ended, so that the reader does not come again.

    The first message is waited for a moment, so that a refusal is an answer and no broken stream.
    """
    if token := asked.request.headers.get("last-event-id", ""):
        _resume(asked.message, token)
    call = asked.services.stub(asked.route.call)(asked.message, metadata=calls.bearer(asked.request))
    first = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait([first], timeout=_FIRST_S)
        if first.done() and first.result() is grpc.aio.EOF:
            return responses.Response(status_code=204, headers=_HEADERS)
    except BaseException:
        first.cancel()
        call.cancel()
        raise
    return responses.StreamingResponse(_told(call, first), 200, _HEADERS, "text/event-stream")


async def _told(call: Any, reading: asyncio.Task[Any]) -> AsyncIterator[bytes]:
    yield _RETRY
    try:
        while True:
            await asyncio.wait([reading], timeout=_PING_S)
            if not reading.done():
                yield b": ping\n\n"
            elif (told := reading.result()) is grpc.aio.EOF:
                return
            else:
                reading = asyncio.ensure_future(call.read())
                yield _event(told)
    except grpc.aio.AioRpcError:
        return  # the reader comes again, with the id of what it has seen
    finally:
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await reading


def _resume(message: Any, token: str) -> None:
    if "resume_token" in message.DESCRIPTOR.fields_by_name:
        message.resume_token = token
    elif "after_version" in message.DESCRIPTOR.fields_by_name and token.isascii() and token.isdigit():
        message.after_version = min(int(token[:19]), (1 << 63) - 1)


def _event(told: Any) -> bytes:
    """A message as an event named after what it holds; a heartbeat as a comment."""
    told_fields = [field for field, _ in told.ListFields() if field.message_type]
    if not told_fields:
        return b": ping\n\n"
    field = told_fields[0]
    part = getattr(told, field.name)
    token = getattr(told, "resume_token", "") or str(getattr(part, "version", "") or "")
    head = f"id: {token}\n" if token else ""
    data = calls.dumped(shapes.shape(part.DESCRIPTOR).write(part))
    return f"{head}event: {field.name}\ndata: ".encode() + data + b"\n\n"
