"""What the job service makes of the news: takes, unlocked scenes, second attempts, stranded chains, films."""

import asyncio
import dataclasses

import pytest

from rushes.job.v1 import events_pb2, job_pb2
from rushes.type.v1 import clip_pb2
from services.job import domain
from tests.integration.job import news

J, P = domain.JobState, domain.ProductionState


async def test_a_clip_becomes_a_take_and_opens_the_scene_that_waits_for_its_last_frame(crew):
    first, second, third = await crew.begin(False, True, True)
    await crew.hear(news.stored(first))
    done, opened, waiting = await crew.jobs(first.production_id)
    assert (done.state, done.cost_micros, done.submission_state) == (J.SUCCEEDED, news.COST, "STORED")
    assert done.take.picked
    assert done.take.last_frame.key == f"t/acme/clips/{first.id}.last.png"
    assert (opened.state, opened.first_frame) == (J.RUNNING, done.take.last_frame)
    assert waiting.state is J.WAITING
    (order,) = await crew.said(events_pb2.ClipRequested)
    assert (order.job_id, order.attempt, order.last_frame_wanted) == (second.id, 1, True)
    assert order.spec.first_frame == news.blob(f"{first.id}.last.png")
    asked = clip_pb2.ClipSpec.FromString(second.spec)
    asked.first_frame.CopyFrom(order.spec.first_frame)
    assert order.spec == asked
    assert third.id == waiting.id


async def test_what_is_said_belongs_to_the_trace_of_what_was_heard(crew):
    first, _ = await crew.begin(False, True)
    await crew.hear(news.stored(first))
    assert await crew.traces() == {"ab" * 16}


async def test_the_film_is_asked_for_once_in_scene_order(crew):
    jobs = await crew.begin(False, False, False)
    await crew.hear(news.stored(jobs[2]))
    await crew.hear(news.stored(jobs[0]), news.stored(jobs[0]))
    assert not await crew.said(events_pb2.FilmRequested)
    await crew.hear(news.stored(jobs[1]))
    await crew.hear(*(news.stored(job) for job in jobs))
    (film,) = await crew.said(events_pb2.FilmRequested)
    assert (film.production_id, film.request_id) == (jobs[0].production_id,) * 2
    assert film.edit_list.title == "The Letter"
    assert [cut.scene_id for cut in film.edit_list.cuts] == ["scene_1", "scene_2", "scene_3"]
    assert [cut.clip.key for cut in film.edit_list.cuts] == [f"t/acme/clips/{job.id}.mp4" for job in jobs]
    takes = [job.take.id for job in await crew.jobs(film.production_id)]
    assert [cut.take_id for cut in film.edit_list.cuts] == takes
    assert (await crew.production(film.production_id)).state is P.COMPILING


async def test_several_productions_of_several_tenants_in_one_batch(crew):
    theirs = [await crew.begin(False, False, tenant=tenant) for tenant in ("acme", "bolt", "acme")]
    await crew.hear(*(news.stored(job) for jobs in theirs for job in jobs))
    films = await crew.said(events_pb2.FilmRequested)
    assert {(film.tenant_id, film.production_id) for film in films} == {
        (jobs[0].tenant_id, jobs[0].production_id) for jobs in theirs
    }


async def test_a_failure_that_may_pass_is_tried_once_more(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.moved(job, "ACCEPTED", 3))
    await crew.hear(news.failed(job, retryable=True), news.failed(job, retryable=True))
    (again,) = await crew.jobs(job.production_id)
    assert (again.state, again.attempt, again.submission_state) == (J.RUNNING, 2, "")
    (order,) = await crew.said(events_pb2.ClipRequested)
    assert (order.job_id, order.attempt) == (job.id, 2)
    await crew.hear(news.moved(job, "UNKNOWN", 9))
    assert (await crew.jobs(job.production_id)) == [again], "old news of the first attempt"
    await crew.hear(news.moved(job, "ACCEPTED", 3, attempt=2))
    assert (await crew.jobs(job.production_id))[0].submission_state == "ACCEPTED"
    await crew.hear(news.failed(job, attempt=2, retryable=True, cost=7))
    (ended,) = await crew.jobs(job.production_id)
    assert (ended.state, ended.cost_micros, ended.fault.reason) == (J.FAILED, 7, "PROVIDER_FAILED")
    assert ended.fault.metadata == {"charged": "yes", "submission_id": f"sub_{job.id}_2"}
    assert len(await crew.said()) == 1


