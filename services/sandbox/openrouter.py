"""The OpenRouter dialect, under `/openrouter/api/v1`: videos, contents, the catalogue, and the caller's own key."""

import dataclasses
import hmac
import json
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import content, domain, fields, lab, stage, webhooks, wire

MODEL = "sandbox/reel-1"
_ROOT = "/openrouter/api/v1"
_KEPT_S = 24 * 3600
_FRAMES = ("first_frame", "last_frame")
_RELEASED_AT = 1_793_491_200
_STATUS: dict[domain.Status, str] = {"queued": "pending"}
_FILTERED = "The video was blocked by the provider's content filter."
_FAILED = "The provider could not generate the video."


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of this dialect."""
    door = stage.Stage(films, "openrouter", "video", fields.credential, _error)
    api = _Videos(films, door)
    return [
        Route(f"{_ROOT}/key", door.asks(api.key), methods=["GET"]),
        Route(f"{_ROOT}/videos", door.creates(api.create), methods=["POST"]),
        Route(f"{_ROOT}/videos/models", door.asks(api.models), methods=["GET"]),
        Route(f"{_ROOT}/videos/{{id}}", door.asks(api.retrieve), methods=["GET"]),
        Route(f"{_ROOT}/videos/{{id}}/content", door.asks(api.content), methods=["GET"]),
    ]


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message:
    """The callback of an ended job; its secret is `webhooks.secret` in hexadecimal."""
    told = _told(clip, clip.order.base_url)
    data = {name: told[name] for name in ("id", "status", "unsigned_urls", "usage", "error") if name in told}
    event = {
        "type": f"video.generation.{clip.status}",
        "created_at": fields.moment(now),
        "data": data | {"model": clip.order.model},
    }
    body, stamp = json.dumps(event).encode(), str(int(now.timestamp()))
    secret = webhooks.secret(clip.order.key_sha256).hex().encode()
    headers = {
        "Content-Type": "application/json",
        "X-OpenRouter-Idempotency-Key": f"{clip.id}-{clip.status}",
        "X-OpenRouter-Signature": f"t={stamp},v1={hmac.digest(secret, f'{stamp},'.encode() + body, 'sha256').hex()}",
    }
    return webhooks.Message(clip.order.callback_url or "", body, headers)


def _error(refused: wire.Refused) -> Response:
    metadata = {"reasons": ["content_policy"]} if refused.code == "moderation_blocked" else {}
    fault = {"code": refused.status, "message": refused.message, "metadata": metadata}
    return JSONResponse({"error": fault}, refused.status, refused.headers)


class _Videos:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door

    async def create(self, request: Request, key: str) -> Response:
        body = await wire.json_object(request)
        order = _order(body, key, request)
        if image := (await _frames(body)).get("first_frame"):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            return JSONResponse({"id": clip.id, "polling_url": f"{_ROOT}/videos/{clip.id}", "status": "pending"}, 202)

        return await self._stage.create(request, key, order, answer)

    async def retrieve(self, request: Request, key: str) -> Response:
        return JSONResponse(_told(self._stage.poll(request.path_params["id"]), str(request.base_url)))

    async def content(self, request: Request, key: str) -> Response:
        if request.query_params.get("index", "0") != "0":
            raise fields.invalid("index", request.query_params["index"], "0")
        clip = self._stage.find(request.path_params["id"])
        if clip.status != "completed" or clip.footage is None:
            raise wire.Refused(404, "not_found", f"The video is {clip.status}; it has no content.")
        return self._stage.content(request, clip.id)

    async def models(self, request: Request, key: str) -> Response:
        return JSONResponse({"data": [] if fields.is_retired(key) else [_CARD]})

    async def key(self, request: Request, key: str) -> Response:
        """What the key has spent: the free way to see that it is good."""
        spent = sum(map(fields.paid_micros, fields.own(self._stage, key))) / 1e6
        told = {"label": "sandbox", "usage": spent, "limit": None, "limit_remaining": None, "is_free_tier": False}
        return JSONResponse({"data": told})


_SIZES = {
    f"{width}x{height}": (width, height)
    for resolution in fields.RESOLUTIONS
    for aspect in fields.ASPECTS
    for width, height in [fields.frame({"resolution": resolution, "aspect_ratio": aspect})]
}
_CARD = {
    "id": MODEL,
    "canonical_slug": MODEL,
    "name": "Sandbox: Reel 1",
    "description": "Renders real clips for nothing.",
    "created": _RELEASED_AT,
    "supported_durations": list(fields.SECONDS),
    "supported_resolutions": list(fields.RESOLUTIONS),
    "supported_aspect_ratios": list(fields.ASPECTS),
    "supported_sizes": list(_SIZES),
    "supported_frame_images": list(_FRAMES),
    "generate_audio": True,
    "seed": True,
    "creativity": None,
    "upscale_factor": None,
    "pricing_skus": {"duration_seconds": f"{domain.MICROS_PER_SECOND / 1e6:g}"},
    "allowed_passthrough_parameters": [],
}


def _order(body: dict[str, Any], key: str, request: Request) -> domain.Order:
    if (model := body.get("model")) != MODEL:
        raise wire.Refused(
            400, "invalid_model", f"{str(model)[:80]} is not a valid model ID; there is {MODEL}.", "model"
        )
    if body.get("input_references"):
        raise fields.invalid("input_references", "these references", "none: this model takes frame_images")
    said = fields.prompt(body.get("prompt"))
    size = fields.one_of(body["size"], "size", _SIZES) if "size" in body else None
    width, height = _SIZES[size] if size else fields.frame(body)
    callback_url = wire.callback_url(body.get("callback_url"), "callback_url")
    return domain.Order(
        dialect="openrouter",
        model=MODEL,
        prompt=said,
        seconds=fields.whole(body.get("duration", 5), "duration", fields.SECONDS),
        width=width,
        height=height,
        seed=fields.seed(body.get("seed"), said),
        sound=fields.flag(body.get("generate_audio", True), "generate_audio"),
        client_ref=fields.client_ref(request, callback_url),
        key_sha256=domain.digest(key),
        callback_url=callback_url,
        kept_s=_KEPT_S,
    )


async def _frames(body: dict[str, Any]) -> dict[str, bytes]:
    """The pictures the clip opens and ends on, by their `frame_type`. Raises Refused."""
    found: dict[str, bytes] = {}
    for one in fields.objects(body, "frame_images"):
        kind = fields.one_of(one.get("frame_type"), "frame_images.frame_type", _FRAMES)
        link = fields.obj(one, "image_url").get("url", "")
        found[kind] = await fields.picture(link, "frame_images.image_url.url") or b""
    return found


def _told(clip: domain.Clip, base_url: str) -> dict[str, Any]:
    own = f"{_ROOT}/videos/{clip.id}"
    told: dict[str, Any] = {"id": clip.id, "polling_url": own, "status": _STATUS.get(clip.status, clip.status)}
    if not clip.ended:
        return told
    told |= {"generation_id": clip.id, "usage": {"cost": fields.paid_micros(clip) / 1e6, "is_byok": False}}
    if clip.status == "failed":
        told["error"] = _FILTERED if clip.filtered else _FAILED
    if clip.status == "completed" and clip.footage and clip.expires_at:
        told["unsigned_urls"] = [f"{base_url.rstrip('/')}{own}/content?index=0"]
        told |= {"urls": [content.link(base_url, clip)], "expires_at": int(clip.expires_at.timestamp())}
    return told
