"""Budgets, the ledger, balances and switches between protobuf and the domain; checks requests, does no I/O."""

from collections.abc import Mapping

from libs import errors, moments
from rushes.provider_gateway.v1 import ledger_pb2, provider_gateway_service_pb2, submission_pb2
from services.provider_gateway import books, budgets, wire

_LONGEST_ID = 100
_LONGEST_REASON = 500

_SCOPES: Mapping[int, budgets.Scope] = {
    submission_pb2.Budget.Scope.Value(f"SCOPE_{scope}"): scope for scope in budgets.Scope
}
_PERIODS: Mapping[int, budgets.Period] = {
    submission_pb2.Budget.Period.Value(f"PERIOD_{period}"): period for period in budgets.Period
}
_REACHES: Mapping[int, budgets.Reach] = {
    ledger_pb2.SpendSwitch.Scope.Value(f"SCOPE_{reach}"): reach for reach in budgets.Reach
}
_TARGETED = (budgets.Reach.ENDPOINT, budgets.Reach.MODEL)

Named = (
    provider_gateway_service_pb2.GetBudgetRequest
    | provider_gateway_service_pb2.SetBudgetRequest
    | provider_gateway_service_pb2.DeleteBudgetRequest
)


def wanted(request: provider_gateway_service_pb2.SetBudgetRequest) -> budgets.Place:
    """Where a wall is to stand; its limit is fine too. Raises BadRequest."""
    found = []
    if request.limit.micros < 0:
        found.append(errors.Violation("limit.micros", "should not be negative"))
    found += _currency("limit.currency", request.limit.currency)
    return _place(request, found)


def named(request: provider_gateway_service_pb2.GetBudgetRequest) -> tuple[budgets.Place, str]:
    """Which wall is asked for, and its currency. Raises BadRequest."""
    currency = request.currency or wire.CURRENCY
    return _place(request, _currency("currency", currency)), currency


def removable(request: provider_gateway_service_pb2.DeleteBudgetRequest) -> tuple[budgets.Place, str]:
    """Which wall shall go, and its currency. Raises BadRequest."""
    currency = request.currency or wire.CURRENCY
    place = _place(request, _currency("currency", currency))
    if place == budgets.OWN:
        raise wire.BadRequest([errors.Violation("scope", "the tenant's own budget stays; its limit can be 0")])
    return place, currency


def thrown(request: provider_gateway_service_pb2.ThrowSpendSwitchRequest) -> budgets.Reach:
    """How far a switch shall reach; its target and reason are fine too. Raises BadRequest."""
    found = []
    reach = _REACHES.get(request.scope)
    if reach is None:
        found.append(errors.Violation("scope", "should be SCOPE_HOUSE, SCOPE_TENANT, SCOPE_ENDPOINT or SCOPE_MODEL"))
    elif bool(request.target) is not (reach in _TARGETED):
        found.append(errors.Violation("target", "should name the endpoint or the model, and be empty for other scopes"))
    if not 1 <= len(request.reason.strip()) <= _LONGEST_REASON:
        found.append(errors.Violation("reason", f"should say why, in 1 to {_LONGEST_REASON} characters"))
    if found or reach is None:
        raise wire.BadRequest(found)
    return reach


def budget(value: budgets.Budget) -> submission_pb2.Budget:
    """A budget as callers see it."""
    return submission_pb2.Budget(
        id=value.id,
        limit=wire.money(value.limit_micros, value.currency),
        reserved=wire.money(value.reserved_micros, value.currency),
        spent=wire.money(value.spent_micros, value.currency),
        suspense=wire.money(value.suspense_micros, value.currency),
        scope=submission_pb2.Budget.Scope.Value(f"SCOPE_{value.scope}"),
        scope_id=value.scope_id,
        period=submission_pb2.Budget.Period.Value(f"PERIOD_{value.period}"),
        period_id=value.period_id,
    )


def entry(value: books.Line) -> ledger_pb2.LedgerEntry:
    """A line of the ledger as callers see it."""
    return ledger_pb2.LedgerEntry(
        id=value.id,
        submission_id=value.submission_id,
        kind=ledger_pb2.LedgerEntry.Kind.Value(f"KIND_{value.kind.upper()}"),
        available=wire.money(value.available, value.currency),
        reserved=wire.money(value.reserved, value.currency),
        spent=wire.money(value.spent, value.currency),
        suspense=wire.money(value.suspense, value.currency),
        create_time=moments.stamp(value.at),
    )


def balance(value: books.Balance) -> ledger_pb2.Balance:
    """Where a tenant stands in one currency."""
    own = value.budget
    return ledger_pb2.Balance(
        currency=own.currency,
        limit=wire.money(own.limit_micros, own.currency),
        left=wire.money(own.left_micros, own.currency),
        reserved=wire.money(own.reserved_micros, own.currency),
        spent=wire.money(own.spent_micros, own.currency),
        suspense=wire.money(own.suspense_micros, own.currency),
        unknown_submissions=value.unknown,
        unknown=wire.money(value.unknown_micros, own.currency),
        parked_submissions=value.parked,
        over_quote=wire.money(value.over_quote_micros, own.currency),
    )


def spend_switch(value: budgets.Switch) -> ledger_pb2.SpendSwitch:
    """A thrown switch as callers see it."""
    return ledger_pb2.SpendSwitch(
        id=value.id,
        scope=ledger_pb2.SpendSwitch.Scope.Value(f"SCOPE_{value.scope}"),
        target=value.target,
        reason=value.reason,
        thrown_by=value.thrown_by,
        create_time=moments.stamp(value.thrown_at),
    )


def _currency(field: str, given: str) -> list[errors.Violation]:
    if given in (wire.CURRENCY, wire.PLAY_CURRENCY):
        return []
    return [errors.Violation(field, f"should be {wire.CURRENCY}, or {wire.PLAY_CURRENCY} for play money")]


def _place(request: Named, found: list[errors.Violation]) -> budgets.Place:
    """Raises BadRequest, with what was found before."""
    scope, period = _SCOPES.get(request.scope or 1), _PERIODS.get(request.period or 1)
    if scope is None:
        found.append(errors.Violation("scope", "should be a Budget.Scope, or unspecified for the tenant"))
    elif bool(request.scope_id) is (scope is budgets.Scope.TENANT) or len(request.scope_id) > _LONGEST_ID:
        found.append(errors.Violation("scope_id", "should name what the scope says, and be empty for the tenant"))
    if period is None:
        found.append(errors.Violation("period", "should be a Budget.Period, or unspecified for ever"))
    if found or scope is None or period is None:
        raise wire.BadRequest(found)
    return budgets.Place(scope, request.scope_id, period)
