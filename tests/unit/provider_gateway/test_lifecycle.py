"""What becomes of a submission: waits, doubts, proofs of absence, horizons and ends."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_gateway import budgets, domain, lifecycle
from tests.unit.provider_gateway import test_domain

NOW, S, HELD = test_domain.NOW, domain.State, test_domain.HELD
submission = test_domain.submission
L = domain.Learned
DAY = timedelta(days=1)


def learned(kind: domain.Learned, minutes: float = 0, name: str = "") -> domain.Evidence:
    return domain.Evidence(kind, NOW + timedelta(minutes=minutes), name)


def wait(after: domain.Submission, now: datetime) -> timedelta:
    assert after.next_action_at is not None
    return after.next_action_at - now


def test_who_may_not_buy_waits_with_a_reason_and_a_date_for_a_week() -> None:
    until = NOW + timedelta(minutes=5)
    waiting = lifecycle.parked(submission(S.INTENT), test_domain.NO_MONEY, until, NOW)
    assert (waiting.state, waiting.fault, waiting.next_action_at) == (S.PARKED, test_domain.NO_MONEY, until)
    assert budgets.posting(waiting, lifecycle.admitted(waiting, until)) is None, "what lets it in holds the money anew"
    last = NOW + lifecycle.WAITS_AT_MOST
    assert lifecycle.parked(waiting, test_domain.NO_MONEY, last, last - timedelta(seconds=1)).state is S.PARKED
    ended = lifecycle.parked(waiting, test_domain.NO_MONEY, last, last)
    assert (ended.state, ended.cost_micros, ended.next_action_at) == (S.REJECTED, 0, None)
    assert ended.fault == domain.Fault("BUDGET_EXCEEDED", "The money is gone."), "trying again would not help"
    assert budgets.posting(waiting, ended) is None


def test_what_could_not_be_sent_for_a_week_gives_its_money_back() -> None:
    ended = lifecycle.given_up(submission(S.INTENT), NOW)
    assert (ended.state, ended.cost_micros, ended.next_action_at) == (S.REJECTED, 0, None)
    assert ended.fault is not None
    assert not ended.fault.retryable
    assert budgets.posting(submission(S.INTENT), ended) == budgets.Posting("release", available=HELD, reserved=-HELD)


def test_what_was_let_in_forgets_why_it_waited() -> None:
    waiting = lifecycle.parked(submission(S.INTENT), test_domain.NO_MONEY, NOW, NOW)
    let_in = lifecycle.admitted(waiting, NOW)
    assert (let_in.state, let_in.fault, let_in.next_action_at) == (S.INTENT, None, NOW)


def test_an_unknown_outcome_holds_its_money_for_a_day_then_in_suspense_and_is_closed_after_a_month() -> None:
    at = lifecycle.unknown(submission(S.SENDING), NOW)
    assert budgets.posting(submission(S.SENDING), at) is None
    waiting = lifecycle.unknown(at, NOW + timedelta(hours=23))
    assert waiting.state is S.UNKNOWN
    ended = lifecycle.unknown(waiting, NOW + DAY)
    assert (ended.state, ended.fault and ended.fault.reason) == (S.UNRESOLVED, "OUTCOME_UNKNOWN")
    assert budgets.posting(waiting, ended) == budgets.Posting("suspend", reserved=-HELD, suspense=HELD)
    closed = lifecycle.unknown(ended, NOW + 31 * DAY)
    assert (closed.state, closed.cost_micros) == (S.PROVIDER_FAILED, HELD)
    assert budgets.posting(ended, closed) == budgets.Posting("commit", spent=HELD, suspense=-HELD)


def test_after_the_horizon_it_is_looked_for_daily_for_a_week_then_weekly() -> None:
    ended = lifecycle.unknown(submission(S.UNKNOWN), NOW + DAY)
    assert wait(ended, NOW + DAY) == DAY
    for days in (1, 6):
        assert wait(lifecycle.unknown(ended, now := NOW + (1 + days) * DAY), now) == DAY
    for days in (7, 20, 29):
        after = lifecycle.unknown(ended, now := NOW + (1 + days) * DAY)
        assert (after.state, wait(after, now)) == (S.UNRESOLVED, 7 * DAY)


def test_a_lost_answer_is_looked_for_soon_and_then_less_often() -> None:
    at, waits = lifecycle.unknown(submission(S.SENDING), NOW), []
    for _ in range(9):
        at = lifecycle.unknown(at, NOW)
        waits.append(wait(at, NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_late_evidence_takes_the_money_back_from_suspense() -> None:
    at = lifecycle.unknown(submission(S.UNKNOWN), NOW + DAY)
    found = lifecycle.accepted(at, "video_1", NOW + 2 * DAY)
    assert (found.state, found.fault, found.provider_job_id) == (S.ACCEPTED, None, "video_1")
    assert budgets.posting(at, found) == budgets.Posting("reserve", reserved=HELD, suspense=-HELD)


def test_only_the_sender_itself_says_that_the_exchange_has_ended() -> None:
    assert lifecycle.answer_lost(submission(S.SENDING), NOW + DAY).answered_at == NOW + DAY
    assert lifecycle.unknown(submission(S.SENDING), NOW + DAY).answered_at is None


def test_a_repeat_that_fails_says_nothing_of_the_sender_but_may_arrive_late_itself() -> None:
    later = NOW + timedelta(hours=3)
    assert lifecycle.repeat_lost(submission(S.UNKNOWN), later).answered_at is None, "the sender may still be sending"
    again = lifecycle.repeat_lost(submission(S.UNKNOWN, answered_at=NOW), later)
    assert (again.answered_at, again.sent_at) == (later, NOW)


ENDED = NOW - timedelta(hours=1)
LAG = timedelta(seconds=30)
LOOKS = [learned(L.NOT_FOUND, minutes) for minutes in (0, 1, 2)]


def doubtful(**changes: object) -> domain.Submission:
    return submission(S.UNKNOWN, answered_at=ENDED, **changes)


def test_absence_is_proven_by_three_looks_that_span_the_lag_after_the_settling() -> None:
    late = NOW + timedelta(minutes=2)
    assert lifecycle.is_absent(doubtful(), LOOKS, True, LAG, late)
    gone = lifecycle.absent(doubtful(), late)
    assert (gone.state, gone.cost_micros, gone.fault and gone.fault.retryable) == (S.ABSENT, 0, True)
    assert budgets.posting(doubtful(), gone) == budgets.Posting("release", available=HELD, reserved=-HELD)


@pytest.mark.parametrize(
    ("before", "evidence", "strong", "lag"),
    [
        (doubtful(), LOOKS, False, LAG),
        (submission(S.UNKNOWN), LOOKS, True, LAG),
        (doubtful(provider_job_id="video_1"), LOOKS, True, LAG),
        (doubtful(), [*LOOKS, learned(L.CALLBACK, 1, "video_1")], True, LAG),
        (doubtful(), [*LOOKS, learned(L.CALLBACK, 1)], True, LAG),
        (doubtful(), [*LOOKS, learned(L.ANSWER, 1, "video_1")], True, LAG),
        (doubtful(), LOOKS[:2], True, LAG),
        (doubtful(), [LOOKS[0], *(learned(L.NOT_FOUND, 1.49) for _ in range(2))], True, LAG),
        (doubtful(), LOOKS, True, timedelta(minutes=1)),
        (submission(S.UNKNOWN, answered_at=NOW - timedelta(minutes=9)), LOOKS, True, LAG),
        (doubtful(), [LOOKS[0], *(learned(L.AMBIGUOUS, 2) for _ in range(2))], True, LAG),
    ],
    ids="weak, sender may live, has an id, called back, called back without a name, answered late, two looks, close, "
    "long lag, unsettled, ambiguous".split(", "),
)
def test_without_any_one_of_them_it_stays_unknown(
    before: domain.Submission, evidence: list[domain.Evidence], strong: bool, lag: timedelta
) -> None:
    assert not lifecycle.is_absent(before, evidence, strong, lag, NOW + timedelta(minutes=2))


@given(st.lists(st.integers(-9, 9), max_size=12), st.integers(0, 120), st.integers(-30, 30))
def test_absence_needs_enough_looks_behind_the_settling(looks: list[int], lag_s: int, ended: int) -> None:
    at = NOW + timedelta(minutes=ended)
    evidence = [learned(L.NOT_FOUND, minutes) for minutes in looks]
    counted = [one.at for one in evidence if one.at >= at + lifecycle.SETTLING]
    proven = lifecycle.is_absent(
        submission(S.UNKNOWN, answered_at=at), evidence, True, timedelta(seconds=lag_s), NOW + DAY
    )
    assert proven == (len(counted) >= 3 and max(counted) - min(counted) >= timedelta(seconds=3 * lag_s))


def test_evidence_names_what_it_names_and_an_ambiguous_lookup_nothing() -> None:
    told = [learned(L.CALLBACK, name="a"), learned(L.ANSWER, name="a"), learned(L.AMBIGUOUS, name="c")]
    assert lifecycle.named([*told, learned(L.NOT_FOUND)]) == {"a"}
    assert lifecycle.named([*told, learned(L.FOUND, name="b")]) == {"a", "b"}


def test_a_person_s_last_word_ends_a_contradiction() -> None:
    told = [
        learned(L.CALLBACK, name="a"),
        learned(L.PERSON, 1, "b"),
        learned(L.PERSON, 2, "c"),
        learned(L.ANSWER, 3, "d"),
    ]
    assert lifecycle.named(told) == {"c"}


def test_an_order_is_repeated_only_while_its_provider_surely_knows_it_again() -> None:
    at, day = submission(S.UNKNOWN), timedelta(days=1)
    assert lifecycle.may_be_repeated(at, day, NOW + timedelta(hours=22, minutes=59))
    assert not lifecycle.may_be_repeated(at, day, NOW + timedelta(hours=23))
    assert lifecycle.may_be_repeated(at, timedelta(minutes=4), NOW + timedelta(seconds=179))
    assert not lifecycle.may_be_repeated(at, timedelta(minutes=4), NOW + timedelta(seconds=180))
    for now in (NOW, NOW - timedelta(seconds=1)):
        assert not lifecycle.may_be_repeated(at, timedelta(), now), "though the database's clock, of sent_at, is ahead"
    assert not lifecycle.may_be_repeated(submission(S.UNKNOWN, provider_job_id="video_1"), day, NOW)
    assert not lifecycle.may_be_repeated(submission(S.UNRESOLVED), day, NOW)


def test_a_person_settles_as_charged_or_not() -> None:
    for state, held in ((S.UNKNOWN, {"reserved": -HELD}), (S.UNRESOLVED, {"suspense": -HELD})):
        at = submission(state)
        charged = lifecycle.settled(at, 300_000, "ada: it is on the bill", NOW)
        assert (charged.state, charged.cost_micros) == (S.PROVIDER_FAILED, 300_000)
        assert charged.fault is not None
        assert "ada: it is on the bill" in charged.fault.message
        assert budgets.posting(at, charged) == budgets.Posting("commit", available=200_000, spent=300_000, **held)
        free = lifecycle.settled(at, 0, "ada: it is not", NOW)
        assert (free.state, free.cost_micros) == (S.ABSENT, 0)
        assert budgets.posting(at, free) == budgets.Posting("release", available=HELD, **held)


@pytest.mark.parametrize("state", [state for state in S if state not in (S.UNKNOWN, S.UNRESOLVED)])
def test_what_is_not_in_doubt_cannot_be_settled(state: domain.State) -> None:
    with pytest.raises(domain.SubmissionNotUnknown, match=state):
        lifecycle.settled(submission(state), 0, "ada", NOW)


def test_without_a_word_on_the_price_it_is_the_quoted_most() -> None:
    done = lifecycle.provider_done(submission(S.ACCEPTED), None, None, NOW)
    assert done.cost_micros == HELD
    assert budgets.posting(submission(S.ACCEPTED), done) == budgets.Posting("commit", reserved=-HELD, spent=HELD)


def test_polls_slow_down_with_the_work_and_are_spread() -> None:
    waits = []
    for seconds in (0, 5, 60, 100_000):
        now = NOW + timedelta(seconds=seconds)
        waits.append(
            [wait(lifecycle.pending(submission(S.ACCEPTED, id=f"sub_{n}"), None, now), now) for n in range(99)]
        )
    for spread, base in zip(waits, (1, 1, 6, 30), strict=True):
        assert timedelta(seconds=base * 0.8) <= min(spread) < max(spread) <= timedelta(seconds=base * 1.2)
        assert len(set(spread)) > 60
    asked = lifecycle.pending(submission(S.ACCEPTED), 12, NOW)
    assert timedelta(seconds=9.6) <= wait(asked, NOW) <= timedelta(seconds=14.4), "as the provider wishes"


def test_a_lost_id_is_believed_only_after_many_polls() -> None:
    at = submission(S.ACCEPTED, provider_job_id="video_1")
    for _ in range(lifecycle.MOST_MISSES - 1):
        at = lifecycle.missing(at, NOW)
        assert at.state is S.ACCEPTED
    assert lifecycle.missing(at, NOW).state is S.UNKNOWN
    again = lifecycle.missing(lifecycle.pending(at, None, NOW), NOW)
    assert (again.state, again.tries) == (S.ACCEPTED, 1), "one poll that finds it begins the count anew"


def test_a_lost_id_of_what_was_free_is_no_riddle() -> None:
    at = submission(S.ACCEPTED, provider_job_id="video_1", tries=lifecycle.MOST_MISSES - 1, reserved_micros=0)
    lost = lifecycle.missing(at, NOW)
    assert (lost.state, lost.fault and lost.fault.retryable) == (S.PROVIDER_FAILED, True)


def test_who_waits_is_told_for_what_and_until_when() -> None:
    doubtful = lifecycle.answer_lost(submission(S.SENDING), NOW, "It answered 500.")
    assert doubtful.fault is not None
    until = NOW + lifecycle.HORIZON
    assert doubtful.fault.message.startswith("It answered 500. It may be charged")
    assert f"until {until:%Y-%m-%d %H:%M} UTC" in doubtful.fault.message
    assert lifecycle.unknown(doubtful, NOW + DAY / 2).fault == doubtful.fault
    overtaken = lifecycle.unknown(submission(S.UNKNOWN), NOW)
    assert overtaken.fault is not None
    assert "Its sender is gone." in overtaken.fault.message
    paid = lifecycle.fetch_failed(submission(S.FETCHING, cost_micros=HELD), "it answered 404", True, NOW)
    assert paid.fault is not None
    assert (paid.fault.reason, "it answered 404" in paid.fault.message) == ("CLIP_NOT_FETCHED", True)


def test_a_cancel_that_cost_nothing_is_told_as_one() -> None:
    unwanted = submission(S.ACCEPTED, cancel_wanted_at=NOW)
    for cost, reason in ((0, "CANCELED"), (HELD, "PROVIDER_FAILED")):
        ended = lifecycle.provider_failed(unwanted, "Stopped.", True, cost, NOW)
        assert ended.fault is not None
        assert ended.fault.reason == reason


def test_a_download_is_tried_until_the_provider_has_deleted_the_clip() -> None:
    expires = NOW + timedelta(hours=1)
    at = submission(S.FETCHING, clip_expires_at=expires, cost_micros=HELD)
    assert lifecycle.fetch_failed(at, "gone", True, NOW).state is S.PROVIDER_DONE
    assert lifecycle.fetch_failed(at, "reset", False, expires).state is S.PROVIDER_DONE
    assert lifecycle.fetch_failed(at, "gone", True, expires).state is S.CLIP_EXPIRED
    assert lifecycle.fetch_failed(at, "reset", False, expires + lifecycle.HORIZON).state is S.CLIP_EXPIRED


def test_without_a_known_expiry_it_is_gone_when_the_provider_has_said_so_often_enough() -> None:
    at = submission(S.FETCHING, cost_micros=HELD, tries=lifecycle.MOST_GONE - 1)
    again = lifecycle.fetch_failed(at, "gone", True, NOW)
    assert (again.state, again.tries) == (S.PROVIDER_DONE, lifecycle.MOST_GONE)
    fetching = submission(S.FETCHING, cost_micros=HELD, tries=again.tries)
    assert lifecycle.fetch_failed(fetching, "reset", False, NOW + 99 * DAY).state is S.PROVIDER_DONE, (
        "it did not say so"
    )
    assert lifecycle.fetch_failed(fetching, "gone", True, NOW).state is S.CLIP_EXPIRED


def test_a_person_may_have_a_paid_clip_fetched_once_more_for_nothing() -> None:
    lost = submission(S.CLIP_EXPIRED, cost_micros=HELD, next_action_at=None)
    again = lifecycle.fetch_again(lost, NOW)
    assert (again.state, again.fault, again.next_action_at) == (S.PROVIDER_DONE, None, NOW)
    assert budgets.posting(lost, again) is None
    for state in (S.PROVIDER_DONE, S.FETCHING):
        later = submission(state, next_action_at=NOW + DAY)
        assert lifecycle.fetch_again(later, NOW).next_action_at == NOW


@pytest.mark.parametrize("state", [S.ACCEPTED, S.UNKNOWN, S.STORED, S.REJECTED, S.PARKED, S.PROVIDER_FAILED])
def test_what_is_not_paid_or_is_here_is_not_fetched_again(state: domain.State) -> None:
    with pytest.raises(domain.SubmissionNotPaid, match=state):
        lifecycle.fetch_again(submission(state), NOW)


@pytest.mark.parametrize("state", list(S))
def test_only_what_was_not_sent_can_be_cancelled_for_nothing(state: domain.State) -> None:
    at = submission(state)
    after = lifecycle.canceled(at, NOW)
    if state not in test_domain.UNSENT:
        assert after is at
        return
    assert (after.state, after.cost_micros) == (S.CANCELED_FREE, 0)
    released = budgets.Posting("release", available=HELD, reserved=-HELD)
    assert budgets.posting(at, after) == (released if state is S.INTENT else None)
