"""Budgets: the walls that no order passes, how full they are, and moving them."""

import asyncio
from typing import Any, NamedTuple

from starlette import requests

from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as jobs
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from rushes.provider_gateway.v1 import submission_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as boards
from services.studio.pages import forms, sections, site

_SHOWN = 50
_WARNED_AT = 80
_SCOPES, _PERIODS = submission_pb2.Budget.Scope, submission_pb2.Budget.Period


class Wall(NamedTuple):
    """One budget as it is drawn: percentages of its limit, and what it is called."""

    budget: submission_pb2.Budget
    name: str
    spent: float
    reserved: float
    suspense: float
    state: str
    """One of ok, near, full."""

    @property
    def used(self) -> int:
        """How full it is, in per cent."""
        return round(self.spent + self.reserved + self.suspense)


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page."""
    budgets, balances, projects, productions, keys = await asyncio.gather(
        of.ask(request, "gateway.ListBudgets", pb.ListBudgetsRequest()),
        of.ask(request, "gateway.ListBalances", pb.ListBalancesRequest()),
        of.ask(request, "boards.ListStoryboards", boards.ListStoryboardsRequest(page_size=_SHOWN)),
        of.ask(request, "jobs.ListProductions", jobs.ListProductionsRequest(page_size=_SHOWN)),
        of.ask(request, "gateway.ListCredentials", pb.ListCredentialsRequest(page_size=_SHOWN)),
    )
    names = {it.id: it.name or "Untitled" for it in projects.storyboards}
    filmed = {it.id: _filming(it, names) for it in productions.productions}
    held = {it.id: f"{it.endpoint} · {it.name}" for it in keys.credentials}
    around = {
        "A project": [(f"SCOPE_STORYBOARD {id}", name) for id, name in names.items()],
        "A production": [(f"SCOPE_PRODUCTION {id}", name) for id, name in filmed.items()],
        "A key": [(f"SCOPE_CREDENTIAL {id}", name) for id, name in held.items()],
    }
    return {
        "walls": [wall(it, {**names, **filmed, **held}) for it in budgets.budgets],
        "balances": balances.balances,
        "around": around,
        "currencies": [it.currency for it in balances.balances] or ["USD"],
    }


def wall(budget: submission_pb2.Budget, names: dict[str, str]) -> Wall:
    """The budget as it is drawn."""
    limit = budget.limit.micros
    spent, reserved, suspense = (
        100.0 * it.micros / limit if limit else 0.0 for it in (budget.spent, budget.reserved, budget.suspense)
    )
    used = spent + reserved + suspense if limit else 100.0
    state = "full" if used >= 100 else "near" if used >= _WARNED_AT else "ok"
    return Wall(budget, names.get(budget.scope_id, budget.scope_id) or "Everything", spent, reserved, suspense, state)


def _filming(of: job_pb2.Production, names: dict[str, str]) -> str:
    begun = of.create_time.ToDatetime().strftime("%d %b %H:%M")
    return f"{names.get(of.storyboard_id, of.storyboard_id)}, {begun} UTC"


def _place(form: forms.Form) -> dict[str, Any]:
    """Which wall the form is about. Raises Refusal."""
    scope, _, scope_id = forms.text(form, "around").partition(" ")
    return {
        "scope": forms.one_of(_SCOPES, "around", scope),
        "scope_id": scope_id,
        "period": forms.one_of(_PERIODS, "period", forms.text(form, "period")),
    }


async def _set(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    limit = forms.money(form, "limit", forms.text(form, "currency"))
    await of.ask(request, "gateway.SetBudget", pb.SetBudgetRequest(limit=limit, **_place(form)))
    return "set"


async def _remove(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    """Take it down, and show the form that puts it back."""
    place, currency = _place(form), forms.text(form, "currency")
    asked = pb.GetBudgetRequest(currency=currency, **place)
    was = (await of.ask(request, "gateway.GetBudget", asked)).budget
    await of.ask(request, "gateway.DeleteBudget", pb.DeleteBudgetRequest(currency=currency, **place))
    return {"removed": was}


SECTION = sections.Section(
    "/settings/budgets",
    "settings/budgets.html",
    read,
    acts={"set": _set, "remove": _remove},
    says={"set": "The budget holds from now on; what waited for it is tried again."},
)
