"""The rules of money: walls around what is bought, who may pass them, and what every step of a paid call moves."""

import collections
import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from libs import errors
from services.provider_gateway import domain

PLAY_MONEY = "XTS"
"""ISO 4217's code for testing. No brake is on what costs nothing."""

HOUSE = "*"
"""The tenant of switches that stop every tenant."""

TRY_AGAIN = timedelta(minutes=5)
"""How long an order that was denied waits at least, where no date is known at which that changes."""

_LONGEST_WAIT = timedelta(hours=3)
_PART_OF_AGE = 10

MOST_DRIFT_PERCENT = 5
"""How far beyond the quoted most a price may be before its model is bought no more."""


class BudgetExceeded(errors.Exhausted):
    """This can cost {needed}, and the budget has {left} left of {limit}; `rushes budget set` raises it."""


class BudgetNotFound(errors.NotFound):
    """No budget of scope {scope} {scope_id} and period {period} stands; `rushes budget set` puts one up."""


class SpendingStopped(errors.Conflict):
    """Buying is stopped for {scope} ({reason}); `rushes resume {switch_id}` lets it go on."""


class SpendSwitchNotFound(errors.NotFound):
    """No switch {spend_switch_id} is thrown; `rushes balance` names those that are."""


OPERATOR = "operator"
"""The role that may act for the whole house."""


class OperatorNeeded(errors.Denied):
    """Only an operator may do this for the whole house; ask for a token with the role `operator`."""


class Scope(enum.StrEnum):
    """What a wall stands around."""

    TENANT = "TENANT"
    STORYBOARD = "STORYBOARD"
    PRODUCTION = "PRODUCTION"
    CREDENTIAL = "CREDENTIAL"


class Period(enum.StrEnum):
    """How often a wall begins anew, in UTC."""

    EVER = "EVER"
    DAY = "DAY"
    MONTH = "MONTH"


class Reach(enum.StrEnum):
    """What a switch stops."""

    HOUSE = "HOUSE"
    TENANT = "TENANT"
    ENDPOINT = "ENDPOINT"
    MODEL = "MODEL"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a wall stands; `scope_id` is empty for the tenant's."""

    scope: Scope = Scope.TENANT
    scope_id: str = ""
    period: Period = Period.EVER


OWN = Place()
"""The wall every tenant has."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A wall in one currency, in micros, for the period that `period_id` names."""

    id: str
    tenant_id: str
    currency: str
    limit_micros: int
    reserved_micros: int = 0
    spent_micros: int = 0
    suspense_micros: int = 0
    scope: Scope = Scope.TENANT
    scope_id: str = ""
    period: Period = Period.EVER
    period_id: str = ""

    @property
    def left_micros(self) -> int:
        """What can still be reserved."""
        return max(0, self.limit_micros - self.reserved_micros - self.spent_micros - self.suspense_micros)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.scope, self.scope_id, self.period)

    @property
    def title(self) -> str:
        """What people call it."""
        whose = f"of {self.scope.lower()} {self.scope_id}" if self.scope_id else f"of tenant {self.tenant_id}"
        return f"{whose} for {self.period_id}" if self.period_id else whose