async def test_news_that_overtake_each_other_leave_the_newest(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.moved(job, "ACCEPTED", 5), news.moved(job, "UNKNOWN", 4))
    await crew.hear(news.moved(job, "UNKNOWN", 4), news.moved(job, "ACCEPTED", 5))
    (after,) = await crew.jobs(job.production_id)
    assert (after.submission_state, after.submission_version) == ("ACCEPTED", 5)


async def test_a_parked_job_says_for_what_and_until_when_and_goes_on(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.parked(job))
    shown = (await crew("GetJob", job_id=job.id)).job
    assert (shown.state, shown.submission_state) == (job_pb2.Job.STATE_RUNNING, "PARKED")
    assert (shown.wait_reason, shown.parked.message) == (job_pb2.Job.WAIT_REASON_BUDGET, "Raise it.")
    assert shown.parked.metadata["retry_time"] == "2026-11-20T13:00:00+00:00"
    await crew.hear(news.parked(job, "SPENDING_STOPPED", version=2))
    assert (await crew("GetJob", job_id=job.id)).job.wait_reason == job_pb2.Job.WAIT_REASON_SWITCH
    await crew.hear(news.moved(job, "INTENT", 3), news.parked(job, version=2))
    shown = (await crew("GetJob", job_id=job.id)).job
    assert (shown.wait_reason, shown.HasField("parked")) == (job_pb2.Job.WAIT_REASON_UNSPECIFIED, False)
    await crew.hear(news.stored(job))
    assert (await crew.jobs(job.production_id))[0].state is J.SUCCEEDED


async def test_a_paid_clip_that_cannot_be_downloaded_yet_says_why_and_until_when(crew):
    (job,) = await crew.begin(False)
    why = {"reason": "CLIP_NOT_FETCHED", "message": "It answered 404.", "retry_time": news.at()}
    await crew.hear(news.moved(job, "PROVIDER_DONE", 4))
    assert not (await crew("GetJob", job_id=job.id)).job.HasField("parked")
    await crew.hear(news.moved(job, "PROVIDER_DONE", 5, **why))
    shown = (await crew("GetJob", job_id=job.id)).job
    assert (shown.parked.reason, shown.parked.message) == ("CLIP_NOT_FETCHED", "It answered 404.")
    assert shown.parked.metadata["retry_time"] == news.NOW.isoformat()
    assert (shown.wait_reason, shown.held.micros) == (job_pb2.Job.WAIT_REASON_UNSPECIFIED, 500_000), "it is bought"
    (line,) = (await crew("GetQueueStats")).lines
    assert (line.parked, line.running) == (0, 1)
    await crew.hear(news.stored(job))
    assert not (await crew("GetJob", job_id=job.id)).job.HasField("parked")


async def test_a_parked_second_attempt_is_shown_too(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.moved(job, "ACCEPTED", 3))
    await crew.hear(news.failed(job, retryable=True))
    await crew.hear(news.parked(job, attempt=2), news.parked(job, attempt=1, version=9))
    (after,) = await crew.jobs(job.production_id)
    assert (after.attempt, after.submission_state, after.submission_version) == (2, "PARKED", 1)


@pytest.mark.parametrize("ends", ["failed", "cancelled"])
async def test_a_clip_that_comes_after_the_end_is_a_take_that_nobody_picked(crew, ends):
    first, second = await crew.begin(False, True)
    if ends == "cancelled":
        await crew("CancelProduction", production_id=first.production_id)
    await crew.hear(news.failed(first, cost=None))
    ended, before = await crew.production(first.production_id), len(await crew.said())
    await crew.hear(news.stored(first), news.stored(first))
    late, stranded = await crew.jobs(first.production_id)
    assert late.state is (J.FAILED if ends == "failed" else J.CANCELED)
    assert (late.take.picked, late.cost_micros, late.submission_state) == (False, news.COST, "STORED")
    assert late.take.clip.key == f"t/acme/clips/{first.id}.mp4"
    assert stranded.id == second.id, "whoever had waited for its last frame has ended too"
    assert stranded.state in domain.JOB_ENDS
    after = await crew.production(first.production_id)
    assert (after.state, after.fault) == (ended.state, ended.fault)
    assert len(await crew.said()) == before, "nothing is ordered because of it, and no film is cut"
    shown = (await crew("GetJob", job_id=first.id)).job
    assert (shown.take.picked, shown.take.clip.key) == (False, late.take.clip.key)
    assert (await crew("GetProduction", production_id=first.production_id)).production.cost.micros == news.COST
    await crew.hear(news.stored(first))
    assert (await crew.jobs(first.production_id))[0].take == late.take


