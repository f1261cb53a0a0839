"""A plan as lines for a person: what is used again, what is made, and why."""

from collections.abc import Iterator

from rushes.job.v1 import job_pb2
from services.cli import wire

_WHY = {
    job_pb2.ScenePlan.REASON_UNCHANGED: "unchanged",
    job_pb2.ScenePlan.REASON_NEW_SCENE: "a new scene",
    job_pb2.ScenePlan.REASON_NO_TAKE: "it has no take",
    job_pb2.ScenePlan.REASON_CONTENT_CHANGED: "its words or its look changed",
    job_pb2.ScenePlan.REASON_SEAM_CHANGED: "it starts or ends on another picture",
    job_pb2.ScenePlan.REASON_LAST_FRAME_MISSING: "the next scene needs its last frame, which was not kept",
    job_pb2.ScenePlan.REASON_ASKED: "asked for",
    job_pb2.ScenePlan.REASON_LEFT: "left for another time",
    job_pb2.ScenePlan.REASON_MODEL_CHANGED: "another model made its take",
    job_pb2.ScenePlan.REASON_SIZE_CHANGED: "its take is a picture of another size",
}
_DOES = {
    job_pb2.ScenePlan.ACTION_REUSE: "reuse",
    job_pb2.ScenePlan.ACTION_MAKE: "make",
    job_pb2.ScenePlan.ACTION_REMAKE: "make again",
    job_pb2.ScenePlan.ACTION_LEAVE: "leave out",
}


def scenes(plan: job_pb2.Plan) -> Iterator[str]:
    """A line for each scene, then the sum."""
    for scene in plan.scenes:
        yield line(scene)
    if not plan.clips:
        yield "Nothing has to be bought."
        return
    seconds = plan.duration.ToTimedelta().total_seconds()
    yield f"{_clips(plan.clips)}, {seconds:g} s, at most {wire.amount(plan.most_you_can_pay)}{time_left(plan)}"
    for warning in plan.warnings:
        yield f"Note: {warning}"
    if plan.approval_wanted:
        yield "It will wait for `rushes production approve`."


def changes(plan: job_pb2.Plan) -> Iterator[str]:
    """A line for each scene, where some are used again; none when everything is new."""
    if any(scene.action == job_pb2.ScenePlan.ACTION_REUSE for scene in plan.scenes):
        yield from map(line, plan.scenes)


def line(scene: job_pb2.ScenePlan) -> str:
    """One scene."""
    said = f"scene {scene.scene_number} {scene.scene_title}: {_DOES.get(scene.action, '?')}"
    why = _WHY.get(scene.reason, "")
    parts = [f"{said}, {why}" if why else said]
    if scene.take_id:
        parts.append(scene.take_id)
    if scene.takes > 1:
        parts.append(f"{scene.takes} takes")
    if scene.HasField("most_you_can_pay"):
        parts.append(f"at most {wire.amount(scene.most_you_can_pay)}")
        parts.append(f"{scene.model}, {scene.size.width}x{scene.size.height}")
    return "; ".join(parts)


def time_left(of: job_pb2.Plan | job_pb2.Production) -> str:
    """The measured range in words; empty while nothing is known."""
    if not of.HasField("time_left"):
        return ""
    least, most = (one.ToTimedelta().total_seconds() for one in (of.time_left.least, of.time_left.most))
    return f", {clock(least)} to {clock(most)} as measured before"


def clock(seconds: float) -> str:
    """A length of time as m:ss."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def _clips(count: int) -> str:
    return f"{count} clip{'' if count == 1 else 's'} to make"
