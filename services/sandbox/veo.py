"""The dialect of Veo on Vertex, under `/vertex`: long-running predictions, and the buckets that their clips lie in."""

import asyncio
import base64
import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import bucket, domain, fields, lab, stage, wire

MODEL = "sandbox-veo-1"
_MODEL = "/publishers/google/models/{model}"
_MODELS = "/vertex/v1beta1/projects/{project}/locations/{location}" + _MODEL
_BUCKETS = "/vertex/storage/v1/b/{bucket}/o"
_SECONDS = range(4, 9, 2)
_LONG = 8
_RESOLUTIONS = ("720p", "1080p")
_ASPECTS = ("16:9", "9:16")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    410: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_FILTERED = (
    "Veo could not generate 1 videos because they violate our usage guidelines. You will not be charged for this "
    "request. Try rephrasing the prompt. Support codes: 58061214"
)
_INTERNAL = 13
"""Of google.rpc.Code."""


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of {location}-aiplatform.googleapis.com and of storage.googleapis.com, at one address."""
    door = stage.Stage(films, "veo", "operation", fields.credential, _error)
    veo, objects = _Veo(films, door), bucket.Bucket(door)
    return [
        Route(_MODELS + ":predictLongRunning", door.creates(veo.predict), methods=["POST"]),
        Route(_MODELS + ":fetchPredictOperation", door.asks(veo.fetch), methods=["POST"]),
        Route(_MODELS, door.asks(veo.model), methods=["GET"]),
        Route("/vertex/v1beta1" + _MODEL, door.asks(veo.model), methods=["GET"]),
        Route(_BUCKETS, door.asks(objects.list), methods=["GET"]),
        Route(_BUCKETS + "/{object:path}", door.asks(objects.object), methods=["GET"]),
    ]


def _error(refused: wire.Refused) -> Response:
    status = _STATUS.get(refused.status, "INTERNAL")
    fault = {"code": refused.status, "message": refused.message, "status": status}
    details = {"details": list(refused.details)} if refused.details else {}
    return JSONResponse({"error": fault | details}, refused.status, refused.headers)


class _Veo:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door

    async def predict(self, request: Request, key: str) -> Response:
        _check_model(request)
        body = await wire.json_object(request)
        order, instance = _order(body, key, request), _instance(body)
        await _picture(instance, "lastFrame")
        if image := await _picture(instance, "image"):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            return JSONResponse({"name": _name(clip)})

        return await self._stage.create(request, key, order, answer)

    async def fetch(self, request: Request, key: str) -> Response:
        name = str((await wire.json_object(request)).get("operationName"))
        model, _, id = name.rpartition("/operations/")
        if not request.scope["path"].startswith(f"/vertex/v1beta1/{model}:"):
            raise fields.invalid("operationName", name, "operations of the model in the address")
        clip = self._stage.poll(id)
        told: dict[str, Any] = {"name": name}
        if clip.ended:
            told |= {"done": True, **await self._outcome(clip)}
        return JSONResponse(told)

    async def _outcome(self, clip: domain.Clip) -> dict[str, Any]:
        if clip.filtered:
            return {"response": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [_FILTERED]}}
        if clip.status == "failed":
            return {"error": {"code": _INTERNAL, "message": "The video could not be generated. Try again later."}}
        if clip.footage is None:
            return {"response": {}}
        return {"response": {"raiMediaFilteredCount": 0, "videos": [await self._video(clip, clip.footage)]}}

    async def _video(self, clip: domain.Clip, footage: domain.Footage) -> dict[str, str]:
        video = {"mimeType": "video/mp4"}
        if where := clip.order.notes["bucket"]:
            return video | {"gcsUri": f"gs://{where}/{bucket.path_of(clip)}"}
        reel = self._lab.reels / f"{footage.name}.mp4"
        return video | {
            "bytesBase64Encoded": await asyncio.to_thread(lambda: base64.b64encode(reel.read_bytes()).decode())
        }

    async def model(self, request: Request, key: str) -> Response:
        """Whether the model is still to be had, for nothing."""
        if fields.is_retired(key):
            raise wire.Refused(404, "not_found", f"The model {MODEL} is no longer available.")
        _check_model(request)
        return JSONResponse({"name": f"publishers/google/models/{MODEL}", "versionId": "1", "launchStage": "GA"})


def _check_model(request: Request) -> None:
    if request.path_params["model"] != MODEL:
        asked = request.scope["path"].removeprefix("/vertex/v1beta1/").partition(":")[0]
        said = f"Publisher Model `{asked[:200]}` was not found or your project does not have access to it."
        raise wire.Refused(404, "not_found", said)


def _name(clip: domain.Clip) -> str:
    return f"{clip.order.notes['model']}/operations/{clip.id}"


def _instance(body: dict[str, Any]) -> dict[str, Any]:
    instances = fields.objects(body, "instances")
    if len(instances) != 1:
        raise fields.invalid("instances", len(instances), "a list of one")
    return instances[0]


def _order(body: dict[str, Any], key: str, request: Request) -> domain.Order:
    instance, asked = _instance(body), fields.obj(body, "parameters")
    if asked.get("sampleCount", 1) != 1:
        raise fields.invalid("sampleCount", asked["sampleCount"], "1")
    said = fields.prompt(instance.get("prompt"))
    form = {"resolution": asked.get("resolution", "720p"), "aspect_ratio": asked.get("aspectRatio", "16:9")}
    width, height = fields.frame(form, _RESOLUTIONS, _ASPECTS)
    seconds = fields.whole(asked.get("durationSeconds", _LONG), "durationSeconds", _SECONDS)
    if form["resolution"] != "720p" and seconds != _LONG:
        raise fields.invalid("durationSeconds", seconds, f"{_LONG} at {form['resolution']}")
    where, prefix = bucket.place(asked.get("storageUri"))
    return domain.Order(
        dialect="veo",
        model=MODEL,
        prompt=said,
        seconds=seconds,
        width=width,
        height=height,
        seed=fields.seed(asked.get("seed"), said),
        sound=fields.flag(asked.get("generateAudio", True), "generateAudio"),
        negative_prompt=str(asked.get("negativePrompt") or ""),
        client_ref=fields.client_ref(request),
        key_sha256=domain.digest(key),
        notes={
            "model": request.scope["path"].removeprefix("/vertex/v1beta1/").removesuffix(":predictLongRunning"),
            "bucket": where,
            "prefix": prefix,
        },
    )


async def _picture(instance: dict[str, Any], field: str) -> bytes | None:
    picture = fields.obj(instance, field)
    if not picture:
        return None
    if "bytesBase64Encoded" not in picture:
        raise fields.invalid(field, "this link", "bytesBase64Encoded (the sandbox fetches nothing)")
    decoded = await asyncio.to_thread(wire.from_base64, picture["bytesBase64Encoded"], field)
    return await wire.checked_image(decoded, field)
