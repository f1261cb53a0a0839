"""What a page shows when a service refuses or is away: what happened, what it cost, what to do about it."""

import urllib.parse

import fastapi
import grpc.aio
from starlette import requests, responses

from services.studio.pages import site
from services.studio.rest import problems, refusals


def attach(app: fastapi.FastAPI, of: site.Site) -> None:
    """Have every refusal of every page shown."""

    async def refused(request: requests.Request, fault: Exception) -> responses.Response:
        if isinstance(fault, grpc.aio.AioRpcError):
            fault = refusals.of(fault)
        assert isinstance(fault, refusals.Refusal)
        return show(of, request, fault)

    app.add_exception_handler(grpc.aio.AioRpcError, refused)
    app.add_exception_handler(refusals.Refusal, refused)


def show(of: site.Site, request: requests.Request, refused: refusals.Refusal) -> responses.Response:
    """The refusal as a page, or as a block where htmx asked for a part; who is not signed in is asked to."""
    if refused.status == 401:
        return _to_sign_in(request)
    told = problems.of(refused, request, request.path_params)
    template = "parts/problem.html" if site.wants_fragment(request) else "problem.html"
    return of.show(request, template, {"problem": told}, refused.status)


def _to_sign_in(request: requests.Request) -> responses.Response:
    here = request.headers.get("hx-current-url") or str(request.url)
    parts = urllib.parse.urlsplit(here)
    back = parts.path + (f"?{parts.query}" if parts.query else "")
    place = f"/signin?{urllib.parse.urlencode({'next': back})}"
    if request.headers.get("hx-request"):
        return responses.Response(status_code=401, headers={"hx-redirect": place})
    return responses.RedirectResponse(place, 303)
