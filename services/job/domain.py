"""What the job service keeps, and what can go wrong with it."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from libs import errors


class ProductionNotFound(errors.NotFound):
    """There is no production {production_id}."""


class JobNotFound(errors.NotFound):
    """There is no job {job_id}."""


class ProductionAlreadyFinished(errors.Conflict):
    """The production is {state} and can no longer change."""


class QuoteChanged(errors.Conflict):
    """Quote {quote_id} was made for other scenes than this revision's; ask for a new quote."""


class QuoteExpired(errors.Conflict):
    """Quote {quote_id} is too old; ask for a new one."""


class QuoteNotFound(errors.NotFound):
    """There is no quote {quote_id}."""


class StoryboardNotFound(errors.NotFound):
    """There is no storyboard {storyboard_id} with revision {revision}."""


class RequestIdReused(errors.Conflict):
    """The request_id {request_id} was used before with another body; choose a new one."""


class PlanChanged(errors.Stale):
    """A production of revision {revision} would not do what was shown any more; plan it again."""


class ProductionNotFilming(errors.Conflict):
    """The production is {state}; this cannot be done to it now."""


class JobAlreadyFinished(errors.Conflict):
    """The job is {state} and can no longer change."""


class JobSucceeded(errors.Conflict):
    """The job has succeeded, and its take is kept; plan a production that makes the scene anew for another one."""


class RetryNeedsPlan(errors.Conflict):
    """Only a new production can make this take, at a price that its plan says: {why}."""


class JobWaits(errors.Conflict):
    """The job waits ({hold}); there is nothing to retry before it starts."""


class TakeWithoutLastFrame(errors.Conflict):
    """Production {production_id} needs the last frame of this take, and it was not kept; pick another one."""


class TakeNotFound(errors.NotFound):
    """There is no take {take_id}."""


class Seam(enum.IntEnum):
    """How a scene joins the one before, as rushes.type.v1.Seam has it."""

    UNSPECIFIED = 0
    CUT = 1
    LAST_FRAME = 2
    SHARED_KEYFRAME = 3


class AutoPick(enum.StrEnum):
    """Who picks the take that fills a scene: whoever is first stored, or a person."""

    FIRST = "FIRST"
    NEVER = "NEVER"


class Action(enum.StrEnum):
    """What is done about a scene."""

    REUSE = "REUSE"
    MAKE = "MAKE"
    REMAKE = "REMAKE"
    LEAVE = "LEAVE"


class Reason(enum.StrEnum):
    """Why; proto/rushes/job/v1/job.proto says it at length."""

    UNSPECIFIED = "UNSPECIFIED"
    UNCHANGED = "UNCHANGED"
    NEW_SCENE = "NEW_SCENE"
    NO_TAKE = "NO_TAKE"
    CONTENT_CHANGED = "CONTENT_CHANGED"
    SEAM_CHANGED = "SEAM_CHANGED"
    LAST_FRAME_MISSING = "LAST_FRAME_MISSING"
    ASKED = "ASKED"
    LEFT = "LEFT"
    MODEL_CHANGED = "MODEL_CHANGED"
    SIZE_CHANGED = "SIZE_CHANGED"


class Hold(enum.StrEnum):
    """What a waiting job waits for."""

    NOTHING = ""
    SEAM = "SEAM"
    APPROVAL = "APPROVAL"
    PAUSED = "PAUSED"


class ProductionState(enum.StrEnum):
    """Where a production stands; proto/rushes/job/v1/job.proto says who moves it."""

    NEEDS_APPROVAL = "NEEDS_APPROVAL"
    FILMING = "FILMING"
    PAUSED = "PAUSED"
    NEEDS_PICK = "NEEDS_PICK"
    COMPILING = "COMPILING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


