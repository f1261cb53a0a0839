"""The studio's application: its pages, the media behind signed addresses, and REST beside them."""

import asyncio
import pathlib
from collections.abc import Callable, Mapping
from datetime import datetime

import fastapi
import grpc
import grpc.aio
from fastapi import responses, staticfiles, templating
from starlette import types

from libs import blobs
from services.studio.rest import app as rest
from services.studio.rest import calls, founding_ops

_HERE = pathlib.Path(__file__).parent
_PROGRAMS = ("/v1/", "/api/")
_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


def build(channels: Mapping[str, grpc.aio.Channel], store: blobs.Blobs, clock: Callable[[], datetime]) -> types.ASGIApp:
    """The application; `channels` are the services whose health the first page tells, by name."""
    return _Doors(rest.App(calls.Services(channels, store, clock)), _pages(channels, store, clock))


def _pages(
    channels: Mapping[str, grpc.aio.Channel], store: blobs.Blobs, clock: Callable[[], datetime]
) -> fastapi.FastAPI:
    app = fastapi.FastAPI(
        title="Rushes studio", docs_url=None, redoc_url=None, openapi_url=None, telemetry={"tracing": False}
    )
    app.mount("/static", staticfiles.StaticFiles(directory=_HERE / "static"), name="static")
    pages = templating.Jinja2Templates(_HERE / "templates")

    @app.get("/healthz")
    async def healthz() -> responses.PlainTextResponse:
        return responses.PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> responses.JSONResponse:
        states = await asyncio.gather(*map(founding_ops.serving, channels.values()))
        return responses.JSONResponse(dict(zip(channels, states, strict=True)), 200 if all(states) else 503)

    @app.api_route("/", methods=["GET", "HEAD"])
    async def house(request: fastapi.Request) -> fastapi.Response:
        states = await asyncio.gather(*map(founding_ops.serving, channels.values()))
        return pages.TemplateResponse(request, "house.html", {"services": dict(zip(channels, states, strict=True))})

    @app.api_route("/media/{key:path}", methods=["GET", "HEAD"])
    async def media(key: str, expires: int, signature: str, name: str = "") -> fastapi.Response:
        known = isinstance(store, blobs.FolderStore) and store.verify_signature(key, expires, name, signature, clock())
        path = store.path_of(key) if known and isinstance(store, blobs.FolderStore) else None
        if path is None or not path.is_file():
            return responses.PlainTextResponse("This address is not valid any more; ask for the film again.\n", 404)
        blob = await store.stat(key)
        disposition = {"content-disposition": blobs.disposition(name)} if name else {}
        return responses.FileResponse(path, media_type=blob.content_type, headers=disposition)

    return app


class _Doors:
    """Programs to REST, people to the pages; every answer tells the browser to trust nothing else."""

    def __init__(self, programs: types.ASGIApp, people: types.ASGIApp) -> None:
        self._programs, self._people = programs, people

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        async def guarded(message: types.Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        inside = self._programs if scope["path"].startswith(_PROGRAMS) else self._people
        await inside(scope, receive, guarded)
