"""The rules of productions and jobs: what may follow what, decided without a database or a clock."""

import dataclasses
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from libs import errors

MOST_ATTEMPTS = 2
"""Submissions a job may make; the second only after one that may be repeated."""


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


class ProductionState(enum.StrEnum):
    """Where a production stands; proto/rushes/job/v1/job.proto says who moves it."""

    FILMING = "FILMING"
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
    """A finished job's clip."""

    id: str
    clip: Media
    last_frame: Media | None
    picked: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """The making of one take of one scene. `spec` is a serialized ClipSpec, opaque here.

    `parked` says for what its submission waits, such as money; its metadata `retry_time` says until when.
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
    attempt: int = 1
    first_frame: Media | None = None
    submission_state: str = ""
    submission_version: int = 0
    parked: Fault | None = None
    cost_micros: int | None = None
    fault: Fault | None = None
    take: Take | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Production:
    """One filming of one storyboard revision. `version` rises with every change of it or of its jobs."""

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
    version: int = 1
    film_id: str = ""
    film_progress: float | None = None
    fault: Fault | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a revision asks for, and what it may cost."""

    scene_id: str
    title: str
    seam: int
    starts_on_last_frame: bool
    spec: bytes
    quoted_micros: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a production's jobs are in which kind of state."""

    open: int
    succeeded: int
    failed: int


def plan(production: Production, scenes: Sequence[Scene], new_id: Callable[[str], str]) -> list[Job]:
    """One job for each scene; those that start on the last frame of the scene before wait for its take."""
    jobs: list[Job] = []
    for number, scene in enumerate(scenes, 1):
        waits = bool(jobs) and scene.starts_on_last_frame
        job = Job(
            id=new_id("job"),
            production_id=production.id,
            tenant_id=production.tenant_id,
            scene_id=scene.scene_id,
            scene_number=number,
            scene_title=scene.title,
            seam=scene.seam,
            spec=scene.spec,
            waits_for=jobs[-1].id if waits else None,
            last_frame_wanted=number < len(scenes) and scenes[number].starts_on_last_frame,
            currency=production.currency,
            quoted_micros=scene.quoted_micros,
            created_at=production.created_at,
            updated_at=production.created_at,
            state=JobState.WAITING if waits else JobState.RUNNING,
        )
        jobs.append(job)
    return jobs


def submission_moved(job: Job, state: str, version: int, parked: Fault | None, now: datetime) -> Job:
    """The gateway says how far it is; old news and news for a finished job change nothing.

    What is parked may wait for something else without having moved.
    """
    is_old = version < job.submission_version or (version == job.submission_version and parked is None)
    if job.state in JOB_ENDS or is_old:
        return job
    return dataclasses.replace(job, submission_state=state, submission_version=version, parked=parked, updated_at=now)


def clip_stored(job: Job, take: Take, cost_micros: int, now: datetime) -> Job:
    """The clip is there: paid work is kept even when a cancel was on its way, or when the job had been given up."""
    if job.state in JOB_ENDS:
        return job if job.take else _found_late(job, take, cost_micros, now)
    return dataclasses.replace(
        job,
        state=JobState.SUCCEEDED,
        submission_state="STORED",
        parked=None,
        take=take,
        cost_micros=cost_micros,
        updated_at=now,
        ended_at=now,
    )


def _found_late(job: Job, take: Take, cost_micros: int, now: datetime) -> Job:
    """An ended job stays what it is; its clip is kept as a take that nobody has picked."""
    unpicked = dataclasses.replace(take, picked=False)
    return dataclasses.replace(job, submission_state="STORED", take=unpicked, cost_micros=cost_micros, updated_at=now)


