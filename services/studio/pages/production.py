"""The production: every take as it comes, what it costs, and what needs a person."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import fastapi
from starlette import requests, responses

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs_pb
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from rushes.type.v1 import money_pb2
from services.studio.pages import following, live, reel, site, walls, ways

_MOST = 50
_NOT_KEPT = {"cache-control": "no-store"}
STEPS = {
    "": "Asked for",
    "INTENT": "Money set aside",
    "PARKED": "Waits at the door",
    "SENDING": "Sent",
    "ACCEPTED": "Accepted by the provider",
    "UNKNOWN": "The answer was lost; looking for it",
    "PROVIDER_DONE": "Made and paid",
    "FETCHING": "Fetching",
    "STORED": "Verified and kept",
    "REJECTED": "Refused by the provider",
    "ABSENT": "Proven never to have been made",
    "PROVIDER_FAILED": "Failed at the provider",
    "UNRESOLVED": "Nobody could tell what became of it",
    "CANCELED_FREE": "Stopped before it was sent",
    "CLIP_EXPIRED": "Deleted by the provider before it was fetched",
}
"""The steps of a job in words, by the state of its paid call."""

_HOLDS = {
    "SEAM": "Waits for the last frame of the scene before",
    "APPROVAL": "Waits for the owner's yes",
    "PAUSED": "Waits while the production is paused",
}
_STATES = {
    job_pb2.Job.STATE_SUCCEEDED: STEPS["STORED"],
    job_pb2.Job.STATE_FAILED: "Failed",
    job_pb2.Job.STATE_CANCELING: "Asked to stop",
    job_pb2.Job.STATE_CANCELED: "Stopped",
}


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/production with its stream, and the short ways to it from a production or a job."""
    router, streams = fastapi.APIRouter(), live.Streams()

    @router.get("/p/{storyboard_id}/production")
    async def show(request: requests.Request, storyboard_id: str) -> responses.Response:
        return await _page(of, streams.has_room(request), request, storyboard_id)

    @router.get("/p/{storyboard_id}/production/{production_id}/events")
    async def events(
        request: requests.Request, production_id: str, since: int = 0, mode: str = ""
    ) -> responses.Response:
        told = request.headers.get("last-event-id", "")
        since = int(told) if told.isdecimal() and len(told) < 19 else since
        show = request.query_params.get("show", "all")
        story = following.Following(of, request, production_id, since, show)
        if mode == "here":
            streams.take_over(request)
        if mode in ("", "here") and streams.has_room(request):
            return streams.open(request, story)
        return await _polled(of, request, story, {"polls": not streams.has_room(request), "takes_over": mode == "free"})

    @router.get("/productions/{production_id}")
    async def production(request: requests.Request, production_id: str) -> responses.Response:
        return responses.RedirectResponse(await place_of(of, request, production_id), 303)

    @router.get("/jobs/{job_id}")
    async def job(request: requests.Request, job_id: str) -> responses.Response:
        found = (await of.ask(request, "jobs.GetJob", jobs_pb.GetJobRequest(job_id=job_id))).job
        place = await place_of(of, request, found.production_id)
        return responses.RedirectResponse(f"{place}&job={job_id}#{job_id}", 303)

    return router


async def place_of(of: site.Site, request: requests.Request, production_id: str) -> str:
    """The address of a production's page. Raises AioRpcError."""
    found = await _production(of, request, production_id)
    return f"/p/{found.storyboard_id}/production?production={found.id}"


async def _page(of: site.Site, has_room: bool, request: requests.Request, storyboard_id: str) -> responses.Response:
    asked = boards_pb.GetStoryboardRequest(storyboard_id=storyboard_id)
    wanted = jobs_pb.ListProductionsRequest(storyboard_id=storyboard_id, page_size=_MOST)
    board, listed = await asyncio.gather(
        of.ask(request, "boards.GetStoryboard", asked), of.ask(request, "jobs.ListProductions", wanted)
    )
    told: dict[str, Any] = {"project": board.storyboard, "productions": listed.productions, "production": None}
    told |= {"polls": not has_room, "takes_over": False, "drawer": None, "wall": None}
    query = request.query_params
    chosen = query.get("production") or next((one.id for one in listed.productions), "")
    if chosen:
        told |= await _shown(of, request, await _production(of, request, chosen))
        told["wall"] = await walls.tightest(of, request, storyboard_id, money_pb2.Money(currency=told["currency"]))
        job = next((one for one in told["jobs"].values() if one.id == query.get("job")), None)
        told["drawer"] = await _drawer(of, request, told["production"], job) if job else None
    if site.wants_fragment(request) and query.get("job") and chosen:
        return of.show(request, "parts/production_drawer.html", told)
    return of.show(request, "production.html", told)


