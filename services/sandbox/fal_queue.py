"""The queue of fal: submitting, asking, cancelling, and how a request is told once it has ended."""

import dataclasses
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox import content, domain, fields, lab, stage, wire

APP = "sandbox/reel"
"""The app. Its endpoints are the app itself and the two below it; the addresses of a request hold the app alone."""
FROM_PICTURE = f"{APP}/image-to-video"
ENDPOINTS = (APP, f"{APP}/text-to-video", FROM_PICTURE)
_PRIORITIES = ("normal", "low")
_KEPT_S = range(1, 10**9)
_STATUS: dict[domain.Status, str] = {"queued": "IN_QUEUE", "in_progress": "IN_PROGRESS"}


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """How a request ended that has no video: the HTTP status of its result, a type for machines, a sentence."""

    status: int
    type: str
    message: str

    def body(self) -> dict[str, Any]:
        """The queue's own faults are flat; a model's say where in the input they lie."""
        if self.status == 499:
            return {"detail": self.message, "error_type": self.type}
        return {"detail": [_detail(self.type, self.message, None)]}

    def headers(self) -> dict[str, str]:
        """The queue repeats its type; a model says whether the same request might fare better."""
        if self.status == 499:
            return {"X-Fal-Error-Type": self.type}
        return {"X-Fal-Retryable": str(self.status == 500).lower()}


def fault_of(clip: domain.Clip) -> Fault | None:
    """Why an ended request has no video; None when it has one."""
    if clip.status == "cancelled":
        return Fault(499, "client_cancelled", "The request was cancelled by the client.")
    if clip.filtered:
        return Fault(422, "content_policy_violation", "The content could not be processed: it violates our policy.")
    if clip.status == "failed":
        return Fault(500, "internal_server_error", "The clip could not be rendered.")
    return None


def _detail(kind: str, message: str, field: str | None) -> dict[str, Any]:
    place = ["body", field] if field else ["body"]
    return {"loc": place, "msg": message, "type": kind, "url": f"https://docs.fal.ai/errors#{kind}"}


def error(refused: wire.Refused) -> Response:
    """A fault of the input is a list with the place of each; one of the platform is flat, and typed when passing."""
    if refused.status == 400 and refused.param:
        kind = "content_policy_violation" if refused.code == "moderation_blocked" else refused.code
        body: dict[str, Any] = {"detail": [_detail(kind, refused.message, refused.param)]}
        return JSONResponse(body, 422, refused.headers | {"X-Fal-Retryable": "false"})
    if refused.status < 500:
        return JSONResponse({"detail": refused.message}, refused.status, refused.headers)
    kind = "runner_scheduling_failure" if refused.status == 503 else "internal_error"
    headers = refused.headers | {"X-Fal-Error-Type": kind}
    return JSONResponse({"detail": refused.message, "error_type": kind}, refused.status, headers)


