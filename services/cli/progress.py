"""Shows a production as it happens: one line per scene on a terminal, one line per change in a pipe."""

import contextlib
import datetime
from collections.abc import Callable, Iterator

import rich.console
import rich.live
import rich.table
import rich.text

from rushes.job.v1 import job_pb2, job_service_pb2
from services.cli import wire

Clock = Callable[[], datetime.datetime]

_MARKS = {"done": "✓", "failed": "✕", "cancelled": "✕", "waiting": "·", "checking": "?"}
_COLOURS = {"done": "green", "failed": "red", "checking": "yellow", "waiting": "dim", "in line": "dim"}
_OF_SUBMISSION = {
    "INTENT": "reserved",
    "SENDING": "sending",
    "ACCEPTED": "filming",
    "UNKNOWN": "checking",
    "PROVIDER_DONE": "fetching",
    "FETCHING": "fetching",
    "PARKED": "waiting",
    "STORED": "fetching",
}
_OF_JOB = {
    job_pb2.Job.STATE_WAITING: "waiting",
    job_pb2.Job.STATE_SUCCEEDED: "done",
    job_pb2.Job.STATE_FAILED: "failed",
    job_pb2.Job.STATE_CANCELING: "cancelling",
    job_pb2.Job.STATE_CANCELED: "cancelled",
}
_WAITS = {
    job_pb2.Job.WAIT_REASON_SEAM: "for the last frame of the scene before",
    job_pb2.Job.WAIT_REASON_APPROVAL: "for approval",
    job_pb2.Job.WAIT_REASON_PAUSED: "as the production is paused",
}
_HELD = {
    job_pb2.Production.STATE_NEEDS_APPROVAL: "waits for approval (`rushes production approve`)",
    job_pb2.Production.STATE_PAUSED: "paused (`rushes production resume`)",
    job_pb2.Production.STATE_NEEDS_PICK: "waits for takes to be picked (`rushes take pick`)",
}


class Production:
    """A production as far as the news went."""

    def __init__(self) -> None:
        self.told = job_pb2.Production()
        self.jobs: dict[str, job_pb2.Job] = {}
        self.paces: dict[str, job_pb2.Pace] = {}
        self.reused: list[job_pb2.ProductionScene] = []
        self.away = False

    def hear(self, news: job_service_pb2.WatchProductionResponse) -> list[str]:
        """Take the news in; returns a line for each change that a person would notice."""
        match news.WhichOneof("change"):
            case "snapshot":
                self._measure(news.snapshot)
                self.reused = [one for one in news.snapshot.scenes if one.action == job_pb2.ScenePlan.ACTION_REUSE]
                changed = [f"scene {one.scene_number} {one.scene_title}: its take is used again" for one in self.reused]
                changed += [line for job in news.snapshot.jobs for line in self._hear_job(job)]
                return changed + self._hear_production(news.snapshot)
            case "resync":
                self.jobs.clear()
                return []
            case "production":
                return self._hear_production(news.production)
            case "job":
                return self._hear_job(news.job)
            case _:
                return []

    def lines(self) -> list[job_pb2.Job]:
        """The jobs in film order."""
        return sorted(self.jobs.values(), key=lambda job: job.scene_number)

    def headline(self) -> str:
        """The production in one line."""
        made = {job.scene_number for job in self.jobs.values() if job.state == job_pb2.Job.STATE_SUCCEEDED}
        every = {job.scene_number for job in self.jobs.values()}
        reused = len(self.reused)
        parts = [self.told.title, f"{reused + len(made)}/{reused + len(every)} scenes"]
        if self.told.state in _HELD:
            parts.append(_HELD[self.told.state])
        if self.told.state == job_pb2.Production.STATE_COMPILING:
            measured = f" {self.told.film_progress:.0%}" if self.told.film_progress else ""
            parts.append(f"cutting the film{measured}")
        parts.append(wire.spent(self.told.cost, self.told.most_you_can_pay))
        if self.away:
            parts.append("the job service is away, asking again")
        return " · ".join(parts)

    def detail(self, job: job_pb2.Job) -> str:
        """As `detail`; of a clip that is being made, how long its model usually takes, where that was measured."""
        pace = self.paces.get(job.spec.model)
        if pace is None or state(job) != "filming":
            return detail(job)
        least, most = (_minutes(round(one.ToTimedelta().total_seconds())) for one in (pace.p50, pace.p90))
        return f"usually {least}" + (f" to {most}" if most != least else "")

    def _hear_job(self, job: job_pb2.Job) -> list[str]:
        before = self.jobs.get(job.id)
        self.jobs[job.id] = job
        said = f"{state(job)} {self.detail(job)}".rstrip()
        if before is not None and said == f"{state(before)} {self.detail(before)}".rstrip():
            return []
        return [f"scene {job.scene_number} {job.scene_title}: {said}"]

    def _hear_production(self, told: job_pb2.Production) -> list[str]:
        before, self.told = self.told, told
        self._measure(told)
        cutting = job_pb2.Production.STATE_COMPILING
        if told.state == cutting and before.state != cutting:
            return ["cutting the film"]
        if told.state in _HELD and before.state != told.state:
            return [_HELD[told.state]]
        return []

    def _measure(self, told: job_pb2.Production) -> None:
        self.paces |= {pace.model: pace for pace in told.paces}


