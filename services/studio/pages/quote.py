"""The quote: what would be made, the most it can cost, and the one button that pays for exactly that."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fastapi
import grpc
import grpc.aio
from starlette import datastructures, requests, responses

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs_pb
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards_pb
from rushes.type.v1 import money_pb2
from services.studio.pages import offers, site, terms, walls
from services.studio.rest import refusals

_MOST_TAKES = 10
_STALE = ("PLAN_CHANGED", "QUOTE_CHANGED", "QUOTE_EXPIRED", "QUOTE_NOT_FOUND")
"""What was shown is not what would be done: nothing was sent."""


class Wanted(NamedTuple):
    """What a person has chosen: scenes, None for those that need a take; takes of each; whether they pick by hand.

    `model` and `resolution` are empty for what the project says.
    """

    scenes: frozenset[str] | None
    takes: int
    by_hand: bool
    model: str
    resolution: str

    @property
    def how(self) -> str:
        """All but the scenes, to be compared."""
        return f"{self.takes} {self.by_hand} {self.model} {self.resolution}"


class Priced(NamedTuple):
    """What would be made; when it cannot be made as a person has chosen, as the project says, and why."""

    plan: job_pb2.Plan
    refused: refusals.Refusal | None


class Stale(NamedTuple):
    """Why nothing was sent, and how what was shown differs from what would be done."""

    why: str
    changes: Sequence[terms.Change]


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}/quote."""
    router = fastapi.APIRouter()

    @router.get("/p/{storyboard_id}/quote")
    async def show(request: requests.Request, storyboard_id: str) -> responses.Response:
        return await Desk(of, request, storyboard_id).show(_wanted(request.query_params))

    @router.post("/p/{storyboard_id}/quote")
    async def agree(request: requests.Request, storyboard_id: str) -> responses.Response:
        form, desk = await request.form(), Desk(of, request, storyboard_id)
        return await (desk.show(_wanted(form)) if form.get("again") else desk.agree(form))

    return router


class Desk:
    """One person at the quote of one project."""

    def __init__(self, of: site.Site, request: requests.Request, storyboard_id: str) -> None:
        self._of, self._request, self._storyboard_id = of, request, storyboard_id

    async def show(self, wanted: Wanted) -> responses.Response:
        """A new quote. Raises AioRpcError."""
        board = await self._board()
        return await self._page(board, await self._plan(board, wanted), wanted)

    async def agree(self, form: datastructures.FormData) -> responses.Response:
        """Begin exactly what was shown, once; when it is not what would be done, send nothing and quote anew."""
        board, wanted = await self._board(), _wanted(form)
        asked = _agreed(form, board, wanted)
        if asked.revision == board.revision:
            try:
                made = (await self._of.ask(self._request, "jobs.CreateProduction", asked)).production
                return self._to_production(made.id)
            except grpc.aio.AioRpcError as fault:
                refused = refusals.of(fault)
                if refused.reason not in _STALE:
                    raise
        elif begun := await self._begun(asked.quote_id):
            return self._to_production(begun)
        return await self._again(board, form, wanted)

    async def _again(
        self, board: storyboard_pb2.Storyboard, form: datastructures.FormData, wanted: Wanted
    ) -> responses.Response:
        priced = await self._plan(board, wanted)
        was = terms.read(map(str, form.getlist("was")))
        found = terms.changes(was, terms.shown(priced.plan))
        why = "The project changed" if found or str(board.revision) != form.get("revision") else "The quote has ended"
        if (frozenset(one.scene_id for one in was), wanted.how) != (wanted.scenes, form.get("priced")):
            why = "You changed what to make"
        return await self._page(board, priced, wanted, Stale(why, found))

    async def _page(
        self, board: storyboard_pb2.Storyboard, priced: Priced, wanted: Wanted, stale: Stale | None = None
    ) -> responses.Response:
        plan, refused = priced
        until, wall, offer = await asyncio.gather(
            self._until(plan.quote_id),
            walls.tightest(self._of, self._request, board.id, plan.most_you_can_pay),
            offers.found(self._of, self._request, board, wanted.model),
        )
        told = {
            "project": board,
            "plan": plan,
            "wanted": wanted,
            "stale": None if refused else stale,
            "refused": terms.refused(refused.violations) if refused else (),
            "offer": offer,
            "bill": terms.bill(plan),
            "was": terms.shown(plan),
            "made": terms.MADE,
            "why": terms.WHY,
            "nothing": money_pb2.Money(currency=plan.most_you_can_pay.currency),
            "key": str(uuid.uuid4()),
            "method": self._request.method,
            "until": until,
            "wall": wall,
        }
        template = "parts/quote.html" if site.wants_fragment(self._request) else "quote.html"
        return self._of.show(self._request, template, told, refused.status if refused else 409 if stale else 200)

    async def _board(self) -> storyboard_pb2.Storyboard:
        asked = boards_pb.GetStoryboardRequest(storyboard_id=self._storyboard_id)
        board: storyboard_pb2.Storyboard = (await self._of.ask(self._request, "boards.GetStoryboard", asked)).storyboard
        return board

    async def _plan(self, board: storyboard_pb2.Storyboard, wanted: Wanted) -> Priced:
        try:
            return Priced(await self._planned(board, wanted), None)
        except grpc.aio.AioRpcError as fault:
            if not (wanted.model or wanted.resolution) or fault.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            as_set = wanted._replace(model="", resolution="")
            return Priced(await self._planned(board, as_set), refusals.of(fault))

    async def _planned(self, board: storyboard_pb2.Storyboard, wanted: Wanted) -> job_pb2.Plan:
        options = _options(board, wanted)
        asked = jobs_pb.PlanProductionRequest(storyboard_id=board.id, revision=board.revision, options=options)
        plan: job_pb2.Plan = (await self._of.ask(self._request, "jobs.PlanProduction", asked)).plan
        return plan

    async def _until(self, quote_id: str) -> Any:
        if not quote_id:
            return None
        asked = gateway_pb.GetQuoteRequest(quote_id=quote_id)
        return (await self._of.ask(self._request, "gateway.GetQuote", asked)).quote.expire_time

    async def _begun(self, quote_id: str) -> str:
        """The production that this quote has begun, if the answer to that was lost on its way to the person."""
        asked = jobs_pb.ListProductionsRequest(storyboard_id=self._storyboard_id)
        found = (await self._of.ask(self._request, "jobs.ListProductions", asked)).productions
        return next((one.id for one in found if quote_id and one.quote_id == quote_id), "")

    def _to_production(self, production_id: str) -> responses.Response:
        place = f"/p/{self._storyboard_id}/production?production={production_id}"
        if self._request.headers.get("hx-request"):
            return responses.Response(status_code=204, headers={"hx-redirect": place})
        return responses.RedirectResponse(place, 303)