@dataclass(frozen=True, slots=True)
class Switch:
    """A thrown switch: nothing more is bought within its reach. `target` names the endpoint or the model."""

    id: str
    tenant_id: str
    scope: Reach
    target: str
    reason: str
    thrown_by: str
    thrown_at: datetime

    def stops(self, submission: domain.Submission) -> bool:
        """Whether this may not be bought."""
        if self.tenant_id not in (HOUSE, submission.tenant_id):
            return False
        named = {Reach.ENDPOINT: submission.endpoint, Reach.MODEL: submission.model}
        return self.scope not in named or named[self.scope] == self.target


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order has to wait, and until when."""

    reason: str
    message: str
    retry_at: datetime


class Admission(NamedTuple):
    """What may be bought, naming the walls it stands behind for life; and what has to wait."""

    held: list[domain.Submission]
    denied: list[tuple[domain.Submission, Denial]]


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of the ledger, in micros: what leaves one account enters another, so the four add up to zero."""

    kind: str
    available: int = 0
    reserved: int = 0
    spent: int = 0
    suspense: int = 0

    def __add__(self, other: "Posting") -> "Posting":
        """What both do together."""
        return Posting(
            "sum",
            self.available + other.available,
            self.reserved + other.reserved,
            self.spent + other.spent,
            self.suspense + other.suspense,
        )

    @property
    def over_quote(self) -> int:
        """What was charged beyond the most that was quoted."""
        return max(0, -self.available) if self.kind == "commit" else 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a tenant buys with real money: orders in the last minute, micros in the last hour and the day before."""

    orders: int
    hour_micros: int
    day_micros: int


@dataclass(frozen=True, slots=True)
class Brake:
    """What no tenant does who knows what happens: so many orders a minute, or so many times the usual micros an hour.

    Below `floor_micros` an hour nobody is braked: who buys seldom has no usual hour.
    """

    most_orders: int = 2000
    surge: int = 5
    floor_micros: int = 200_000_000

    def reason(self, pace: Pace) -> str | None:
        """Why the tenant should be stopped; None when all is well."""
        if pace.orders > self.most_orders:
            return f"{pace.orders} orders in a minute, and more than {self.most_orders} are not believed"
        if pace.hour_micros > self.floor_micros and pace.hour_micros * 24 > pace.day_micros * self.surge:
            return f"more than {self.surge} times as much reserved in an hour as in the usual hour of the day before"
        return None


def period_id(period: Period, now: datetime) -> str:
    """The name of the period this moment is in, in UTC; empty for EVER. Later periods have greater names."""
    day = now.astimezone(UTC).date().isoformat()
    return {Period.EVER: "", Period.DAY: day, Period.MONTH: day[:7]}[period]


def next_period(period: Period, now: datetime) -> datetime | None:
    """When the next period begins; None for EVER."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period is Period.DAY:
        return midnight + timedelta(days=1)
    if period is Period.MONTH:
        return (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)
    return None


def amount(micros: int, currency: str) -> str:
    """Money for a person, exact, with two decimals or more."""
    units, rest = divmod(micros, 1_000_000)
    unit = "in play money" if currency == PLAY_MONEY else currency
    return f"{units}.{f'{rest:06}'.rstrip('0').ljust(2, '0')} {unit}"


def exceeded(budget: Budget, needed_micros: int) -> BudgetExceeded:
    """What to say when the budget has less left than this can cost."""
    left, limit = (amount(micros, budget.currency) for micros in (budget.left_micros, budget.limit_micros))
    return BudgetExceeded(needed=amount(needed_micros, budget.currency), left=left, limit=limit)


def shortage(wall: Budget, needed_micros: int, now: datetime) -> str:
    """What to say beforehand where not all of it fits into this period; empty when it does."""
    begins = next_period(wall.period, now)
    if begins is None or needed_micros <= wall.left_micros:
        return ""
    left = amount(wall.left_micros, wall.currency)
    return f"The budget {wall.title} has {left} left; what does not fit waits for {begins:%Y-%m-%d}."


def places(submission: domain.Submission) -> list[tuple[Scope, str]]:
    """What a submission is part of, and walls can stand around."""
    return [
        (Scope.TENANT, ""),
        (Scope.STORYBOARD, submission.storyboard_id),
        (Scope.PRODUCTION, submission.production_id),
        (Scope.CREDENTIAL, submission.account),
    ]


