"""Signing in and out: with a token, a ticket, at an OpenID provider, or as a guest."""

from collections.abc import Mapping
from typing import Annotated

import fastapi
from fastapi import responses
from starlette import requests

from services.studio import oidc, oidc_answers, session
from services.studio.pages import doorman, site
from services.studio.rest import refusals

_AWAY_S = 600
_LONGEST_WAY_BACK = 1000
Text = Annotated[str, fastapi.Form()]


def routes(of: site.Site) -> fastapi.APIRouter:
    """/signin and /signout; what another site sends there is refused: it could sign a browser in as somebody else."""

    def from_here(request: requests.Request) -> None:
        if session.is_foreign(request.scope, of.by):
            raise refusals.foreign()

    router, by_the_door = fastapi.APIRouter(dependencies=[fastapi.Depends(from_here)]), doorman.Doorman(of)

    @router.get("/signin")
    async def ask(request: requests.Request, next: str = "/") -> responses.Response:
        return by_the_door.ask(request, next)

    @router.post("/signin")
    async def sign_in(request: requests.Request, token: Text = "", next: Text = "/") -> responses.Response:
        return await by_the_door.let_in(request, token.strip(), next)

    @router.get("/signin/done")
    async def done(request: requests.Request) -> responses.Response:
        return of.show(request, "signin_done.html", {})

    @router.post("/signin/guest")
    async def guest(request: requests.Request) -> responses.Response:
        return await by_the_door.as_guest(request)

    @router.post("/signout")
    async def sign_out(request: requests.Request) -> responses.Response:
        return await by_the_door.out(request)

    if of.by.provider:
        _with_provider(router, of, of.by.provider, by_the_door)
    return router


def _with_provider(
    router: fastapi.APIRouter, of: site.Site, provider: oidc.Provider, by_the_door: doorman.Doorman
) -> None:
    """/signin/with leads to the OpenID provider, and /signin/callback is where it sends people back."""

    @router.get("/signin/with")
    async def leave(request: requests.Request, next: str = "/") -> responses.Response:
        try:
            back = doorman.inside(next)
            place, begun = await provider.begin(back if len(back.encode()) <= _LONGEST_WAY_BACK else "/")
        except oidc_answers.Refused as away:
            return by_the_door.ask(request, next, _away(provider, away))
        response = responses.RedirectResponse(place, 303, {"cache-control": "no-store"})
        secure = session.is_secure(request.scope, of.by)
        session.keep(response, session.AWAY, begun.packed(), _AWAY_S, secure)
        return response

    @router.get("/signin/callback")
    async def come_back(request: requests.Request) -> responses.Response:
        begun = oidc.unpacked(session.kept(request, session.AWAY, of.by))
        next = begun.next if begun else "/"
        try:
            came = await provider.finish(_only(request.query_params), begun)
            wrong = (
                f"{provider.name} knows you, but its token is not accepted here: tell whoever looks after this house."
            )
            response = await by_the_door.let_in(request, came.token, next, came.name, wrong)
        except oidc_answers.Refused as refused:
            response = by_the_door.ask(request, next, _away(provider, refused))
        session.drop(response, session.AWAY, session.is_secure(request.scope, of.by))
        return response


def _away(provider: oidc.Provider, why: oidc_answers.Refused) -> refusals.Refusal:
    if isinstance(why, oidc_answers.Away):
        detail = f"{provider.name} cannot be asked now: {why}. Try again in a moment."
        return refusals.Refusal(503, "SERVICE_AWAY", detail, retry_after_s=1.0)
    return refusals.Refusal(401, "TOKEN_INVALID", str(why))


def _only(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name] for name in ("code", "state", "iss", "error") if name in query}
