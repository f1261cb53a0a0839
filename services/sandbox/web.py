"""The HTTP server: both dialects on one port."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from libs import run
from services.sandbox import google, lab, openai

_DRAIN_S = 10


def app(films: lab.Lab) -> Starlette:
    """The application: `/healthz`, `/v1/videos`, `/v1/interactions` and the files of interactions."""
    return Starlette(routes=[*openai.routes(films), *google.routes(films), Route("/healthz", _healthz)])


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to libs.run."""
        yield


def serve(application: Starlette, listen: str) -> run.Part:
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
            serving = asyncio.create_task(server.serve([listener]))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            server.should_exit = True
            await serving

    return part