class JobState(enum.StrEnum):
    """Where a job stands; proto/rushes/job/v1/job.proto says who moves it."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


PRODUCTION_ENDS = frozenset({ProductionState.SUCCEEDED, ProductionState.FAILED, ProductionState.CANCELED})
FILMS = frozenset(
    {ProductionState.NEEDS_APPROVAL, ProductionState.FILMING, ProductionState.PAUSED, ProductionState.NEEDS_PICK}
)
"""The states in which the takes of a production are not settled yet."""
JOB_ENDS = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED})


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, for people and for programs."""

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Media:
    """A stored file; `seconds` is its measured length, 0 for a still."""

    key: str
    content_type: str
    size_bytes: int
    sha256: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Take:
    """A finished job's clip, which belongs to its storyboard's scene.

    `digest` is of what it was made of; `opens_on` and `closes_on` are the sha256 of the stills that went with it, and
    `input_take_id` names the take whose last frame the first one was.
    """

    id: str
    clip: Media
    last_frame: Media | None
    picked: bool
    created_at: datetime
    job_id: str = ""
    production_id: str = ""
    storyboard_id: str = ""
    scene_id: str = ""
    digest: str = ""
    opens_on: str = ""
    closes_on: str = ""
    input_take_id: str = ""
    model: str = ""
    note: str = ""
    scene_number: int = 0
    scene_title: str = ""
    currency: str = ""
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The making of one take of one scene. `spec` is a serialized ClipSpec, opaque here, and `digest` its sha256.

    `waits_for` is the job of the scene before, by which the first release unlocks it. `parked` says for what its
    submission waits, such as money, or why its paid clip is not here yet; its metadata `retry_time` says until when.
    `changed_in` is the version of the production in which it last changed, and `retries` the failed job that it is
    made instead of.
    """

    id: str
    production_id: str
    tenant_id: str
    scene_id: str
    scene_number: int
    scene_title: str
    seam: int
    spec: bytes
    waits_for: str | None
    last_frame_wanted: bool
    currency: str
    quoted_micros: int
    created_at: datetime
    updated_at: datetime
    state: JobState = JobState.RUNNING
    hold: Hold = Hold.NOTHING
    attempt: int = 1
    take_number: int = 1
    storyboard_id: str = ""
    digest: str = ""
    model: str = ""
    first_frame: Media | None = None
    last_frame: Media | None = None
    input_take_id: str = ""
    submission_id: str = ""
    account: str = ""
    accepted_at: datetime | None = None
    retries: str = ""
    submission_state: str = ""
    submission_version: int = 0
    parked: Fault | None = None
    cost_micros: int | None = None
    fault: Fault | None = None
    take: Take | None = None
    changed_in: int = 0
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A scene's place in one production, and the take that fills it; None while none does."""

    production_id: str
    tenant_id: str
    scene_number: int
    scene_id: str
    scene_title: str
    seam: int
    action: Action
    reason: Reason
    take_id: str | None = None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Production:
    """One filming of one storyboard revision. `version` rises with every change of it or of its jobs.

    All that it makes is made with `model`, and at `resolution`; where they are empty, as the storyboard says.
    """

    id: str
    tenant_id: str
    storyboard_id: str
    revision: int
    title: str
    quote_id: str
    currency: str
    most_micros: int
    created_at: datetime
    updated_at: datetime
    state: ProductionState = ProductionState.FILMING
    auto_pick: AutoPick = AutoPick.FIRST
    model: str = ""
    resolution: str = ""
    approved_by: str = ""
    version: int = 1
    film_id: str = ""
    film_progress: float | None = None
    fault: Fault | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What is asked for: `spec` is a serialized ClipSpec, opaque here, `digest` its sha256, `size` width and height."""

    scene_id: str
    title: str
    seam: Seam
    spec: bytes
    digest: str = ""
    model: str = ""
    seconds: int = 0
    caption: str = ""
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a production is: jobs that are open; scenes that are filled, that have takes to pick from, or nothing."""

    open: int
    filled: int
    missing: int
    pickable: int = 0
