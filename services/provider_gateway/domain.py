"""The rules of paid calls and their money: which state may follow which, and what each costs."""

import dataclasses
import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors


class QuoteNotFound(errors.NotFound):
    """There is no quote {quote_id}."""


class QuoteItemMissing(errors.Conflict):
    """Quote {quote_id} holds no such clip for scene {scene_id}; ask for a new quote."""


class SubmissionNotFound(errors.NotFound):
    """There is no submission {submission_id}."""


class BudgetExceeded(errors.Exhausted):
    """This can cost {needed}, and the budget has {left} left of {limit}; raise it with SetBudget or ask for less."""


class Canceled(errors.Conflict):
    """The job was cancelled before anything was sent; nothing is charged."""


class RequestIdReused(errors.Conflict):
    """The request_id {request_id} was used before with another body; choose a new one."""


class State(enum.StrEnum):
    """Where a paid call stands; docs/lifecycles.md draws it."""

    INTENT = "INTENT"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    UNKNOWN = "UNKNOWN"
    PROVIDER_DONE = "PROVIDER_DONE"
    FETCHING = "FETCHING"
    STORED = "STORED"
    CLIP_EXPIRED = "CLIP_EXPIRED"
    REJECTED = "REJECTED"
    ABSENT = "ABSENT"
    PROVIDER_FAILED = "PROVIDER_FAILED"
    CANCELED_FREE = "CANCELED_FREE"
    UNRESOLVED = "UNRESOLVED"


TRANSITIONS: frozenset[tuple[State, State]] = frozenset(
    {
        (State.INTENT, State.SENDING),  # claimed; committed before the first byte
        (State.INTENT, State.CANCELED_FREE),
        (State.SENDING, State.INTENT),  # proof that nothing was written, by the sender itself
        (State.SENDING, State.ACCEPTED),
        (State.SENDING, State.REJECTED),
        (State.SENDING, State.UNKNOWN),  # any other answer, or the sender's lease ran out
        (State.UNKNOWN, State.ACCEPTED),
        (State.UNKNOWN, State.REJECTED),  # refused when repeated under the provider's idempotency: it never was taken
        (State.UNKNOWN, State.ABSENT),
        (State.UNKNOWN, State.UNRESOLVED),
        (State.UNRESOLVED, State.ACCEPTED),
        (State.UNRESOLVED, State.ABSENT),
        (State.ACCEPTED, State.PROVIDER_DONE),
        (State.ACCEPTED, State.PROVIDER_FAILED),
        (State.ACCEPTED, State.UNKNOWN),  # the provider does not know its own id any more
        (State.PROVIDER_DONE, State.FETCHING),
        (State.FETCHING, State.PROVIDER_DONE),  # the download failed and will be tried again
        (State.FETCHING, State.STORED),
        (State.FETCHING, State.CLIP_EXPIRED),
    }
)

FINAL = frozenset(
    {
        State.STORED,
        State.CLIP_EXPIRED,
        State.REJECTED,
        State.ABSENT,
        State.PROVIDER_FAILED,
        State.CANCELED_FREE,
    }
)

ON_CLAIM = {State.INTENT: State.SENDING, State.SENDING: State.UNKNOWN, State.PROVIDER_DONE: State.FETCHING}
"""What claiming makes of a state. SENDING can only be claimed from a sender that is gone: its outcome is unknown."""

HORIZON = timedelta(hours=24)
"""How long an unknown outcome is looked for before its job ends and its money goes to suspense."""

MOST_MISSES = 20
"""Polls in a row that may not find the id before it counts as lost."""

_POLL_S = (1.0, 30.0)
_RETRY_S = (1.0, 60.0)