def admit(
    asks: Iterable[domain.Submission], walls: Sequence[Budget], switches: Sequence[Switch], now: datetime
) -> Admission:
    """Let those pass, in their order, whom no switch stops and for whom every wall around them has enough left.

    Who is denied takes nothing from those after it. Without a wall there is no money.
    """
    left = {wall.id: wall.left_micros for wall in walls}
    standing = collections.defaultdict(list)
    for wall in walls:
        standing[wall.tenant_id, wall.currency, wall.scope, wall.scope_id].append(wall)
    admission = Admission([], [])
    for ask in asks:
        around = [wall for place in places(ask) for wall in standing[ask.tenant_id, ask.currency, *place]]
        if denial := _stopped(ask, switches, now) or _too_dear(ask, around, left, now):
            admission.denied.append((ask, denial))
            continue
        for wall in around:
            left[wall.id] -= ask.reserved_micros
        admission.held.append(dataclasses.replace(ask, budgets=tuple(wall.id for wall in around)))
    return admission


def _stopped(ask: domain.Submission, switches: Sequence[Switch], now: datetime) -> Denial | None:
    found = next((switch for switch in switches if switch.stops(ask)), None)
    if found is None:
        return None
    what = {Reach.HOUSE: "the whole house", Reach.TENANT: f"tenant {ask.tenant_id}"}
    scope = what.get(found.scope) or f"{found.scope.lower()} {found.target}"
    error = SpendingStopped(switch_id=found.id, scope=scope, reason=found.reason)
    return Denial(error.reason, str(error), _later(ask, now))


def _too_dear(
    ask: domain.Submission, around: Sequence[Budget], left: Mapping[str, int], now: datetime
) -> Denial | None:
    needed = amount(ask.reserved_micros, ask.currency)
    if not around:
        why = (
            f"This can cost {needed}, and tenant {ask.tenant_id} has no budget for it; `rushes budget set` puts one up."
        )
        return Denial(BudgetExceeded.reason, why, _later(ask, now))
    refusing = [wall for wall in around if ask.reserved_micros > left[wall.id]]
    if not refusing:
        return None
    wall = max(refusing, key=lambda one: next_period(one.period, now) or _NEVER)
    room, limit = (amount(micros, ask.currency) for micros in (max(0, left[wall.id]), wall.limit_micros))
    begins = next_period(wall.period, now)
    remedy = "raise it (`rushes budget set`)" + (f", or wait for {begins:%Y-%m-%d}" if begins else "")
    why = f"This can cost {needed}, and the budget {wall.title} has {room} left of {limit}; {remedy}."
    return Denial(BudgetExceeded.reason, why, begins or _later(ask, now))


def _later(ask: domain.Submission, now: datetime) -> datetime:
    """What changes on the way wakes it; the rest is money that others give back."""
    return now + min(max(TRY_AGAIN, (now - ask.created_at) / _PART_OF_AGE), _LONGEST_WAIT)


def reservation(submission: domain.Submission) -> Posting:
    """The money set aside together with the intent."""
    return Posting("reserve", available=-submission.reserved_micros, reserved=submission.reserved_micros)


def posting(before: domain.Submission, after: domain.Submission) -> Posting | None:
    """What a transition does to the money; None when it does nothing. What is parked has none: it is held anew."""
    if before.state is domain.State.PARKED:
        return None
    reserved, spent, suspense = (b - a for a, b in zip(_owned(before), _owned(after), strict=True))
    if not (reserved or spent or suspense):
        return None
    kind = "commit" if spent else "suspend" if suspense > 0 else "reserve" if reserved > 0 else "release"
    return Posting(kind, -reserved - spent - suspense, reserved, spent, suspense)


def has_drifted(submission: domain.Submission, moved: Posting) -> bool:
    """Whether a price is so far beyond its quote that nothing more should be bought at quotes like it."""
    return moved.over_quote * 100 > submission.reserved_micros * MOST_DRIFT_PERCENT


_NEVER = datetime.max.replace(tzinfo=UTC)
_RESERVED = frozenset({domain.State.INTENT, domain.State.SENDING, domain.State.UNKNOWN, domain.State.ACCEPTED})


def _owned(submission: domain.Submission) -> tuple[int, int, int]:
    """What is reserved, spent and in suspense for it."""
    if submission.state in _RESERVED:
        return submission.reserved_micros, 0, 0
    if submission.state is domain.State.UNRESOLVED:
        return 0, 0, submission.reserved_micros
    return 0, submission.cost_micros or 0, 0
