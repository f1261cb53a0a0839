"""What a download gives: the clip, or a lie that its order asked for."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from services.sandbox import disaster, domain, lab, wire

_PATH = "/clips/{id}.mp4"
_MP4 = "video/mp4"
_PAGE = b"<!doctype html><title>One moment</title><p>Checking your browser before you go on.</p>"
_METADATA = "http://169.254.169.254/latest/meta-data/"
_PIECE = 2**16
_DRIPS_PER_S = 10


def routes(films: lab.Lab) -> list[BaseRoute]:
    """`/clips/{id}.mp4`: every clip at an address that asks for no key, as the storage of a provider has it."""

    async def endpoint(request: Request) -> Response:
        clip = films.clip(request.path_params["id"])
        if clip is None or clip.footage is None or clip.status != "completed":
            return PlainTextResponse("There is no such clip, or it is not done.\n", 404)
        try:
            return response(request, films, clip)
        except wire.Refused as refused:
            return PlainTextResponse(f"{refused.message}\n", refused.status)

    return [Route(_PATH, endpoint, methods=["GET"])]


def link(base_url: object, clip: domain.Clip) -> str:
    """Where the clip is to be had without a key; `base_url` of the request or of the order, with a slash at its end."""
    return f"{base_url}{_PATH[1:].format(id=clip.id)}"


def response(request: Request, films: lab.Lab, clip: domain.Clip) -> Response:
    """Answer a download of a clip that is done. Raises Refused."""
    plan, footage = clip.order.plan, clip.footage
    assert footage
    if clip.expires_at and films.clock() >= clip.expires_at:
        raise wire.Refused(403, "expired", "This address has expired.")
    if plan:
        clip.downloads += 1
        if lie := _lie(request, films, clip, plan, films.reels / f"{footage.name}.mp4", footage.size_bytes):
            return lie
    return wire.clip_response(request, films.reels, footage, films.in_memory(footage))


def _lie(
    request: Request, films: lab.Lab, clip: domain.Clip, plan: disaster.Plan, reel: Path, size: int
) -> Response | None:
    def now(mode: disaster.Mode) -> bool:
        return mode in plan and clip.downloads <= plan.number(mode)

    if now(disaster.Mode.URL_GONE):
        raise wire.Refused(404, "not_found", "This clip is not here.")
    if target := _redirect(request, plan, clip):
        return RedirectResponse(target, 302)
    if now(disaster.Mode.WRONG_TYPE):
        return HTMLResponse(_PAGE)
    if now(disaster.Mode.ZERO_BYTES):
        return Response(b"", media_type=_MP4)
    if now(disaster.Mode.TRUNCATED):
        return StreamingResponse(_pieces(reel, size // 2), headers=_length(size // 2), media_type=_MP4)
    if now(disaster.Mode.WRONG_LENGTH):
        return wire.Dropped(_pieces(reel, size // 2), _length(size) | {"content-type": _MP4})
    if disaster.Mode.SLOW_DRIP in plan:
        drip = _pieces(reel, size, plan.number(disaster.Mode.SLOW_DRIP))
        return StreamingResponse(drip, headers=_length(size), media_type=_MP4)
    return None


def _redirect(request: Request, plan: disaster.Plan, clip: domain.Clip) -> str | None:
    if disaster.Mode.REDIRECT_PRIVATE in plan:
        return _METADATA
    if disaster.Mode.REDIRECT_LOOP in plan:
        return str(request.url)
    if disaster.Mode.MOVES_HOST in plan and request.url.path != _PATH.format(id=clip.id):
        return link(_elsewhere(request), clip)
    return None


def _elsewhere(request: Request) -> str:
    """The address that this connection came in on, or its name where the caller used the address."""
    host, port = request.scope["server"]
    return f"http://{'localhost' if request.url.hostname == host else host}:{port}/"


def _length(size: int) -> dict[str, str]:
    return {"content-length": str(size)}


async def _pieces(reel: Path, size: int, per_s: float = math.inf) -> AsyncIterator[bytes]:
    """The first `size` bytes, at most so many a second."""
    at_once = max(1, int(min(_PIECE, per_s / _DRIPS_PER_S)))
    with await asyncio.to_thread(reel.open, "rb") as file:
        while size > 0 and (piece := await asyncio.to_thread(file.read, min(at_once, size))):
            yield piece
            size -= len(piece)
            await asyncio.sleep(len(piece) / per_s)
