"""What may follow what in productions and jobs, decided without a database or a clock."""

import dataclasses
from datetime import datetime, timedelta

from services.job import domain

MOST_ATTEMPTS = 2
"""Submissions a job may make; the second only after one that may be repeated."""

STUCK_AFTER = timedelta(minutes=15)
"""How long nothing is heard of a job before it is shown as stuck; it is never failed for that alone."""

_HELD = {
    domain.ProductionState.NEEDS_APPROVAL: domain.Hold.APPROVAL,
    domain.ProductionState.PAUSED: domain.Hold.PAUSED,
}
_J, _P = domain.JobState, domain.ProductionState


def submission_moved(
    job: domain.Job, state: str, version: int, parked: domain.Fault | None, now: datetime
) -> domain.Job:
    """The gateway says how far it is; old news and news for a finished job change nothing.

    What is parked may wait for something else without having moved.
    """
    is_old = version < job.submission_version or (version == job.submission_version and parked is None)
    if job.state in domain.JOB_ENDS or is_old:
        return job
    accepted_at = now if state == "ACCEPTED" and job.accepted_at is None else job.accepted_at
    return dataclasses.replace(
        job,
        submission_state=state,
        submission_version=version,
        accepted_at=accepted_at,
        parked=parked,
        updated_at=now,
    )


def clip_stored(job: domain.Job, take: domain.Take, cost_micros: int, now: datetime) -> domain.Job:
    """The clip is there: paid work is kept even when a cancel was on its way, or when the job had been given up."""
    if job.state in domain.JOB_ENDS:
        return job if job.take else _found_late(job, take, cost_micros, now)
    return dataclasses.replace(
        job,
        state=_J.SUCCEEDED,
        submission_state="STORED",
        parked=None,
        take=take,
        cost_micros=cost_micros,
        updated_at=now,
        ended_at=now,
    )


def _found_late(job: domain.Job, take: domain.Take, cost_micros: int, now: datetime) -> domain.Job:
    """An ended job stays what it is; its clip is kept as a take that nobody has picked."""
    unpicked = dataclasses.replace(take, picked=False)
    return dataclasses.replace(job, submission_state="STORED", take=unpicked, cost_micros=cost_micros, updated_at=now)


def submission_failed(
    job: domain.Job, fault: domain.Fault, cost_micros: int | None, retryable: bool, now: datetime
) -> domain.Job:
    """No clip: try once more when that can help, else the job has failed, or is cancelled when that was wanted."""
    if job.state in domain.JOB_ENDS:
        return _paid_late(job, fault, cost_micros, now)
    # What was charged is never bought again by itself: the quote is the most that can be paid.
    if retryable and cost_micros == 0 and job.state is _J.RUNNING and job.attempt < MOST_ATTEMPTS:
        return dataclasses.replace(
            job,
            attempt=job.attempt + 1,
            submission_state="",
            submission_version=0,
            accepted_at=None,
            parked=None,
            updated_at=now,
        )
    state = _J.CANCELED if job.state is _J.CANCELING else _J.FAILED
    ended = dataclasses.replace(job, state=state, fault=fault, cost_micros=cost_micros, parked=None)
    return dataclasses.replace(ended, updated_at=now, ended_at=now)


def _paid_late(job: domain.Job, fault: domain.Fault, cost_micros: int | None, now: datetime) -> domain.Job:
    """What nobody knew when the job ended is known: whether it was charged."""
    if cost_micros is None or not is_in_suspense(job) or job.fault is None:
        return job
    told = dataclasses.replace(job.fault, metadata=job.fault.metadata | {"charged": fault.metadata["charged"]})
    return dataclasses.replace(job, fault=told, cost_micros=cost_micros, updated_at=now)


def may_be_charged(job: domain.Job) -> bool:
    """Whether it may still cost something, or has cost something that nobody knows yet."""
    return (job.state in (_J.RUNNING, _J.CANCELING) and job.cost_micros is None) or is_in_suspense(job)


def holds_money(job: domain.Job) -> bool:
    """Whether money is set aside for it, or in suspense."""
    asked_for = job.state in (_J.RUNNING, _J.CANCELING) and job.submission_state != "PARKED"
    return asked_for or is_in_suspense(job)


def is_stuck(job: domain.Job, now: datetime) -> bool:
    """Whether it was asked for, and for long nothing was heard of it, not even for what it waits."""
    return job.state in (_J.RUNNING, _J.CANCELING) and job.parked is None and job.updated_at < now - STUCK_AFTER


def is_in_suspense(job: domain.Job) -> bool:
    """Whether the job has ended and nobody knows what was charged for it."""
    return bool(
        job.ended_at and job.cost_micros is None and job.fault and job.fault.metadata.get("charged") == "unknown"
    )


def fills(job: domain.Job, slot: domain.Slot | None, production: domain.Production) -> bool:
    """Whether the job's take is picked by itself: it is the first of its scene, and no person is to choose."""
    is_free = slot is not None and slot.take_id is None
    return job.state is _J.SUCCEEDED and is_free and production.auto_pick is domain.AutoPick.FIRST


def unlock(job: domain.Job, before: domain.Take, now: datetime) -> domain.Job:
    """The take before is there: a waiting job can start on its last frame."""
    if job.state is not _J.WAITING:
        return job
    started = dataclasses.replace(job, first_frame=before.last_frame, input_take_id=before.id, updated_at=now)
    if job.hold is not domain.Hold.SEAM:
        return started
    return dataclasses.replace(started, state=_J.RUNNING, hold=domain.Hold.NOTHING)