@dataclass(frozen=True, slots=True)
class Media:
    """A stored file."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A stored clip with what was measured in it; `last_frame` is its last picture, when it was wanted."""

    media: Media
    seconds: float
    width: int
    height: int
    last_frame: Media | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no clip."""

    reason: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """One paid call. `spec` is a serialized ClipSpec, opaque here; `tries` counts what the present state has tried.

    `traceparent` is the trace of the order, so that every step of the call is found from it.
    """

    id: str
    tenant_id: str
    job_id: str
    attempt: int
    production_id: str
    storyboard_id: str
    scene_id: str
    model: str
    endpoint: str
    wire_model: str
    spec: bytes
    last_frame_wanted: bool
    traceparent: str
    currency: str
    reserved_micros: int
    created_at: datetime
    updated_at: datetime
    next_action_at: datetime | None
    state: State = State.INTENT
    version: int = 1
    lease_epoch: int = 0
    tries: int = 0
    provider_job_id: str | None = None
    cost_micros: int | None = None
    clip: Clip | None = None
    fault: Fault | None = None
    sent_at: datetime | None = None
    clip_expires_at: datetime | None = None


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


@dataclass(frozen=True, slots=True)
class Budget:
    """A tenant's wall in one currency, in micros."""

    id: str
    tenant_id: str
    currency: str
    limit_micros: int
    reserved_micros: int = 0
    spent_micros: int = 0
    suspense_micros: int = 0

    @property
    def left_micros(self) -> int:
        """What can still be reserved."""
        return max(0, self.limit_micros - self.reserved_micros - self.spent_micros - self.suspense_micros)


def accepted(before: Submission, provider_job_id: str, now: datetime) -> Submission:
    """The provider named it: ask for it from now on."""
    return _to(before, State.ACCEPTED, now, provider_job_id=provider_job_id, next_action_at=now)


def not_sent(before: Submission, now: datetime) -> Submission:
    """Nothing left this machine: it is as if it had never been tried, only later."""
    return _to(before, State.INTENT, now, tries=before.tries + 1, next_action_at=_later(now, before.tries, _RETRY_S))


def unknown(before: Submission, now: datetime) -> Submission:
    """The answer is lost. Still unknown after the horizon, the job ends and the money goes to suspense."""
    if before.state is State.UNRESOLVED:
        return dataclasses.replace(before, next_action_at=now + HORIZON, updated_at=now)
    if before.state is not State.UNKNOWN:
        return _to(before, State.UNKNOWN, now, next_action_at=now)
    if now - (before.sent_at or before.created_at) >= HORIZON:
        why = "The provider's answer was lost and no trace was found within a day; it may be charged."
        return _to(before, State.UNRESOLVED, now, fault=Fault("OUTCOME_UNKNOWN", why), next_action_at=now + HORIZON)
    return _wait(before, now, _RETRY_S)


def rejected(before: Submission, message: str, retryable: bool, now: datetime) -> Submission:
    """A definite refusal: nothing is charged."""
    fault = Fault("PROVIDER_REJECTED", f"The provider refused it, nothing is charged: {message}", retryable)
    return _end(before, State.REJECTED, now, fault, cost_micros=0)


def pending(before: Submission, after_s: float | None, now: datetime) -> Submission:
    """Not done: ask again after a tenth of the time it has taken so far."""
    elapsed = (now - (before.sent_at or before.created_at)).total_seconds()
    least, most = _POLL_S
    wait = timedelta(seconds=max(least, min(after_s or elapsed * 0.1, most)))
    return dataclasses.replace(before, tries=0, next_action_at=now + wait, updated_at=now)


def missing(before: Submission, now: datetime) -> Submission:
    """The provider does not find its own id: a passing lag at first, then a lost job."""
    if before.tries + 1 >= MOST_MISSES:
        return _to(before, State.UNKNOWN, now, next_action_at=now)
    return _wait(before, now, _POLL_S)


def away(before: Submission, now: datetime) -> Submission:
    """No usable answer: ask again later; that never fails paid work."""
    return dataclasses.replace(before, next_action_at=now + timedelta(seconds=_POLL_S[0] * 2), updated_at=now)


def provider_done(
    before: Submission, cost_micros: int | None, expires_at: datetime | None, now: datetime
) -> Submission:
    """Made and paid: fetch it before the provider deletes it. Without a word on the price it is the quoted most."""
    cost = before.reserved_micros if cost_micros is None else cost_micros
    return _to(before, State.PROVIDER_DONE, now, cost_micros=cost, clip_expires_at=expires_at, next_action_at=now)


