"""The takes of a scene side by side: watched, picked, unpicked, and written on."""

import urllib.parse
from typing import Annotated, NamedTuple

import fastapi
from fastapi import responses
from starlette import requests

from rushes.job.v1 import job_service_pb2 as jobs
from services.studio.pages import candidates, site

_PLACE = "/p/{storyboard_id}/scenes/{scene_id}/takes"


class Done(NamedTuple):
    """What was just done, in words, and the address that takes it back."""

    said: str
    undo: str


class Step(NamedTuple):
    """What was just done: a verb, its take, the take that was picked before, and how many scenes changed by that."""

    did: str
    take_id: str
    before: str = ""
    changed: int = 0


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/scenes/{scene}/takes and its verbs."""
    router = fastapi.APIRouter()

    @router.get(_PLACE)
    async def strip(
        request: requests.Request,
        storyboard_id: str,
        scene_id: str,
        did: str = "",
        take_id: str = "",
        before: str = "",
    ) -> responses.Response:
        choice = await candidates.of_scene(of, request, storyboard_id, scene_id)
        return _show(of, request, choice, Step(did, take_id, before))

    @router.post(_PLACE + "/{take_id}/pick")
    async def pick(request: requests.Request, storyboard_id: str, scene_id: str, take_id: str) -> responses.Response:
        before = (await candidates.of_scene(of, request, storyboard_id, scene_id)).picked
        told = await of.ask(request, "jobs.PickTake", jobs.PickTakeRequest(take_id=take_id))
        was = before.take.id if before and before.take.id != take_id else ""
        step = Step("pick", take_id, was, len(set(told.stale_take_ids) - {take_id}))
        return await _answer(of, request, storyboard_id, scene_id, step)

    @router.post(_PLACE + "/{take_id}/unpick")
    async def unpick(request: requests.Request, storyboard_id: str, scene_id: str, take_id: str) -> responses.Response:
        await of.ask(request, "jobs.UnpickTake", jobs.UnpickTakeRequest(take_id=take_id))
        return await _answer(of, request, storyboard_id, scene_id, Step("unpick", take_id))

    @router.post(_PLACE + "/{take_id}/note")
    async def note(
        request: requests.Request,
        storyboard_id: str,
        scene_id: str,
        take_id: str,
        note: Annotated[str, fastapi.Form()] = "",
    ) -> responses.Response:
        await of.ask(request, "jobs.NoteTake", jobs.NoteTakeRequest(take_id=take_id, note=note.strip()))
        return await _answer(of, request, storyboard_id, scene_id, None)

    return router


async def _answer(
    of: site.Site, request: requests.Request, storyboard_id: str, scene_id: str, step: Step | None
) -> responses.Response:
    """The strip again; without scripts, the page of the takes."""
    if site.wants_fragment(request):
        return _show(of, request, await candidates.of_scene(of, request, storyboard_id, scene_id), step)
    told = {"take": request.query_params.get("take", ""), **(step._asdict() if step else {})}
    query = urllib.parse.urlencode({name: it for name, it in told.items() if it})
    return responses.RedirectResponse(f"{_PLACE.format(storyboard_id=storyboard_id, scene_id=scene_id)}?{query}", 303)


def _show(of: site.Site, request: requests.Request, choice: candidates.Choice, step: Step | None) -> responses.Response:
    done = _done(choice, step) if step else None
    told = {"choice": choice, "shown": choice.shown(_wanted(request)), "done": done, "here": _here(request, choice)}
    template = "parts/takes.html" if site.wants_fragment(request) else "takes.html"
    response = of.show(request, template, told)
    if done:
        response.headers["hx-trigger"] = "picked"
    return response


def _done(choice: candidates.Choice, step: Step) -> Done | None:
    """The words of it; None when there is no such verb, or take of this scene."""
    numbers = {one.take.id: one.number for one in choice.candidates}
    number, place = numbers.get(step.take_id), _place(choice)
    if number is None or step.did not in ("pick", "unpick"):
        return None
    if step.did == "unpick":
        return Done(f"Take {number} is not in the film.", f"{place}/{step.take_id}/pick")
    back = f"{step.before}/pick" if step.before in numbers else f"{step.take_id}/unpick"
    after = f" {step.changed} linked scene{'s' if step.changed > 1 else ''} changed by that." if step.changed else ""
    return Done(f"Take {number} is in the film.{after}", f"{place}/{back}")


def _here(request: requests.Request, choice: candidates.Choice) -> str:
    """Where a take is watched: in the editor when the strip is part of it, else on the page of the takes."""
    editor = f"/p/{choice.board.id}"
    return f"{editor}?scene={choice.scene.id}&take=" if site.page(request).path == editor else f"{_place(choice)}?take="


def _wanted(request: requests.Request) -> str:
    """The number of the take that the address names: the strip's own, or that of the page it is part of."""
    return request.query_params.get("take") or dict(urllib.parse.parse_qsl(site.page(request).query)).get("take", "")


def _place(choice: candidates.Choice) -> str:
    return _PLACE.format(storyboard_id=choice.board.id, scene_id=choice.scene.id)