async def test_a_failed_scene_strands_the_whole_chain_behind_it_and_nothing_else(crew):
    first, *_ = await crew.begin(False, True, True, False, True)
    await crew.hear(news.failed(first))
    failed, second, third, fourth, fifth = await crew.jobs(first.production_id)
    assert failed.fault.metadata["charged"] == "no"
    for stranded in (second, third):
        assert (stranded.state, stranded.fault.reason) == (J.FAILED, "SCENE_BEFORE_FAILED")
    assert (fourth.state, fifth.state) == (J.RUNNING, J.WAITING)
    assert (await crew.production(first.production_id)).state is P.FILMING
    await crew.hear(news.stored(fourth))
    await crew.hear(news.stored(fifth))
    production = await crew.production(first.production_id)
    assert (production.state, production.fault.reason) == (P.FAILED, "SCENES_FAILED")
    assert "3 of 5 scenes" in production.fault.message
    assert not await crew.said(events_pb2.FilmRequested)


async def test_progress_of_the_film_only_grows(crew):
    production_id = await compiling(crew)
    for progress, seen in ((0.2, 0.2), (0.7, 0.7), (0.5, 0.7)):
        await crew.hear(news.film_progressed(production_id, progress))
        production = await crew.production(production_id)
        assert (production.film_id, production.film_progress) == ("film_1", seen)


async def compiling(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.stored(job))
    return job.production_id


@pytest.mark.parametrize(
    ("end", "state"), [(news.film_completed, P.SUCCEEDED), (news.film_failed, P.FAILED)], ids=["done", "failed"]
)
async def test_nothing_changes_after_the_end(crew, end, state):
    production_id = await compiling(crew)
    await crew.hear(end(production_id))
    before, jobs = await crew.production(production_id), await crew.jobs(production_id)
    assert (before.state, before.film_id) == (state, "film_1")
    assert before.ended_at
    for late in (
        news.film_completed(production_id),
        news.film_failed(production_id),
        news.film_progressed(production_id, 0.9),
        news.stored(jobs[0]),
        news.failed(jobs[0], retryable=True),
        news.moved(jobs[0], "UNKNOWN", 99),
    ):
        await crew.hear(late)
        after = await crew.production(production_id)
        assert dataclasses.replace(after, version=before.version) == before
        assert await crew.jobs(production_id) == jobs
    assert len(await crew.said()) == 1


async def test_news_of_nobody_s_jobs_and_films_are_no_trouble(crew):
    (job,) = await crew.begin(False)
    foreign = dataclasses.replace(job, tenant_id="other")
    nobody = dataclasses.replace(job, id="job_nobody")
    await crew.hear(news.stored(foreign), news.stored(nobody))
    await crew.hear(news.failed(foreign), news.failed(nobody))
    await crew.hear(news.moved(foreign), news.moved(nobody))
    for production_id, tenant in ((job.production_id, "other"), ("prod_nobody", "acme"), ("", "acme")):
        await crew.hear(news.film_completed(production_id, tenant), news.film_progressed(production_id, 0.5, tenant))
        await crew.hear(news.film_failed(production_id, tenant))
    assert await crew.jobs(job.production_id) == [job]
    assert (await crew.production(job.production_id)).state is P.FILMING


async def test_the_last_takes_of_a_production_may_come_at_the_same_moment(crew):
    for _ in range(4):
        jobs = await crew.begin(*[False] * 6)
        await asyncio.gather(*(crew.hear(news.stored(job)) for job in jobs))
        (film,) = await crew.said(events_pb2.FilmRequested, jobs[0].production_id)
        assert len(film.edit_list.cuts) == 6


async def test_batches_over_the_same_productions_never_wait_in_a_circle(crew):
    jobs = [(await crew.begin(False, False))[0] for _ in range(8)]
    await asyncio.gather(
        *(crew.hear(*(news.moved(job, "ACCEPTED", version) for job in order))
          for version, order in enumerate([jobs, jobs[::-1]] * 4, 3))
    )  # fmt: skip
    for job in jobs:
        assert (await crew.jobs(job.production_id))[0].submission_version == 10
