"""Asks the gateway about money, and shows what it says to a person."""

import decimal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import rich.console
from google.protobuf import message

from rushes.provider_gateway.v1 import ledger_pb2, submission_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.type.v1 import money_pb2
from services.cli import exits, gateway, wire

_CURRENCIES = {False: "USD", True: "XTS"}
_PERIODS = ("ever", "day", "month")
_MOST_MICROS = 2**63 - 1


class Place(TypedDict):
    """Where a budget stands, as requests name it."""

    scope: submission_pb2.Budget.Scope.ValueType
    scope_id: str
    period: submission_pb2.Budget.Period.ValueType


def place(storyboard: str | None, production: str | None, credential: str | None, period: str) -> Place:
    """Where a budget stands. Raises Ended with USAGE."""
    given = _given({"storyboard": storyboard, "production": production, "credential": credential})
    if len(given) > 1:
        wrong = "A budget stands around one thing: name a storyboard, a production or a credential."
        raise exits.Ended(wrong, exits.Code.USAGE)
    if period not in _PERIODS:
        raise exits.Ended(f"--period {period}: write {', '.join(_PERIODS)}.", exits.Code.USAGE)
    ((scope, scope_id),) = given.items() or [("tenant", "")]
    return Place(
        scope=submission_pb2.Budget.Scope.Value(f"SCOPE_{scope.upper()}"),
        scope_id=scope_id,
        period=submission_pb2.Budget.Period.Value(f"PERIOD_{period.upper()}"),
    )


def micros(amount: str) -> int:
    """An amount as a person writes it, in micros. Raises Ended with USAGE."""
    try:
        exact = decimal.Decimal(amount) * 1_000_000
        if 0 <= exact <= _MOST_MICROS and exact % 1 == 0:
            return int(exact)
    except ArithmeticError:
        pass
    raise exits.Ended(f"{amount}: write an amount such as 5.00.", exits.Code.USAGE)


def budget(home: Path, where: Place, play: bool) -> message.Message:
    """One budget."""
    return gateway.ask(
        home, gateway_pb2.GetBudgetResponse, gateway_pb2.GetBudgetRequest(currency=_CURRENCIES[play], **where)
    )


def set_budget(home: Path, where: Place, amount: str, play: bool) -> message.Message:
    """The budget with its new limit. Raises Ended with USAGE."""
    limit = money_pb2.Money(currency=_CURRENCIES[play], micros=micros(amount))
    return gateway.ask(home, gateway_pb2.SetBudgetResponse, gateway_pb2.SetBudgetRequest(limit=limit, **where))


def delete_budget(home: Path, where: Place, play: bool) -> None:
    """Take a budget down."""
    gateway.ask(
        home, gateway_pb2.DeleteBudgetResponse, gateway_pb2.DeleteBudgetRequest(currency=_CURRENCIES[play], **where)
    )


def budgets(home: Path) -> message.Message:
    """Every budget that stands."""
    return gateway.ask(home, gateway_pb2.ListBudgetsResponse, gateway_pb2.ListBudgetsRequest())


def entries(home: Path, submission_id: str, count: int) -> message.Message:
    """The newest entries of the ledger."""
    request = gateway_pb2.ListLedgerEntriesRequest(submission_id=submission_id, page_size=count)
    return gateway.ask(home, gateway_pb2.ListLedgerEntriesResponse, request)


def balances(home: Path) -> message.Message:
    """Where the tenant stands."""
    return gateway.ask(home, gateway_pb2.ListBalancesResponse, gateway_pb2.ListBalancesRequest())


def stop(home: Path, reason: str, endpoint: str | None, model: str | None, everyone: bool) -> message.Message:
    """Throw a switch. Raises Ended with USAGE."""
    given = _given({"endpoint": endpoint, "model": model})
    if len(given) + everyone > 1:
        raise exits.Ended("Stop one thing at a time: an endpoint, a model or everyone.", exits.Code.USAGE)
    ((scope, target),) = given.items() or [("house" if everyone else "tenant", "")]
    request = gateway_pb2.ThrowSpendSwitchRequest(
        scope=ledger_pb2.SpendSwitch.Scope.Value(f"SCOPE_{scope.upper()}"), target=target, reason=reason
    )
    return gateway.ask(home, gateway_pb2.ThrowSpendSwitchResponse, request)


def resume(home: Path, switch_id: str | None) -> str:
    """Release a switch, the only one when none is named; says what goes on. Raises Ended."""
    named = _given({"switch": switch_id})
    thrown = _thrown(home)
    if not named and not thrown:
        return "Nothing is stopped."
    if not named and len(thrown) > 1:
        listed = "\n".join(f"{one.id}: {_stops(one)} ({one.reason})" for one in thrown)
        raise exits.Ended(f"{listed}\nSeveral are thrown: name the one to release.", exits.Code.USAGE)
    released = switch_id or thrown[0].id
    gateway.ask(
        home, gateway_pb2.ReleaseSpendSwitchResponse, gateway_pb2.ReleaseSpendSwitchRequest(spend_switch_id=released)
    )
    return f"Buying goes on; {released} is released."