class Queue:
    """The handlers of queue.fal.run."""

    def __init__(self, films: lab.Lab, door: stage.Stage) -> None:
        """The lab keeps pictures; everything else goes through the door."""
        self._lab, self._stage = films, door

    async def submit(self, request: Request, key: str) -> Response:
        """Take a request. Raises Refused."""
        body = await wire.json_object(request)
        order = _order(body, key, request)
        await fields.picture(body.get("end_image_url"), "end_image_url")
        if image := await fields.picture(body.get("image_url"), "image_url"):
            order = dataclasses.replace(order, reference=await self._lab.keep(image))

        async def answer(clip: domain.Clip) -> Response:
            told = {"request_id": clip.id, "status": "IN_QUEUE", "queue_position": 0, **_addresses(clip, request)}
            return JSONResponse(told, headers={"X-Fal-Request-Id": clip.id})

        return await self._stage.create(request, key, order, answer)

    async def status(self, request: Request, key: str) -> Response:
        """202 until it has ended; COMPLETED says nothing of success. Raises Refused."""
        clip = self._stage.poll(request.path_params["id"])
        told = {"request_id": clip.id, "status": _STATUS.get(clip.status, "COMPLETED"), **_addresses(clip, request)}
        if clip.status == "queued":
            told["queue_position"] = 0
        else:
            told["logs"] = [] if request.query_params.get("logs") == "1" else None
        if not clip.ended:
            return JSONResponse(told, 202)
        if fault := fault_of(clip):
            told |= {"error": fault.message, "error_type": fault.type}
        return JSONResponse(told | {"metrics": {"inference_time": took_s(clip)}})

    async def result(self, request: Request, key: str) -> Response:
        """The output, or the fault under its own status. Raises Refused."""
        clip = self._stage.find(request.path_params["id"])
        if not clip.ended:
            raise wire.Refused(400, "in_progress", "Request is still in progress")
        if fault := fault_of(clip):
            return JSONResponse(fault.body(), fault.status, fault.headers())
        headers = {
            "X-Fal-Request-Id": clip.id,
            "X-Fal-Billable-Units": f"{clip.order.micros / domain.MICROS_PER_SECOND:g}",
        }
        return JSONResponse(output(clip, str(request.base_url)), headers=headers)

    async def cancel(self, request: Request, key: str) -> Response:
        """Ask for the end of it. Raises Refused."""
        if self._stage.find(request.path_params["id"]).ended:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        await self._stage.cancel(request.path_params["id"])
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)


def _order(body: dict[str, Any], key: str, request: Request) -> domain.Order:
    endpoint = request.path_params["endpoint"]
    if endpoint not in ENDPOINTS:
        raise wire.Refused(404, "not_found", f"Application '{endpoint[:80]}' not found; there is '{APP}'.")
    if endpoint == FROM_PICTURE and not body.get("image_url"):
        raise wire.Refused(400, "missing", "Field required", "image_url")
    said = fields.prompt(body.get("prompt"))
    width, height = fields.frame(body)
    fields.one_of(request.headers.get("x-fal-queue-priority", "normal"), "X-Fal-Queue-Priority", _PRIORITIES)
    callback_url = wire.callback_url(request.query_params.get("fal_webhook"), "fal_webhook")
    return domain.Order(
        dialect="fal",
        model=endpoint,
        prompt=said,
        seconds=fields.whole(body.get("duration", 5), "duration", fields.SECONDS),
        width=width,
        height=height,
        seed=fields.seed(body.get("seed"), said),
        sound=fields.flag(body.get("generate_audio", True), "generate_audio"),
        negative_prompt=str(body.get("negative_prompt") or ""),
        client_ref=fields.client_ref(request, callback_url),
        key_sha256=domain.digest(key),
        callback_url=callback_url,
        kept_s=_kept_s(request),
        notes={"input": fields.echo(body)},
    )


def _kept_s(request: Request) -> int | None:
    """How long the caller wants its media to be kept. Raises Refused."""
    said = request.headers.get("x-fal-object-lifecycle-preference")
    if said is None:
        return None
    try:
        wanted = json.loads(said)["expiration_duration_seconds"]
    except (ValueError, TypeError, KeyError):
        raise fields.invalid("X-Fal-Object-Lifecycle-Preference", said, '{"expiration_duration_seconds":N}') from None
    return fields.whole(wanted, "expiration_duration_seconds", _KEPT_S)


def _addresses(clip: domain.Clip, request: Request) -> dict[str, Any]:
    one = f"{request.base_url}fal/{APP}/requests/{clip.id}"
    return {"response_url": one, "status_url": f"{one}/status", "cancel_url": f"{one}/cancel"}


def output(clip: domain.Clip, base_url: str) -> dict[str, Any]:
    """What the model gave."""
    order = clip.order
    video = clip.footage and {
        "url": content.link(base_url, clip),
        "content_type": "video/mp4",
        "file_name": "output.mp4",
        "file_size": clip.footage.size_bytes,
        "width": order.width,
        "height": order.height,
        "fps": domain.FPS,
        "duration": order.seconds,
    }
    return {"video": video, "seed": order.seed}


def took_s(clip: domain.Clip) -> float:
    """Seconds from the create to the end."""
    return (clip.ended_at - clip.created_at).total_seconds() if clip.ended_at else 0.0
