"""What runs: health for probes, and a table for people."""

import asyncio
from collections.abc import Mapping

import fastapi
from fastapi import responses
from starlette import requests

from services.studio.pages import site
from services.studio.rest import founding_ops


def routes(of: site.Site) -> fastapi.APIRouter:
    """/house, /healthz and /readyz."""
    router = fastapi.APIRouter()

    async def states() -> Mapping[str, bool]:
        channels = of.services.channels
        return dict(zip(channels, await asyncio.gather(*map(founding_ops.serving, channels.values())), strict=True))

    @router.get("/healthz")
    async def healthz() -> responses.PlainTextResponse:
        return responses.PlainTextResponse("ok\n")

    @router.get("/readyz")
    async def readyz() -> responses.JSONResponse:
        told = await states()
        return responses.JSONResponse(dict(told), 200 if all(told.values()) else 503)

    @router.api_route("/house", methods=["GET", "HEAD"])
    async def house(request: requests.Request) -> responses.Response:
        return of.show(request, "house.html", {"services": await states()})

    return router
