"""How every scene of a storyboard stands: one of the thirteen states, made of its jobs, takes and prompt; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import clip_pb2
from services.studio.pages import standing

_Job = job_pb2.Job
_LINKS = {clip_pb2.SEAM_LAST_FRAME: "last", clip_pb2.SEAM_SHARED_KEYFRAME: "still"}
_DRIFTS_AFTER = 3
"""Faces drift after three or four scenes that each start on the last frame of the one before."""


class Row(NamedTuple):
    """A scene as the list shows it; `link` to the one before is empty, cast, last or still."""

    number: int
    scene: storyboard_pb2.Scene
    state: str
    said: str
    take: job_pb2.Take | None
    link: str
    drifts: bool


def rows(
    scenes: Sequence[storyboard_pb2.Scene],
    takes: Iterable[job_pb2.Take],
    jobs: Iterable[job_pb2.Job],
    digests: Mapping[str, str],
) -> list[Row]:
    """One for each scene; `takes` and `jobs` come newest first."""
    of_scene: dict[str, list[job_pb2.Take]] = {}
    for take in takes:
        of_scene.setdefault(take.scene_id, []).append(take)
    newest: dict[str, job_pb2.Job] = {}
    for job in jobs:
        newest.setdefault(job.scene_id, job)
    made: list[Row] = []
    chain = 0
    for number, scene in enumerate(scenes, 1):
        link = _link(scenes[number - 2] if number > 1 else None, scene)
        chain = chain + 1 if link == "last" else 0
        shots = of_scene.get(scene.id, [])
        state, said = _state(shots, newest.get(scene.id), digests.get(scene.id, ""))
        made.append(Row(number, scene, state, said, best(shots), link, chain > _DRIFTS_AFTER))
    return made


def best(takes: Sequence[job_pb2.Take]) -> job_pb2.Take | None:
    """The picked take, else the newest."""
    return next((take for take in takes if take.picked), takes[0] if takes else None)


def _state(takes: Sequence[job_pb2.Take], job: job_pb2.Job | None, digest: str) -> tuple[str, str]:
    """A job that is under way, or that failed after the newest take, says more than the takes do."""
    newest = takes[0].create_time.ToNanoseconds() if takes else 0
    if job and job.create_time.ToNanoseconds() > newest and (told := _of_job(job)):
        return told
    take = best(takes)
    if take is None:
        return "draft", "No take yet"
    if standing.changed(take, digest):
        return "changed", "since its take was made"
    return ("picked", "") if take.picked else ("done", "No take is picked")


def _of_job(job: job_pb2.Job) -> tuple[str, str] | None:
    if job.state == _Job.STATE_SUCCEEDED:
        return None
    under_way = job.parked.message if job.state in (_Job.STATE_RUNNING, _Job.STATE_CANCELING) else ""
    return standing.of_job(job)[0], job.error.message if job.state == _Job.STATE_FAILED else under_way


def _link(before: storyboard_pb2.Scene | None, scene: storyboard_pb2.Scene) -> str:
    if before is None:
        return ""
    return _LINKS.get(scene.seam) or ("cast" if set(before.cast) & set(scene.cast) else "")
