"""The Runware dialect, `POST /runware/v1`: lists of tasks, each under a UUID that is good for one of its key."""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import content, domain, fields, lab, stage, webhooks, wire

MODEL = "sandbox:1@1"
_CREATE = "videoInference"
_SIDES = range(128, 1921, 8)
_TTL_S = range(60, 10**9)
_FRAMES = ("first", "last")
_BALANCE = 1000.0
_UUID_CHARACTERS = 36
_CODES = {
    "unauthorized": "invalidApiKey",
    "invalid_api_key": "invalidApiKey",
    "moderation_blocked": "invalidProviderContent",
    "model_not_found": "invalidModel",
    "conflict_task_uuid": "conflictTaskUUID",
}
_ABOUT_FIELDS = {"invalid_value": "invalid", "missing_field": "missing"}


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The one route of this dialect."""
    door = stage.Stage(films, "runware", "task", fields.credential, _error)
    return [Route("/runware/v1", door.asks(_Tasks(films, door).run), methods=["POST"])]


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message:
    """The callback of an ended task: what `getResponse` says, without a signature, as Runware has none."""
    headers = {"Content-Type": "application/json"}
    body = json.dumps(_envelope([_told(clip, clip.order.base_url)])).encode()
    return webhooks.Message(clip.order.callback_url or "", body, headers)


def _error(refused: wire.Refused) -> Response:
    return JSONResponse({"data": [], "errors": [_fault(refused)]}, refused.status, refused.headers)


@contextlib.contextmanager
def _about(task: dict[str, Any]) -> Iterator[None]:
    """What is refused meanwhile names the task."""
    try:
        yield
    except wire.Refused as refused:
        refused.details = [{name: str(task[name])[:80] for name in ("taskType", "taskUUID") if name in task}]
        raise


def _fault(refused: wire.Refused) -> dict[str, Any]:
    param = refused.param
    if param and refused.code in _ABOUT_FIELDS:
        code = _ABOUT_FIELDS[refused.code] + param[0].upper() + param[1:]
    else:
        head, *tail = refused.code.split("_")
        code = _CODES.get(refused.code, head + "".join(map(str.title, tail)))
    told = {"code": code, "message": refused.message, "parameter": param}
    for task in refused.details:
        told |= task
    return told | {"documentation": "https://runware.ai/docs/platform/errors"}


class _Tasks:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door
        self._create_task = door.creates(self._create)
        self._taking: set[str] = set()
        self._free = {
            "getResponse": self._response,
            "getTaskDetails": self._details,
            "accountManagement": self._account,
        }

    async def run(self, request: Request, key: str) -> Response:
        tasks = await _tasks(request)
        if any(task.get("taskType") == _CREATE for task in tasks):
            if len(tasks) > 1:
                raise wire.Refused(400, "too_many_tasks", f"The sandbox takes one {_CREATE} a request, alone.")
            request.state.task = tasks[0]
            return await self._create_task(request)
        return JSONResponse(_envelope([self._answered(request, key, task, len(tasks) == 1) for task in tasks]))

    def _answered(self, request: Request, key: str, task: dict[str, Any], alone: bool) -> dict[str, Any]:
        """What a free task is told; the refusal of one among others is not that of the request. Raises Refused."""
        try:
            with _about(task):
                return self._free[fields.one_of(task.get("taskType"), "taskType", self._free)](request, key, task)
        except wire.Refused as refused:
            if alone:
                raise
            return _fault(refused)

    async def _create(self, request: Request, key: str) -> Response:
        with _about(request.state.task):
            return await self._taken(request, key, request.state.task)

    async def _taken(self, request: Request, key: str, task: dict[str, Any]) -> Response:
        order, id = _order(task, key, request), _id(task)
        if image := (await _frames(task)).get("first"):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))
        name = domain.own_name(id, order.key_sha256)
        if name in self._taking or self._lab.clip(name):
            said = "This taskUUID was used before. Send each task under a UUID of its own."
            raise wire.Refused(400, "conflict_task_uuid", said, "taskUUID")

        async def answer(clip: domain.Clip) -> Response:
            return JSONResponse({"data": [{"taskType": _CREATE, "taskUUID": _uuid(clip)}]})

        self._taking.add(name)
        try:
            return await self._stage.create(request, key, order, answer)
        finally:
            self._taking.discard(name)

    def _response(self, request: Request, key: str, task: dict[str, Any]) -> dict[str, Any]:
        return _told(self._stage.poll(_name(task, key)), str(request.base_url))

    def _details(self, request: Request, key: str, task: dict[str, Any]) -> dict[str, Any]:
        clip = self._stage.find(_name(task, key))
        response = _envelope([_told(clip, str(request.base_url))]) if clip.ended else {}
        told = {"taskType": "getTaskDetails", "taskUUID": _uuid(clip)}
        return told | {"request": [clip.order.notes["task"]], "response": response}

    def _account(self, request: Request, key: str, task: dict[str, Any]) -> dict[str, Any]:
        fields.one_of(task.get("operation"), "operation", ["getDetails"])
        balance = _BALANCE - sum(map(fields.paid_micros, fields.own(self._stage, key))) / 1e6
        told = {"taskType": task["taskType"], "taskUUID": task.get("taskUUID"), "operation": task["operation"]}
        return told | {"organizationName": "Sandbox", "balance": balance}


def _envelope(answers: list[dict[str, Any]]) -> dict[str, Any]:
    told = {"data": [one for one in answers if "code" not in one]}
    errors = [one for one in answers if "code" in one]
    return told | ({"errors": errors} if errors else {})


async def _tasks(request: Request) -> list[dict[str, Any]]:
    wire.check_length(request)
    try:
        tasks = json.loads(await request.body())
    except ValueError:
        raise wire.Refused(400, "invalid_json", "The body is not valid JSON.") from None
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) for task in tasks):
        raise wire.Refused(400, "invalid_json", "The body should be a list of tasks.")
    return tasks


def _id(task: dict[str, Any]) -> str:
    try:
        return str(uuid.UUID(str(task.get("taskUUID"))))
    except ValueError:
        raise fields.invalid("taskUUID", task.get("taskUUID"), "UUIDs") from None


def _name(task: dict[str, Any], key: str) -> str:
    return domain.own_name(_id(task), domain.digest(key))


def _uuid(clip: domain.Clip) -> str:
    return clip.id[:_UUID_CHARACTERS]


def _order(task: dict[str, Any], key: str, request: Request) -> domain.Order:
    id = _id(task)
    fields.one_of(task.get("model"), "model", [MODEL])
    fields.one_of(task.get("deliveryMethod", "sync"), "deliveryMethod", ["async"])
    fields.whole(task.get("numberResults", 1), "numberResults", range(1, 2))
    said = fields.prompt(task.get("positivePrompt"), "positivePrompt")
    callback_url = wire.callback_url(task.get("webhookURL"), "webhookURL")
    settings = fields.obj(fields.obj(task, "providerSettings"), "sandbox")
    return domain.Order(
        dialect="runware",
        model=MODEL,
        prompt=said,
        seconds=fields.whole(task.get("duration", 5), "duration", fields.SECONDS),
        width=fields.whole(task.get("width"), "width", _SIDES),
        height=fields.whole(task.get("height"), "height", _SIDES),
        seed=fields.seed(task.get("seed"), said),
        sound=fields.flag(settings.get("generateAudio", True), "providerSettings.sandbox.generateAudio"),
        negative_prompt=str(task.get("negativePrompt") or ""),
        client_ref=fields.client_ref(request, callback_url),
        key_sha256=domain.digest(key),
        repeat_key=id,
        own_id=id,
        callback_url=callback_url,
        kept_s=fields.whole(task["ttl"], "ttl", _TTL_S) if "ttl" in task else None,
        notes={"task": fields.echo(task)},
    )


async def _frames(task: dict[str, Any]) -> dict[str, bytes]:
    """The pictures the clip opens and ends on. Raises Refused."""
    found: dict[str, bytes] = {}
    for one, usual in zip(fields.objects(task, "frameImages"), _FRAMES, strict=False):
        frame = fields.one_of(one.get("frame", usual), "frameImages.frame", _FRAMES)
        found[frame] = await fields.picture(one.get("inputImage", ""), "frameImages.inputImage") or b""
    return found


def _told(clip: domain.Clip, base_url: str) -> dict[str, Any]:
    task = {"taskType": _CREATE, "taskUUID": _uuid(clip)}
    cost = {"cost": fields.paid_micros(clip) / 1e6} if clip.order.notes["task"].get("includeCost") else {}
    if not clip.ended:
        return task | {"status": "processing"}
    if clip.status != "completed":
        code = "moderation_blocked" if clip.filtered else "provider_failure"
        said = "The content was flagged by the provider." if clip.filtered else "The provider could not make the video."
        return _fault(wire.Refused(200, code, said)) | task | {"status": "error"} | cost
    told = task | {"status": "success", "seed": clip.order.seed} | cost
    return told | ({"videoUUID": _uuid(clip), "videoURL": content.link(base_url, clip)} if clip.footage else {})
