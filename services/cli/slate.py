"""Asks the job service about jobs and takes, and shows what it says to a person."""

from collections.abc import Iterator
from pathlib import Path

import rich.console

from rushes.job.v1 import job_history_pb2, job_pb2, queue_pb2
from rushes.job.v1 import job_service_pb2 as pb
from services.cli import calls, exits, floor, gateway, progress, wire

_HISTORY = 200
_THEN = "the next plan makes its scene again, unless both takes end on the same picture"
_STEPS = {
    pb.RetryJobResponse.STEP_ORDERED_AGAIN: "the order is repeated; one that was heard before counts once",
    pb.RetryJobResponse.STEP_LOOKED_AGAIN: "its outcome is looked for at once",
    pb.RetryJobResponse.STEP_FETCHED_AGAIN: "its clip, which is paid, is downloaded again",
    pb.RetryJobResponse.STEP_MADE_ANEW: "nothing was charged for it, and this job makes the take anew",
}


def list_jobs(
    home: Path,
    state: str,
    production: str,
    stuck: bool,
    count: int,
    as_json: bool,
    out: rich.console.Console,
) -> None:
    """Print jobs. Raises Ended with USAGE."""
    states = job_pb2.Job.State
    name = f"STATE_{state.upper()}" if state else "STATE_UNSPECIFIED"
    if name not in states.keys():
        known = ", ".join(one.removeprefix("STATE_").lower() for one in states.keys()[1:])
        raise exits.Ended(f"--state {state}: write one of {known}.", exits.Code.USAGE)
    request = pb.ListJobsRequest(state=states.Value(name), production_id=production, stuck_only=stuck, page_size=count)
    gateway.show(floor.ask(home, pb.ListJobsResponse, request), lambda one: map(job, one.jobs), as_json, out)


