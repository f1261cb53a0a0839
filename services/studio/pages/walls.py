"""Budgets as people see them: the wall that is met first, and what is left before it."""

from typing import NamedTuple

from starlette import requests

from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb
from rushes.provider_gateway.v1 import submission_pb2
from rushes.type.v1 import money_pb2
from services.studio.pages import site

_Budget = submission_pb2.Budget


class Wall(NamedTuple):
    """A budget, and where one would stand after paying the most; `over` is how far beyond, 0 when it fits."""

    limit: money_pb2.Money
    spent: money_pb2.Money
    after: money_pb2.Money
    over: money_pb2.Money


async def tightest(of: site.Site, request: requests.Request, storyboard_id: str, most: money_pb2.Money) -> Wall | None:
    """The wall around this project that has the least left in this currency; None when there is none."""
    listed = await of.ask(request, "gateway.ListBudgets", gateway_pb.ListBudgetsRequest())
    around = [one for one in listed.budgets if one.limit.currency == most.currency and _is_around(one, storyboard_id)]
    if not around:
        return None
    found = min(around, key=lambda one: one.limit.micros - _used(one))
    after = _used(found) + most.micros
    told = (found.limit.micros, _used(found), after, max(0, after - found.limit.micros))
    return Wall(*(money_pb2.Money(currency=most.currency, micros=micros) for micros in told))


def _used(budget: submission_pb2.Budget) -> int:
    return budget.reserved.micros + budget.spent.micros + budget.suspense.micros


def _is_around(budget: submission_pb2.Budget, storyboard_id: str) -> bool:
    return budget.scope == _Budget.SCOPE_TENANT or (
        budget.scope == _Budget.SCOPE_STORYBOARD and budget.scope_id == storyboard_id
    )
