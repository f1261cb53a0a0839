"""A page whose forms post to itself: what it reads, what its forms do, and how it says that one was refused."""

import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import fastapi
import grpc.aio
from google.protobuf import message
from starlette import datastructures, requests, responses

from services.studio.pages import forms, site
from services.studio.rest import problems, refusals

Told = dict[str, Any]
Read = Callable[[site.Site, requests.Request], Awaitable[Told]]
Act = Callable[[site.Site, requests.Request, datastructures.FormData], Awaitable[str | Told | responses.Response]]


def turning(call: str, asked: type[message.Message], thing: str, state: int, word: str) -> Act:
    """An act that brings a thing into a state, unless it is another one than the form was shown with."""

    async def turn(of: site.Site, request: requests.Request, form: datastructures.FormData) -> str:
        changed = {"id": str(form.get("id", "")), "etag": str(form.get("etag", "")), "state": state}
        await of.ask(request, call, asked(**{thing: changed, "update_mask": {"paths": ["state"]}}))
        return word

    return turn


def naming(call: str, asked: type[message.Message], field: str, word: str) -> Act:
    """An act on one thing, of which the call asks nothing but its id, in this field."""

    async def name(of: site.Site, request: requests.Request, form: datastructures.FormData) -> str:
        await of.ask(request, call, asked(**{field: forms.text(form, "id")}))
        return word

    return name


@dataclass(frozen=True)
class Section:
    """One page; a form says with its field `act` which of the acts it is.

    An act that answers a word leads back to the page, which says the word's sentence of `says`; one that answers facts
    has them shown at once, and never again: that is how secrets are shown. One that answers a response leads elsewhere.
    """

    path: str
    template: str
    read: Read
    acts: Mapping[str, Act] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)

    def attach(self, router: fastapi.APIRouter, of: site.Site) -> None:
        """Let it answer its address."""

        async def look(request: requests.Request) -> responses.Response:
            return await self._show(of, request, {})

        async def do(request: requests.Request) -> responses.Response:
            return await self._do(of, request)

        router.add_api_route(self.path, look, methods=["GET"], response_model=None)
        router.add_api_route(self.path, do, methods=["POST"], response_model=None)

    async def _do(self, of: site.Site, request: requests.Request) -> responses.Response:
        form = await request.form()
        act = self.acts.get(str(form.get("act")))
        if act is None:
            raise refusals.bad_request([{"parameter": "act", "detail": "is nothing that this page does"}])
        try:
            done = await act(of, request, form)
        except (grpc.aio.AioRpcError, refusals.Refusal) as fault:
            return await self._show(of, request, {"problem": _told(fault, request), "typed": form})
        if isinstance(done, responses.Response):
            return done
        if isinstance(done, str):
            return responses.RedirectResponse(_saying(request, done), 303)
        return await self._show(of, request, done)

    async def _show(self, of: site.Site, request: requests.Request, more: Told) -> responses.Response:
        did = self.says.get(request.query_params.get("did", ""), "")
        told = {
            "problem": None,
            "typed": datastructures.FormData(),
            "did": did,
            **await self.read(of, request),
            **more,
        }
        return of.show(request, self.template, told, told["problem"]["status"] if told["problem"] else 200)


def faults(read: Read) -> Read:
    """What it reads; or, when the service is away, the problem beside whatever else the page has."""

    async def attempted(of: site.Site, request: requests.Request) -> Told:
        try:
            return await read(of, request)
        except grpc.aio.AioRpcError as fault:
            return {"problem": _told(fault, request), "away": True}

    return attempted


def _told(fault: Exception, request: requests.Request) -> Told:
    """Who is not signed in is asked to sign in, whatever the page."""
    refused = refusals.of(fault) if isinstance(fault, grpc.aio.AioRpcError) else fault
    assert isinstance(refused, refusals.Refusal)
    if refused.status == 401:
        raise refused
    return problems.of(refused, request, {})


def _saying(request: requests.Request, word: str) -> str:
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "did"]
    return f"{request.url.path}?{urllib.parse.urlencode([*kept, ('did', word)])}"
