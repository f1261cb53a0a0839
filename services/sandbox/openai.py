"""The OpenAI Videos dialect: `/v1/videos`, as the `openai` SDK speaks it."""

import asyncio
import dataclasses
import json
import re
from datetime import datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import content, disaster, domain, flavour, lab, stage, webhooks, wire

MODEL = "sandbox-reel-1"
_MAX_PROMPT = 32_000
_SECONDS = range(1, 21)
_SIDES = range(128, 1921)
_SIZE = re.compile(r"([0-9]{3,4})x([0-9]{3,4})")
_TRUE = {"true": True, "1": True, "false": False, "0": False}


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of this dialect."""
    door = stage.Stage(films, "openai", "video", _key, _error)
    api = _Videos(films, door)
    return [
        Route("/v1/videos", door.creates(api.create), methods=["POST"]),
        Route("/v1/videos", door.asks(api.list), methods=["GET"]),
        Route("/v1/videos/{id}", door.asks(api.retrieve), methods=["GET"]),
        Route("/v1/videos/{id}", door.asks(api.delete), methods=["DELETE"]),
        Route("/v1/videos/{id}/content", door.asks(api.content), methods=["GET"]),
    ]


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message | None:
    """`video.completed` or `video.failed`, signed as Standard Webhooks; a video that was stopped has none."""
    if clip.status not in ("completed", "failed"):
        return None
    event = {
        "id": f"evt_{clip.id}",
        "object": "event",
        "created_at": int(now.timestamp()),
        "type": f"video.{clip.status}",
        "data": {"id": clip.id},
    }
    return webhooks.standard(clip, f"wh_{clip.id}", json.dumps(event).encode(), now)


def _error(refused: wire.Refused) -> Response:
    kind = "server_error" if refused.status >= 500 else "invalid_request_error"
    fault = {"message": refused.message, "type": kind, "param": refused.param, "code": refused.code}
    return JSONResponse({"error": fault}, refused.status, refused.headers)


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise wire.Refused(401, "invalid_api_key", "Send your API key as 'Authorization: Bearer KEY'.")
    return key.strip()


class _Videos:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door

    async def create(self, request: Request, key: str) -> Response:
        fields = await _fields(request)
        try:
            order = _order(fields, key, request)
            image = await _reference(fields.get("input_reference"))
        finally:
            await request.close()
        if image:
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            return JSONResponse(self._shown(request, key, clip))

        return await self._stage.create(request, key, order, answer)

    async def retrieve(self, request: Request, key: str) -> Response:
        clip = self._stage.poll(_id(request, key))
        return flavour.polled(disaster.read(key, ""), self._shown(request, key, clip))

    async def list(self, request: Request, key: str) -> Response:
        flavour.check_route(disaster.read(key, ""), "list")
        query = request.query_params
        after, newest_first = query.get("after"), query.get("order", "desc") == "desc"
        limit = query.get("limit", "20")
        if not limit.isdigit() or int(limit) > 100:
            raise _invalid("limit", limit, "0 to 100")
        if query.get("order", "desc") not in ("asc", "desc"):
            raise _invalid("order", query["order"], "'asc' and 'desc'")
        if after:
            self._stage.find(after)
        clips, more = self._stage.page(after, int(limit), newest_first)
        data = [self._shown(request, key, clip) for clip in clips]
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return flavour.listed(disaster.read(key, ""), {"object": "list", "data": data, **ends, "has_more": more})

    async def content(self, request: Request, key: str) -> Response:
        clip = self._stage.find(_id(request, key))
        flavour.check_content(disaster.read(key, ""), clip, request.query_params.get("variant"))
        variant = request.query_params.get("variant", "video")
        if variant not in ("video", "thumbnail"):
            raise _invalid("variant", variant, "'video' and 'thumbnail'")
        if clip.status != "completed":
            raise wire.Refused(409, "video_not_ready", f"The video is {clip.status}; it has no content yet.")
        if clip.footage is None:
            raise wire.Refused(404, "not_found", "The video has no content.")
        if variant == "thumbnail":
            return FileResponse(self._lab.reels / f"{clip.footage.name}.webp", media_type="image/webp")
        return self._stage.content(request, clip.id)

    async def delete(self, request: Request, key: str) -> Response:
        server, id = disaster.read(key, ""), request.path_params["id"]
        flavour.check_route(server, "delete")
        await self._stage.delete(id)
        return flavour.deleted(server, id)

    def _shown(self, request: Request, key: str, clip: domain.Clip) -> dict[str, Any]:
        order, done = clip.order, clip.status == "completed"
        shown = {
            "id": clip.id,
            "object": "video",
            "model": order.model,
            "status": clip.status,
            "progress": domain.progress(clip, self._lab.clock(), self._lab.latency_s),
            "created_at": int(clip.created_at.timestamp()),
            "completed_at": int(clip.ended_at.timestamp()) if clip.ended_at and done else None,
            "expires_at": int(clip.expires_at.timestamp()) if clip.expires_at and done else None,
            "error": _fault(clip) if clip.status == "failed" else None,
            "prompt": order.prompt,
            "remixed_from_video_id": None,
            "seconds": str(order.seconds),
            "size": order.size,
        }
        return flavour.job(disaster.read(key, ""), shown, clip, lambda: content.link(request.base_url, clip))


def _id(request: Request, key: str) -> str:
    return flavour.id_within(disaster.read(key, ""), request.path_params["id"])


def _fault(clip: domain.Clip) -> dict[str, Any]:
    if clip.filtered:
        return {"code": "moderation_blocked", "message": "The clip was blocked by our moderation system."}
    return {"code": "render_failed", "message": "The clip could not be rendered."}


async def _fields(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return await wire.json_object(request)
    wire.check_length(request)
    form = await request.form(max_files=1, max_fields=40)
    return dict(form)


def _order(fields: dict[str, Any], key: str, request: Request) -> domain.Order:
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise wire.Refused(400, "missing_required_parameter", "Missing required parameter: 'prompt'.", "prompt")
    if len(prompt) > _MAX_PROMPT:
        raise wire.Refused(400, "string_too_long", f"'prompt' may have {_MAX_PROMPT} characters.", "prompt")
    if (model := fields.get("model", MODEL)) != MODEL:
        raise wire.Refused(400, "invalid_value", f"Unknown model {model!r}. Supported values are: '{MODEL}'.", "model")
    width, height = _size(fields.get("size", "720x1280"))
    seed = fields.get("seed")
    return domain.Order(
        dialect="openai",
        model=MODEL,
        prompt=prompt,
        seconds=_whole(fields.get("seconds", "4"), "seconds", _SECONDS),
        width=width,
        height=height,
        seed=domain.seed_of(prompt) if seed in (None, "") else _whole(seed, "seed", range(2**63)),
        sound=_flag(fields.get("generate_sound", True)),
        negative_prompt=str(fields.get("negative_prompt") or "")[:_MAX_PROMPT],
        client_ref=wire.header(request, "x-client-request-id"),
        key_sha256=domain.digest(key),
        repeat_key=wire.header(request, "idempotency-key"),
        callback_url=wire.callback_url(fields.get("callback_url"), "callback_url"),
    )


def _invalid(param: str, value: object, allowed: str) -> wire.Refused:
    message = f"Invalid value for '{param}': {str(value)[:80]!r}. Supported values are: {allowed}."
    return wire.Refused(400, "invalid_value", message, param)


def _whole(value: object, param: str, allowed: range) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) not in allowed:
        raise _invalid(param, value, f"whole numbers from {allowed.start} to {allowed.stop - 1}")
    return int(text)


def _size(value: object) -> tuple[int, int]:
    match = _SIZE.fullmatch(str(value))
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if any(side % 2 or side not in _SIDES for side in sides):
        raise _invalid("size", value, "WIDTHxHEIGHT, both even and from 128 to 1920, such as '1280x720'")
    return sides


def _flag(value: object) -> bool:
    flag = _TRUE.get(str(value).lower())
    if flag is None:
        raise _invalid("generate_sound", value, "'true' and 'false'")
    return flag


async def _reference(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, UploadFile):
        return await wire.checked_image(await value.read(), "input_reference")
    url = value.get("image_url") if isinstance(value, dict) else None
    if not isinstance(url, str) or not url.startswith("data:"):
        allowed = 'an uploaded file, or {"image_url": "data:image/png;base64,…"}'
        raise _invalid("input_reference", "this reference", allowed)
    data = await asyncio.to_thread(wire.from_base64, url, "input_reference")
    return await wire.checked_image(data, "input_reference")
