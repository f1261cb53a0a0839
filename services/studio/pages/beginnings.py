"""New projects: from nothing, from scenes to begin with, or from the example film."""

import importlib.resources
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import fastapi
import grpc.aio
from starlette import datastructures, requests, responses

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from rushes.type.v1 import media_pb2
from services.studio.pages import said, site
from services.studio.rest import refusals

SHAPES = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (1080, 1080)}
_TYPED = ("name", "logline", "preset", "shape", "request_id")
_EXAMPLE = "example.yaml"


def routes(of: site.Site) -> fastapi.APIRouter:
    """/new and /new/example."""
    router = fastapi.APIRouter()

    @router.get("/new")
    async def ask(request: requests.Request) -> responses.Response:
        return await _form(of, request, {"preset": "cinematic", "shape": "16:9", "request_id": str(uuid.uuid4())})

    @router.post("/new")
    async def make(request: requests.Request) -> responses.Response:
        form = await request.form()
        templates = (await of.ask(request, "boards.ListSceneTemplates", pb.ListSceneTemplatesRequest())).templates
        asked = pb.CreateStoryboardRequest(request_id=_text(form, "request_id"), storyboard=_board(form, templates))
        try:
            board = (await of.ask(request, "boards.CreateStoryboard", asked)).storyboard
        except grpc.aio.AioRpcError as fault:
            refused = refusals.of(fault)
            if refused.status != 422:
                raise
            told: dict[str, Any] = {name: _text(form, name) for name in _TYPED}
            told |= {"templates": form.getlist("templates"), "silent": "silent" in form}
            return await _form(of, request, told, refused)
        return responses.RedirectResponse(f"/p/{board.id}", 303)

    @router.post("/new/example")
    async def example(request: requests.Request) -> responses.Response:
        data = importlib.resources.files("services.studio").joinpath(_EXAMPLE).read_bytes()
        asked = pb.ImportStoryboardRequest(request_id=str(uuid.uuid4()), format=pb.FILE_FORMAT_YAML, data=data)
        board = (await of.ask(request, "boards.ImportStoryboard", asked)).storyboard
        return said.then(f"/p/{board.id}", f"“{board.name}” is yours to change. The stand-in films it for nothing.")

    return router


async def _form(
    of: site.Site, request: requests.Request, form: Mapping[str, Any], refused: refusals.Refusal | None = None
) -> responses.Response:
    presets = (await of.ask(request, "boards.ListPresets", pb.ListPresetsRequest())).presets
    templates = (await of.ask(request, "boards.ListSceneTemplates", pb.ListSceneTemplatesRequest())).templates
    wrong = {field.rpartition(".")[2]: detail for field, detail in refused.violations} if refused else {}
    empty = {"name": "", "logline": "", "templates": (), "silent": False}
    told = {"presets": presets, "templates": templates, "shapes": SHAPES, "form": empty | dict(form), "wrong": wrong}
    return of.show(request, "new.html", told, 422 if refused else 200)


def _board(
    form: datastructures.FormData, templates: Iterable[storyboard_pb2.SceneTemplate]
) -> storyboard_pb2.Storyboard:
    width, height = SHAPES.get(_text(form, "shape"), SHAPES["16:9"])
    wanted = form.getlist("templates")
    return storyboard_pb2.Storyboard(
        name=_text(form, "name").strip(),
        logline=_text(form, "logline").strip(),
        preset=_text(form, "preset"),
        size=media_pb2.FrameSize(width=width, height=height),
        silent="silent" in form,
        scenes=[_named(it) for it in templates if it.key in wanted],
    )


def _named(template: storyboard_pb2.SceneTemplate) -> storyboard_pb2.Scene:
    """The template's scene; its purpose is its title until somebody finds a better one."""
    scene = storyboard_pb2.Scene()
    scene.CopyFrom(template.scene)
    scene.title = scene.title or template.title
    return scene


def _text(form: datastructures.FormData, name: str) -> str:
    told = form.get(name, "")
    return told if isinstance(told, str) else ""
