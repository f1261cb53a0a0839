"""The studio's pages and the media behind signed addresses."""

import asyncio
import pathlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import fastapi
import grpc
import grpc.aio
from fastapi import responses, staticfiles, templating
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import blobs

_HERE = pathlib.Path(__file__).parent
_HEALTH_S = 1.0
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def build(
    channels: Mapping[str, grpc.aio.Channel], store: blobs.Blobs, clock: Callable[[], datetime]
) -> fastapi.FastAPI:
    """The application; `channels` are the services whose health the first page tells, by name."""
    app = fastapi.FastAPI(title="Rushes studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", staticfiles.StaticFiles(directory=_HERE / "static"), name="static")
    pages = templating.Jinja2Templates(_HERE / "templates")

    @app.middleware("http")
    async def guarded(
        request: fastapi.Request, call_next: Callable[[fastapi.Request], Awaitable[fastapi.Response]]
    ) -> fastapi.Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/healthz")
    async def healthz() -> responses.PlainTextResponse:
        return responses.PlainTextResponse("ok\n")

    @app.api_route("/", methods=["GET", "HEAD"])
    async def house(request: fastapi.Request) -> fastapi.Response:
        states = await asyncio.gather(*map(_serving, channels.values()))
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


async def _serving(channel: grpc.aio.Channel) -> bool:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_S)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
