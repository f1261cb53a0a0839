"""The page of a link: what is shared, for whoever has it, without an account and without a cookie."""

import asyncio
import datetime
import pathlib
import tempfile
import urllib.parse
from typing import Any

import fastapi
import grpc.aio
from starlette import requests, responses

from libs import telemetry
from rushes.compiler.v1 import share_service_pb2 as pb
from services.studio.pages import site
from services.studio.rest import binding, calls, problems, refusals

_SIGNED_S = 600
_MOST_BYTES = 4096
_NO_TICKET = "none"
_HEADERS = {"cache-control": "private, no-cache", "x-robots-tag": "noindex, nofollow"}
_STATUSES = {"SHARE_UNKNOWN": 404, "SHARE_ENDED": 410, "PASSPHRASE_NEEDED": 200}
_SENTENCES = {
    "SHARE_UNKNOWN": "There is no such link. Ask whoever sent it for the whole of it.",
    "PASSPHRASE_NEEDED": "This link needs a passphrase.",
    "PASSPHRASE_WRONG": "That is not the passphrase.",
    "PASSPHRASE_TRIES_EXHAUSTED": "Too many tries. Wait a minute, then try again.",
    "TICKET_INVALID": "This page was open for long. Open the link again.",
}
_OTHERWISE = "This cannot be shown just now. Try again in a moment."


def routes(of: site.Site) -> fastapi.APIRouter:
    """/s/{secret}, and the files that its page shows."""
    router, shown = fastapi.APIRouter(prefix="/s/{secret}"), _Shown(of)

    @router.get("")
    async def look(secret: str) -> responses.Response:
        return await shown.page(secret)

    @router.head("")
    async def glance(secret: str) -> responses.Response:
        return await shown.glimpse(secret)

    @router.post("")
    async def enter(request: requests.Request, secret: str) -> responses.Response:
        return await shown.page(secret, request)

    @router.api_route("/{part}", methods=["GET", "HEAD"])
    async def file(secret: str, part: str, ticket: str = "") -> responses.Response:
        return await shown.part(secret, part, ticket)

    return router


class _Shown:
    """What whoever has a link may see."""

    def __init__(self, of: site.Site) -> None:
        self._site, self._services = of, of.services

    async def page(self, secret: str, form: requests.Request | None = None) -> responses.Response:
        """The page; or why not, and the form for the passphrase where one helps."""
        try:
            passphrase = await _passphrase(form) if form else ""
            opened = await self._open(pb.OpenShareRequest(secret=secret, passphrase=passphrase))
        except refusals.Refusal as refused:
            asks = refused.reason.startswith("PASSPHRASE_")
            told = {"says": said(refused), "asks": asks, "wrong": refused.reason == "PASSPHRASE_WRONG"}
            return self._written("shared_door.html", told, _status(refused), problems.waits(refused))
        query = urllib.parse.urlencode({"ticket": opened.ticket})
        place = f"/s/{urllib.parse.quote(secret, safe='')}"
        return self._written("shared.html", {"view": opened.view, "place": place, "query": query})

    async def glimpse(self, secret: str) -> responses.Response:
        """What `page` would answer, without a body, and without a view: programs look so before somebody does."""
        status = 200
        try:
            await self._open(pb.OpenShareRequest(secret=secret, ticket=_NO_TICKET))
        except refusals.Refusal as refused:
            if refused.reason != "TICKET_INVALID":  # which says that there is a link, and that it is open
                status = _status(refused)
        response = responses.HTMLResponse("", status, _HEADERS)
        del response.headers["content-length"]  # the page's own is not known
        return response

    async def part(self, secret: str, part: str, ticket: str) -> responses.Response:
        """A file of it: its address, signed anew, for whoever has opened the page."""
        try:
            # Without a ticket it would be a view; this one is refused as any other wrong one.
            view = (await self._open(pb.OpenShareRequest(secret=secret, ticket=ticket or _NO_TICKET))).view
        except refusals.Refusal as refused:
            return responses.PlainTextResponse(f"{said(refused)}\n", _status(refused), _HEADERS)
        found = {"video": view.video, "poster": view.poster, "captions": view.captions}
        if view.allow_download:
            found["download"] = view.video
        if part not in found or not found[part].key:
            return responses.PlainTextResponse("There is nothing here.\n", 404, _HEADERS)
        if part == "captions":  # a browser takes those from our own address alone
            return responses.Response(await self._bytes(view.captions.key), 200, _HEADERS, "text/vtt")
        name = view.file_name if part == "download" else None
        url = self._services.store.sign(found[part].key, _SIGNED_S, name, self._services.clock())
        return responses.RedirectResponse(url, 307, _HEADERS | {"cache-control": "private, no-store"})

    async def _open(self, asked: pb.OpenShareRequest) -> pb.OpenShareResponse:
        """As nobody, whoever is signed in here. Raises Refusal."""
        call = self._services.stub("shares.OpenShare")
        try:
            opened: pb.OpenShareResponse = await call(
                asked, timeout=calls.CALL_S, metadata=tuple(telemetry.current().items())
            )
        except grpc.aio.AioRpcError as fault:
            raise refusals.of(fault) from None
        return opened

    async def _bytes(self, key: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="rushes-captions-") as folder:
            path = pathlib.Path(folder) / "captions.vtt"
            await self._services.store.get_file(key, path)
            return await asyncio.to_thread(path.read_bytes)

    def _written(
        self, template: str, told: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
    ) -> responses.Response:
        return responses.HTMLResponse(self._site.render(template, told), status, _HEADERS | (headers or {}))


async def _passphrase(form: requests.Request) -> str:
    """What was typed. Raises Refusal for more than anybody types."""
    told = urllib.parse.parse_qs((await binding.content(form, _MOST_BYTES)).decode(errors="replace"))
    return told.get("passphrase", [""])[0]


def said(refused: refusals.Refusal) -> str:
    """A refusal as strangers read it: nothing of what is behind the link."""
    if refused.reason == "SHARE_ENDED":
        ended = datetime.datetime.fromisoformat(refused.facts["end_time"])
        return f"This link ended on {ended.day} {ended:%b %Y}."
    return _SENTENCES.get(refused.reason, _OTHERWISE)


def _status(refused: refusals.Refusal) -> int:
    return _STATUSES.get(refused.reason, refused.status)
