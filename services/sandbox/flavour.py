"""How servers that speak the OpenAI dialect deviate from it; the key chooses the server."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from services.sandbox import disaster, domain, wire

_LITELLM = "litellm:custom_llm_provider:sandbox;model_id:{model};video_id:{id}"
_VLLM_FAULTS = {"render_failed": 500, "moderation_blocked": 400}


def id_within(server: disaster.Plan, id: str) -> str:
    """Our id of a video that this server knows as `id`: LiteLLM puts it into a name of its own."""
    if disaster.Mode.LITELLM not in server:
        return id
    try:
        return base64.urlsafe_b64decode(id.removeprefix("video_")).decode().rpartition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return id


def job(server: disaster.Plan, video: dict[str, Any], clip: domain.Clip, link: Callable[[], str]) -> dict[str, Any]:
    """A video as this server shows it; `link` is where the clip is to be had without a key."""
    if disaster.Mode.VLLM in server and video["error"]:
        fault = video["error"]
        return video | {"error": fault | {"code": _VLLM_FAULTS[fault["code"]]}}
    if disaster.Mode.SGLANG in server:
        fault = video["error"] and {"message": video["error"]["message"]}
        return video | {"error": fault, "url": link() if clip.footage and clip.status == "completed" else None}
    if disaster.Mode.LITELLM in server:
        name = _LITELLM.format(model=clip.order.model, id=clip.id)
        nothing = dict.fromkeys(("progress", "completed_at", "expires_at", "prompt", "model", "size", "seconds"))
        status = video["status"] if clip.ended else "processing"
        id = f"video_{base64.urlsafe_b64encode(name.encode()).decode()}"
        return video | nothing | {"id": id, "status": status, "created_at": 0}
    return video


def polled(server: disaster.Plan, video: dict[str, Any]) -> Response:
    """The answer to a status request: vLLM-Omni gives a failed job the status of its error."""
    failed = disaster.Mode.VLLM in server and video["error"]
    return JSONResponse(video, video["error"]["code"] if failed else 200)


def listed(server: disaster.Plan, page: dict[str, Any]) -> Response:
    """A page of videos: SGLang does not say whether there are more."""
    if disaster.Mode.SGLANG in server:
        page = {"object": page["object"], "data": page["data"]}
    return JSONResponse(page)


def deleted(server: disaster.Plan, id: str) -> Response:
    """The answer to a delete: SGLang has a status for it."""
    status = {"status": "deleted"} if disaster.Mode.SGLANG in server else {}
    return JSONResponse({"id": id, "object": "video.deleted", "deleted": True} | status)


def check_content(server: disaster.Plan, clip: domain.Clip, variant: str | None) -> None:
    """Raises Refused where this server has no content to give."""
    if disaster.Mode.VLLM in server and clip.status != "completed":
        said = "Video generation failed" if clip.status == "failed" else "Generation is still in-progress"
        raise wire.Refused(422 if clip.status == "failed" else 404, "not_found", said)
    if disaster.Mode.SGLANG in server:
        if variant and not variant.isdigit():
            raise wire.Refused(404, "not_found", f"Video variant {variant[:40]} video not found.")
        raise wire.Refused(400, "invalid_request", "The video was uploaded to cloud storage; use its url.")
    if disaster.Mode.LITELLM in server and clip.status != "completed":
        raise wire.Refused(400, "video_not_ready", "Video is still processing.")


def check_route(server: disaster.Plan, verb: str) -> None:
    """Raises Refused for what LiteLLM does not offer."""
    if disaster.Mode.LITELLM in server:
        raise wire.Refused(405, "method_not_allowed", f"This proxy cannot {verb} videos.")