def show(answer: message.Message, as_json: bool, out: rich.console.Console) -> None:
    """Print an answer."""
    gateway.show(answer, _lines, as_json, out)


def show_stopped(home: Path, out: rich.console.Console) -> None:
    """Print what is stopped, and how it goes on."""
    for one in _thrown(home):
        out.print(_switch(one), markup=False)


def _thrown(home: Path) -> Sequence[ledger_pb2.SpendSwitch]:
    return tuple(
        gateway.ask(home, gateway_pb2.ListSpendSwitchesResponse, gateway_pb2.ListSpendSwitchesRequest()).spend_switches
    )


def _given(named: Mapping[str, str | None]) -> Mapping[str, str]:
    """What is named. A name that is empty, as of a variable that is not set, must not mean everything."""
    given = {option: name for option, name in named.items() if name is not None}
    if empty := [option for option, name in given.items() if not name.strip()]:
        raise exits.Ended(f"The {empty[0]} has an empty name: name one, or leave it out.", exits.Code.USAGE)
    return given


def _lines(answer: message.Message) -> Iterator[str]:
    match answer:
        case gateway_pb2.GetBudgetResponse() | gateway_pb2.SetBudgetResponse():
            yield _budget(answer.budget)
        case gateway_pb2.ListBudgetsResponse():
            yield from map(_budget, answer.budgets)
        case gateway_pb2.ListLedgerEntriesResponse():
            yield from map(_entry, answer.entries)
        case gateway_pb2.ListBalancesResponse():
            yield from map(_balance, answer.balances)
        case gateway_pb2.ThrowSpendSwitchResponse():
            yield _switch(answer.spend_switch)


def _budget(of: submission_pb2.Budget) -> str:
    around = f"{submission_pb2.Budget.Scope.Name(of.scope).removeprefix('SCOPE_').lower()} {of.scope_id}".strip()
    period = f" for {of.period_id}" if of.period_id else ""
    left = max(0, of.limit.micros - of.reserved.micros - of.spent.micros - of.suspense.micros)
    return f"{around}{period}: {_standing(of, money_pb2.Money(currency=of.limit.currency, micros=left))}"


def _balance(of: ledger_pb2.Balance) -> str:
    more = [
        f"{of.unknown_submissions} with an unknown outcome, at most {wire.amount(of.unknown)}",
        f"{of.parked_submissions} waiting for money or a switch",
        f"{wire.amount(of.over_quote)} beyond what was quoted",
    ]
    counts = (of.unknown_submissions, of.parked_submissions, of.over_quote.micros)
    return "; ".join([_standing(of, of.left), *(text for text, count in zip(more, counts, strict=True) if count)])


def _standing(of: submission_pb2.Budget | ledger_pb2.Balance, left: money_pb2.Money) -> str:
    parts = {"reserved": of.reserved, "spent": of.spent, "in suspense": of.suspense}
    used = ", ".join(f"{wire.amount(money)} {what}" for what, money in parts.items() if money.micros)
    return f"{wire.amount(left)} left of {wire.amount(of.limit)}" + (f" ({used})" if used else "")


def _entry(of: ledger_pb2.LedgerEntry) -> str:
    moved = {
        ledger_pb2.LedgerEntry.KIND_RESERVE: (of.reserved, "set aside"),
        ledger_pb2.LedgerEntry.KIND_COMMIT: (of.spent, "charged"),
        ledger_pb2.LedgerEntry.KIND_RELEASE: (of.available, "given back"),
        ledger_pb2.LedgerEntry.KIND_SUSPEND: (of.suspense, "held, the outcome is unknown"),
    }
    money, what = moved[of.kind]
    back = ""
    if of.kind == ledger_pb2.LedgerEntry.KIND_COMMIT and of.available.micros:
        back = ", {} given back" if of.available.micros > 0 else ", {} more than was quoted"
    rest = money_pb2.Money(currency=of.available.currency, micros=abs(of.available.micros))
    when = of.create_time.ToDatetime().isoformat(" ", "seconds")
    return f"{when}  {of.submission_id}  {wire.amount(money)} {what}{back.format(wire.amount(rest))}"


def _switch(of: ledger_pb2.SpendSwitch) -> str:
    return f"Stopped: {_stops(of)} ({of.reason.rstrip('.')}). `rushes resume {of.id}` lets it go on."


def _stops(switch: ledger_pb2.SpendSwitch) -> str:
    if switch.target:
        return f"buying {switch.target}"
    return "all buying of everyone" if switch.scope == ledger_pb2.SpendSwitch.SCOPE_HOUSE else "all buying"
