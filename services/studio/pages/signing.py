"""Signing in and out: a token becomes the browser's cookie once a service has accepted it."""

from typing import Annotated

import fastapi
import grpc
import grpc.aio
from fastapi import responses
from starlette import requests

from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio import session
from services.studio.pages import site
from services.studio.rest import calls


def routes(of: site.Site) -> fastapi.APIRouter:
    """/signin and /signout."""
    router = fastapi.APIRouter()

    @router.get("/signin")
    async def ask(request: requests.Request, next: str = "/") -> responses.Response:
        return of.show(request, "signin.html", {"next": _inside(next), "refused": ""})

    @router.post("/signin")
    async def sign_in(
        request: requests.Request, token: Annotated[str, fastapi.Form()], next: Annotated[str, fastapi.Form()] = "/"
    ) -> responses.Response:
        if not await _is_accepted(of, token.strip()):
            told = {"next": _inside(next), "refused": "That token is not accepted: it may be mistyped or have ended."}
            return of.show(request, "signin.html", told, 401)
        response = responses.RedirectResponse(_inside(next), 303)
        session.begin(response, token.strip(), secure=request.url.scheme == "https")
        return response

    @router.post("/signout")
    async def sign_out() -> responses.Response:
        response = responses.RedirectResponse("/signin", 303)
        session.end(response)
        return response

    return router


async def _is_accepted(of: site.Site, token: str) -> bool:
    if not (token.isascii() and token.isprintable() and token):
        return False
    call = of.services.stub("boards.ListStoryboards")
    try:
        await call(boards.ListStoryboardsRequest(page_size=1), timeout=calls.CALL_S, metadata=_bearer(token))
    except grpc.aio.AioRpcError as fault:
        if fault.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        if fault.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise
    return True


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def _inside(address: str) -> str:
    """A place of ours to go on to; an address that leads elsewhere leads home."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
