"""What a page shows when a service refuses or is away: what happened, what it cost, what to do about it."""

import urllib.parse
from collections.abc import Mapping

import fastapi
import grpc.aio
from starlette import datastructures, exceptions, requests, responses

from libs import redaction
from services.studio import session
from services.studio.pages import site, ways
from services.studio.rest import problems, refusals

_OF_STATUSES = {
    404: ("ROUTE_NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address has no such method."),
    413: ("TOO_LARGE", "That is more than this form can take; send less at once."),
}


def attach(app: fastapi.FastAPI, of: site.Site) -> None:
    """Have every refusal of every page shown."""

    async def refused(request: requests.Request, fault: Exception) -> responses.Response:
        if isinstance(fault, grpc.aio.AioRpcError):
            fault = refusals.of(fault)
        if isinstance(fault, exceptions.HTTPException):
            fault = _of_ours(fault.status_code, fault.headers or {})
        if isinstance(fault, fastapi.exceptions.RequestValidationError):
            fault = refusals.bad_request(
                [{"parameter": str(it["loc"][-1]), "detail": it["msg"]} for it in fault.errors()]
            )
        assert isinstance(fault, refusals.Refusal)
        return show(of, request, fault)

    app.add_exception_handler(grpc.aio.AioRpcError, refused)
    app.add_exception_handler(refusals.Refusal, refused)
    app.add_exception_handler(exceptions.HTTPException, refused)
    app.add_exception_handler(fastapi.exceptions.RequestValidationError, refused)


def show(of: site.Site, request: requests.Request, refused: refusals.Refusal) -> responses.Response:
    """The refusal as a page, or as a block where htmx asked for a part; who is not signed in is asked to."""
    if refused.status == 401 and session.is_foreign(request.scope, of.by):
        refused = refusals.foreign()
    if refused.status == 401:
        return _to_sign_in(of, request)
    told = problems.of(refused, request, request.path_params)
    told["ways"] = ways.out(told["remedies"])
    template = "parts/problem.html" if site.wants_fragment(request) else "problem.html"
    response = of.show(request, template, {"problem": told}, refused.status)
    response.headers.update({**refused.headers, **problems.waits(refused)})
    return response


def _of_ours(status: int, headers: Mapping[str, str]) -> refusals.Refusal:
    """What the framework refuses before a page is asked, and what `bounds` does."""
    reason, detail = _OF_STATUSES.get(status, ("BAD_REQUEST", "The request cannot be accepted as it is."))
    return refusals.Refusal(status, reason, detail, headers=headers)


def _to_sign_in(of: site.Site, request: requests.Request) -> responses.Response:
    """Who looks is sent to sign in, and back; who was at work stays where they are, with all that they have typed."""
    if request.headers.get("hx-request"):
        return responses.Response(status_code=401, headers={"hx-reswap": "none", "hx-trigger": "signed-out"})
    if request.method in ("GET", "HEAD"):
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return responses.RedirectResponse(f"/signin?{urllib.parse.urlencode({'next': back})}", 303)
    return of.show(request, "signed_out.html", {"typed": _typed(request)}, 401)


def _typed(request: requests.Request) -> list[tuple[str, str]]:
    """The fields of a form that was sent; files have to be chosen again, and what lets anybody in somewhere is no part
    of a page.
    """
    form: datastructures.FormData | None = getattr(request, "_form", None)
    told = [(name, value) for name, value in form.multi_items() if isinstance(value, str)] if form else []
    return [(name, value) for name, value in told if redaction.shown(name, value) != redaction.HIDDEN]
