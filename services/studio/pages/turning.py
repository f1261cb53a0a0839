"""What people do to productions, jobs and takes: each verb is one call, and an answer in one sentence."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import fastapi
from starlette import requests, responses

from rushes.job.v1 import job_service_pb2 as jobs_pb
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.type.v1 import money_pb2
from services.studio.pages import production, reel, site, words
from services.studio.rest import refusals

_Said = Callable[[Any], str]
_STEPS = {
    jobs_pb.RetryJobResponse.STEP_ORDERED_AGAIN: "Asked for again; it counts once.",
    jobs_pb.RetryJobResponse.STEP_LOOKED_AGAIN: "Looking again, for free. Nothing is bought twice.",
    jobs_pb.RetryJobResponse.STEP_FETCHED_AGAIN: "Fetching the paid clip again, for free.",
    jobs_pb.RetryJobResponse.STEP_MADE_ANEW: "A new take is on its way.",
}
_PRODUCTIONS: dict[str, tuple[str, Any, _Said]] = {
    "pause": ("jobs.PauseProduction", jobs_pb.PauseProductionRequest, lambda told: "Paused. What is sent is finished."),
    "resume": ("jobs.ResumeProduction", jobs_pb.ResumeProductionRequest, lambda told: "Going on."),
    "approve": ("jobs.ApproveProduction", jobs_pb.ApproveProductionRequest, lambda told: "Approved. Going on."),
    "stop": ("jobs.CancelProduction", jobs_pb.CancelProductionRequest, lambda told: _stopped(told)),
}
_JOBS: dict[str, tuple[str, Any, _Said]] = {
    "stop": ("jobs.CancelJob", jobs_pb.CancelJobRequest, lambda told: "Stopping. What is paid is finished and kept."),
    "retry": ("jobs.RetryJob", jobs_pb.RetryJobRequest, lambda told: _STEPS.get(told.step, "Taken up again.")),
}
_TAKES: dict[str, tuple[str, Any, _Said]] = {
    "pick": ("jobs.PickTake", jobs_pb.PickTakeRequest, lambda told: _picked(told)),
    "unpick": ("jobs.UnpickTake", jobs_pb.UnpickTakeRequest, lambda told: "No take of this scene is picked now."),
}


def routes(of: site.Site) -> fastapi.APIRouter:
    """/productions/{id}/{verb}, /jobs/{id}/{verb}, /takes/{id}/{verb} and /submissions/{id}/settle."""
    router = fastapi.APIRouter()

    @router.post("/productions/{production_id}/again")
    async def again(request: requests.Request, production_id: str) -> responses.Response:
        count = await _retry_all(of, request, production_id)
        return await _answer(of, request, production_id, f"{count} new takes are on their way.")

    @router.post("/productions/{production_id}/{verb}")
    async def turn(request: requests.Request, production_id: str, verb: str) -> responses.Response:
        call, asked, say = _known(_PRODUCTIONS, verb)
        told = await of.ask(request, call, asked(production_id=production_id))
        return await _answer(of, request, production_id, say(told))

    @router.post("/jobs/{job_id}/{verb}")
    async def job(request: requests.Request, job_id: str, verb: str) -> responses.Response:
        call, asked, say = _known(_JOBS, verb)
        told = await of.ask(request, call, asked(job_id=job_id))
        return await _answer(of, request, told.job.production_id, say(told))

    @router.post("/takes/{take_id}/{verb}")
    async def take(request: requests.Request, take_id: str, verb: str) -> responses.Response:
        call, asked, say = _known(_TAKES, verb)
        told = await of.ask(request, call, asked(take_id=take_id))
        return await _answer(of, request, told.take.production_id, say(told))

    @router.post("/submissions/{submission_id}/settle")
    async def settle(
        request: requests.Request,
        submission_id: str,
        currency: Annotated[str, fastapi.Form()],
        charged: Annotated[str, fastapi.Form()] = "0",
        note: Annotated[str, fastapi.Form()] = "",
    ) -> responses.Response:
        amount = money_pb2.Money(currency=currency, micros=_micros(charged))
        asked = gateway_pb.SettleSubmissionRequest(submission_id=submission_id, charged=amount, note=note)
        told = (await of.ask(request, "gateway.SettleSubmission", asked)).submission
        return await _answer(of, request, told.production_id, f"Settled: {words.money(amount)} was charged.")

    return router


async def _retry_all(of: site.Site, request: requests.Request, production_id: str) -> int:
    """Take up every job that failed for nothing; repeating it changes nothing. Raises AioRpcError."""
    asked = jobs_pb.GetProductionRequest(production_id=production_id)
    found = (await of.ask(request, "jobs.GetProduction", asked)).production
    again = [
        row.job_id for row in reel.rows(found, {job.id: job for job in found.jobs}) if reel.can_be_again(found, row)
    ]
    for job_id in again:
        await of.ask(request, "jobs.RetryJob", jobs_pb.RetryJobRequest(job_id=job_id))
    return len(again)


def _known(verbs: dict[str, tuple[str, Any, _Said]], verb: str) -> tuple[str, Any, _Said]:
    if verb not in verbs:
        raise refusals.Refusal(404, "ROUTE_NOT_FOUND", "There is nothing at this address.")
    return verbs[verb]


async def _answer(of: site.Site, request: requests.Request, production_id: str, said: str) -> responses.Response:
    """The sentence for a script that says it; else the page again."""
    if site.wants_fragment(request):
        return responses.PlainTextResponse(said)
    return responses.RedirectResponse(await production.place_of(of, request, production_id), 303)


def _stopped(told: jobs_pb.CancelProductionResponse) -> str:
    spent, stake, saved = (words.money(one) for one in (told.spent, told.at_stake, told.saved))
    return f"Stopping. Charged so far {spent}, may still be charged {stake}, saved {saved}."


def _picked(told: jobs_pb.PickTakeResponse) -> str:
    later = len(told.stale_take_ids)
    return (
        f"Picked. {later} later take{'s start' if later > 1 else ' starts'} on another picture now."
        if later
        else "Picked."
    )


def _micros(told: str) -> int:
    """Raises Refusal when it is no amount."""
    try:
        amount = Decimal(told.strip().lstrip("$€£") or "0")
        if not amount.is_finite() or not 0 <= amount < 1_000_000:
            raise InvalidOperation
        return int(amount * 1_000_000)
    except InvalidOperation:
        raise refusals.bad_request([{"pointer": "/charged", "detail": "should be an amount, such as 0.40"}]) from None
