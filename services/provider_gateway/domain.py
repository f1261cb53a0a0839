"""The rules of paid calls and their money: which state may follow which, and what each costs."""

import enum
from dataclasses import dataclass
from datetime import datetime

from libs import errors


class QuoteNotFound(errors.NotFound):
    """There is no quote {quote_id}."""


class QuoteItemMissing(errors.Conflict):
    """Quote {quote_id} holds no such clip for scene {scene_id}; ask for a new quote."""


class SubmissionNotFound(errors.NotFound):
    """There is no submission {submission_id}."""


class SubmissionNotUnknown(errors.Conflict):
    """Submission {submission_id} is {state}: its outcome is known, so there is nothing to settle or to reconcile."""


class SubmissionNotPaid(errors.Conflict):
    """Submission {submission_id} is {state}: there is no paid clip to fetch."""


class ProviderJobTaken(errors.Conflict):
    """The provider's job {provider_job_id} belongs to another submission; look again in the provider's own pages."""


class Canceled(errors.Conflict):
    """The job was cancelled before anything was sent; nothing is charged."""


class RequestIdReused(errors.Conflict):
    """The request_id {request_id} was used before with another body; choose a new one."""


class State(enum.StrEnum):
    """Where a paid call stands; docs/lifecycles.md draws it."""

    PARKED = "PARKED"
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
        (State.PARKED, State.INTENT),  # its money is reserved now
        (State.PARKED, State.REJECTED),  # it waited for too long
        (State.PARKED, State.CANCELED_FREE),
        (State.INTENT, State.SENDING),  # claimed; committed before the first byte
        (State.INTENT, State.REJECTED),  # nobody could be sent it for too long
        (State.INTENT, State.CANCELED_FREE),
        (State.SENDING, State.INTENT),  # proof that nothing was written, by the sender itself
        (State.SENDING, State.ACCEPTED),
        (State.SENDING, State.REJECTED),
        (State.SENDING, State.UNKNOWN),  # any other answer, or the sender's lease ran out
        (State.UNKNOWN, State.ACCEPTED),
        (State.UNKNOWN, State.REJECTED),  # refused when repeated under the provider's idempotency: it never was taken
        (State.UNKNOWN, State.ABSENT),
        (State.UNKNOWN, State.UNRESOLVED),
        (State.UNKNOWN, State.PROVIDER_FAILED),  # settled by a person: charged, and no clip
        (State.UNRESOLVED, State.ACCEPTED),
        (State.UNRESOLVED, State.ABSENT),
        (State.UNRESOLVED, State.PROVIDER_FAILED),  # settled, or given up after 30 days
        (State.ACCEPTED, State.PROVIDER_DONE),
        (State.ACCEPTED, State.PROVIDER_FAILED),
        (State.ACCEPTED, State.UNKNOWN),  # the provider does not know its own id any more
        (State.PROVIDER_DONE, State.FETCHING),
        (State.FETCHING, State.PROVIDER_DONE),  # the download failed and will be tried again
        (State.FETCHING, State.STORED),
        (State.FETCHING, State.CLIP_EXPIRED),
        (State.CLIP_EXPIRED, State.PROVIDER_DONE),  # a person asks for it once more, for free
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

UNNAMED = frozenset({State.SENDING, State.UNKNOWN, State.UNRESOLVED})
"""What may be with the provider under a name that nobody knows."""

ON_CLAIM = {State.SENDING: State.UNKNOWN, State.PROVIDER_DONE: State.FETCHING}
"""What claiming makes of what was sent. SENDING is claimed only when its sender's lease ran out: nobody knows."""


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
    thumbnail: Media | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no clip."""

    reason: str
    message: str
    retryable: bool = False


class Learned(enum.StrEnum):
    """How something was learned about what became of a call."""

    ANSWER = "ANSWER"
    FOUND = "FOUND"
    NOT_FOUND = "NOT_FOUND"
    AMBIGUOUS = "AMBIGUOUS"
    CALLBACK = "CALLBACK"
    PERSON = "PERSON"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was learned; `provider_job_id` is empty where it names no job. It is only ever added."""

    kind: Learned
    at: datetime
    provider_job_id: str = ""
    note: str = ""

    @property
    def is_of_a_job(self) -> bool:
        """Whether it says that the provider has made a job of the order, under whatever name."""
        return bool(self.provider_job_id) or self.kind is Learned.CALLBACK


def not_taken(at: datetime, why: str) -> Evidence:
    """The sender's own word that the provider did not take it; it is kept where it comes too late to decide."""
    return Evidence(Learned.ANSWER, at, "", why)


@dataclass(frozen=True, slots=True)
class Submission:
    """One paid call. `spec` is a serialized ClipSpec, opaque here; `tries` counts what the present state has tried.

    `traceparent` is the trace of the order, so that every step of the call is found from it. `account` is what it is
    bought with, `budgets` are the walls it stands behind, `turn` its place in the fair order of tenants. `answered_at`
    is when the sender itself saw the exchange end: until then it may still be sending, however dead it looks.
    `doubted_from` is since when it may have been sent by who has forgotten it, where the database was restored.
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
    likeness: str
    last_frame_wanted: bool
    traceparent: str
    account: str
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
    answered_at: datetime | None = None
    clip_expires_at: datetime | None = None
    cancel_wanted_at: datetime | None = None
    cancel_tried_at: datetime | None = None
    budgets: tuple[str, ...] = ()
    turn: int = 0
    doubted_from: datetime | None = None
