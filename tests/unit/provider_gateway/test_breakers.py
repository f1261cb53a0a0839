"""When an account's orders are held back, for how long, and how many may go."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_gateway import breakers, pace

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_breaker_opens_for_half_of_at_least_five_and_again_for_the_first_bad_one() -> None:
    assert [breakers.trips(0, badly) for badly in (0, 4, 5)] == [False, False, True]
    assert breakers.trips(5, 5)
    assert not breakers.trips(6, 5)
    assert breakers.trips(0, 1, opened=1)
    assert not breakers.trips(2, 1, opened=1)
    assert not breakers.trips(0, 0, opened=9)


def test_it_stays_open_longer_each_time_in_a_row() -> None:
    assert [breakers.open_s(opened) for opened in (0, 1, 2, 5, 6, 99)] == [15, 30, 60, 480, 600, 600]


def test_few_orders_go_before_the_first_is_answered_and_then_twice_as_many() -> None:
    assert breakers.at_once(0, 0) == 5
    assert breakers.at_once(0, 1) == 1, "behind an opening it is tried with one"
    assert breakers.at_once(40, 0) == breakers.at_once(40, 3) == 80


@given(st.lists(st.booleans(), max_size=3000))
def test_trust_is_earned_one_by_one_and_lost_by_halves(answers: list[bool]) -> None:
    trust = 0
    for well in answers:
        after = breakers.trust(trust, well)
        assert after == (min(trust + 1, 1000) if well else trust // 2)
        trust = after
    if answers[-11:] == [False] * 11:
        assert trust == 0


@pytest.mark.parametrize(("per_minute", "burst"), [(1, 1), (6, 1), (12, 2), (60, 10), (600, 100)])
def test_ten_seconds_worth_of_a_rate_may_go_at_once(per_minute: int, burst: int) -> None:
    assert breakers.at_the_rate(per_minute, None, NOW) == burst
    assert breakers.at_the_rate(per_minute, NOW - timedelta(days=1), NOW) == burst, "what was not used is not saved up"
    full = breakers.after(per_minute, None, burst, NOW)
    assert breakers.at_the_rate(per_minute, full, NOW) == 0
    each = timedelta(minutes=1) / per_minute
    assert breakers.at_the_rate(per_minute, full, NOW + each) == 1


@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 200)), min_size=1, max_size=60),
)
def test_a_rate_is_never_passed_however_it_is_asked(per_minute: int, asks: list[tuple[int, int]]) -> None:
    now, tat, sent = NOW, None, []
    for milliseconds, wanted in asks:
        now += timedelta(milliseconds=milliseconds)
        orders = min(wanted, breakers.at_the_rate(per_minute, tat, now))
        if orders:
            tat = breakers.after(per_minute, tat, orders, now)
            sent += [now] * orders
    burst = breakers.at_the_rate(per_minute, None, NOW)
    for begin in set(sent):
        in_a_minute = sum(begin <= at < begin + timedelta(minutes=1) for at in sent)
        assert in_a_minute <= per_minute + burst


def test_a_new_job_is_left_alone_for_as_long_as_the_quickest_took() -> None:
    known = pace.Pace()
    for seconds in range(10, 14):
        known.note("a", timedelta(seconds=seconds))
        assert known.first_s("a") == 0, "too little is known"
    known.note("a", timedelta(seconds=14))
    assert 10 <= known.first_s("a") < 11
    assert known.first_s("b") == 0
    for _ in range(50):
        known.note("a", timedelta(seconds=2))
    assert known.first_s("a") == 2, "the latest fifty count"


def test_nobody_is_asked_for_before_the_quickest_was_done() -> None:
    known = pace.Pace()
    for took in (7, 20, 20, 20, 20):
        known.note("a", timedelta(seconds=took))
    assert known.first_s("a") >= 7
