"""The Gemini dialect: `/v1/interactions` and the files they deliver, as the `google-genai` SDK speaks it."""

import asyncio
import base64
import dataclasses
import json
import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import domain, lab, stage, webhooks, wire

MODEL = "sandbox-omni-1"
_DURATION = re.compile(r"([0-9]{1,2})s")
_SECONDS = range(3, 16)
_HEIGHTS = {"360p": 360, "720p": 720, "1080p": 1080}
_ASPECTS = ("16:9", "9:16")
_TASKS = ("text_to_video", "image_to_video")
_TOKENS_PER_SECOND = 5_792
"""What Omni reports for a second of video (58 thousand tokens for its default of ten seconds)."""
_LABEL = 63
_CODES = {"overloaded": "service_unavailable", "rate_limit_exceeded": "too_many_requests", "server_error": "internal"}
_CODES |= {
    "moderation_blocked": "invalid_request",
    "model_not_found": "not_found",
    "invalid_api_key": "unauthenticated",
}
"""What Google calls the faults that every dialect shares."""


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of this dialect; `v1` and `v1beta` are the same."""
    door = stage.Stage(films, "google", "interaction", _key, _error)
    api = _Interactions(films, door)
    found: list[BaseRoute] = []
    for version in ("/v1", "/v1beta"):
        one = version + "/interactions/{id}"
        found += [
            Route(version + "/interactions", door.creates(api.create), methods=["POST"]),
            Route(one, door.asks(api.get), methods=["GET"]),
            Route(one, door.asks(api.delete), methods=["DELETE"]),
            Route(one + "/cancel", door.asks(api.cancel), methods=["POST"]),
            Route(version + "/files/{id}:download", door.asks(api.download), methods=["GET"]),
            Route(version + "/files/{id}", door.asks(api.file), methods=["GET"]),
        ]
    return found


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message | None:
    """`interaction.completed` or `interaction.failed`, signed as the webhooks of a project are: Standard Webhooks.

    Google signs the callbacks that one request asks for with RS256 instead; see https://ai.google.dev/gemini-api/docs/webhooks.
    """
    if clip.status not in ("completed", "failed"):
        return None
    told = "completed" if clip.filtered else clip.status
    event = {"type": f"interaction.{told}", "version": "v1", "timestamp": _time(now), "data": {"id": clip.id}}
    return webhooks.standard(clip, f"wh_{clip.id}", json.dumps(event).encode(), now)


def _key(request: Request) -> str:
    key = request.headers.get("x-goog-api-key", "").strip()
    if not key:
        raise wire.Refused(401, "unauthenticated", "Send your API key in the x-goog-api-key header.")
    return key


def _error(refused: wire.Refused) -> Response:
    fault: dict[str, Any] = {"code": _CODES.get(refused.code, refused.code), "message": refused.message}
    if refused.details:
        fault["details"] = refused.details
    return JSONResponse({"error": fault}, refused.status, refused.headers)


class _Interactions:
    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        self._lab, self._stage = films, door

    async def create(self, request: Request, key: str) -> Response:
        body = await wire.json_object(request)
        order = _order(body, key, request)
        if image := await _first_image(body.get("input")):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            if not body.get("background"):
                clip = await self._stage.finished(clip.id)
            return await self._interaction(request, clip)

        return await self._stage.create(request, key, order, answer)

    async def get(self, request: Request, key: str) -> Response:
        return await self._interaction(request, self._stage.poll(request.path_params["id"]))

    async def cancel(self, request: Request, key: str) -> Response:
        return await self._interaction(request, await self._stage.cancel(request.path_params["id"]))

    async def delete(self, request: Request, key: str) -> Response:
        await self._stage.delete(request.path_params["id"])
        return JSONResponse({})

    async def file(self, request: Request, key: str) -> Response:
        clip, footage = self._filed(request)
        name = f"files/{request.path_params['id']}"
        uri = str(request.base_url.replace(path=f"/v1beta/{name}"))
        made = _time(clip.ended_at or clip.created_at)
        return JSONResponse(
            {
                "name": name,
                "mimeType": "video/mp4",
                "sizeBytes": str(footage.size_bytes),
                "createTime": made,
                "updateTime": made,
                "sha256Hash": base64.b64encode(bytes.fromhex(footage.sha256)).decode(),
                "uri": uri,
                "downloadUri": f"{uri}:download?alt=media",
                "state": "ACTIVE",
                "source": "GENERATED",
                "videoMetadata": {"videoDuration": f"{clip.order.seconds}s"},
            }
        )

    async def download(self, request: Request, key: str) -> Response:
        return self._stage.content(request, self._filed(request)[0].id)

    def _filed(self, request: Request) -> tuple[domain.Clip, domain.Footage]:
        id = request.path_params["id"]
        clip = self._stage.find(domain.ID_PREFIX["google"] + id)
        if clip.footage is None or clip.status != "completed":
            raise wire.Refused(404, "not_found", f"There is no file '{id[:80]}', or it is not ready.")
        return clip, clip.footage

    async def _interaction(self, request: Request, clip: domain.Clip) -> Response:
        shown: dict[str, Any] = {
            "id": clip.id,
            "object": "interaction",
            "status": "completed" if clip.filtered else clip.status,
            "model": clip.order.model,
            "created": _time(clip.created_at),
            "updated": _time(clip.ended_at or clip.created_at),
            "service_tier": "standard",
        }
        if clip.status == "failed" and not clip.filtered:
            shown["errors"] = [{"code": "internal", "message": "The clip could not be rendered."}]
        if clip.status == "completed" and clip.footage:
            tokens = round(clip.order.micros / domain.MICROS_PER_SECOND * _TOKENS_PER_SECOND)
            shown["steps"] = [{"type": "model_output", "content": [await self._video(request, clip, clip.footage)]}]
            shown["usage"] = {
                "total_tokens": tokens,
                "total_output_tokens": tokens,
                "output_tokens_by_modality": [{"modality": "video", "tokens": tokens}],
            }
        return JSONResponse(shown)

    async def _video(self, request: Request, clip: domain.Clip, footage: domain.Footage) -> dict[str, str]:
        video = {"type": "video", "mime_type": "video/mp4"}
        if clip.order.inline:
            reel = self._lab.reels / f"{footage.name}.mp4"
            return video | {"data": await asyncio.to_thread(lambda: base64.b64encode(reel.read_bytes()).decode())}
        path = f"/v1beta/files/{clip.id.removeprefix(domain.ID_PREFIX['google'])}:download"
        return video | {"uri": str(request.base_url.replace(path=path, query="alt=media"))}


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _invalid(field: str, value: object, allowed: str) -> wire.Refused:
    message = f"Invalid value for {field}: {str(value)[:80]!r}. Supported values are: {allowed}."
    return wire.Refused(400, "invalid_request", message, field)


def _order(body: dict[str, Any], key: str, request: Request) -> domain.Order:
    if (model := body.get("model")) != MODEL:
        raise wire.Refused(404, "not_found", f"Unknown model {str(model)[:80]!r}. Supported models are: {MODEL}.")
    if body.get("stream"):
        raise _invalid("stream", True, "false")
    prompt = "\n".join(str(part["text"]) for part in _parts(body.get("input")) if part.get("type") == "text")
    if not prompt.strip():
        raise wire.Refused(400, "invalid_request", "input should hold a text that is not empty.")
    config, labels = _object(body, "generation_config"), _object(body, "labels")
    _check_task(config, body.get("input"))
    form = _format(body)
    width, height = _size(form)
    seed = config.get("seed")
    if seed is not None and (type(seed) is not int or seed not in range(-(2**31), 2**31)):
        raise _invalid("generation_config.seed", seed, "32-bit whole numbers")
    if any(len(name) > _LABEL or len(str(value)) > _LABEL for name, value in labels.items()):
        raise wire.Refused(400, "invalid_request", f"Names and values of labels may have {_LABEL} characters.")
    return domain.Order(
        dialect="google",
        model=MODEL,
        prompt=prompt,
        seconds=_seconds(form.get("duration", "10s")),
        width=width,
        height=height,
        seed=domain.seed_of(prompt) if seed is None else seed,
        inline=form.get("delivery", "inline") != "uri",
        client_ref=labels.get("submission") or wire.header(request, "x-client-request-id"),
        key_sha256=domain.digest(key),
        repeat_key=wire.header(request, "idempotency-key"),
        callback_url=_callback_url(body),
    )


def _object(body: dict[str, Any], field: str) -> dict[str, Any]:
    value = body.get(field) or {}
    if not isinstance(value, dict):
        raise _invalid(field, value, "an object")
    return value


def _callback_url(body: dict[str, Any]) -> str | None:
    uris = _object(body, "webhook_config").get("uris")
    return wire.callback_url(uris[0] if isinstance(uris, list) and uris else None, "webhook_config.uris")


def _format(body: dict[str, Any]) -> dict[str, Any]:
    form = body.get("response_format") or {}
    if isinstance(form, list):
        form = next((one for one in form if isinstance(one, dict) and one.get("type") == "video"), {})
    if not isinstance(form, dict) or form.get("type", "video") != "video":
        raise _invalid("response_format.type", form, "'video'")
    if form.get("delivery", "inline") not in ("inline", "uri"):
        raise _invalid("response_format.delivery", form["delivery"], "inline, uri")
    return form


def _seconds(value: object) -> int:
    match = _DURATION.fullmatch(str(value))
    if match is None or int(match[1]) not in _SECONDS:
        allowed = f"minimum allowed {_SECONDS.start}s, maximum allowed {_SECONDS.stop - 1}s"
        raise _invalid("response_format.duration", value, allowed)
    return int(match[1])


def _size(form: dict[str, Any]) -> tuple[int, int]:
    resolution, aspect = form.get("resolution", "720p"), form.get("aspect_ratio", "16:9")
    if resolution not in _HEIGHTS:
        raise _invalid("response_format.resolution", resolution, ", ".join(_HEIGHTS))
    if aspect not in _ASPECTS:
        raise _invalid("response_format.aspect_ratio", aspect, ", ".join(_ASPECTS))
    short = _HEIGHTS[resolution]
    long = short * 16 // 9
    return (long, short) if aspect == "16:9" else (short, long)


def _check_task(config: dict[str, Any], given: object) -> None:
    task = _object(config, "video_config").get("task", "text_to_video")
    if task not in _TASKS:
        raise _invalid("generation_config.video_config.task", task, ", ".join(_TASKS))
    if task == "image_to_video" and not any(part.get("type") == "image" for part in _parts(given)):
        raise wire.Refused(400, "invalid_request", "The task image_to_video needs an image in input.")


def _parts(given: object) -> list[dict[str, Any]]:
    """The contents of `input`, which may be a text, one content, contents, or steps of contents."""
    if isinstance(given, str):
        return [{"type": "text", "text": given}]
    parts: list[dict[str, Any]] = []
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, dict) and one.get("type") == "user_input":
            parts += _parts(one.get("content"))
        elif isinstance(one, dict) and (one.get("type") != "text" or isinstance(one.get("text"), str)):
            parts.append(one)
        else:
            raise wire.Refused(400, "invalid_request", "input should be a text, contents, or user_input steps.")
    return parts


async def _first_image(given: object) -> bytes | None:
    for part in _parts(given):
        if part.get("type") == "image":
            data = part.get("data") or part.get("uri")
            if not isinstance(data, str) or "://" in data:
                raise _invalid("input image", "a link", "base64 in data (the sandbox fetches nothing)")
            decoded = await asyncio.to_thread(wire.from_base64, data, "input image")
            return await wire.checked_image(decoded, "input image")
    return None
