"""How far a project is, scene by scene: from its takes, and from the jobs of its newest production."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from rushes.job.v1 import job_pb2
from rushes.storyboard.v1 import storyboard_pb2
from services.studio.pages import standing, words

_BUSY = "unconfirmed generating fetching submitting retry_wait queued waiting_link".split()
"""States of what is not ended yet; of several jobs of a scene the first of these is shown."""


class Frame(NamedTuple):
    """One scene on the reel."""

    number: int
    title: str
    state: str


def frames(
    board: storyboard_pb2.Storyboard,
    picked: Mapping[str, job_pb2.Take],
    jobs: Iterable[job_pb2.Job],
    digests: Mapping[str, str],
) -> list[Frame]:
    """The board's scenes; `digests` are those of their prompts now, empty when nothing can have changed."""
    states: dict[str, set[str]] = {}
    for job in jobs:
        states.setdefault(job.scene_id, set()).add(standing.of_job(job)[0])
    return [
        Frame(number, scene.title, _state(picked.get(scene.id), states.get(scene.id, ()), digests.get(scene.id, "")))
        for number, scene in enumerate(board.scenes, 1)
    ]


def _state(take: job_pb2.Take | None, jobs: Collection[str], digest: str) -> str:
    busy = next((state for state in _BUSY if state in jobs), None)
    if busy:
        return busy
    if take:
        return "changed" if standing.changed(take, digest) else "picked"
    return next((state for state in ("picked", "done", "failed", "cancelled") if state in jobs), "draft")


def told(of: Iterable[Frame]) -> str:
    """The reel in words, for who cannot see it: `6 scenes: 5 Picked, 1 Failed`."""
    states = [frame.state for frame in of]
    counts = ", ".join(f"{states.count(name)} {it.word}" for name, it in words.STATES.items() if name in states)
    return f"{len(states)} scene{'s' * (len(states) != 1)}" + (f": {counts}" if counts else "")