def show_job(home: Path, job_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print one job."""
    answer = floor.ask(home, pb.GetJobResponse, pb.GetJobRequest(job_id=job_id))
    gateway.show(answer, lambda one: [job(one.job)], as_json, out)


def retry(home: Path, job_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Take it up, and say at which step."""
    answer = floor.ask(home, pb.RetryJobResponse, pb.RetryJobRequest(job_id=job_id))
    gateway.show(answer, lambda one: [f"{_STEPS.get(one.step, '?')}: {job(one.job)}"], as_json, out)


def cancel(home: Path, job_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Cancel it."""
    answer = floor.ask(home, pb.CancelJobResponse, pb.CancelJobRequest(job_id=job_id))
    gateway.show(answer, lambda one: [job(one.job)], as_json, out)


def history(home: Path, job_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print what happened to it, then the paid calls behind it; those are another document in JSON."""
    request = pb.ListJobHistoryRequest(job_id=job_id, page_size=_HISTORY)
    answer = floor.ask(home, pb.ListJobHistoryResponse, request)
    gateway.show(answer, _history, as_json, out)
    if not as_json:
        calls.submissions(home, "", job_id, 20, as_json, out)


def queues(home: Path, by: str, every_tenant: bool, as_json: bool, out: rich.console.Console) -> None:
    """Print how many jobs wait and run. Raises Ended with USAGE."""
    groups = pb.GetQueueStatsRequest.GroupBy
    name = f"GROUP_BY_{by.upper()}"
    if name not in groups.keys()[1:]:
        raise exits.Ended(f"--by {by}: write one of provider, model, tenant.", exits.Code.USAGE)
    request = pb.GetQueueStatsRequest(group_by=groups.Value(name), every_tenant=every_tenant)
    answer = floor.ask(home, pb.GetQueueStatsResponse, request)
    gateway.show(answer, lambda one: map(_queue, one.lines) if one.lines else ["no job waits or runs"], as_json, out)


def list_takes(
    home: Path, board: str, scene: str, picked: bool, count: int, as_json: bool, out: rich.console.Console
) -> None:
    """Print takes."""
    request = pb.ListTakesRequest(
        storyboard_id=floor.storyboard_id(home, board), scene_id=scene, picked_only=picked, page_size=count
    )
    gateway.show(floor.ask(home, pb.ListTakesResponse, request), lambda one: map(take, one.takes), as_json, out)


def show_take(home: Path, take_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print one take."""
    answer = floor.ask(home, pb.GetTakeResponse, pb.GetTakeRequest(take_id=take_id))
    gateway.show(answer, lambda one: _whole(one.take), as_json, out)


def pick(home: Path, take_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Pick it, and say what that makes stale."""
    answer = floor.ask(home, pb.PickTakeResponse, pb.PickTakeRequest(take_id=take_id))
    gateway.show(answer, _picked, as_json, out)


def unpick(home: Path, take_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Unpick it."""
    answer = floor.ask(home, pb.UnpickTakeResponse, pb.UnpickTakeRequest(take_id=take_id))
    gateway.show(answer, lambda one: [take(one.take)], as_json, out)


def note(home: Path, take_id: str, text: str, as_json: bool, out: rich.console.Console) -> None:
    """Write on it."""
    answer = floor.ask(home, pb.NoteTakeResponse, pb.NoteTakeRequest(take_id=take_id, note=text))
    gateway.show(answer, lambda one: [take(one.take)], as_json, out)


def job(of: job_pb2.Job) -> str:
    """A job in one line."""
    number = f", take {of.take_number}" if of.take_number > 1 else ""
    parts = [f"{of.id} scene {of.scene_number} {of.scene_title}{number}", progress.state(of)]
    if said := progress.detail(of):
        parts.append(said)
    if of.HasField("held"):
        parts.append(f"holds {wire.amount(of.held)}")
    if of.stuck:
        parts.append("nothing was heard of it for long: `rushes job retry` looks at once")
    return "; ".join(parts)


def _history(answer: pb.ListJobHistoryResponse) -> Iterator[str]:
    yield from map(_change, answer.changes)
    if answer.next_page_token:
        yield "there is more"


def _change(of: job_history_pb2.JobChange) -> str:
    before, after = (job_pb2.Job.State.Name(one).removeprefix("STATE_") for one in (of.state_before, of.state))
    parts = [f"{wire.clock(of.change_time)} {after if before == after else f'{before} -> {after}'}"]
    if of.hold:
        parts.append(f"for {of.hold}")
    if of.attempt > 1:
        parts.append(f"attempt {of.attempt}")
    return "; ".join([*parts, *filter(None, [of.submission_state, of.reason])])


def _queue(of: queue_pb2.QueueLine) -> str:
    counts = {"waiting": of.waiting, "parked": of.parked, "running": of.running, "stuck": of.stuck}
    counts |= {"done in the last hour": of.succeeded, "failed in the last hour": of.failed}
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    parts += [f"{why.reason} {why.jobs}" for why in of.failures]
    if of.HasField("oldest_waiting_time"):
        parts.append(f"waiting since {wire.clock(of.oldest_waiting_time)}")
    if of.HasField("oldest_running_time"):
        parts.append(f"running since {wire.clock(of.oldest_running_time)}")
    return f"{of.key}: {', '.join(parts)}"


def take(of: job_pb2.Take) -> str:
    """A take in one line."""
    seconds = of.duration.ToTimedelta().total_seconds()
    marks = [word for word, is_so in (("picked", of.picked), ("stale", of.stale)) if is_so]
    scene = f"scene {of.scene_number} {of.scene_title}".strip()
    parts = [f"{of.id} of {scene} ({of.scene_id})", f"{seconds:.1f} s by {of.model}", *marks]
    if of.HasField("cost"):
        parts.append(wire.amount(of.cost))
    if of.note:
        parts.append(of.note)
    return "; ".join(parts)


def _whole(of: job_pb2.Take) -> Iterator[str]:
    yield take(of)
    yield f"made by {of.job_id} of {of.production_id}, at {wire.clock(of.create_time)}"
    yield f"clip {of.clip.key}, {of.clip.size_bytes} bytes, sha256 {of.clip.sha256}"
    if of.input_take_id:
        yield f"starts on the last frame of {of.input_take_id}"


def _picked(answer: pb.PickTakeResponse) -> Iterator[str]:
    yield take(answer.take)
    for stale in answer.stale_take_ids:
        yield f"{stale} starts on a take that is not picked any more: {_THEN}"
