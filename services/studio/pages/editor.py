"""The storyboard editor: the page of one project, and the price in its head."""

import re
from collections.abc import Sequence
from typing import Any

import fastapi
import grpc.aio
from starlette import requests, responses

from rushes.job.v1 import job_service_pb2 as jobs
from rushes.provider_gateway.v1 import model_pb2, submission_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from services.studio.pages import editor_board, editor_state, site
from services.studio.rest import refusals

_TABS = {"words": "Words", "camera": "Camera", "cast": "Cast", "prompt": "Prompt"}
_PANES = {"scenes": "Scenes", "preview": "Preview", "details": "Details"}
_DRAWERS = ("cast", "look", "project")
_SEAMS = (
    ("SEAM_CUT", "a cut"),
    ("SEAM_LAST_FRAME", "its last frame"),
    ("SEAM_SHARED_KEYFRAME", "a still that both share"),
)


def routes(of: site.Site) -> fastapi.APIRouter:
    """/p/{id}, its price, and its pulse."""
    router = fastapi.APIRouter()

    @router.get("/p/{storyboard_id}")
    async def editor(request: requests.Request, storyboard_id: str) -> responses.Response:
        return await show(of, request, storyboard_id, request.query_params)

    @router.get("/p/{storyboard_id}/price")
    async def price(request: requests.Request, storyboard_id: str, revision: int) -> responses.Response:
        looks = editor_board.Looks(of, request, storyboard_id)
        told = {"id": storyboard_id, **await _plan(of, request, storyboard_id, revision), **await _spent(looks)}
        return of.show(request, "editor_price.html", told)

    @router.get("/p/{storyboard_id}/pulse")
    async def pulse(request: requests.Request, storyboard_id: str) -> responses.Response:
        """A word that is another one when anything of the page may have changed."""
        looks = editor_board.Looks(of, request, storyboard_id)
        board = await looks.board()
        asked = jobs.ListProductionsRequest(storyboard_id=storyboard_id, page_size=1)
        films = await looks.maybe("jobs.ListProductions", asked, jobs.ListProductionsResponse())
        newest = jobs.ListTakesRequest(storyboard_id=storyboard_id, page_size=1)
        takes = await looks.maybe("jobs.ListTakes", newest, jobs.ListTakesResponse())
        told = [board.etag, *(f"{it.id}.{it.version}" for it in films.productions), *(it.id for it in takes.takes)]
        return responses.PlainTextResponse(" ".join(told), headers={"cache-control": "no-store"})

    return router


async def show(of: site.Site, request: requests.Request, storyboard_id: str, told: Any) -> responses.Response:
    """The page; `told` says which scene, tab, pane and drawer it shows, as the address does."""
    looks = editor_board.Looks(of, request, storyboard_id)
    found = await looks.all()
    row = chosen(found["rows"], told.get("scene", ""))
    shown = {
        "row": row,
        "tab": _one_of(_TABS, told.get("tab")),
        "pane": _one_of(_PANES, told.get("pane")),
        "drawer": told.get("open") if told.get("open") in _DRAWERS else "",
        "tabs": _TABS,
        "panes": _PANES,
        "seams": _SEAMS,
        "origin": origin,
        "model": found["models"].get((row and row.scene.model) or found["board"].model or found["default_model"]),
        "guest": looks.is_guest,
    }
    if shown["drawer"] == "project":
        shown |= await _wall(looks, found["usable"])
    return of.show(request, "editor.html", found | shown)


def chosen(rows: list[editor_state.Row], told: str) -> editor_state.Row | None:
    """The scene that the address names by its number or id, else the first."""
    of_number = next((row for row in rows if told in (row.scene.id, str(row.number))), None)
    return of_number or (rows[0] if rows else None)


def origin(told: str) -> str:
    """Where a piece of a prompt comes from: `characters[0].profile` is `characters · profile`."""
    return re.sub(r"\[\d+\]", "", told).replace(".", " · ").replace("_", " ")


def _one_of(names: dict[str, str], told: str | None) -> str:
    return told if told in names else next(iter(names))


async def _wall(looks: editor_board.Looks, usable: Sequence[model_pb2.Model]) -> dict[str, str]:
    """The limit around the project, and in which currency its models are paid."""
    wall = await budget(looks)
    if wall:
        return {"currency": wall.limit.currency, "limit": f"{wall.limit.micros / 1_000_000:.2f}"}
    paid = (price.amount.currency for it in usable for price in it.prices)
    return {"currency": next(paid, "USD"), "limit": ""}


async def _plan(of: site.Site, request: requests.Request, storyboard_id: str, revision: int) -> dict[str, Any]:
    """What making all that is missing costs at most; what stands in its way, where something does."""
    asked = jobs.PlanProductionRequest(storyboard_id=storyboard_id, revision=revision)
    try:
        return {"plan": (await of.ask(request, "jobs.PlanProduction", asked)).plan, "hindrance": ""}
    except grpc.aio.AioRpcError as fault:
        refused = refusals.of(fault)
        return {"plan": None, "hindrance": "; ".join(it for _, it in refused.violations) or refused.detail}


async def _spent(looks: editor_board.Looks) -> dict[str, Any]:
    """What the project has cost so far, by currency, and the wall around it."""
    asked = jobs.GetCostsRequest(storyboard_id=looks.storyboard_id)
    costs = await looks.maybe("jobs.GetCosts", asked, jobs.GetCostsResponse())
    return {"spent": [it.spent for it in costs.costs if it.spent.micros], "budget": await budget(looks)}


async def budget(looks: editor_board.Looks) -> submission_pb2.Budget | None:
    """The project's own wall; None when it has none."""
    told = await looks.maybe("gateway.ListBudgets", gateway.ListBudgetsRequest(), gateway.ListBudgetsResponse())
    mine = (submission_pb2.Budget.SCOPE_STORYBOARD, looks.storyboard_id)
    return next((it for it in told.budgets if (it.scope, it.scope_id) == mine), None)