async def _production(of: site.Site, request: requests.Request, production_id: str) -> job_pb2.Production:
    asked = jobs_pb.GetProductionRequest(production_id=production_id)
    found: job_pb2.Production = (await of.ask(request, "jobs.GetProduction", asked)).production
    return found


async def _shown(of: site.Site, request: requests.Request, production: job_pb2.Production) -> dict[str, Any]:
    jobs = {job.id: job for job in production.jobs}
    rows = reel.rows(production, jobs)
    show, now = request.query_params.get("show", "all"), of.services.clock().timestamp()
    return {
        "production": production,
        "jobs": jobs,
        "rows": rows,
        "frames": reel.frames(rows),
        "tally": reel.tally(production, rows),
        "left": reel.left(production, now, now),
        "show": show if show in reel.SHOWS else "all",
        "shows": reel.SHOWS,
        "here": f"/p/{production.storyboard_id}/production?production={production.id}",
        "currency": production.most_you_can_pay.currency or production.cost.currency,
    }


async def _polled(
    of: site.Site, request: requests.Request, story: following.Following, told: Mapping[str, bool]
) -> responses.Response:
    """What has changed, and how the page goes on: it asks again, or opens a stream if there is room."""
    snapshot = await _production(of, request, story.production_id)
    story.hear(jobs_pb.WatchProductionResponse(snapshot=snapshot))
    news = "".join(story.pieces(len(story.jobs)))
    polls = told["polls"] and not told["takes_over"]
    feed = {"production": story.production, "show": story.show, "takes_over": told["takes_over"], "polls": polls}
    return responses.HTMLResponse(news + of.render("parts/production_polled.html", feed), 200, _NOT_KEPT)


async def _drawer(
    of: site.Site, request: requests.Request, production: job_pb2.Production, job: job_pb2.Job
) -> dict[str, Any]:
    """Everything about one job: its steps, its paid call, what was learned about that, and what to do."""
    history = of.ask(request, "jobs.ListJobHistory", jobs_pb.ListJobHistoryRequest(job_id=job.id, page_size=200))
    paid, evidence = await _paid(of, request, job.submission_id)
    return {
        "job": job,
        "row": reel.of_job(production, job),
        "steps": _steps(job, paid, (await history).changes),
        "submission": paid,
        "evidence": evidence,
        "ways": ways.of_fault(production, job) if job.HasField("error") else [],
        "charged": ways.charged(job),
        "still": f"/v1/takes/{job.take.id}:media?format=poster" if job.take.id else "",
    }


async def _paid(of: site.Site, request: requests.Request, submission_id: str) -> tuple[Any, Sequence[Any]]:
    if not submission_id:
        return None, ()
    one, learned = await asyncio.gather(
        of.ask(request, "gateway.GetSubmission", gateway_pb.GetSubmissionRequest(submission_id=submission_id)),
        of.ask(request, "gateway.ListEvidence", gateway_pb.ListEvidenceRequest(submission_id=submission_id)),
    )
    return one.submission, learned.evidence


def _steps(job: job_pb2.Job, paid: Any, changes: Sequence[Any]) -> list[tuple[Any, str, str]]:
    """When, what in words, and why, in the order of time; what was said just before is not said again."""
    told = [(job.create_time, "Quoted and asked for", "")]
    if paid:
        told += [(paid.create_time, STEPS["INTENT"], ""), (paid.send_time, STEPS["SENDING"], "")]
    told += [(change.change_time, _said(change), change.reason) for change in changes]
    found: list[tuple[Any, str, str]] = []
    for step in sorted((one for one in told if one[0].seconds), key=lambda one: one[0].ToNanoseconds()):
        if not found or found[-1][1:] != step[1:]:
            found.append(step)
    return found


def _said(change: Any) -> str:
    said = STEPS.get(change.submission_state, change.submission_state)
    if change.hold:
        said = _HOLDS.get(change.hold, "Waits")
    elif change.state in _STATES:
        said = _STATES[change.state]
    return said if change.attempt < 2 else f"{said}, try {change.attempt}"
