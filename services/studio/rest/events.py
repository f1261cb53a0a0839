"""Watches as server-sent events: what a service says, resumed where the reader left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from starlette import responses

from services.studio.rest import calls, shapes

_PING_S = 15.0
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_RETRY = b"retry: 1000\n\n"


async def stream(asked: calls.Asked) -> responses.Response:
    """Every message as an event; 204 when the story has ended, so that the reader does not come again.

    The first message is waited for, so that a refusal is an answer and no broken stream.
    """
    if token := asked.request.headers.get("last-event-id", ""):
        _resume(asked.message, token)
    call = asked.services.stub(asked.route.call)(asked.message, metadata=calls.bearer(asked.request))
    first = await call.read()
    if first is grpc.aio.EOF:
        return responses.Response(status_code=204, headers=_HEADERS)
    told = _told(call, first)
    return responses.StreamingResponse(told, 200, _HEADERS, "text/event-stream")


async def _told(call: Any, first: Any) -> AsyncIterator[bytes]:
    yield _RETRY + _event(first)
    reading: asyncio.Task[Any] | None = None
    try:
        while True:
            reading = reading or asyncio.ensure_future(call.read())
            done, _ = await asyncio.wait([reading], timeout=_PING_S)
            if not done:
                yield b": ping\n\n"
                continue
            told, reading = reading.result(), None
            if told is grpc.aio.EOF:
                return
            yield _event(told)
    except grpc.aio.AioRpcError:
        return  # the reader comes again, with the id of what it has seen
    finally:
        if reading:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await reading
        call.cancel()


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