def submission_failed(job: Job, fault: Fault, cost_micros: int | None, retryable: bool, now: datetime) -> Job:
    """No clip: try once more when that can help, else the job has failed, or is cancelled when that was wanted."""
    if job.state in JOB_ENDS:
        return job
    # What was charged is never bought again by itself: the quote is the most that can be paid.
    if retryable and cost_micros == 0 and job.state is JobState.RUNNING and job.attempt < MOST_ATTEMPTS:
        return dataclasses.replace(
            job, attempt=job.attempt + 1, submission_state="", submission_version=0, parked=None, updated_at=now
        )
    state = JobState.CANCELED if job.state is JobState.CANCELING else JobState.FAILED
    ended = dataclasses.replace(job, state=state, fault=fault, cost_micros=cost_micros, parked=None)
    return dataclasses.replace(ended, updated_at=now, ended_at=now)


def unlock(job: Job, before: Take, now: datetime) -> Job:
    """The take before is there: a waiting job can start on its last frame."""
    if job.state is not JobState.WAITING:
        return job
    return dataclasses.replace(job, state=JobState.RUNNING, first_frame=before.last_frame, updated_at=now)


def strand(job: Job, now: datetime) -> Job:
    """The scene before ended without a take: a job that waits for it can never start."""
    if job.state is not JobState.WAITING:
        return job
    fault = Fault(
        "SCENE_BEFORE_FAILED",
        "The scene before it was not made, so it has no frame to start on.",
        {"charged": "no"},
    )
    return dataclasses.replace(job, state=JobState.FAILED, fault=fault, updated_at=now, ended_at=now)


def cancel_job(job: Job, now: datetime) -> Job:
    """What was never asked for ends at once; the rest is left to the gateway, which knows what is paid."""
    if job.state is JobState.WAITING:
        return dataclasses.replace(job, state=JobState.CANCELED, cost_micros=0, updated_at=now, ended_at=now)
    if job.state is JobState.RUNNING:
        return dataclasses.replace(job, state=JobState.CANCELING, updated_at=now)
    return job


def cancel(production: Production, now: datetime) -> Production:
    """Begin to cancel; repeating it changes nothing. Raises ProductionAlreadyFinished."""
    if production.state in (ProductionState.CANCELING, ProductionState.CANCELED):
        return production
    if production.state is not ProductionState.FILMING:
        raise ProductionAlreadyFinished(production_id=production.id, state=production.state)
    return dataclasses.replace(production, state=ProductionState.CANCELING, updated_at=now)


def settle(production: Production, tally: Tally, now: datetime) -> Production:
    """What becomes of a production whose jobs have moved: the same object while any can still change."""
    if tally.open or production.state not in (ProductionState.FILMING, ProductionState.CANCELING):
        return production
    if production.state is ProductionState.CANCELING:
        return dataclasses.replace(production, state=ProductionState.CANCELED, updated_at=now, ended_at=now)
    if tally.failed:
        fault = Fault(
            "SCENES_FAILED",
            f"{tally.failed} of {tally.failed + tally.succeeded} scenes were not made; the other takes are kept.",
        )
        return dataclasses.replace(production, state=ProductionState.FAILED, fault=fault, updated_at=now, ended_at=now)
    return dataclasses.replace(production, state=ProductionState.COMPILING, updated_at=now)


def film_progressed(production: Production, film_id: str, progress: float, now: datetime) -> Production:
    """The film is being cut; progress never goes back."""
    if production.state is not ProductionState.COMPILING or progress <= (production.film_progress or -1.0):
        return production
    return dataclasses.replace(production, film_id=film_id, film_progress=progress, updated_at=now)


def film_completed(production: Production, film_id: str, now: datetime) -> Production:
    """The film is there."""
    if production.state is not ProductionState.COMPILING:
        return production
    done = dataclasses.replace(production, state=ProductionState.SUCCEEDED, film_id=film_id, film_progress=1.0)
    return dataclasses.replace(done, updated_at=now, ended_at=now)


def film_failed(production: Production, film_id: str, fault: Fault, now: datetime) -> Production:
    """The film cannot be cut; the takes stay."""
    if production.state is not ProductionState.COMPILING:
        return production
    failed = dataclasses.replace(production, state=ProductionState.FAILED, film_id=film_id, fault=fault)
    return dataclasses.replace(failed, updated_at=now, ended_at=now)
