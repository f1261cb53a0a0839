"""Links to a film or a take, for those who make them: a part of their pages, and a page of its own."""

import datetime
import uuid
from typing import Any

import fastapi
import grpc.aio
from starlette import requests, responses

from rushes.compiler.v1 import share_pb2
from rushes.compiler.v1 import share_service_pb2 as pb
from services.studio.pages import site
from services.studio.rest import refusals, sharing

_DAYS = {1: "a day", 7: "7 days", 30: "30 days", 365: "a year"}
_USUAL = 7


def routes(of: site.Site) -> fastapi.APIRouter:
    """/films/{id}/shares, /takes/{id}/shares, and taking one back."""
    router, links = fastapi.APIRouter(), _Links(of)
    for kind in ("film", "take"):
        _add(router, links, kind)

    @router.post("/shares/{share_id}/revoke")
    async def revoke(request: requests.Request, share_id: str) -> responses.Response:
        gone = (await of.ask(request, "shares.RevokeShare", pb.RevokeShareRequest(share_id=share_id))).share
        return await links.show(request, "film" if gone.film_id else "take", gone.film_id or gone.take_id)

    return router


def _add(router: fastapi.APIRouter, links: "_Links", kind: str) -> None:
    @router.get(f"/{kind}s/{{id}}/shares")
    async def show(request: requests.Request, id: str) -> responses.Response:
        return await links.show(request, kind, id)

    @router.post(f"/{kind}s/{{id}}/shares")
    async def make(request: requests.Request, id: str) -> responses.Response:
        try:
            secret = await links.make(request, kind, id)
        except grpc.aio.AioRpcError as fault:
            refused = refusals.of(fault)
            if refused.status != 422:
                raise refused from None
            return await links.show(request, kind, id, wrong=refused.violations)
        return await links.show(request, kind, id, secret)


class _Links:
    """Asks as whoever looks."""

    def __init__(self, of: site.Site) -> None:
        self._site = of

    async def show(
        self, request: requests.Request, kind: str, id: str, secret: str = "", wrong: Any = ()
    ) -> responses.Response:
        """All links to one thing; one that was just made with its address, and what was wrong with one that was not."""
        asked = pb.ListSharesRequest(film_id=id) if kind == "film" else pb.ListSharesRequest(take_id=id)
        listed = await self._site.ask(request, "shares.ListShares", asked)
        now = self._site.services.clock()
        here = self._site.by.url or f"{request.url.scheme}://{request.url.netloc}"
        told = {
            "place": f"/{kind}s/{id}/shares",
            "shares": [(one, _ended(one, now)) for one in listed.shares],
            "made": f"{here}/s/{secret}" if secret else "",
            "wrong": wrong,
            "request_id": uuid.uuid4(),
            "days": _DAYS,
            "usual": _USUAL,
        }
        template = "parts/links.html" if site.wants_fragment(request) else "links.html"
        return self._site.show(request, template, told, 422 if wrong else 200)

    async def make(self, request: requests.Request, kind: str, id: str) -> str:
        """The secret of a new link, as the form has it; empty when the form was sent before. Raises AioRpcError."""
        form = await request.form()

        def text(name: str) -> str:
            return str(form.get(name, ""))

        asked = pb.CreateShareRequest(
            request_id=text("request_id"), passphrase=text("passphrase"), allow_download="allow_download" in form
        )
        days = int(text("days")) if text("days").isascii() and text("days").isdigit() else _USUAL
        asked.expire_time.FromDatetime(self._site.services.clock() + datetime.timedelta(days=min(days, max(_DAYS))))
        if kind == "take":
            asked.take.CopyFrom(await sharing.shown(lambda *call: self._site.ask(request, *call), id))
        else:
            asked.film_id = id
        made: pb.CreateShareResponse = await self._site.ask(request, "shares.CreateShare", asked)
        return made.secret


def _ended(one: share_pb2.Share, now: datetime.datetime) -> bool:
    return one.HasField("revoke_time") or one.expire_time.ToDatetime(datetime.UTC) <= now
