"""Serves an ASGI application over HTTP as a part of a process."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from libs import run

_DRAIN_S = 10


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to libs.run."""
        yield


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
