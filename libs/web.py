"""Serves an ASGI application over HTTP as a part of a process."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from libs import run, telemetry

_DRAIN_S = 10
_UNTOLD = ("/healthz", "/static/", "/media/")

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""What ASGI calls an application."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to libs.run."""
        yield


def traced(application: Application) -> Application:
    """The same, each request in a span of the caller's trace; told is its route, not its address: that may be signed.

    FastAPI's own spans tell addresses, and of health and files too: switch them off.
    """

    async def call(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNTOLD):
            await application(scope, receive, send)
            return
        told_by = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        method = {"http.request.method": scope["method"]}
        with telemetry.span(scope["method"], told_by, telemetry.Kind.SERVER, method) as span:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        telemetry.fail(span, str(message["status"]))
                await send(message)

            try:
                await application(scope, receive, told)
            finally:
                route = getattr(scope.get("route"), "path", "")
                span.update_name(f"{scope['method']} {route}".rstrip())
                span.set_attribute("http.route", route)

    return call


def serve(application: Any, listen: str) -> run.Part:
    """A part that answers at `host:port`; told to stop, it takes no more and finishes what it has begun."""
    host, _, port = listen.rpartition(":")
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe whoever is at this machine
        timeout_graceful_shutdown=_DRAIN_S,
    )

    async def part(stop: asyncio.Event) -> None:
        server = _Server(config)
        with socket.create_server((host.strip("[]"), int(port)), backlog=2048) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a body waits 40 ms for its head's ACK
            serving = asyncio.create_task(server.serve([listener]))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            server.should_exit = True
            await serving

    return part
