"""How jobs and takes stand: each one of words.STATES, and what is said of it; the one place that decides that."""

from rushes.job.v1 import job_pb2
from services.studio.pages import ways

_Job = job_pb2.Job
_SENT = {
    "": ("queued", "Asked for"),
    "INTENT": ("queued", "Money set aside; it is sent next"),
    "PARKED": ("queued", "Waits at the provider's door"),
    "SENDING": ("submitting", "Sending to {model}"),
    "ACCEPTED": ("generating", "At {model}"),
    "UNKNOWN": (
        "unconfirmed",
        "We sent it and the answer got lost. It is never bought twice, and we find out by ourselves.",
    ),
    "UNRESOLVED": ("unconfirmed", "Nobody could tell us what became of it; the money stays held, and we look on."),
    "PROVIDER_DONE": ("fetching", "Made and paid; downloading it next"),
    "FETCHING": ("fetching", "Downloading and checking it"),
    "STORED": ("fetching", "Verified and kept"),
}
"""By the state of the paid call; every other one has ended without a clip."""
_BETWEEN = ("retry_wait", "Nothing was charged for the try before; trying once more")
_WAITS = {
    _Job.WAIT_REASON_SEAM: ("waiting_link", "Starts from the last frame of scene {before:03}"),
    _Job.WAIT_REASON_APPROVAL: ("queued", "Waits for the owner's yes"),
    _Job.WAIT_REASON_PAUSED: ("queued", "The production is paused"),
}


def of_job(job: job_pb2.Job) -> tuple[str, str]:
    """The state of a job by its name in words.STATES, and a sentence."""
    facts = {"model": job.spec.model, "before": job.scene_number - 1}
    if job.state == _Job.STATE_SUCCEEDED:
        return ("picked", "In the film") if job.take.picked else ("done", "A take to pick from")
    if job.state == _Job.STATE_CANCELED:
        return "cancelled", "You stopped it"
    if job.state == _Job.STATE_FAILED:
        is_open = job.error.reason == "OUTCOME_UNKNOWN" and not job.HasField("cost")
        return _SENT["UNRESOLVED"] if is_open else ("failed", ways.short(job.error))
    if job.state == _Job.STATE_WAITING:
        state, sentence = _WAITS.get(job.wait_reason, ("queued", "In line"))
        return state, sentence.format_map(facts)
    state, sentence = _SENT.get(job.submission_state, _BETWEEN)
    if job.HasField("parked"):
        return state, ways.short(job.parked)
    if job.stuck:
        return state, "Nothing was heard of it for 15 minutes"
    if job.state == _Job.STATE_CANCELING:
        return state, "Stopping; what is paid is finished and kept"
    return state, sentence.format_map(facts)


def changed(take: job_pb2.Take, digest: str) -> str:
    """Why a take is not what its scene says now; empty when it is. `digest` is that of what it says, empty unknown."""
    if digest and take.digest and take.digest != digest:
        return "The scene asks for something else now: other words, another model or another size"
    return "It starts on a take that is no longer picked" if take.stale else ""