def _wanted(told: Mapping[str, Any] | datastructures.ImmutableMultiDict[str, Any]) -> Wanted:
    """What a form or an address says; `scene` may come often, and `chosen` says that none was meant too."""
    many = told.getlist("scene") if isinstance(told, datastructures.ImmutableMultiDict) else []
    scenes = frozenset(map(str, many)) if many or told.get("chosen") else None
    takes = str(told.get("takes", ""))
    count = min(max(int(takes), 1), _MOST_TAKES) if takes.isdecimal() and len(takes) < 4 else 1
    model, resolution = (str(told.get(name, "")) for name in ("model", "resolution"))
    return Wanted(scenes, count, bool(told.get("by_hand")), model, resolution)


def _options(board: storyboard_pb2.Storyboard, wanted: Wanted) -> jobs_pb.PlanOptions:
    pick = job_pb2.AUTO_PICK_NEVER if wanted.by_hand else job_pb2.AUTO_PICK_FIRST
    options = jobs_pb.PlanOptions(takes=wanted.takes, auto_pick=pick, model=wanted.model, resolution=wanted.resolution)
    if wanted.scenes is not None:
        ids = [scene.id for scene in board.scenes]
        options.remake_scene_ids.extend(one for one in ids if one in wanted.scenes)
        options.leave_scene_ids.extend(one for one in ids if one not in wanted.scenes)
    return options


def _agreed(
    form: datastructures.FormData, board: storyboard_pb2.Storyboard, wanted: Wanted
) -> jobs_pb.CreateProductionRequest:
    """What the person agrees to, under the key that their page was made with. Raises Refusal."""
    told = {name: str(form.get(name, "")) for name in ("key", "revision", "quote_id", "digest")}
    if not (told["key"] and told["digest"] and told["revision"].isdecimal() and len(told["revision"]) < 10):
        raise refusals.Refusal(422, "BAD_REQUEST", "Only a page of ours can agree to a quote; open the quote again.")
    return jobs_pb.CreateProductionRequest(
        request_id=told["key"],
        storyboard_id=board.id,
        revision=int(told["revision"]),
        quote_id=told["quote_id"],
        plan_digest=told["digest"],
        options=_options(board, wanted),
    )
