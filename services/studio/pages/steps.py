"""Undo and redo, for every page of a project: what came back is said, and that takes and money are left alone."""

import re
from collections.abc import Sequence
from typing import Annotated

import fastapi
from starlette import requests, responses

from rushes.job.v1 import job_service_pb2 as jobs_pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.studio.pages import said, site

_C = storyboard_pb2.Change
_SCENE = re.compile(r"scenes\[(\w+)\](?:\.(\w+))?")
_BACK = {"undo": "are back", "redo": "are changed again"}
_IS = {"undo": "is back", "redo": "is changed again"}


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/undo and /p/{id}/redo.

    A browser is led back to `next` and told there; htmx has its page made anew; who accepts JSON only gets the sentence
    and the new etag.
    """
    router = fastapi.APIRouter()

    Text = Annotated[str, fastapi.Form()]

    @router.post("/p/{storyboard_id}/undo")
    async def undo(
        request: requests.Request, storyboard_id: str, etag: Text = "", next: Text = ""
    ) -> responses.Response:
        return await _step(of, request, storyboard_id, "undo", etag, next)

    @router.post("/p/{storyboard_id}/redo")
    async def redo(
        request: requests.Request, storyboard_id: str, etag: Text = "", next: Text = ""
    ) -> responses.Response:
        return await _step(of, request, storyboard_id, "redo", etag, next)

    return router


async def _step(
    of: site.Site, request: requests.Request, storyboard_id: str, step: str, etag: str, place: str
) -> responses.Response:
    board = await _stepped(of, request, storyboard_id, step, etag)
    text, other = await _sentence(of, request, board, step), {"undo": "redo", "redo": "undo"}[step]
    if request.headers.get("accept") == "application/json":
        return responses.JSONResponse({"said": text, "etag": board.etag, "revision": board.revision, "back": other})
    told = said.Said(text, other.capitalize(), f"/p/{storyboard_id}/{other}")
    if not site.wants_fragment(request):
        return said.then(_inside(storyboard_id, place), *told)
    response = responses.Response(status_code=204, headers={"hx-refresh": "true"})
    said.leave(response, told)
    return response


async def _stepped(
    of: site.Site, request: requests.Request, storyboard_id: str, step: str, etag: str
) -> storyboard_pb2.Storyboard:
    call, kind = {"undo": ("boards.Undo", pb.UndoRequest), "redo": ("boards.Redo", pb.RedoRequest)}[step]
    board: storyboard_pb2.Storyboard = (
        await of.ask(request, call, kind(storyboard_id=storyboard_id, etag=etag))
    ).storyboard
    return board


async def _sentence(of: site.Site, request: requests.Request, board: storyboard_pb2.Storyboard, step: str) -> str:
    """`The words are back. Take 4 stays.`"""
    asked = pb.DiffRevisionsRequest(storyboard_id=board.id)
    changes = (await of.ask(request, "boards.DiffRevisions", asked)).changes
    scenes = {found[1] for it in changes if (found := _SCENE.match(it.path))}
    takes = jobs_pb.ListTakesRequest(storyboard_id=board.id, page_size=200)
    if len(scenes) == 1:
        takes.scene_id = next(iter(scenes))
    made = len((await of.ask(request, "jobs.ListTakes", takes)).takes) if scenes else 0
    stays = f" Take {made} stays." if made and takes.scene_id else " Takes stay." if made else ""
    return f"{_what(changes, board, step)}{stays}"


def _what(changes: Sequence[_C], board: storyboard_pb2.Storyboard, step: str) -> str:
    kinds = {it.kind for it in changes}
    numbers = {scene.id: number for number, scene in enumerate(board.scenes, 1)}
    first = _SCENE.match(changes[0].path) if changes else None
    if first and _C.KIND_ADDED in kinds:
        added = [it for it in changes if it.kind == _C.KIND_ADDED]
        number = numbers.get(first[1])
        return f"Scene {number} is back." if len(added) == 1 and number else f"{len(added)} scenes are back."
    if _C.KIND_REMOVED in kinds:
        return "What was added is gone."
    if _C.KIND_MOVED in kinds:
        return f"The order {_IS[step]}."
    if first:
        return f"The words {_BACK[step]}."
    return f"The {'look' if changes and changes[0].path in ('preset', 'size') else 'project'} {_IS[step]}."


def _inside(storyboard_id: str, place: str) -> str:
    """A page of the same project; its history for any other."""
    home = f"/p/{storyboard_id}"
    return place if place == home or place.startswith((f"{home}/", f"{home}?")) else f"{home}/history"