def provider_failed(before: Submission, message: str, retryable: bool, charged: bool, now: datetime) -> Submission:
    """The provider gave up."""
    cost = before.reserved_micros if charged else 0
    fault = Fault("PROVIDER_FAILED", f"The provider could not make it: {message}", retryable)
    return _end(before, State.PROVIDER_FAILED, now, fault, cost_micros=cost)


def stored(before: Submission, clip: Clip, now: datetime) -> Submission:
    """Verified and kept."""
    return _end(before, State.STORED, now, None, clip=clip)


def may_be_repeated(before: Submission, now: datetime) -> bool:
    """Whether a provider that knows an order again still knows this one: their keys are forgotten after a day."""
    return before.state is State.UNKNOWN and now - (before.sent_at or before.created_at) < HORIZON


def fetch_failed(before: Submission, why: str, is_gone: bool, now: datetime) -> Submission:
    """The download failed: try again until the provider has deleted the clip.

    That it has, only the provider can say; when it cannot be asked, we go on for a while after the time it told us.
    """
    patience = timedelta() if is_gone else HORIZON
    if before.clip_expires_at and now >= before.clip_expires_at + patience:
        fault = Fault("CLIP_EXPIRED", f"The provider deleted the paid clip before it could be fetched: {why}")
        return _end(before, State.CLIP_EXPIRED, now, fault)
    later = _later(now, before.tries, _RETRY_S)
    return _to(before, State.PROVIDER_DONE, now, tries=before.tries + 1, next_action_at=later)


def canceled(before: Submission, now: datetime) -> Submission:
    """Cancelled before anything was sent: free. What is past that point is resolved, finished and kept."""
    if before.state is not State.INTENT:
        return before
    fault = Fault("CANCELED", "Cancelled before anything was sent; nothing is charged.")
    return _end(before, State.CANCELED_FREE, now, fault, cost_micros=0)


def exceeded(budget: Budget, needed_micros: int) -> BudgetExceeded:
    """What to say when the budget has less left than this can cost."""

    def amount(micros: int) -> str:
        return f"{micros / 1e6:.2f} {budget.currency}"

    return BudgetExceeded(
        needed=amount(needed_micros), left=amount(budget.left_micros), limit=amount(budget.limit_micros)
    )


def reservation(submission: Submission) -> Posting:
    """The money set aside together with the intent."""
    return Posting("reserve", available=-submission.reserved_micros, reserved=submission.reserved_micros)


def posting(before: Submission, after: Submission) -> Posting | None:
    """What a transition does to the money; None when it does nothing."""
    held = before.reserved_micros
    if after.state in (State.PROVIDER_DONE, State.PROVIDER_FAILED) and before.state is State.ACCEPTED:
        cost = after.cost_micros or 0
        return Posting("commit", available=held - cost, reserved=-held, spent=cost)
    if after.state in (State.REJECTED, State.ABSENT, State.CANCELED_FREE):
        if before.state is State.UNRESOLVED:
            return Posting("release", available=held, suspense=-held)
        return Posting("release", available=held, reserved=-held)
    if after.state is State.UNRESOLVED and before.state is State.UNKNOWN:
        return Posting("suspend", reserved=-held, suspense=held)
    if after.state is State.ACCEPTED and before.state is State.UNRESOLVED:
        return Posting("reserve", reserved=held, suspense=-held)
    return None


def _to(before: Submission, state: State, now: datetime, **changes: object) -> Submission:
    kept = {"tries": 0} if state is not before.state else {}
    return dataclasses.replace(before, state=state, updated_at=now, **(kept | changes))  # type: ignore[arg-type]


def _end(before: Submission, state: State, now: datetime, fault: Fault | None, **changes: object) -> Submission:
    return _to(before, state, now, fault=fault, next_action_at=None, **changes)


def _wait(before: Submission, now: datetime, limits: tuple[float, float]) -> Submission:
    later = _later(now, before.tries, limits)
    return dataclasses.replace(before, tries=before.tries + 1, next_action_at=later, updated_at=now)


def _later(now: datetime, tries: int, limits: tuple[float, float]) -> datetime:
    least, most = limits
    return now + timedelta(seconds=min(least * 2 ** min(tries, 10), most))
