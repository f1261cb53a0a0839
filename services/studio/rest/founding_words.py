"""Storyboards and jobs in the words of the founding documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from services.studio.rest import refusals

_State = job_pb2.Job
_STORED = {
    _State.STATE_WAITING: "pending",
    _State.STATE_RUNNING: "processing",
    _State.STATE_CANCELING: "processing",
    _State.STATE_SUCCEEDED: "completed",
    _State.STATE_FAILED: "failed",
    _State.STATE_CANCELED: "failed",
}
PROTOCOL = {
    _State.STATE_WAITING: "queued",
    _State.STATE_RUNNING: "in_progress",
    _State.STATE_CANCELING: "in_progress",
    _State.STATE_SUCCEEDED: "completed",
    _State.STATE_FAILED: "failed",
    _State.STATE_CANCELED: "failed",
}
"""The states of a job in the words of /api/videos."""
_MESSAGES = {
    "queued": "Waiting to be sent.",
    "in_progress": "Being made.",
    "completed": "Done.",
    "failed": "It could not be made.",
}
_UNKNOWN = {"UNKNOWN", "UNRESOLVED"}


def listed(board: storyboard_pb2.Storyboard) -> dict[str, Any]:
    """A storyboard without its content."""
    return {
        "id": board.id,
        "name": board.name,
        "presetKey": board.preset or "cinematic",
        "createdAt": board.create_time.ToJsonString(),
        "updatedAt": board.update_time.ToJsonString(),
    }


def status(job: job_pb2.Job) -> dict[str, Any]:
    """A job as /api/video/status has it; progress is what is known: nothing, or all."""
    done = job.state == _State.STATE_SUCCEEDED
    return {
        "jobId": job.id,
        "status": _STORED.get(job.state, "pending"),
        "videoUrl": None,
        "thumbnailUrl": None,
        "progress": 100 if done else 0,
        "cost": (job.cost if job.HasField("cost") else job.quoted).micros / 1e6,
        "error": job.error.message or None,
        "createdAt": job.create_time.ToJsonString(),
        "completedAt": job.end_time.ToJsonString() if done else None,
    }


def video(job: job_pb2.Job) -> dict[str, Any]:
    """A job as /api/videos has it."""
    told: dict[str, Any] = {"jobId": job.id, "prompt": job.spec.prompt, "status": PROTOCOL.get(job.state, "queued")}
    if job.error.reason:
        told["errorMessage"] = job.error.message
    if job.HasField("take"):
        clip, size = job.take.clip, job.spec.size
        told["asset"] = {
            "id": job.take.id,
            "duration": job.take.duration.ToMilliseconds() / 1000,
            "resolution": f"{size.width}x{size.height}",
            "fileSize": clip.size_bytes,
        }
    return told


def message(job: job_pb2.Job) -> str:
    """What a person should read."""
    if job.submission_state in _UNKNOWN:
        return "We sent it, and the answer got lost. We ask the provider, and do not send it twice."
    return job.error.message or job.parked.message or _MESSAGES[PROTOCOL.get(job.state, "queued")]


def one_scene(told: Mapping[str, Any]) -> dict[str, Any]:
    """A storyboard of the app with the one scene that a request brings. Raises Refusal."""
    scene = told.get("scene")
    if not isinstance(scene, dict):
        raise refusals.bad_request([{"pointer": "/scene", "detail": "should be an object"}], 400)
    app: dict[str, Any] = {"name": str(scene.get("subject") or "Untitled")[:60], "scenes": [scene]}
    return app | {name: told[name] for name in ("character", "presetKey") if told.get(name)}


def prompt_only(told: Mapping[str, Any]) -> dict[str, Any]:
    """A request of /api/videos in the words of /v1/videos. Raises Refusal."""
    if told.get("format", "mp4") != "mp4":
        raise refusals.bad_request([{"pointer": "/format", "detail": "should be mp4"}], 400)
    spelled = {"duration": "seconds"}
    return {spelled.get(name, name): value for name, value in told.items() if name != "format"}


def keep_ids(wanted: storyboard_pb2.Storyboard, before: storyboard_pb2.Storyboard, scenes: Sequence[Any]) -> None:
    """Give what was there before its ids again, so that its takes stay its own: the app numbers scenes from 1."""
    for scene in wanted.scenes:
        scene.id = ""
    for scene, told in zip(wanted.scenes, scenes, strict=False):
        number = str(told.get("id", "")) if isinstance(told, dict) else ""
        if number.isdecimal() and 1 <= int(number[:4]) <= len(before.scenes):
            scene.id = before.scenes[int(number[:4]) - 1].id
    for one in wanted.characters:
        one.id = next((it.id for it in before.characters if it.name == one.name), "")