def state(job: job_pb2.Job) -> str:
    """Where a scene is, in a word."""
    if job.state == job_pb2.Job.STATE_RUNNING:
        return _OF_SUBMISSION.get(job.submission_state, "in line")
    return _OF_JOB.get(job.state, "in line")


def detail(job: job_pb2.Job) -> str:
    """What a person wants to know about that state."""
    match job.state:
        case job_pb2.Job.STATE_WAITING:
            return _WAITS.get(job.wait_reason, "")
        case job_pb2.Job.STATE_FAILED:
            charged = {"no": "nothing was charged", "yes": "it was charged"}
            return f"{job.error.message} ({charged.get(job.error.metadata['charged'], 'it may be charged')})"
        case job_pb2.Job.STATE_SUCCEEDED:
            return wire.amount(job.cost) if job.HasField("cost") else ""
        case _ if job.HasField("parked"):
            return job.parked.message
        case _ if job.submission_state == "UNKNOWN":
            return "the answer was lost; it is looked for, not bought again (`rushes submissions list --state unknown`)"
        case _:
            return ""


@contextlib.contextmanager
def showing(of: Production, console: rich.console.Console, clock: Clock) -> Iterator[Callable[[list[str]], None]]:
    """Show it while the block runs; yields what to tell the lines of each change."""

    def tell(lines: list[str]) -> None:
        for line in lines if not console.is_terminal else ():
            console.print(line, markup=False)

    if not console.is_terminal:
        yield tell
        return
    with rich.live.Live(console=console, refresh_per_second=4, get_renderable=lambda: _table(of, clock())):
        yield tell


def _table(of: Production, now: datetime.datetime) -> rich.console.Group:
    drawn = rich.table.Table.grid(padding=(0, 2))
    for justify in ("right", "left", "left", "left", "right", "left"):
        drawn.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    for job in of.lines():
        word = state(job)
        drawn.add_row(
            str(job.scene_number),
            _MARKS.get(word, "◴"),
            rich.text.Text(job.scene_title or job.spec.prompt[:40]),
            word,
            _lasting(job, now),
            rich.text.Text(of.detail(job) or job.spec.model),
            style=_COLOURS.get(word, ""),
        )
    return rich.console.Group(
        rich.text.Text(of.headline(), "bold"), drawn, rich.text.Text("Ctrl-C leaves this view", "dim")
    )


def _lasting(job: job_pb2.Job, now: datetime.datetime) -> str:
    if job.state in (job_pb2.Job.STATE_WAITING, job_pb2.Job.STATE_SUCCEEDED, job_pb2.Job.STATE_FAILED):
        return ""
    since = job.accept_time if state(job) == "filming" and job.HasField("accept_time") else job.update_time
    return _minutes(max(0, int(now.timestamp() - since.ToSeconds())))


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"
