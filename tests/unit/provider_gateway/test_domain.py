"""What may follow what in a paid call, and what it does to the money."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.provider_gateway import budgets, domain, lifecycle

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
S = domain.State
HELD = 500_000
CLIP = domain.Clip(domain.Media("t/a/clips/x.mp4", "video/mp4", 10, "ab" * 32), 4.0, 1280, 720)
NO_MONEY = domain.Fault("BUDGET_EXCEEDED", "The money is gone.", retryable=True)
UNSENT = {S.PARKED, S.INTENT}
IN_DOUBT = {S.UNKNOWN, S.UNRESOLVED}


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
        likeness="ab" * 32,
        last_frame_wanted=False,
        traceparent="",
        account="endpoint:sandbox-openai",
        currency="XTS",
        reserved_micros=HELD,
        created_at=NOW,
        updated_at=NOW,
        next_action_at=NOW,
        state=state,
        sent_at=None if state in UNSENT else NOW,
        budgets=() if state is S.PARKED else ("budget_1",),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


Step = Callable[[domain.Submission, datetime], domain.Submission]

STEPS: dict[str, tuple[set[domain.State], Step]] = {
    "parked": ({S.PARKED}, lambda s, now: lifecycle.parked(s, NO_MONEY, now + timedelta(minutes=5), now)),
    "admitted": ({S.PARKED}, lifecycle.admitted),
    "given_up": ({S.INTENT}, lifecycle.given_up),
    "canceled": (UNSENT, lifecycle.canceled),
    "not_sent": ({S.SENDING}, lifecycle.not_sent),
    "refused": ({S.SENDING}, lambda s, now: lifecycle.refused(s, "MODEL_RETIRED", "It is gone.", now)),
    "rejected": ({S.SENDING, S.UNKNOWN}, lambda s, now: lifecycle.rejected(s, "no", False, now)),
    "accepted": ({S.SENDING, *IN_DOUBT}, lambda s, now: lifecycle.accepted(s, "video_1", now)),
    "answer_lost": ({S.SENDING, *IN_DOUBT}, lifecycle.answer_lost),
    "repeat_lost": ({S.UNKNOWN}, lifecycle.repeat_lost),
    "unknown": ({S.SENDING, *IN_DOUBT}, lifecycle.unknown),
    "absent": (IN_DOUBT, lifecycle.absent),
    "settled": (IN_DOUBT, lambda s, now: lifecycle.settled(s, 300_000, "The bill says so.", now)),
    "settled_free": (IN_DOUBT, lambda s, now: lifecycle.settled(s, 0, "The bill says so.", now)),
    "pending": ({S.ACCEPTED}, lambda s, now: lifecycle.pending(s, None, now)),
    "missing": ({S.ACCEPTED}, lifecycle.missing),
    "away": ({S.ACCEPTED}, lifecycle.away),
    "done": ({S.ACCEPTED}, lambda s, now: lifecycle.provider_done(s, 400_000, now + timedelta(hours=9), now)),
    "failed": ({S.ACCEPTED}, lambda s, now: lifecycle.provider_failed(s, "no", False, 400_000, now)),
    "failed_free": ({S.ACCEPTED}, lambda s, now: lifecycle.provider_failed(s, "no", False, 0, now)),
    "stored": ({S.FETCHING}, lambda s, now: lifecycle.stored(s, CLIP, now)),
    "gone": ({S.FETCHING}, lambda s, now: lifecycle.fetch_failed(s, "gone", True, now)),
    "fetch_again": ({S.CLIP_EXPIRED, S.PROVIDER_DONE, S.FETCHING}, lifecycle.fetch_again),
}
RESERVED = {S.INTENT, S.SENDING, S.UNKNOWN, S.ACCEPTED}


def claimed(at: domain.Submission, step: str, now: datetime) -> domain.Submission:
    """As it is when somebody takes it to do this step."""
    if at.state is S.INTENT and step not in ("canceled", "given_up"):
        return dataclasses.replace(at, state=S.SENDING, sent_at=now)
    if at.state is S.PROVIDER_DONE and step in ("stored", "gone"):
        return dataclasses.replace(at, state=S.FETCHING)
    return at


@given(
    st.sampled_from(sorted(UNSENT)),
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 200_000)), max_size=60),
)
def test_every_story_keeps_to_the_table_and_the_money_adds_up(
    begins: domain.State, story: list[tuple[str, int]]
) -> None:
    now, at = NOW, submission(begins)
    held = budgets.reservation(at)
    money = budgets.Posting("sum") if begins is S.PARKED else held
    for name, seconds in story:
        now += timedelta(seconds=seconds)
        at = claimed(at, name, now)
        allowed, step = STEPS[name]
        if at.state not in allowed:
            continue
        after = step(at, now)
        assert after.state is at.state or (at.state, after.state) in domain.TRANSITIONS
        assert (after.next_action_at is None) == (after.state in domain.FINAL)
        assert after.state is not S.REJECTED or after.cost_micros == 0
        if at.state is S.PARKED and after.state is S.INTENT:
            money += held  # what lets it in has written this line itself
        if posting := budgets.posting(at, after):
            assert posting.available + posting.reserved + posting.spent + posting.suspense == 0
            money += posting
        at = after
    assert money.available == -(money.reserved + money.spent + money.suspense)
    assert money.reserved == (HELD if at.state in RESERVED else 0)
    assert money.suspense == (HELD if at.state is S.UNRESOLVED else 0)
    assert money.spent == (at.cost_micros or 0)


def test_the_steps_take_every_transition_but_those_of_claiming() -> None:
    """Otherwise the property above would hold of nothing."""
    late, taken = NOW + timedelta(days=40), set()
    for allowed, step in STEPS.values():
        for state in allowed:
            for tries in (0, lifecycle.MOST_MISSES - 1):
                at = submission(state, tries=tries, clip_expires_at=NOW + timedelta(days=1), provider_job_id="video_1")
                if state in domain.FINAL:
                    at = dataclasses.replace(at, next_action_at=None)
                taken |= {(state, step(at, now).state) for now in (NOW, late)}
    claims = {(S.INTENT, S.SENDING), (S.SENDING, S.UNKNOWN), (S.PROVIDER_DONE, S.FETCHING)}
    assert {pair for pair in taken if pair[0] is not pair[1]} | claims == set(domain.TRANSITIONS)


def test_the_database_knows_the_same_transitions() -> None:
    revision = Path("services/provider_gateway/migrations/versions/0003_submissions.py").read_text()
    trigger = revision.split("NOT IN (", 1)[1].rsplit(") THEN", 1)[0]
    pairs = set(re.findall(r"\('(\w+)', '(\w+)'\)", trigger))
    assert pairs == {(a.value, b.value) for a, b in domain.TRANSITIONS}


def test_only_a_person_leaves_a_final_state_and_only_for_a_paid_clip() -> None:
    left = {pair for pair in domain.TRANSITIONS if pair[0] in domain.FINAL}
    assert left == {(S.CLIP_EXPIRED, S.PROVIDER_DONE)}


def test_claiming_keeps_to_the_table() -> None:
    assert set(domain.ON_CLAIM.items()) <= domain.TRANSITIONS


def test_what_is_left_of_a_budget_is_never_negative() -> None:
    assert budgets.Budget("budget_1", "t", "USD", 10, 4, 4, 1).left_micros == 1
    assert budgets.Budget("budget_1", "t", "USD", 10, 8, 8, 0).left_micros == 0
