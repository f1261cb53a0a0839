"""Who may buy, until when the others wait, and what every step moves: the rules of money."""

import dataclasses
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_gateway import budgets, domain

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
S, Scope, Period, Reach = domain.State, budgets.Scope, budgets.Period, budgets.Reach


def ask(micros: int = 100, number: int = 1, **changes: object) -> domain.Submission:
    base = domain.Submission(
        id=f"sub_{number}",
        tenant_id="acme",
        job_id=f"job_{number}",
        attempt=1,
        production_id="prod_1",
        storyboard_id="sb_1",
        scene_id="scene_1",
        model="sandbox/reel-1",
        endpoint="sandbox-openai",
        wire_model="sandbox-reel-1",
        spec=b"",
        likeness="",
        last_frame_wanted=False,
        traceparent="",
        account="cred_1",
        currency="USD",
        reserved_micros=micros,
        created_at=NOW,
        updated_at=NOW,
        next_action_at=NOW,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def wall(limit: int, name: str = "budget_1", **more: object) -> budgets.Budget:
    return budgets.Budget(name, "acme", "USD", limit, **more)  # type: ignore[arg-type]


def switch(scope: budgets.Reach, target: str = "", tenant_id: str = "acme") -> budgets.Switch:
    return budgets.Switch("switch_1", tenant_id, scope, target, "A key leaked.", "ada", NOW)


def denial(one: domain.Submission, walls: list[budgets.Budget], *switches: budgets.Switch) -> budgets.Denial:
    held, denied = budgets.admit([one], walls, switches, NOW)
    assert not held
    ((_, why),) = denied
    return why


MICROS = st.integers(0, 1000)
ASKS = st.lists(
    st.builds(
        ask,
        MICROS,
        st.integers(),
        tenant_id=st.sampled_from(["acme", "bolt"]),
        currency=st.sampled_from(["USD", "XTS"]),
        storyboard_id=st.sampled_from(["sb_1", "sb_2"]),
        production_id=st.sampled_from(["prod_1", "prod_2"]),
        account=st.sampled_from(["cred_1", "cred_2"]),
    ),
    max_size=12,
)
PLACES = st.sampled_from(
    [(Scope.TENANT, ""), (Scope.STORYBOARD, "sb_1"), (Scope.PRODUCTION, "prod_2"), (Scope.CREDENTIAL, "cred_1")]
)


@st.composite
def walls(draw: st.DrawFn) -> list[budgets.Budget]:
    """Own walls of both tenants, and some others, partly used."""
    own = [
        (tenant, currency, Scope.TENANT, "", Period.EVER) for tenant in ("acme", "bolt") for currency in ("USD", "XTS")
    ]
    keys = st.tuples(
        st.sampled_from(["acme", "bolt"]), st.sampled_from(["USD", "XTS"]), PLACES, st.sampled_from(Period)
    )
    some = {(tenant, currency, *place, period) for tenant, currency, place, period in draw(st.sets(keys, max_size=6))}
    return [
        budgets.Budget(
            f"budget_{number}",
            tenant,
            currency,
            draw(st.integers(0, 4000)),
            *(draw(MICROS) for _ in range(3)),
            scope=scope,
            scope_id=scope_id,
            period=period,
            period_id=budgets.period_id(period, NOW),
        )
        for number, (tenant, currency, scope, scope_id, period) in enumerate({*own, *some})
    ]


def stands_around(one: budgets.Budget, submission: domain.Submission) -> bool:
    places = [(Scope.TENANT, ""), (Scope.STORYBOARD, submission.storyboard_id)]
    places += [(Scope.PRODUCTION, submission.production_id), (Scope.CREDENTIAL, submission.account)]
    ours = (one.tenant_id, one.currency) == (submission.tenant_id, submission.currency)
    return ours and (one.scope, one.scope_id) in places


@given(ASKS, walls())
def test_no_wall_is_passed_and_nobody_is_denied_who_fits(
    asks: list[domain.Submission], standing: list[budgets.Budget]
) -> None:
    held, denied = budgets.admit(asks, standing, [], NOW)
    refused = {id(one): why for one, why in denied}
    left, passed = {one.id: one.left_micros for one in standing}, iter(held)
    for one in asks:
        around = [other.id for other in standing if stands_around(other, one)]
        if id(one) in refused:
            assert any(left[name] < one.reserved_micros for name in around)
            assert refused[id(one)].reason == "BUDGET_EXCEEDED"
            assert refused[id(one)].retry_at > NOW
            continue
        behind = next(passed)
        assert behind == dataclasses.replace(one, budgets=behind.budgets)
        assert sorted(behind.budgets) == sorted(around)
        for name in around:
            left[name] -= one.reserved_micros
            assert left[name] >= 0
    assert next(passed, None) is None


@given(ASKS, st.sampled_from(Reach), st.sampled_from(["acme", "bolt"]))
def test_a_switch_stops_those_it_names_and_no_others(
    asks: list[domain.Submission], reach: budgets.Reach, tenant_id: str
) -> None:
    target = {Reach.ENDPOINT: "sandbox-openai", Reach.MODEL: "sandbox/other"}.get(reach, "")
    one = switch(reach, target, budgets.HOUSE if reach is Reach.HOUSE else tenant_id)
    plenty = [
        budgets.Budget(f"budget_{tenant}_{currency}", tenant, currency, 10**6)
        for tenant in ("acme", "bolt")
        for currency in ("USD", "XTS")
    ]
    _, denied = budgets.admit(asks, plenty, [one], NOW)
    stopped = [it for it in asks if reach is Reach.HOUSE or (it.tenant_id == tenant_id and reach is not Reach.MODEL)]
    assert [it for it, _ in denied] == stopped
    assert {(why.reason, why.retry_at) for _, why in denied} <= {("SPENDING_STOPPED", NOW + timedelta(minutes=5))}


STORIES: dict[str, list[domain.State]] = {
    "made": [S.INTENT, S.SENDING, S.ACCEPTED, S.PROVIDER_DONE, S.FETCHING, S.STORED],
    "refused": [S.INTENT, S.SENDING, S.REJECTED],
    "failed": [S.INTENT, S.SENDING, S.ACCEPTED, S.PROVIDER_FAILED],
    "lost": [S.INTENT, S.SENDING, S.UNKNOWN, S.UNRESOLVED],
    "found": [S.INTENT, S.SENDING, S.UNKNOWN, S.UNRESOLVED, S.ACCEPTED, S.PROVIDER_DONE, S.FETCHING, S.CLIP_EXPIRED],
    "absent": [S.INTENT, S.SENDING, S.UNKNOWN, S.UNRESOLVED, S.ABSENT],
    "settled": [S.INTENT, S.SENDING, S.UNKNOWN, S.PROVIDER_FAILED],
    "canceled": [S.PARKED, S.INTENT, S.CANCELED_FREE],
}
SPENT = {S.PROVIDER_DONE, S.FETCHING, S.STORED, S.CLIP_EXPIRED, S.PROVIDER_FAILED}


def moves(name: str, held: int, cost: int) -> list[budgets.Posting]:
    """What a story does to the money, the reservation first."""
    story = STORIES[name]
    stages = [
        dataclasses.replace(ask(held), state=state, cost_micros=cost if state in SPENT else None) for state in story
    ]
    pairs = itertools.pairwise(stages)
    return [budgets.reservation(stages[0]), *filter(None, (budgets.posting(a, b) for a, b in pairs))]


@given(st.lists(st.tuples(st.sampled_from(sorted(STORIES)), MICROS, MICROS), max_size=8), st.randoms())
def test_money_is_neither_made_nor_lost_in_whatever_order_calls_end(
    stories: list[tuple[str, int, int]], random
) -> None:  # type: ignore[no-untyped-def]
    lines = [moves(*story) for story in stories]
    ends, turns = Counter[str](), [number for number, line in enumerate(lines) for _ in line]
    random.shuffle(turns)
    for number in turns:
        one = lines[number].pop(0)
        assert one.available + one.reserved + one.spent + one.suspense == 0
        for account in ("available", "reserved", "spent", "suspense"):
            ends[account] += getattr(one, account)
    assert sum(ends.values()) == 0
    assert ends["reserved"] == 0
    assert ends["spent"] == sum(cost for name, _, cost in stories if STORIES[name][-1] in SPENT)
    assert ends["suspense"] == sum(held for name, held, _ in stories if name == "lost")


@given(st.sampled_from(sorted(STORIES)), st.integers(1, 1000), MICROS)
def test_a_call_is_settled_once_at_most(name: str, held: int, cost: int) -> None:
    kinds = [one.kind for one in moves(name, held, cost)]
    assert kinds[0] == "reserve"
    assert sum(kind in ("commit", "release") for kind in kinds) == (name != "lost")


def test_what_is_parked_is_held_by_the_one_who_lets_it_in() -> None:
    parked = ask(state=S.PARKED)
    for state in (S.INTENT, S.REJECTED, S.CANCELED_FREE):
        assert budgets.posting(parked, dataclasses.replace(parked, state=state, cost_micros=0)) is None


def test_a_denial_says_which_wall_what_is_needed_what_is_left_and_what_to_do() -> None:
    one = wall(1_000_000, reserved_micros=250_000, spent_micros=500_000, suspense_micros=50_000)
    why = denial(ask(300_001), [one])
    assert why == budgets.Denial(
        "BUDGET_EXCEEDED",
        "This can cost 0.300001 USD, and the budget of tenant acme has 0.20 USD left of 1.00 USD; "
        "raise it (`rushes budget set`).",
        NOW + timedelta(minutes=5),
    )
    assert "no budget" in denial(ask(0), []).message


@pytest.mark.parametrize(("age", "wait"), [(0, 5), (50, 5), (600, 60), (38 * 24 * 60, 180)])
def test_who_waits_long_is_tried_more_seldom(age: int, wait: int) -> None:
    old = ask(10, created_at=NOW - timedelta(minutes=age))
    for why in (denial(old, []), denial(old, [wall(0)]), denial(old, [wall(99)], switch(Reach.TENANT))):
        assert why.retry_at == NOW + timedelta(minutes=wait)


@pytest.mark.parametrize(
    ("period", "names", "begins"),
    [
        (Period.EVER, "", None),
        (Period.DAY, "2026-11-21", datetime(2026, 11, 22, tzinfo=UTC)),
        (Period.MONTH, "2026-11", datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_who_is_denied_waits_for_the_wall_to_begin_anew(
    period: budgets.Period, names: str, begins: datetime | None
) -> None:
    assert budgets.period_id(period, NOW) == names
    assert budgets.next_period(period, NOW) == begins
    tight = wall(99, "budget_2", scope=Scope.PRODUCTION, scope_id="prod_1", period=period, period_id=names)
    why = denial(ask(), [wall(100), tight])
    assert why.retry_at == (begins or NOW + timedelta(minutes=5))
    assert f"of production prod_1{f' for {names}' if names else ''} has 0.000099 USD left" in why.message
    assert ("wait" in why.message) == bool(begins)


def test_of_several_walls_the_one_that_refuses_longest_is_named() -> None:
    day, month = (
        wall(0, name, period=period, period_id=budgets.period_id(period, NOW))
        for name, period in (("budget_2", Period.DAY), ("budget_3", Period.MONTH))
    )
    assert denial(ask(), [wall(100), day, month]).retry_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert denial(ask(), [day, wall(99), month]).retry_at == NOW + timedelta(minutes=5)


def test_a_period_is_the_same_everywhere() -> None:
    there = datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert budgets.period_id(Period.DAY, there) == "2026-12-31"
    assert budgets.period_id(Period.MONTH, there) == "2026-12"
    assert budgets.next_period(Period.MONTH, there) == datetime(2027, 1, 1, tzinfo=UTC)


@given(st.timedeltas(timedelta(days=-9000), timedelta(days=9000)), st.sampled_from(Period))
def test_the_next_period_begins_where_this_one_ends(since: timedelta, period: budgets.Period) -> None:
    now = NOW + since
    begins = budgets.next_period(period, now)
    if begins is None:
        assert period is Period.EVER
        return
    assert now < begins
    last = begins - timedelta(microseconds=1)
    assert budgets.period_id(period, last) == budgets.period_id(period, now) < budgets.period_id(period, begins)


def test_a_stopped_order_names_the_switch_and_its_reason() -> None:
    for scope, target, named in (
        (Reach.HOUSE, "", "the whole house"),
        (Reach.TENANT, "", "tenant acme"),
        (Reach.ENDPOINT, "sandbox-openai", "endpoint sandbox-openai"),
        (Reach.MODEL, "sandbox/reel-1", "model sandbox/reel-1"),
    ):
        why = denial(ask(), [wall(100)], switch(scope, target, budgets.HOUSE if scope is Reach.HOUSE else "acme"))
        assert why.message == (
            f"Buying is stopped for {named} (A key leaked.); `rushes resume switch_1` lets it go on."
        )


def test_what_is_left_of_a_budget_is_never_negative() -> None:
    assert wall(10, reserved_micros=4, spent_micros=4, suspense_micros=1).left_micros == 1
    assert wall(10, reserved_micros=8, spent_micros=8).left_micros == 0


@given(st.integers(0, 10**15))
def test_an_amount_is_told_to_the_last_micro(micros: int) -> None:
    number, currency = budgets.amount(micros, "USD").split()
    units, decimals = number.split(".")
    assert int(units) * 10**6 + int(decimals.ljust(6, "0")) == micros
    assert (currency, len(decimals) >= 2) == ("USD", True)


BRAKE = budgets.Brake(most_orders=10, surge=5, floor_micros=1000)


@pytest.mark.parametrize(
    ("pace", "braked"),
    [
        (budgets.Pace(10, 1000, 0), False),
        (budgets.Pace(11, 0, 0), True),
        (budgets.Pace(1, 1001, 0), True),
        (budgets.Pace(1, 5000, 24_000), False),
        (budgets.Pace(1, 5001, 24_000), True),
    ],
)
def test_the_brake_is_for_what_nobody_does_who_knows_what_happens(pace: budgets.Pace, braked: bool) -> None:
    assert bool(BRAKE.reason(pace)) is braked


@pytest.mark.parametrize(("cost", "over", "drifted"), [(90, 0, False), (105, 5, False), (106, 6, True)])
def test_beyond_the_quote_the_truth_is_paid_and_told(cost: int, over: int, drifted: bool) -> None:
    before = ask(100, state=S.ACCEPTED)
    moved = budgets.posting(before, dataclasses.replace(before, state=S.PROVIDER_DONE, cost_micros=cost))
    assert moved == budgets.Posting("commit", available=100 - cost, reserved=-100, spent=cost)
    assert (moved.over_quote, budgets.has_drifted(before, moved)) == (over, drifted)
    assert budgets.reservation(before).over_quote == 0
