"""Measures what the gateway holds: paid calls that are not over, by state and age, and the money behind them."""

from typing import NamedTuple

import prometheus_client
import sqlalchemy as sa

from libs import db
from services.provider_gateway import budgets, catalogue, domain, ledger, store, switches

_OPEN = prometheus_client.Gauge("rushes_submissions", "Paid calls that are not over.", ["endpoint", "state"])
_OLDEST_S = prometheus_client.Gauge(
    "rushes_submission_oldest_age_seconds",
    "How long ago the oldest of them was sent, or ordered while it was not.",
    ["state"],
)
_MONEY = prometheus_client.Gauge(
    "rushes_money_micros", "Money behind the tenants' own walls, in millionths.", ["currency", "account"]
)
_HEADROOM = prometheus_client.Gauge(
    "rushes_budget_least_headroom_ratio", "What is left behind the fullest wall, of its limit.", ["currency"]
)
_TIGHT = prometheus_client.Gauge("rushes_budgets_tight", "Walls behind which less than a tenth is left.", ["currency"])
_SWITCHES = prometheus_client.Gauge("rushes_spend_switches", "Switches that stop buying now.", ["scope"])

_TIGHT_RATIO = 0.1
_STATES = [state for state in domain.State if state not in domain.FINAL]
_SINCE = sa.func.min(sa.func.coalesce(store.SUBMISSIONS.c.sent_at, store.SUBMISSIONS.c.created_at))
_AGE = sa.cast(sa.extract("epoch", sa.func.now() - _SINCE), sa.Float)
_HELD = (
    sa.select(store.SUBMISSIONS.c.endpoint, store.SUBMISSIONS.c.state, sa.func.count(), _AGE)
    .where(store.SUBMISSIONS.c.next_action_at.is_not(None))
    .group_by(store.SUBMISSIONS.c.endpoint, store.SUBMISSIONS.c.state)
)
_WALL = ledger.BUDGETS.c
_OWN = sa.and_(_WALL.scope == budgets.Scope.TENANT, _WALL.period == budgets.Period.EVER)
_AMOUNTS = ("limit", "reserved", "spent", "suspense")
_SUMS = sa.select(
    _WALL.currency, *(sa.cast(sa.func.sum(_WALL[f"{name}_micros"]).filter(_OWN), sa.Float) for name in _AMOUNTS)
).group_by(_WALL.currency)
_STANDING = ledger.standing().where(_WALL.limit_micros > 0).subquery().c
_LEFT = 1 - sa.cast(_STANDING.reserved_micros + _STANDING.spent_micros + _STANDING.suspense_micros, sa.Float) / (
    _STANDING.limit_micros
)
_FULLEST = sa.select(_STANDING.currency, sa.func.min(_LEFT), sa.func.count().filter(_LEFT < _TIGHT_RATIO)).group_by(
    _STANDING.currency
)
_THROWN = (
    sa.select(switches.SWITCHES.c.scope, sa.func.count())
    .where(switches.SWITCHES.c.released_at.is_(None))
    .group_by(switches.SWITCHES.c.scope)
)


class Held(NamedTuple):
    """The paid calls of one endpoint that stand in one state."""

    endpoint: str
    state: str
    submissions: int
    oldest_s: float


class Gauges:
    """Every replica sees the whole house: alerts take the largest, not sums."""

    def __init__(self, database: db.Database, offer: catalogue.Catalogue) -> None:
        self._database, self._offer = database, offer

    async def look(self) -> int:
        """Set the gauges; 0, so that it can be a loop's tick."""
        async with self._database.house() as conn:
            held = [Held(*row) for row in await conn.execute(_HELD)]
            money = (await conn.execute(_SUMS)).all()
            walls = (await conn.execute(_FULLEST)).all()
            thrown = {scope: count for scope, count in await conn.execute(_THROWN)}
        self._show(held)
        for currency, *amounts in money:
            for name, micros in zip(_AMOUNTS, amounts, strict=True):
                _MONEY.labels(currency, name).set(micros or 0)
        for currency, least, tight in walls:
            _HEADROOM.labels(currency).set(least)
            _TIGHT.labels(currency).set(tight)
        for scope in budgets.Reach:
            _SWITCHES.labels(scope).set(thrown.get(scope, 0))
        return 0

    def _show(self, held: list[Held]) -> None:
        found = {(one.endpoint, one.state): one.submissions for one in held}
        for endpoint in self._offer.endpoints.keys() | {one.endpoint for one in held}:
            for state in _STATES:
                _OPEN.labels(endpoint, state).set(found.get((endpoint, state), 0))
        for state in _STATES:
            _OLDEST_S.labels(state).set(max((one.oldest_s for one in held if one.state == state), default=0.0))