def is_held(production: domain.Production) -> bool:
    """Whether nothing more is asked for before a person says so."""
    return production.state in _HELD


def held(job: domain.Job, state: domain.ProductionState, now: datetime) -> domain.Job:
    """In a production that is paused or not approved, a job that could be asked for waits."""
    if state not in _HELD or job.state is not _J.RUNNING:
        return job
    return dataclasses.replace(job, state=_J.WAITING, hold=_HELD[state], updated_at=now)


def released(job: domain.Job, now: datetime) -> domain.Job:
    """The production goes on: what waited for that alone can be asked for."""
    if job.state is not _J.WAITING or job.hold is domain.Hold.SEAM:
        return job
    return dataclasses.replace(job, state=_J.RUNNING, hold=domain.Hold.NOTHING, updated_at=now)


def strand(job: domain.Job, now: datetime) -> domain.Job:
    """The scene before ended without a take: a job that waits for it can never start."""
    if job.state is not _J.WAITING:
        return job
    fault = domain.Fault(
        "SCENE_BEFORE_FAILED",
        "The scene before it was not made, so it has no frame to start on.",
        {"charged": "no"},
    )
    return dataclasses.replace(
        job, state=_J.FAILED, hold=domain.Hold.NOTHING, fault=fault, updated_at=now, ended_at=now
    )


def cancel_job(job: domain.Job, now: datetime) -> domain.Job:
    """What was never asked for ends at once; the rest is left to the gateway, which knows what is paid."""
    if job.state is _J.WAITING:
        done = dataclasses.replace(job, state=_J.CANCELED, hold=domain.Hold.NOTHING, cost_micros=0)
        return dataclasses.replace(done, updated_at=now, ended_at=now)
    if job.state is _J.RUNNING:
        return dataclasses.replace(job, state=_J.CANCELING, updated_at=now)
    return job


def cancel(production: domain.Production, now: datetime) -> domain.Production:
    """Begin to cancel; repeating it changes nothing. Raises ProductionAlreadyFinished."""
    if production.state in (_P.CANCELING, _P.CANCELED):
        return production
    if production.state not in domain.FILMS:
        raise domain.ProductionAlreadyFinished(production_id=production.id, state=production.state)
    return dataclasses.replace(production, state=_P.CANCELING, updated_at=now)


def pause(production: domain.Production, now: datetime) -> domain.Production:
    """Ask for nothing more; repeating it changes nothing. Raises ProductionNotFilming."""
    return _turn(production, _P.FILMING, _P.PAUSED, now)


def resume(production: domain.Production, now: datetime) -> domain.Production:
    """Go on; one that films stays as it is. Raises ProductionNotFilming."""
    return _turn(production, _P.PAUSED, _P.FILMING, now)


def approve(production: domain.Production, subject: str, now: datetime) -> domain.Production:
    """Let it spend; one that was approved stays as it is. Raises ProductionNotFilming."""
    if production.approved_by:
        return production
    approved = _turn(production, _P.NEEDS_APPROVAL, _P.FILMING, now)
    return approved if approved is production else dataclasses.replace(approved, approved_by=subject)


def _turn(
    production: domain.Production, before: domain.ProductionState, after: domain.ProductionState, now: datetime
) -> domain.Production:
    if production.state is after:
        return production
    if production.state is not before:
        raise domain.ProductionNotFilming(production_id=production.id, state=production.state)
    return dataclasses.replace(production, state=after, updated_at=now)


def settle(production: domain.Production, tally: domain.Tally, now: datetime) -> domain.Production:
    """What becomes of a production whose jobs have moved: the same object while any can still change."""
    if tally.open or production.state not in (_P.FILMING, _P.CANCELING, _P.NEEDS_PICK):
        return production
    if production.state is _P.CANCELING:
        return dataclasses.replace(production, state=_P.CANCELED, updated_at=now, ended_at=now)
    if tally.missing:
        every = tally.missing + tally.filled + tally.pickable
        fault = domain.Fault(
            "SCENES_FAILED", f"{tally.missing} of {every} scenes were not made; the other takes are kept."
        )
        return dataclasses.replace(production, state=_P.FAILED, fault=fault, updated_at=now, ended_at=now)
    after = _P.NEEDS_PICK if tally.pickable else _P.COMPILING
    return production if after is production.state else dataclasses.replace(production, state=after, updated_at=now)


def film_progressed(production: domain.Production, film_id: str, progress: float, now: datetime) -> domain.Production:
    """The film is being cut; progress never goes back."""
    if production.state is not _P.COMPILING or progress <= (production.film_progress or -1.0):
        return production
    return dataclasses.replace(production, film_id=film_id, film_progress=progress, updated_at=now)


def film_completed(production: domain.Production, film_id: str, now: datetime) -> domain.Production:
    """The film is there."""
    if production.state is not _P.COMPILING:
        return production
    done = dataclasses.replace(production, state=_P.SUCCEEDED, film_id=film_id, film_progress=1.0)
    return dataclasses.replace(done, updated_at=now, ended_at=now)


def film_failed(production: domain.Production, film_id: str, fault: domain.Fault, now: datetime) -> domain.Production:
    """The film cannot be cut; the takes stay."""
    if production.state is not _P.COMPILING:
        return production
    failed = dataclasses.replace(production, state=_P.FAILED, film_id=film_id, fault=fault)
    return dataclasses.replace(failed, updated_at=now, ended_at=now)
