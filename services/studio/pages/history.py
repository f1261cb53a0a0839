"""What a project was: its revisions, how two of them differ, and bringing one back."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import fastapi
from starlette import requests, responses

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import bursts, differences, said, site

_SIZE, _AT_ONCE = 40, 8


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/history, and restoring and naming a revision of it."""
    router = fastapi.APIRouter()
    Text = Annotated[str, fastapi.Form()]

    @router.get("/p/{storyboard_id}/history")
    async def history(
        request: requests.Request,
        storyboard_id: str,
        after: str = "",
        older: Annotated[int | None, fastapi.Query(alias="from", ge=0)] = None,
        newer: Annotated[int | None, fastapi.Query(alias="to", ge=0)] = None,
    ) -> responses.Response:
        ask = _Asks(of, request, storyboard_id)
        told: dict[str, Any] = {"project": await ask.board(), "after": after, "compared": None}
        told |= await ask.page(after, told["project"])
        if older is not None or newer is not None:
            told["compared"] = await ask.compared(older or 0, newer or 0)
        return of.show(request, "history.html", told)

    @router.post("/p/{storyboard_id}/history/{number}/restore")
    async def restore(
        request: requests.Request, storyboard_id: str, number: int, etag: Text = ""
    ) -> responses.Response:
        asked = pb.RestoreRevisionRequest(storyboard_id=storyboard_id, number=number, etag=etag)
        board = (await of.ask(request, "boards.RestoreRevision", asked)).storyboard
        text = f"Revision {number} is back, as revision {board.revision}. Takes stay."
        return said.then(f"/p/{storyboard_id}/history", text, "Undo", f"/p/{storyboard_id}/undo")

    @router.post("/p/{storyboard_id}/history/{number}/name")
    async def name(request: requests.Request, storyboard_id: str, number: int, name: Text = "") -> responses.Response:
        asked = pb.NameRevisionRequest(storyboard_id=storyboard_id, number=number, name=name.strip())
        called = (await of.ask(request, "boards.NameRevision", asked)).revision.name
        text = f"Revision {number} is called “{called}”." if called else f"Revision {number} has no name any more."
        return said.then(f"/p/{storyboard_id}/history", text)

    return router


class _Asks:
    """The calls of one page."""

    def __init__(self, of: site.Site, request: requests.Request, storyboard_id: str) -> None:
        self._of, self._request, self._id = of, request, storyboard_id
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def board(self) -> storyboard_pb2.Storyboard:
        asked = pb.GetStoryboardRequest(storyboard_id=self._id)
        found: storyboard_pb2.Storyboard = (await self._of.ask(self._request, "boards.GetStoryboard", asked)).storyboard
        return found

    async def page(self, after: str, board: storyboard_pb2.Storyboard) -> dict[str, Any]:
        """Bursts with what each changed."""
        asked = pb.ListRevisionsRequest(storyboard_id=self._id, page_size=_SIZE, page_token=after)
        told = await self._of.ask(self._request, "boards.ListRevisions", asked)
        numbers = {scene.id: number for number, scene in enumerate(board.scenes, 1)}
        grouped = bursts.group(told.revisions)
        changed = await asyncio.gather(*(self._summary(it, numbers) for it in grouped))
        return {"bursts": list(zip(grouped, changed, strict=True)), "next": told.next_page_token}

    async def _summary(self, of: bursts.Burst, numbers: dict[str, int]) -> str:
        if not of.before:
            return ""
        async with self._turn:
            return differences.summary(await self._changes(of.before, of.newest.number), numbers)

    async def compared(self, older: int, newer: int) -> dict[str, Any]:
        """How the one differs from the other; 0 is the one before, and the newest."""
        asked = pb.DiffRevisionsRequest(storyboard_id=self._id, from_number=older, to_number=newer)
        told = await self._of.ask(self._request, "boards.DiffRevisions", asked)
        before, after = [await self._content(number) for number in (told.from_number, told.to_number)]
        sections = await asyncio.to_thread(differences.sections, told.changes, before, after)
        return {"older": told.from_number, "newer": told.to_number, "sections": sections}

    async def _changes(self, older: int, newer: int) -> Sequence[storyboard_pb2.Change]:
        asked = pb.DiffRevisionsRequest(storyboard_id=self._id, from_number=older, to_number=newer)
        told: pb.DiffRevisionsResponse = await self._of.ask(self._request, "boards.DiffRevisions", asked)
        return told.changes

    async def _content(self, number: int) -> storyboard_pb2.Storyboard:
        if not number:
            return storyboard_pb2.Storyboard()
        asked = pb.GetRevisionRequest(storyboard_id=self._id, number=number)
        found: storyboard_pb2.Storyboard = (
            await self._of.ask(self._request, "boards.GetRevision", asked)
        ).revision.storyboard
        return found
