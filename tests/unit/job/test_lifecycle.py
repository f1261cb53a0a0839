"""What may follow what in productions and jobs."""

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.job import domain, lifecycle, planning

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
CLIP = domain.Media("t/a/clips/x.mp4", "video/mp4", 10, "ab" * 32, 4.0)
STILL = domain.Media("t/a/clips/x.png", "image/png", 5, "cd" * 32)
TAKE = domain.Take("take_1", CLIP, STILL, True, NOW)
FAULT = domain.Fault("PROVIDER_FAILED", "It could not be made.")
NO_MONEY = domain.Fault("BUDGET_EXCEEDED", "The money is gone.", {"retry_time": "2026-11-22T00:00:00+00:00"})
PRODUCTION = domain.Production("prod_1", "tenant", "sb_1", 1, "The Letter", "quote_1", "USD", 1_000_000, NOW, NOW)


def scene(number: int, on_last_frame: bool = False) -> domain.Scene:
    seam = domain.Seam.LAST_FRAME if on_last_frame else domain.Seam.CUT
    return domain.Scene(f"scene_{number}", f"Scene {number}", seam, b"spec", f"digest {number}", "sandbox/reel-1", 4)


def planned(*on_last_frame: bool) -> list[domain.Job]:
    numbers = itertools.count(1)
    scenes = [scene(number, flag) for number, flag in enumerate(on_last_frame, 1)]
    planned = planning.everything(scenes, planning.Options())
    prices = {one.scene_id: 100_000 for one in scenes}
    return planning.jobs(PRODUCTION, planned, prices, lambda prefix: f"{prefix}_{next(numbers)}")


def test_only_scenes_on_a_last_frame_wait() -> None:
    jobs = planned(False, True, True, False)
    assert [job.state for job in jobs] == [
        domain.JobState.RUNNING,
        domain.JobState.WAITING,
        domain.JobState.WAITING,
        domain.JobState.RUNNING,
    ]
    assert [job.waits_for for job in jobs] == [None, "job_1", "job_2", None]
    assert [job.last_frame_wanted for job in jobs] == [True, True, False, False]


def test_the_first_scene_has_nobody_to_wait_for() -> None:
    assert planned(True)[0].state is domain.JobState.RUNNING


def test_a_stored_clip_becomes_the_take_and_unlocks_the_next() -> None:
    first, second = planned(False, True)
    done = lifecycle.clip_stored(first, TAKE, 90_000, LATER)
    assert (done.state, done.take, done.cost_micros) == (domain.JobState.SUCCEEDED, TAKE, 90_000)
    unlocked = lifecycle.unlock(second, TAKE, LATER)
    assert (unlocked.state, unlocked.first_frame) == (domain.JobState.RUNNING, STILL)
    assert lifecycle.unlock(unlocked, TAKE, LATER) is unlocked


def test_paid_work_is_kept_though_a_cancel_was_on_its_way() -> None:
    canceling = lifecycle.cancel_job(planned(False)[0], NOW)
    assert canceling.state is domain.JobState.CANCELING
    assert lifecycle.clip_stored(canceling, TAKE, 1, LATER).state is domain.JobState.SUCCEEDED


def test_a_failure_is_repeated_once_and_only_when_it_helps() -> None:
    job = planned(False)[0]
    assert lifecycle.submission_failed(job, FAULT, 0, False, LATER).state is domain.JobState.FAILED
    again = lifecycle.submission_failed(job, FAULT, 0, True, LATER)
    assert (again.state, again.attempt) == (domain.JobState.RUNNING, 2)
    assert lifecycle.submission_failed(again, FAULT, 0, True, LATER).state is domain.JobState.FAILED


def test_a_failure_after_a_cancel_is_a_cancel() -> None:
    canceling = lifecycle.cancel_job(planned(False)[0], NOW)
    assert lifecycle.submission_failed(canceling, FAULT, 0, True, LATER).state is domain.JobState.CANCELED


def test_who_waits_for_a_failed_scene_fails_without_cost() -> None:
    stranded = lifecycle.strand(planned(False, True)[1], LATER)
    assert stranded.state is domain.JobState.FAILED
    assert stranded.fault is not None
    assert stranded.fault.metadata["charged"] == "no"


