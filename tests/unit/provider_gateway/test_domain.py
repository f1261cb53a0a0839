"""What may follow what in a paid call, and what it does to the money."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.provider_gateway import domain

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
S = domain.State
HELD = 500_000
CLIP = domain.Clip(domain.Media("t/a/clips/x.mp4", "video/mp4", 10, "ab" * 32), 4.0, 1280, 720)


def submission(state: domain.State = S.INTENT, **changes: object) -> domain.Submission:
    base = domain.Submission(
        id="sub_1",
        tenant_id="tenant",
        job_id="job_1",
        attempt=1,
        production_id="prod_1",
        storyboard_id="sb_1",
        scene_id="scene_1",
        model="sandbox/reel-1",
        endpoint="sandbox-openai",
        wire_model="sandbox-reel-1",
        spec=b"",
        last_frame_wanted=False,
        traceparent="",
        currency="XTS",
        reserved_micros=HELD,
        created_at=NOW,
        updated_at=NOW,
        next_action_at=NOW,
        state=state,
        sent_at=None if state is S.INTENT else NOW,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


STEPS: dict[str, tuple[set[domain.State], Callable[[domain.Submission, datetime], domain.Submission]]] = {
    "accepted": ({S.SENDING, S.UNKNOWN, S.UNRESOLVED}, lambda s, now: domain.accepted(s, "video_1", now)),
    "not_sent": ({S.SENDING}, domain.not_sent),
    "unknown": ({S.SENDING, S.UNKNOWN}, domain.unknown),
    "rejected": ({S.SENDING, S.UNKNOWN}, lambda s, now: domain.rejected(s, "no", False, now)),
    "pending": ({S.ACCEPTED}, lambda s, now: domain.pending(s, None, now)),
    "missing": ({S.ACCEPTED}, domain.missing),
    "away": ({S.ACCEPTED}, domain.away),
    "done": ({S.ACCEPTED}, lambda s, now: domain.provider_done(s, 400_000, None, now)),
    "failed": ({S.ACCEPTED}, lambda s, now: domain.provider_failed(s, "no", False, True, now)),
    "failed_free": ({S.ACCEPTED}, lambda s, now: domain.provider_failed(s, "no", False, False, now)),
    "stored": ({S.FETCHING}, lambda s, now: domain.stored(s, CLIP, now)),
    "fetch_failed": ({S.FETCHING}, lambda s, now: domain.fetch_failed(s, "gone", True, now)),
    "canceled": ({S.INTENT}, domain.canceled),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 100_000)), max_size=40))
def test_every_story_keeps_to_the_table_and_the_money_adds_up(story: list[tuple[str, int]]) -> None:
    now, at = NOW, submission()
    money = {"available": -HELD, "reserved": HELD, "spent": 0, "suspense": 0}
    for name, seconds in story:
        now += timedelta(seconds=seconds)
        if at.state in domain.ON_CLAIM:
            claimed = domain.ON_CLAIM[at.state]
            if not (at.state is S.SENDING or name == "canceled"):
                at = dataclasses.replace(at, state=claimed, sent_at=at.sent_at or now)
        allowed, step = STEPS[name]
        if at.state not in allowed:
            continue
        after = step(at, now)
        assert after.state is at.state or (at.state, after.state) in domain.TRANSITIONS
        assert (after.next_action_at is None) == (after.state in domain.FINAL)
        if posting := domain.posting(at, after):
            assert posting.available + posting.reserved + posting.spent + posting.suspense == 0
            for account in money:
                money[account] += getattr(posting, account)
        at = after
    assert sum(money.values()) == 0
    assert money["reserved"] == (HELD if at.state in RESERVED else 0)
    assert money["suspense"] == (HELD if at.state is S.UNRESOLVED else 0)
    assert money["spent"] == (at.cost_micros or 0)


RESERVED = {S.INTENT, S.SENDING, S.UNKNOWN, S.ACCEPTED}


def test_the_database_knows_the_same_transitions() -> None:
    revision = Path("services/provider_gateway/migrations/versions/0001_initial.py").read_text()
    trigger = revision.split("NOT IN (", 1)[1].split(") THEN", 1)[0]
    assert set(re.findall(r"\('(\w+)', '(\w+)'\)", trigger)) == {(a.value, b.value) for a, b in domain.TRANSITIONS}


def test_a_final_state_is_left_by_nothing() -> None:
    assert not {before for before, _ in domain.TRANSITIONS} & domain.FINAL


def test_claiming_keeps_to_the_table() -> None:
    assert set(domain.ON_CLAIM.items()) <= domain.TRANSITIONS


def test_an_unknown_outcome_holds_its_money_for_a_day_then_in_suspense() -> None:
    at = domain.unknown(submission(S.SENDING), NOW)
    assert domain.posting(submission(S.SENDING), at) is None
    waiting = domain.unknown(at, NOW + timedelta(hours=23))
    assert waiting.state is S.UNKNOWN
    ended = domain.unknown(waiting, NOW + timedelta(hours=24))
    assert ended.state is S.UNRESOLVED
    assert domain.posting(waiting, ended) == domain.Posting("suspend", reserved=-HELD, suspense=HELD)


def test_without_a_word_on_the_price_it_is_the_quoted_most() -> None:
    done = domain.provider_done(submission(S.ACCEPTED), None, None, NOW)
    assert done.cost_micros == HELD
    failed = domain.provider_failed(submission(S.ACCEPTED), "no", False, True, NOW)
    assert domain.posting(submission(S.ACCEPTED), failed) == domain.Posting("commit", reserved=-HELD, spent=HELD)


def test_polls_slow_down_with_the_work() -> None:
    sent = submission(S.ACCEPTED)
    waits = []
    for seconds in (0, 5, 60, 100_000):
        now = NOW + timedelta(seconds=seconds)
        due = domain.pending(sent, None, now).next_action_at
        assert due is not None
        waits.append((due - now).total_seconds())
    assert waits == [1.0, 1.0, 6.0, 30.0]


def test_a_lost_id_is_believed_only_after_many_polls() -> None:
    at = submission(S.ACCEPTED, provider_job_id="video_1")
    for _ in range(domain.MOST_MISSES - 1):
        at = domain.missing(at, NOW)
        assert at.state is S.ACCEPTED
    assert domain.missing(at, NOW).state is S.UNKNOWN


def test_a_download_is_tried_until_the_provider_has_deleted_the_clip() -> None:
    expires = NOW + timedelta(hours=1)
    at = submission(S.FETCHING, clip_expires_at=expires, cost_micros=HELD)
    assert domain.fetch_failed(at, "gone", True, NOW).state is S.PROVIDER_DONE
    assert domain.fetch_failed(at, "reset", False, expires).state is S.PROVIDER_DONE
    assert domain.fetch_failed(at, "gone", True, expires).state is S.CLIP_EXPIRED
    assert domain.fetch_failed(at, "reset", False, expires + domain.HORIZON).state is S.CLIP_EXPIRED


@pytest.mark.parametrize("state", [state for state in S if state is not S.INTENT])
def test_only_what_was_not_sent_can_be_cancelled_for_nothing(state: domain.State) -> None:
    at = submission(state)
    assert domain.canceled(at, NOW) is at


def test_what_is_left_of_a_budget_is_never_negative() -> None:
    assert domain.Budget("budget_1", "t", "USD", 10, 4, 4, 1).left_micros == 1
    assert domain.Budget("budget_1", "t", "USD", 10, 8, 8, 0).left_micros == 0
