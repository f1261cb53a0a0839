"""How far a project is, scene by scene: from its takes, and from the jobs of its newest production."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from services.studio.pages import words

_J = job_pb2.Job
_ENDED = {_J.STATE_SUCCEEDED: "done", _J.STATE_FAILED: "failed", _J.STATE_CANCELED: "cancelled"}
_ASKED = {
    "SENDING": "submitting",
    "ACCEPTED": "generating",
    "UNKNOWN": "unconfirmed",
    "UNRESOLVED": "unconfirmed",
    "PARKED": "retry_wait",
    "PROVIDER_DONE": "fetching",
    "FETCHING": "fetching",
    "STORED": "fetching",
}
_BUSY = "unconfirmed generating fetching submitting retry_wait queued waiting_link".split()
"""States of what is not ended yet; of several jobs of a scene the first of these is shown."""


class Frame(NamedTuple):
    """One scene on the reel."""

    number: int
    title: str
    state: str


def of_job(job: job_pb2.Job) -> str:
    """The state of one job, by its name in words.STATES."""
    if job.state in _ENDED:
        return _ENDED[job.state]
    if job.state == _J.STATE_WAITING:
        return "waiting_link" if job.wait_reason == _J.WAIT_REASON_SEAM else "queued"
    return _ASKED.get(job.submission_state, "queued")


def frames(
    board: storyboard_pb2.Storyboard,
    picked: Mapping[str, job_pb2.Take],
    jobs: Iterable[job_pb2.Job],
    digests: Mapping[str, str],
) -> list[Frame]:
    """The board's scenes; `digests` are those of their prompts now, empty when nothing can have changed."""
    states: dict[str, set[str]] = {}
    for job in jobs:
        states.setdefault(job.scene_id, set()).add(of_job(job))
    return [
        Frame(number, scene.title, _state(picked.get(scene.id), states.get(scene.id, ()), digests.get(scene.id)))
        for number, scene in enumerate(board.scenes, 1)
    ]


def _state(take: job_pb2.Take | None, jobs: Collection[str], digest: str | None) -> str:
    busy = next((state for state in _BUSY if state in jobs), None)
    if busy:
        return busy
    if take:
        return "changed" if digest and take.digest and take.digest != digest else "picked"
    return next((state for state in ("done", "failed", "cancelled") if state in jobs), "draft")


def told(of: Iterable[Frame]) -> str:
    """The reel in words, for who cannot see it: `6 scenes: 5 Picked, 1 Failed`."""
    states = [frame.state for frame in of]
    counts = ", ".join(f"{states.count(name)} {it.word}" for name, it in words.STATES.items() if name in states)
    return f"{len(states)} scene{'s' * (len(states) != 1)}" + (f": {counts}" if counts else "")