def test_old_news_change_nothing() -> None:
    job = lifecycle.submission_moved(planned(False)[0], "ACCEPTED", 3, None, LATER)
    assert lifecycle.submission_moved(job, "PARKED", 2, NO_MONEY, LATER) is job


def parked() -> domain.Job:
    return lifecycle.submission_moved(planned(False)[0], "PARKED", 1, NO_MONEY, NOW)


def test_what_its_submission_waits_for_is_forgotten_once_it_goes_on_or_ends() -> None:
    job = parked()
    assert (job.state, job.submission_state, job.parked) == (domain.JobState.RUNNING, "PARKED", NO_MONEY)
    assert lifecycle.submission_moved(job, "INTENT", 2, None, LATER).parked is None
    assert lifecycle.clip_stored(job, TAKE, 1, LATER).parked is None
    for retryable in (True, False):
        assert lifecycle.submission_failed(job, FAULT, 0, retryable, LATER).parked is None


@pytest.mark.parametrize("state", sorted(domain.JOB_ENDS))
def test_a_finished_job_never_changes(state: domain.JobState) -> None:
    job = dataclasses.replace(planned(False)[0], state=state, take=TAKE, ended_at=NOW)
    assert lifecycle.clip_stored(job, TAKE, 1, LATER) is job
    assert lifecycle.submission_failed(job, FAULT, 1, True, LATER) is job
    assert lifecycle.submission_moved(job, "UNKNOWN", 9, None, LATER) is job
    assert lifecycle.cancel_job(job, LATER) is job
    assert lifecycle.unlock(job, TAKE, LATER) is job
    assert lifecycle.strand(job, LATER) is job


@pytest.mark.parametrize("state", [domain.JobState.FAILED, domain.JobState.CANCELED])
def test_a_clip_that_comes_after_the_end_is_kept_as_a_take_that_nobody_picked(state: domain.JobState) -> None:
    job = dataclasses.replace(planned(False)[0], state=state, fault=FAULT, ended_at=NOW)
    late = lifecycle.clip_stored(job, TAKE, 90_000, LATER)
    assert late.take == dataclasses.replace(TAKE, picked=False)
    assert (late.state, late.fault, late.ended_at) == (state, FAULT, NOW), "the job stays what it is"
    assert (late.cost_micros, late.submission_state, late.updated_at) == (90_000, "STORED", LATER)
    assert lifecycle.clip_stored(late, TAKE, 1, LATER) is late


@given(opened=st.integers(0, 3), succeeded=st.integers(0, 3), failed=st.integers(0, 3), canceling=st.booleans())
def test_a_production_ends_when_nothing_is_open(opened: int, succeeded: int, failed: int, canceling: bool) -> None:
    before = lifecycle.cancel(PRODUCTION, NOW) if canceling else PRODUCTION
    after = lifecycle.settle(before, domain.Tally(opened, succeeded, failed), LATER)
    if opened:
        assert after is before
    elif canceling:
        assert after.state is domain.ProductionState.CANCELED
    else:
        assert after.state is (domain.ProductionState.FAILED if failed else domain.ProductionState.COMPILING)


def test_the_film_ends_the_production() -> None:
    compiling = lifecycle.settle(PRODUCTION, domain.Tally(0, 2, 0), NOW)
    half = lifecycle.film_progressed(compiling, "film_1", 0.5, LATER)
    assert lifecycle.film_progressed(half, "film_1", 0.4, LATER) is half
    done = lifecycle.film_completed(half, "film_1", LATER)
    assert (done.state, done.film_id, done.ended_at) == (domain.ProductionState.SUCCEEDED, "film_1", LATER)
    assert lifecycle.film_failed(done, "film_1", FAULT, LATER) is done
    assert lifecycle.film_failed(half, "film_1", FAULT, LATER).state is domain.ProductionState.FAILED


def test_cancel_is_repeatable_until_it_is_too_late() -> None:
    canceling = lifecycle.cancel(PRODUCTION, NOW)
    assert lifecycle.cancel(canceling, LATER) is canceling
    compiling = lifecycle.settle(PRODUCTION, domain.Tally(0, 1, 0), NOW)
    with pytest.raises(domain.ProductionAlreadyFinished, match="COMPILING"):
        lifecycle.cancel(compiling, LATER)
