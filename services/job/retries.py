"""At which step a job is taken up again, so that nothing that may be paid is bought twice; no database, no clock."""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from services.job import domain, lifecycle

_FETCHED = ("PROVIDER_DONE", "FETCHING")
_LOST = ("UNKNOWN", "UNRESOLVED")


class Step(enum.StrEnum):
    """What is done; proto/rushes/job/v1/job_service.proto says it at length."""

    ORDERED_AGAIN = "ORDERED_AGAIN"
    LOOKED_AGAIN = "LOOKED_AGAIN"
    FETCHED_AGAIN = "FETCHED_AGAIN"
    MADE_ANEW = "MADE_ANEW"


def step(job: domain.Job) -> Step:
    """Where to take it up. Raises JobSucceeded, JobWaits or RetryNeedsPlan."""
    if job.state is domain.JobState.SUCCEEDED or job.take:
        raise domain.JobSucceeded(job_id=job.id)
    if job.state is domain.JobState.WAITING:
        raise domain.JobWaits(job_id=job.id, hold=job.hold)
    if not job.ended_at:
        return _of_open(job)
    if lifecycle.is_in_suspense(job) and job.submission_id:
        return Step.LOOKED_AGAIN
    if job.cost_micros and job.submission_id:
        return Step.FETCHED_AGAIN
    if job.state is domain.JobState.CANCELED:
        raise domain.RetryNeedsPlan(job_id=job.id, why="it was cancelled")
    return Step.MADE_ANEW


def _of_open(job: domain.Job) -> Step:
    if job.submission_id and job.submission_state in _LOST:
        return Step.LOOKED_AGAIN
    if job.submission_id and job.submission_state in _FETCHED:
        return Step.FETCHED_AGAIN
    return Step.ORDERED_AGAIN


def no_longer(job: domain.Job) -> domain.RetryNeedsPlan:
    """The gateway has nothing of it to look for or to fetch."""
    return domain.RetryNeedsPlan(job_id=job.id, why="it was charged for, and the provider has no clip")


def revive(
    production: domain.Production,
    job: domain.Job,
    jobs: Sequence[domain.Job],
    slots: Sequence[domain.Slot],
    found: Mapping[str, domain.Take],
    new_id: Callable[[str], str],
    now: datetime,
) -> list[domain.Job]:
    """A new job for one that failed for nothing, and for those that were stranded by it. Raises RetryNeedsPlan."""
    if production.state not in domain.FILMS:
        raise domain.RetryNeedsPlan(job_id=job.id, why=f"its production is {production.state}")
    places = {slot.scene_number: slot for slot in slots}
    before = places.get(job.scene_number - 1)
    take = found.get(before.take_id or "") if before else None
    if job.seam == domain.Seam.LAST_FRAME and before and not (take and take.last_frame):
        raise domain.RetryNeedsPlan(job_id=job.id, why="the scene before it has no last frame yet")
    first = _anew(job, jobs, new_id, now)
    if job.seam == domain.Seam.LAST_FRAME and take:
        first = dataclasses.replace(first, first_frame=take.last_frame, input_take_id=take.id)
    revived = [lifecycle.held(first, production.state, now)]
    number, again = job.scene_number + 1, {one.retries for one in jobs}
    stranded = [one for one in jobs if _is_stranded(one) and one.id not in again]
    while followers := [one for one in stranded if one.scene_number == number]:
        anew = [_anew(one, jobs, new_id, now) for one in followers]
        revived += [_waiting(one, revived[-1].id) for one in anew]
        number += 1
    return revived


def _waiting(job: domain.Job, waits_for: str) -> domain.Job:
    held = dataclasses.replace(job, state=domain.JobState.WAITING, hold=domain.Hold.SEAM)
    return dataclasses.replace(held, waits_for=waits_for, first_frame=None, input_take_id="")


def _is_stranded(job: domain.Job) -> bool:
    return bool(job.fault and job.fault.reason == "SCENE_BEFORE_FAILED")


def _anew(job: domain.Job, jobs: Sequence[domain.Job], new_id: Callable[[str], str], now: datetime) -> domain.Job:
    highest = max(one.take_number for one in jobs if one.scene_number == job.scene_number)
    return dataclasses.replace(
        job,
        id=new_id("job"),
        retries=job.id,
        take_number=highest + 1,
        state=domain.JobState.RUNNING,
        attempt=1,
        submission_state="",
        submission_version=0,
        submission_id="",
        account="",
        accepted_at=None,
        parked=None,
        cost_micros=None,
        fault=None,
        ended_at=None,
        created_at=now,
        updated_at=now,
    )
