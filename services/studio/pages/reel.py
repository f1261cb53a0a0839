"""A production as people see it: every take as a state, a sentence, what it costs and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from google.protobuf import timestamp_pb2

from rushes.job.v1 import job_pb2
from rushes.type.v1 import money_pb2
from services.studio.pages import standing, ways, words

_Job, _Production, _Scene = job_pb2.Job, job_pb2.Production, job_pb2.ScenePlan
ENDS = (_Production.STATE_SUCCEEDED, _Production.STATE_FAILED, _Production.STATE_CANCELED)
FILMS = (
    _Production.STATE_FILMING,
    _Production.STATE_PAUSED,
    _Production.STATE_NEEDS_PICK,
    _Production.STATE_NEEDS_APPROVAL,
)
OPEN = (_Job.STATE_WAITING, _Job.STATE_RUNNING, _Job.STATE_CANCELING)
SHOWS = {
    "all": "All",
    "running": "Running",
    "line": "In line",
    "you": "Needs you",
    "failed": "Failed",
    "done": "Done",
}
"""What can be shown, by its word in the address."""
_GROUPS = {
    **dict.fromkeys(("submitting", "generating", "retry_wait", "fetching"), "running"),
    **dict.fromkeys(("queued", "waiting_link"), "line"),
    **dict.fromkeys(("done", "picked"), "done"),
    "unconfirmed": "you",
    "failed": "failed",
}
_FOR_YOU = (_Job.WAIT_REASON_BUDGET, _Job.WAIT_REASON_SWITCH, _Job.WAIT_REASON_APPROVAL)


class Usual(NamedTuple):
    """How long the model takes, from half of its clips to nine of ten; who takes more seconds is slow."""

    told: str
    slow_s: float


class Row(NamedTuple):
    """One take of one scene: `id` is the job's, or the scene's where a take is used again."""

    id: str
    number: int
    take: int
    title: str
    state: str
    word: str
    sentence: str
    groups: tuple[str, ...]
    since: str
    usual: Usual | None
    cost: money_pb2.Money | None
    most: money_pb2.Money
    is_open: bool
    seconds: int
    version: int
    take_id: str
    job_id: str
    act: ways.Way | None


class Frame(NamedTuple):
    """One scene in the reel; it leads to its row."""

    number: int
    title: str
    state: str
    row: str


def frames(rows: Sequence[Row]) -> list[Frame]:
    """One frame for each scene, as its best take stands: picked, else what needs a person, else what is on its way."""
    found: dict[int, Row] = {}
    for row in rows:
        if row.number not in found or _rank(row) < _rank(found[row.number]):
            found[row.number] = row
    return [Frame(row.number, row.title, row.state, row.id) for _, row in sorted(found.items())]


_RANKS = (
    *("picked", "unconfirmed", "generating", "fetching", "submitting", "retry_wait", "queued", "waiting_link"),
    *("done", "failed", "cancelled"),
)


def _rank(row: Row) -> int:
    return _RANKS.index(row.state)


def rows(production: job_pb2.Production, jobs: Mapping[str, job_pb2.Job]) -> list[Row]:
    """Every take that is made, and every scene whose take is used again, in film order."""
    made = [of_job(production, job) for job in jobs.values()]
    made += [_reused(scene) for scene in production.scenes if scene.action == _Scene.ACTION_REUSE]
    return sorted(made, key=lambda row: (row.number, row.take, row.id))


def of_job(production: job_pb2.Production, job: job_pb2.Job) -> Row:
    """One job."""
    state, sentence = standing.of_job(job)
    return Row(
        id=job.id,
        number=job.scene_number,
        take=job.take_number,
        title=job.scene_title or "Untitled",
        state=state,
        word=f"Waits for {job.scene_number - 1:03}" if state == "waiting_link" else "",
        sentence=sentence,
        groups=_groups(production, job, state),
        since=_since(job).ToJsonString() if state in ("submitting", "generating", "fetching") else "",
        usual=usual(production, job),
        cost=job.cost if job.HasField("cost") else None,
        most=job.quoted,
        is_open=job.state in OPEN,
        seconds=job.spec.duration.seconds,
        version=job.version,
        take_id=job.take.id,
        job_id=job.id,
        act=ways.main(production, job, state),
    )


def _since(job: job_pb2.Job) -> timestamp_pb2.Timestamp:
    """When the provider said yes, while it generates; else the last that was heard."""
    accepted = job.submission_state == "ACCEPTED" and job.HasField("accept_time")
    return job.accept_time if accepted else job.update_time


def usual(production: job_pb2.Production, job: job_pb2.Job) -> Usual | None:
    """How long its model usually takes, while the clip is generated and as far as that is known."""
    pace = next((it for it in production.paces if it.model == job.spec.model), None)
    if pace is None or standing.of_job(job)[0] != "generating":
        return None
    least, most = words.timecode(pace.p50), words.timecode(pace.p90)
    return Usual(least if least == most else f"{least} to {most}", pace.p90.ToMilliseconds() / 1000)


def _groups(production: job_pb2.Production, job: job_pb2.Job, state: str) -> tuple[str, ...]:
    groups = [_GROUPS[state]] if state in _GROUPS else []
    waits_for_you = job.state in OPEN and (job.wait_reason in _FOR_YOU or job.stuck)
    to_pick = state == "done" and production.state == _Production.STATE_NEEDS_PICK
    if (waits_for_you or to_pick) and "you" not in groups:
        groups.append("you")
    return tuple(groups)


def _reused(scene: job_pb2.ProductionScene) -> Row:
    said = "Its take fits and is used again"
    if scene.reason == _Scene.REASON_LEFT:
        said = "Left for another time; the film shows its take as it is"
    return Row(
        id=scene.scene_id,
        number=scene.scene_number,
        take=0,
        title=scene.scene_title or "Untitled",
        state="picked",
        word="",
        sentence=said,
        groups=("done",),
        since="",
        usual=None,
        cost=None,
        most=money_pb2.Money(),
        is_open=False,
        seconds=0,
        version=0,
        take_id=scene.take_id,
        job_id="",
        act=None,
    )


def can_be_again(production: job_pb2.Production, row: Row) -> bool:
    """Whether it failed, nothing was charged, and its production can still make it."""
    return row.state == "failed" and production.state in FILMS and row.cost is not None and not row.cost.micros


class Tally(NamedTuple):
    """How a production stands: scenes with a take, rows of each filter, and what can be tried again for how much."""

    scenes: int
    done: int
    shows: Mapping[str, int]
    again: int
    again_most: money_pb2.Money


def tally(production: job_pb2.Production, found: Sequence[Row]) -> Tally:
    """Counted from the rows, so that what is said above them is what they show."""
    done = {row.number for row in found if "done" in row.groups}
    shows = {name: sum(name == "all" or name in row.groups for row in found) for name in SHOWS}
    can = [row for row in found if can_be_again(production, row)]
    most = money_pb2.Money(currency=production.cost.currency, micros=sum(row.most.micros for row in can))
    return Tally(len({row.number for row in found}), len(done), shows, len(can), most)


def left(production: job_pb2.Production, measured: float, now: float) -> tuple[float, float] | None:
    """The seconds it still takes, least and most, as was measured at a moment; None when that is not known."""
    if not production.HasField("time_left") or production.state != _Production.STATE_FILMING:
        return None
    gone = now - measured
    least, most = (
        one.ToMilliseconds() / 1000 - gone for one in (production.time_left.least, production.time_left.most)
    )
    return (max(0.0, least), most) if most > 0 else None
