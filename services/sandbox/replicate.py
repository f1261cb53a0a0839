"""The Replicate dialect, under `/replicate/v1`: predictions, the model, the account, and the secret of its webhooks."""

import asyncio
import base64
import dataclasses
import hashlib
import json
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import content, domain, fields, lab, stage, webhooks, wire

MODEL = "sandbox/reel"
VERSION = hashlib.sha256(MODEL.encode()).hexdigest()
_ROOT = "/replicate/v1"
_KEPT_S = 3600
"""Input, output and files of API predictions are removed an hour after their end."""
_EVENTS = ("start", "output", "logs", "completed")
_PAGE = 100
_WAITS_S = range(1, 61)
_STATUS: dict[domain.Status, str] = {
    "queued": "starting",
    "in_progress": "processing",
    "completed": "succeeded",
    "cancelled": "canceled",
}
_FILTERED = "The output was flagged as sensitive. Please try again with a different prompt. (E005)"
_FAILED = "Prediction failed: the clip could not be rendered."


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of this dialect."""
    door = stage.Stage(films, "replicate", "prediction", fields.credential, _error)
    api = _Predictions(films, door)
    one = f"{_ROOT}/predictions/{{id}}"
    return [
        Route(f"{_ROOT}/account", door.asks(api.account), methods=["GET"]),
        Route(f"{_ROOT}/webhooks/default/secret", door.asks(api.secret), methods=["GET"]),
        Route(f"{_ROOT}/models/{{owner}}/{{name}}", door.asks(api.model), methods=["GET"]),
        Route(f"{_ROOT}/models/{{owner}}/{{name}}/predictions", door.creates(api.create), methods=["POST"]),
        Route(f"{_ROOT}/predictions", door.creates(api.create), methods=["POST"]),
        Route(f"{_ROOT}/predictions", door.asks(api.list), methods=["GET"]),
        Route(one, door.asks(api.get), methods=["GET"]),
        Route(one + "/cancel", door.asks(api.cancel), methods=["POST"]),
    ]


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message | None:
    """The callback of an ended prediction, unless the create wanted to hear of other events only."""
    if "completed" not in clip.order.notes["events"]:
        return None
    return webhooks.standard(clip, f"msg_{clip.id}", json.dumps(_told(clip, clip.order.base_url, now)).encode(), now)


def _error(refused: wire.Refused) -> Response:
    status = 422 if refused.status == 400 and refused.param else refused.status
    title = {401: "Unauthenticated", 404: "Not found", 422: "Input validation failed"}.get(status)
    body = {"detail": refused.message, "status": status} | ({"title": title} if title else {})
    return JSONResponse(body, status, refused.headers)


class _Predictions:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door

    async def create(self, request: Request, key: str) -> Response:
        body = await wire.json_object(request)
        asked = fields.obj(body, "input")
        order, wait_s = _order(body, asked, key, request), _wait_s(request)
        await fields.picture(asked.get("last_frame_image"), "input.last_frame_image")
        if image := await fields.picture(asked.get("image"), "input.image"):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            if wait_s:
                clip = await self._waited(clip, wait_s)
            return self._prediction(request, clip, 201)

        return await self._stage.create(request, key, order, answer)

    async def _waited(self, clip: domain.Clip, seconds: int) -> domain.Clip:
        try:
            async with asyncio.timeout(seconds):
                await self._lab.finished(clip)
        except TimeoutError:
            pass
        return self._stage.find(clip.id)

    async def get(self, request: Request, key: str) -> Response:
        return self._prediction(request, self._stage.poll(request.path_params["id"]))

    async def cancel(self, request: Request, key: str) -> Response:
        return self._prediction(request, await self._stage.cancel(request.path_params["id"]))

    async def list(self, request: Request, key: str) -> Response:
        query, now = request.query_params, self._lab.clock()
        since, until = (fields.time(query.get(name), name) for name in ("created_after", "created_before"))
        own = [
            clip
            for clip in fields.own(self._stage, key, query.get("cursor"))
            if (since is None or since <= clip.created_at) and (until is None or clip.created_at < until)
        ]
        shown = [_told(clip, str(request.base_url), now) for clip in own[:_PAGE]]
        more = request.url.include_query_params(cursor=own[_PAGE - 1].id) if len(own) > _PAGE else None
        return JSONResponse({"previous": None, "next": more and str(more), "results": shown})

    async def account(self, request: Request, key: str) -> Response:
        told = {"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None, "avatar_url": None}
        return JSONResponse(told)

    async def secret(self, request: Request, key: str) -> Response:
        secret = base64.b64encode(webhooks.secret(domain.digest(key))).decode()
        return JSONResponse({"key": f"whsec_{secret}"})

    async def model(self, request: Request, key: str) -> Response:
        _check_model(request)
        if fields.is_retired(key):
            raise wire.Refused(404, "not_found", f"The model {MODEL} is no longer available.")
        owner, _, name = MODEL.partition("/")
        told = {"owner": owner, "name": name, "visibility": "public", "description": "Renders real clips for nothing."}
        return JSONResponse(told | {"url": None, "run_count": 0, "latest_version": {"id": VERSION}})

    def _prediction(self, request: Request, clip: domain.Clip, status: int = 200) -> Response:
        return JSONResponse(_told(clip, str(request.base_url), self._lab.clock()), status)


def _check_model(request: Request) -> None:
    asked = "{owner}/{name}".format_map(request.path_params)
    if asked != MODEL:
        raise wire.Refused(404, "not_found", f"The requested resource could not be found: there is only {MODEL}.")


def _order(body: dict[str, Any], asked: dict[str, Any], key: str, request: Request) -> domain.Order:
    if "name" in request.path_params:
        _check_model(request)
    elif body.get("version") not in (MODEL, VERSION, f"{MODEL}:{VERSION}"):
        raise fields.invalid("version", body.get("version"), f"{MODEL}, {VERSION}")
    said = fields.prompt(asked.get("prompt"), "input.prompt")
    width, height = fields.frame(asked)
    callback_url = wire.callback_url(body.get("webhook"), "webhook")
    events = body.get("webhook_events_filter", _EVENTS)
    if not isinstance(events, list | tuple) or not set(events) <= set(_EVENTS):
        raise fields.invalid("webhook_events_filter", events, ", ".join(_EVENTS))
    return domain.Order(
        dialect="replicate",
        model=MODEL,
        prompt=said,
        seconds=fields.whole(asked.get("duration", 5), "input.duration", fields.SECONDS),
        width=width,
        height=height,
        seed=fields.seed(asked.get("seed"), said, "input.seed"),
        sound=fields.flag(asked.get("generate_audio", True), "input.generate_audio"),
        negative_prompt=str(asked.get("negative_prompt") or ""),
        client_ref=fields.client_ref(request, callback_url),
        key_sha256=domain.digest(key),
        callback_url=callback_url,
        kept_s=_KEPT_S,
        notes={"input": fields.echo(asked), "events": list(events)},
    )


def _wait_s(request: Request) -> int | None:
    """How long the create may wait for the end: `Prefer: wait`, or `Prefer: wait=5`. Raises Refused."""
    name, _, seconds = request.headers.get("prefer", "").partition("=")
    return fields.whole(seconds or _WAITS_S[-1], "Prefer", _WAITS_S) if name.strip() == "wait" else None


def _told(clip: domain.Clip, base_url: str, now: datetime) -> dict[str, Any]:
    order, own = clip.order, f"{base_url.rstrip('/')}{_ROOT}/predictions/{clip.id}"
    took_s = (clip.ended_at - clip.created_at).total_seconds() if clip.ended_at else None
    removed = clip.ended_at is not None and (now - clip.ended_at).total_seconds() >= _KEPT_S
    ready = clip.status == "completed" and clip.footage and not removed
    error = (_FILTERED if clip.filtered else _FAILED) if clip.status == "failed" else None
    told = {
        "id": clip.id,
        "model": order.model,
        "version": VERSION,
        "source": "api",
        "status": _STATUS.get(clip.status, clip.status),
        "input": {} if removed else order.notes["input"],
        "output": content.link(base_url, clip) if ready else None,
        "error": error,
        "logs": None if removed else "",
        "data_removed": removed,
        "created_at": fields.moment(clip.created_at),
        "started_at": None if clip.status == "queued" else fields.moment(clip.created_at),
        "completed_at": fields.moment(clip.ended_at),
        "metrics": {} if took_s is None else {"predict_time": took_s, "total_time": took_s},
        "urls": {"get": own, "cancel": f"{own}/cancel", "web": f"https://replicate.com/p/{clip.id}"},
    }
    return told | ({"webhook": order.callback_url} if order.callback_url else {})
