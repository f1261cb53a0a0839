"""What the gateway decides about a paid call, by its own functions; a mutant decides one thing differently."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from rushes.provider_gateway.v1 import events_pb2
from services.provider_gateway import budgets, domain, lifecycle, wire

S = domain.State
HELD = 1_000_000
BORN = datetime(2026, 11, 20, tzinfo=UTC)
LAG = timedelta(minutes=2)
NAME = "video_1"
MANY = 10_000
CLIP = domain.Clip(domain.Media("t/acme/clips/one.mp4", "video/mp4", 1, "ab" * 32), 1.0, 640, 360)
NO_MONEY = domain.Fault("BUDGET_EXCEEDED", "There is no money left.")

AGES = (
    timedelta(minutes=1),  # it has just been sent
    timedelta(hours=2),  # whatever was under way has arrived or is lost, and lookups know of it
    lifecycle.HORIZON + timedelta(hours=1),
    max(lifecycle.HORIZON + lifecycle.CLOSED_AFTER, lifecycle.SENT_AT_LATEST) + timedelta(days=1),
)
"""How long ago a call was sent, or parked: the only moments that its rules can tell apart."""

UNSENT = frozenset({S.PARKED, S.INTENT})
ACTIVE = frozenset(S) - domain.FINAL - {S.UNRESOLVED}
"""As the index `one_active` says it."""


class Protocol:
    """The decisions, as they are in the code that runs; and what SQL and `steps` make sure of themselves."""

    persists_first = True
    begins_once = True
    library_sends_once = True
    follows_cancelled = True
    sweeps_unresolved = True
    believes_names = True
    notes_repeats = True

    canceled = staticmethod(lifecycle.canceled)
    parked = staticmethod(lifecycle.parked)
    admitted = staticmethod(lifecycle.admitted)
    given_up = staticmethod(lifecycle.given_up)
    not_sent = staticmethod(lifecycle.not_sent)
    accepted = staticmethod(lifecycle.accepted)
    rejected = staticmethod(lifecycle.rejected)
    answer_lost = staticmethod(lifecycle.answer_lost)
    repeat_lost = staticmethod(lifecycle.repeat_lost)
    unknown = staticmethod(lifecycle.unknown)
    absent = staticmethod(lifecycle.absent)
    settled = staticmethod(lifecycle.settled)
    provider_done = staticmethod(lifecycle.provider_done)
    provider_failed = staticmethod(lifecycle.provider_failed)
    stored = staticmethod(lifecycle.stored)
    fetch_again = staticmethod(lifecycle.fetch_again)
    posting = staticmethod(budgets.posting)
    is_absent = staticmethod(lifecycle.is_absent)
    may_be_repeated = staticmethod(lifecycle.may_be_repeated)
    named = staticmethod(lifecycle.named)

    def missing(self, before: domain.Submission, now: datetime) -> domain.Submission:
        """What the last of many polls in a row that did not find the id makes of it."""
        return lifecycle.missing(dataclasses.replace(before, tries=MANY), now)

    def fetch_failed(self, before: domain.Submission, is_gone: bool, now: datetime) -> domain.Submission:
        """What the last of many failed downloads makes of it."""
        return lifecycle.fetch_failed(dataclasses.replace(before, tries=MANY), "no", is_gone, now)

    def claimed(self, before: domain.Submission, now: datetime) -> domain.Submission:
        """What claiming makes of it: the one change that SQL makes itself."""
        return dataclasses.replace(before, state=domain.ON_CLAIM.get(before.state, before.state))

    def begun(self, before: domain.Submission, now: datetime) -> domain.Submission:
        """What taking an order to send it makes of it."""
        return dataclasses.replace(before, state=S.SENDING, sent_at=BORN)

    def repeating(self, before: domain.Submission, now: datetime) -> domain.Submission:
        """What SQL notes before an order is sent again: until that has ended nothing proves that it is absent."""
        return dataclasses.replace(before, answered_at=None)

    def answered(self, before: domain.Submission, now: datetime) -> domain.Submission:
        """As it was when its sender had seen the end of the exchange."""
        return dataclasses.replace(before, answered_at=BORN)


class Step(NamedTuple):
    """What a decision comes to: the row, what it does to the money, what others hear, and the law it breaks."""

    row: int
    posting: budgets.Posting | None
    said: str
    broken: str


class Rows:
    """The submissions the model meets, each once, and what has been decided about them."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self._rows: list[domain.Submission] = []
        self._numbers: dict[domain.Submission, int] = {}
        self._steps: dict[tuple[Any, ...], Step] = {}
        self.taken: set[tuple[domain.State, domain.State]] = set()

    def __getitem__(self, row: int) -> domain.Submission:
        return self._rows[row]

    def number(self, submission: domain.Submission) -> int:
        """The row's number; times and texts that no rule reads are levelled first."""
        fault = submission.fault and dataclasses.replace(submission.fault, message="")
        is_known = submission.provider_job_id or submission.state in domain.FINAL
        level = dataclasses.replace(
            submission,
            version=1,
            tries=0,
            updated_at=BORN,
            next_action_at=submission.next_action_at and BORN,
            answered_at=BORN if is_known else submission.answered_at,
            fault=fault,
        )
        if level not in self._numbers:
            self._numbers[level] = len(self._rows)
            self._rows.append(level)
        return self._numbers[level]

    def decide(self, row: int, age: int, name: str, *args: Any) -> Step:
        """Let the gateway decide about a row of this age; nothing is decided twice."""
        key = (row, age, name, args)
        if key not in self._steps:
            self._steps[key] = self._decide(row, BORN + AGES[age], getattr(self.protocol, name), args)
        return self._steps[key]

    def _decide(self, row: int, now: datetime, decision: Callable[..., Any], args: Sequence[Any]) -> Step:
        before = self._rows[row]
        after = decision(before, *args, now)
        broken = ""
        if before.state is not after.state:
            self.taken.add((before.state, after.state))
        if before.state is not after.state and (before.state, after.state) not in domain.TRANSITIONS:
            broken = f"{before.state} cannot become {after.state}"
        elif before.state is after.state and before.state in domain.FINAL and before != after:
            broken = f"what is {before.state} has changed"
        elif (after.next_action_at is None) != (after.state in domain.FINAL):
            broken = f"{after.state} is forgotten"
        said = _said(after) if after.state is not before.state else ""
        return Step(self.number(after), self.protocol.posting(before, after), said, broken)


def order(attempt: int) -> domain.Submission:
    """A new order, as an intent."""
    return domain.Submission(
        id=f"sub_{attempt}",
        tenant_id="acme",
        job_id="job_1",
        attempt=attempt,
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
        account="endpoint:sandbox-openai",
        currency="XTS",
        reserved_micros=HELD,
        created_at=BORN,
        updated_at=BORN,
        next_action_at=BORN,
    )


def _said(after: domain.Submission) -> str:
    """What the job service hears of it that can change its job."""
    event = wire.news(after)
    if isinstance(event, events_pb2.ClipStored):
        return "stored"
    if isinstance(event, events_pb2.SubmissionFailed):
        return "failed, may be repeated" if event.retryable else "failed"
    return ""
