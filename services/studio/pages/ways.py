"""Ways out of what went wrong: the remedies that programs are given, as buttons that lead to places of ours."""

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rushes.job.v1 import job_pb2
from rushes.type.v1 import fault_pb2
from services.studio.rest import refusals, remedies

_Job, _Production = job_pb2.Job, job_pb2.Production


class Way(NamedTuple):
    """A word to press; `verb` says that it does something, so that it is posted; `price` that it can cost so much."""

    word: str
    href: str
    verb: bool = False
    price: bool = False


_PLACES = (
    (r"POST /v1/storyboards/([^/:]+):plan", "/p/{0}/quote"),
    (r"(?:GET|PATCH) /v1/storyboards/([^/:]+)(?:/scenes)?", "/p/{0}"),
    (r"POST /v1/storyboards/([^/:]+)/scenes", "/p/{0}"),
    (r"GET /v1/storyboards/([^/:]+)/revisions", "/p/{0}/history"),
    (r"GET /v1/storyboards", "/"),
    (r"GET /v1/productions/([^/:]+)", "/productions/{0}"),
    (r"GET /v1/productions", "/"),
    (r"GET /v1/jobs/([^/:]+)", "/jobs/{0}"),
    (r"POST /v1/jobs/([^/:]+):retry", "/jobs/{0}/retry"),
    (r"(?:GET|PUT) /v1/budgets.*", "/settings/budgets"),
    (r"DELETE /v1/spend_switches/.*", "/settings/budgets"),
    (r"(?:GET|POST|PATCH) /v1/credentials.*", "/settings/providers"),
    (r"GET /v1/models.*", "/settings/providers"),
    (r"GET /v1/(?:people|invitations).*", "/settings/people"),
)
_VERB = re.compile(r"/jobs/[^/]+/retry")


def out(told: Iterable[Mapping[str, str]]) -> list[Way]:
    """Those remedies of a problem that a page of ours can do something about."""
    found = []
    for remedy in told:
        place = _place(f"{remedy.get('method', '')} {remedy.get('href', '')}")
        if place:
            found.append(Way(remedy["title"], place, bool(_VERB.fullmatch(place))))
    return found


def _place(request: str) -> str:
    for pattern, place in _PLACES:
        if match := re.fullmatch(pattern, request):
            return place.format(*match.groups())
    return ""


_SHORT = {
    "PROVIDER_REJECTED": "The provider refused these words or pictures",
    "PROVIDER_FAILED": "The provider could not make it",
    "CLIP_EXPIRED": "Made, but the provider deleted it before we could fetch it",
    "CLIP_NOT_FETCHED": "The clip is made and paid; fetching it did not work yet",
    "OUTCOME_UNKNOWN": "Nobody could tell us what became of it",
    "SCENE_BEFORE_FAILED": "The scene before it has no last frame to start on",
    "BUDGET_EXCEEDED": "A budget has less left than this can cost",
    "SPENDING_STOPPED": "Somebody has stopped the spending",
    "MODEL_RETIRED": "The provider switched this model off",
    "MODEL_UNCONFIGURED": "There is no key for this model here",
    "QUOTE_ITEM_MISSING": "The quote does not hold this clip at this price",
    "CANCELED": "Stopped before anything was sent",
}
"""What a person reads first, by reason; the fault's own message says more."""


def short(fault: fault_pb2.Fault) -> str:
    """The cause in a few words."""
    return _SHORT.get(fault.reason, fault.message or "It did not work")


def charged(job: job_pb2.Job) -> str:
    """What a job that made no clip has cost: none, amount or unknown."""
    if job.HasField("cost"):
        return "amount" if job.cost.micros else "none"
    return {"no": "none", "yes": "amount"}.get(job.error.metadata.get("charged", ""), "unknown")


def main(production: job_pb2.Production, job: job_pb2.Job, state: str) -> Way | None:
    """The one thing to do about a job, where there is one."""
    place, films = f"/jobs/{job.id}", production.state not in (_Production.STATE_CANCELING, _Production.STATE_COMPILING)
    if state == "done" and job.take.id:
        return Way("Pick", f"/takes/{job.take.id}/pick", True)
    if state == "unconfirmed" or (job.stuck and job.submission_id):
        return Way("Check now", f"{place}/retry", True)
    if job.parked.reason == "CLIP_NOT_FETCHED":
        return Way("Fetch again", f"{place}/retry", True)
    if job.parked.reason in ("BUDGET_EXCEEDED", "SPENDING_STOPPED"):
        return Way("See the budgets", "/settings/budgets")
    if state == "failed":
        return of_fault(production, job)[0]
    if state == "cancelled":
        return Way("New quote", quote(production, scene=job.scene_id))
    if job.state in (_Job.STATE_WAITING, _Job.STATE_RUNNING) and films:
        is_free = state in ("queued", "waiting_link")
        return Way("Cancel" if is_free else "Stop", f"{place}/stop", True)
    return None


def of_fault(production: job_pb2.Production, job: job_pb2.Job) -> list[Way]:
    """The ways out of a job that failed, best first; never none."""
    facts = {**job.error.metadata, "job_id": job.id, "storyboard_id": production.storyboard_id}
    told = remedies.of(refusals.Refusal(409, job.error.reason, job.error.message, facts), {})
    over = production.end_time.seconds > 0
    found = []
    for way in out(told):
        if way.verb and way.href.endswith("/retry") and charged(job) == "none":
            if over:  # only a new production can make it
                continue
            way = way._replace(price=True)
        if way.href.endswith("/quote"):
            way = Way("New quote", quote(production, scene=job.scene_id))
        elif way.href == f"/p/{production.storyboard_id}":
            way = way._replace(href=f"{way.href}?scene={job.scene_number}")
        found.append(way)
    return found or [Way("New quote", quote(production, scene=job.scene_id))]


def quote(production: job_pb2.Production, **wanted: str) -> str:
    """The page that quotes what a production has not made, to be made as the production makes it."""
    wanted |= {"model": production.model, "resolution": production.resolution}
    query = urllib.parse.urlencode({name: value for name, value in wanted.items() if value})
    return f"/p/{production.storyboard_id}/quote{'?' if query else ''}{query}"
