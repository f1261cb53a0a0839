"""What the forms of the editor do, without scripts too: scenes are added, put elsewhere, doubled, deleted, written."""

import json
import urllib.parse
import uuid
from collections.abc import Sequence

import fastapi
from google.protobuf import duration_pb2
from starlette import datastructures, requests, responses

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio.pages import editor, editor_board, editor_fields, editor_order, site

_SCENE = (
    "title subject action setting camera lighting mood dialogue duration seam cast location props model "
    "negative_prompt seed caption"
).split()
_BOARD = "name logline preset size model silent".split()
_BLANK = storyboard_pb2.Scene(subject="<who or what is seen>", duration=duration_pb2.Duration(seconds=4))
_SAID = {"delete": "deleted", "duplicate": "duplicated", "up": "moved", "down": "moved", "to": "moved"}


def routes(of: site.Site) -> fastapi.APIRouter:
    """The forms of /p/{id}."""
    router = fastapi.APIRouter()

    @router.post("/p/{storyboard_id}/scenes")
    async def add(request: requests.Request, storyboard_id: str) -> responses.Response:
        form = await request.form()
        scene = await _template(of, request, str(form.get("template", "")))
        asked = boards.AddSceneRequest(
            request_id=str(uuid.uuid4()),
            storyboard_id=storyboard_id,
            scene=scene,
            before_scene_id=str(form.get("before", "")),
        )
        told = await of.ask(request, "boards.AddScene", asked)
        return await shown(of, request, storyboard_id, {"scene": told.scene_id, "pane": "details"})

    @router.post("/p/{storyboard_id}/order")
    async def order(request: requests.Request, storyboard_id: str) -> responses.Response:
        form = await request.form()
        board = await editor_board.Looks(of, request, storyboard_id).board()
        ids = set(map(str, form.getlist("scene"))) or {str(form.get("current", ""))}
        scenes = _ordered(board.scenes, ids, form)
        edit = boards.UpdateStoryboardRequest(
            storyboard=storyboard_pb2.Storyboard(id=storyboard_id, etag=board.etag, scenes=scenes)
        )
        edit.update_mask.paths.append("scenes")
        after = (await of.ask(request, "boards.UpdateStoryboard", edit)).storyboard
        said = _said(board.scenes, ids, str(form.get("do", "to")))
        there = _turned_to(request)
        there["scene"] = _next(board.scenes, after.scenes, str(form.get("current", "")))
        return await shown(of, request, storyboard_id, there, said)

    @router.post("/p/{storyboard_id}/scenes/{scene_id}")
    async def write(request: requests.Request, storyboard_id: str, scene_id: str) -> responses.Response:
        form = await request.form()
        edit = boards.UpdateSceneRequest(storyboard_id=storyboard_id, etag=str(form.get("etag", "")))
        editor_fields.fill(edit.scene, form, _SCENE)
        edit.scene.id = scene_id
        edit.update_mask.paths.extend(_SCENE)
        await of.ask(request, "boards.UpdateScene", edit)
        return await shown(of, request, storyboard_id, {"scene": scene_id, "tab": str(form.get("tab", ""))})

    @router.post("/p/{storyboard_id}/board")
    async def board(request: requests.Request, storyboard_id: str) -> responses.Response:
        form = await request.form()
        names = [name for name in _BOARD if name in form.getlist("fields")]
        edit = boards.UpdateStoryboardRequest(
            storyboard=storyboard_pb2.Storyboard(id=storyboard_id, etag=str(form.get("etag", "")))
        )
        editor_fields.fill(edit.storyboard, form, names)
        edit.update_mask.paths.extend(names)
        await of.ask(request, "boards.UpdateStoryboard", edit)
        return await shown(of, request, storyboard_id, {"open": str(form.get("open", ""))})

    return router


async def shown(
    of: site.Site, request: requests.Request, storyboard_id: str, told: dict[str, str], said: str = ""
) -> responses.Response:
    """The editor as it is after a form: the page itself for htmx, which is told what to say, else the way there."""
    place = f"/p/{storyboard_id}?{urllib.parse.urlencode({name: it for name, it in told.items() if it})}"
    if not request.headers.get("hx-request"):
        return responses.RedirectResponse(place, 303)
    response = await editor.show(of, request, storyboard_id, told)
    response.headers["hx-push-url"] = place
    if said:
        response.headers["hx-trigger"] = json.dumps({"editor:did": {"said": said}})
    return response


async def _template(of: site.Site, request: requests.Request, key: str) -> storyboard_pb2.Scene:
    told = await of.ask(request, "boards.ListSceneTemplates", boards.ListSceneTemplatesRequest())
    return next((it.scene for it in told.templates if it.key == key), _BLANK)


def _ordered(
    scenes: Sequence[storyboard_pb2.Scene], ids: set[str], form: datastructures.FormData
) -> list[storyboard_pb2.Scene]:
    """What the form wants: `do` one of the acts, else to the place `to`, else before the scene `before`."""
    if act := editor_order.ACTS.get(str(form.get("do", ""))):
        return act(scenes, ids)
    if (to := str(form.get("to", "")).strip()).isdecimal():
        return editor_order.at(scenes, ids, int(to[:6]))
    return editor_order.moved(scenes, ids, str(form.get("before", "")))


def _turned_to(request: requests.Request) -> dict[str, str]:
    """The tab, pane and drawer that the page shows, which scripts turn without asking anybody."""
    shown = urllib.parse.parse_qsl(site.page(request).query)
    return {name: told for name, told in shown if name in ("tab", "pane", "open")}


def _said(scenes: Sequence[storyboard_pb2.Scene], ids: set[str], do: str) -> str:
    numbers = [str(number) for number, it in enumerate(scenes, 1) if it.id in ids]
    named = f"Scene {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} scenes"
    return f"{named} {_SAID.get(do, 'moved')}"


def _next(before: Sequence[storyboard_pb2.Scene], after: Sequence[storyboard_pb2.Scene], current: str) -> str:
    """The scene to show: a new one, else the one that was shown, else the one that stands there now."""
    known = {it.id for it in before}
    if new := next((it.id for it in after if it.id not in known), ""):
        return new
    ids = [it.id for it in after]
    place = next((place for place, it in enumerate(before) if it.id == current), 0)
    return current if current in ids else (ids[min(place, len(ids) - 1)] if ids else "")
