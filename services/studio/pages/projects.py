"""All projects as cards, and what is done with whole ones: duplicate, put away, delete, and take that back."""

import asyncio
import uuid
from typing import Annotated

import fastapi
import grpc
import grpc.aio
from starlette import requests, responses

from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import cards, said, shelf, site
from services.studio.rest import founding_ops

_SERVICES = ("storyboard", "job", "provider_gateway", "compiler")


def routes(of: site.Site) -> fastapi.APIRouter:
    """/ and /p/{id}/duplicate, archive, unarchive, delete, undelete."""
    router = fastapi.APIRouter()
    Next = Annotated[str, fastapi.Form()]

    @router.api_route("/", methods=["GET", "HEAD"])
    async def projects(
        request: requests.Request, q: str = "", show: str = "all", sort: str = "changed", after: str = ""
    ) -> responses.Response:
        return await _projects(of, request, shelf.wish(q, show, sort, after))

    @router.post("/p/{storyboard_id}/duplicate")
    async def duplicate(request: requests.Request, storyboard_id: str, request_id: Next = "") -> responses.Response:
        asked = pb.DuplicateStoryboardRequest(request_id=request_id or str(uuid.uuid4()), storyboard_id=storyboard_id)
        copy = (await of.ask(request, "boards.DuplicateStoryboard", asked)).storyboard
        return said.then("/", f"“{copy.name}” is made.", "Delete it", f"/p/{copy.id}/delete")

    @router.post("/p/{storyboard_id}/archive")
    async def archive(request: requests.Request, storyboard_id: str, next: Next = "/") -> responses.Response:
        asked = pb.ArchiveStoryboardRequest(storyboard_id=storyboard_id)
        name = (await of.ask(request, "boards.ArchiveStoryboard", asked)).storyboard.name
        return said.then(_home(next), f"“{name}” is archived.", "Undo", f"/p/{storyboard_id}/unarchive")

    @router.post("/p/{storyboard_id}/unarchive")
    async def unarchive(request: requests.Request, storyboard_id: str, next: Next = "/") -> responses.Response:
        asked = pb.UnarchiveStoryboardRequest(storyboard_id=storyboard_id)
        name = (await of.ask(request, "boards.UnarchiveStoryboard", asked)).storyboard.name
        return said.then(_home(next), f"“{name}” is among the projects again.")

    @router.post("/p/{storyboard_id}/delete")
    async def delete(request: requests.Request, storyboard_id: str, next: Next = "/") -> responses.Response:
        found = await of.ask(request, "boards.GetStoryboard", pb.GetStoryboardRequest(storyboard_id=storyboard_id))
        await of.ask(request, "boards.DeleteStoryboard", pb.DeleteStoryboardRequest(storyboard_id=storyboard_id))
        text = f"“{found.storyboard.name}” is deleted. It is kept for 30 days."
        return said.then(_home(next), text, "Undo", f"/p/{storyboard_id}/undelete")

    @router.post("/p/{storyboard_id}/undelete")
    async def undelete(request: requests.Request, storyboard_id: str, next: Next = "/") -> responses.Response:
        asked = pb.UndeleteStoryboardRequest(storyboard_id=storyboard_id)
        name = (await of.ask(request, "boards.UndeleteStoryboard", asked)).storyboard.name
        return said.then(_home(next), f"“{name}” is back.")

    return router


async def _projects(of: site.Site, request: requests.Request, wanted: shelf.Wish) -> responses.Response:
    facts = cards.Facts(of, request)
    newest = await facts.newest()
    running, needs = (
        {it.storyboard_id for it in newest.values() if it.state in states}
        for states in (cards.RUNNING, cards.NEEDS_YOU)
    )
    told = {"wanted": wanted, "shows": shelf.SHOWN, "sorts": shelf.SORTS, "ticket": lambda: str(uuid.uuid4())}
    told |= {"tally": {"running": len(running), "you": len(needs)}}
    try:
        only = {"running": running, "you": needs}.get(wanted.show)
        boards, after = await shelf.look(of, request, wanted, only)
    except grpc.aio.AioRpcError as fault:
        if fault.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        away = {"services": await _serving(of)}
        return of.show(request, "projects_away.html", away, 503)
    shown = await facts.cards(boards)
    return of.show(request, "projects.html", told | {"cards": shown, "after": after, "away": sorted(facts.away)})


async def _serving(of: site.Site) -> dict[str, bool]:
    known = [name for name in _SERVICES if name in of.services.channels]
    states = await asyncio.gather(*(founding_ops.serving(of.services.channels[name]) for name in known))
    return dict(zip(known, states, strict=True))


def _home(place: str) -> str:
    """Back to the projects, as they were shown."""
    return place if place == "/" or place.startswith("/?") else "/"
