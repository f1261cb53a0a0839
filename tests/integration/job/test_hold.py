"""Holding productions back, letting them go on, and stopping them: what is asked for, and what it costs."""

import logging

import grpc
import pytest

from rushes.job.v1 import events_pb2, job_pb2
from services.job import domain, planning
from tests.integration import refusals
from tests.integration.job import news

Made, Job = job_pb2.Production, job_pb2.Job
CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


async def state(crew, production_id):
    return (await crew("GetProduction", production_id=production_id)).production


async def test_a_paused_production_asks_for_nothing_more_and_keeps_what_comes(crew):
    first, second, other = await crew.begin(False, True, False)
    for _ in range(2):
        paused = (await crew("PauseProduction", production_id=first.production_id)).production
        assert paused.state == Made.STATE_PAUSED
    await crew.hear(news.stored(first))
    await crew.hear(news.failed(other, retryable=True))
    held = await state(crew, first.production_id)
    assert [job.wait_reason for job in held.jobs] == [0, Job.WAIT_REASON_PAUSED, Job.WAIT_REASON_PAUSED]
    assert held.jobs[0].take.picked
    assert not await crew.said()
    for _ in range(2):
        going = (await crew("ResumeProduction", production_id=first.production_id)).production
        assert going.state == Made.STATE_FILMING
    orders = {one.job_id: one for one in await crew.said(events_pb2.ClipRequested)}
    assert set(orders) == {second.id, other.id}
    assert orders[second.id].spec.first_frame == news.blob(f"{first.id}.last.png")
    assert orders[other.id].attempt == 2


async def test_no_time_is_told_while_a_person_is_waited_for(crew):
    measured = await crew.begin(*[False] * 5)
    for kind in (news.moved, news.stored):
        await crew.hear(*map(kind, measured))
    (job,) = await crew.begin(False)
    (pace,) = (await state(crew, job.production_id)).paces
    assert (pace.model, pace.samples) == ("sandbox/reel-1", 5)
    assert not (await crew("ListProductions")).productions[0].paces
    told = [(await state(crew, job.production_id)).HasField("time_left")]
    for verb in ("PauseProduction", "ResumeProduction"):
        told.append((await crew(verb, production_id=job.production_id)).production.HasField("time_left"))
    assert told == [True, False, True]


async def test_a_production_that_was_complete_while_it_was_paused_is_cut_when_it_goes_on(crew):
    (job,) = await crew.begin(False)
    await crew("PauseProduction", production_id=job.production_id)
    await crew.hear(news.stored(job))
    assert (await state(crew, job.production_id)).state == Made.STATE_PAUSED
    assert not await crew.said()
    resumed = (await crew("ResumeProduction", production_id=job.production_id)).production
    assert resumed.state == Made.STATE_COMPILING
    assert len(await crew.said(events_pb2.FilmRequested)) == 1


@pytest.mark.parametrize("verb", ["PauseProduction", "ResumeProduction", "ApproveProduction"])
async def test_what_is_over_cannot_be_held_or_let_go(crew, verb):
    (job,) = await crew.begin(False)
    await crew.hear(news.failed(job))
    info = await refusals.refused(crew(verb, production_id=job.production_id), CONFLICT)
    assert (info.reason, info.metadata["state"]) == ("PRODUCTION_NOT_FILMING", "FAILED")


@pytest.mark.parametrize("paused", [False, True])
async def test_a_cancel_says_what_it_costs(crew, paused):
    sent, done, waiting = await crew.begin(False, False, True)
    await crew.hear(news.stored(done))
    if paused:
        await crew("PauseProduction", production_id=sent.production_id)
    answer = await crew("CancelProduction", production_id=sent.production_id)
    assert answer.production.state == Made.STATE_CANCELING
    assert (answer.spent.micros, answer.at_stake.micros) == (news.COST, 1_000_000), "the third scene was unlocked"
    assert answer.spent.micros + answer.at_stake.micros + answer.saved.micros == 1_500_000
    await crew.hear(news.failed(sent))
    await crew.hear(news.failed(waiting))
    again = await crew("CancelProduction", production_id=sent.production_id)
    assert again.production.state == Made.STATE_CANCELED
    assert (again.at_stake.micros, again.spent.micros) == (0, news.COST)


async def test_one_job_is_cancelled_and_what_hangs_on_it_is_stranded(crew):
    first, second, _third = await crew.begin(False, True, False)
    for _ in range(2):
        answer = await crew("CancelJob", job_id=first.id)
        assert answer.job.state == Job.STATE_CANCELING
    await crew.hear(news.failed(first))
    jobs = (await state(crew, first.production_id)).jobs
    assert [Job.State.Name(job.state) for job in jobs] == ["STATE_CANCELED", "STATE_FAILED", "STATE_RUNNING"]
    assert jobs[1].error.reason == "SCENE_BEFORE_FAILED"
    info = await refusals.refused(crew("CancelJob", job_id=second.id), CONFLICT)
    assert info.reason == "JOB_ALREADY_FINISHED"


async def test_a_waiting_job_is_cancelled_for_nothing(crew):
    _, second, third = await crew.begin(False, True, True)
    answer = await crew("CancelJob", job_id=second.id)
    assert (answer.job.state, answer.job.cost.micros) == (Job.STATE_CANCELED, 0)
    assert (await crew("GetJob", job_id=third.id)).job.error.reason == "SCENE_BEFORE_FAILED"
    assert not await crew.said(events_pb2.CancelRequested)


async def test_a_person_picks_where_nothing_is_picked_by_itself(crew):
    options = planning.Options(takes=2, auto_pick=domain.AutoPick.NEVER)
    jobs = await crew.begin(False, True, options=options)
    production_id = jobs[0].production_id
    assert [(job.scene_number, job.take_number) for job in jobs] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    await crew.hear(news.stored(jobs[0]), news.stored(jobs[1]))
    assert (await state(crew, production_id)).state == Made.STATE_FILMING
    takes = (await crew("ListTakes", storyboard_id="sb_1", scene_id="scene_1")).takes
    assert [one.picked for one in takes] == [False, False]
    await crew("PickTake", take_id=takes[0].id)
    orders = await crew.said(events_pb2.ClipRequested)
    assert {one.job_id for one in orders} == {jobs[2].id, jobs[3].id}
    assert {one.spec.first_frame.key for one in orders} == {takes[0].last_frame.key}
    await crew.hear(news.stored(jobs[2]), news.failed(jobs[3]))
    waiting = await state(crew, production_id)
    assert waiting.state == Made.STATE_NEEDS_PICK
    (last,) = (await crew("ListTakes", storyboard_id="sb_1", scene_id="scene_2")).takes
    await crew("PickTake", take_id=last.id)
    assert (await state(crew, production_id)).state == Made.STATE_COMPILING
    (film,) = await crew.said(events_pb2.FilmRequested)
    assert [cut.take_id for cut in film.edit_list.cuts] == [takes[0].id, last.id]


async def test_of_several_takes_the_first_is_picked_and_the_others_are_kept(crew):
    jobs = await crew.begin(False, options=planning.Options(takes=3))
    await crew.hear(news.stored(jobs[1]))
    assert (await state(crew, jobs[0].production_id)).state == Made.STATE_FILMING
    await crew.hear(news.failed(jobs[0]), news.stored(jobs[2]))
    done = await state(crew, jobs[0].production_id)
    assert done.state == Made.STATE_COMPILING, "one of three failed, and the scene is filled"
    assert [job.take.picked for job in done.jobs] == [False, True, False]


async def test_the_log_says_who_did_it_and_nothing_of_what_was_done_already(crew, caplog):
    caplog.set_level(logging.INFO, "services.job.api")
    (job,) = await crew.begin(False, options=planning.Options(auto_pick=domain.AutoPick.NEVER))
    verbs = ("PauseProduction", "ResumeProduction", "CancelProduction")
    for verb in verbs:
        for _ in range(2):
            await crew(verb, production_id=job.production_id)
    await crew.hear(news.stored(job))
    (take,) = (await crew("ListTakes", storyboard_id="sb_1")).takes
    for verb in ("PickTake", "UnpickTake"):
        for _ in range(2):
            await crew(verb, take_id=take.id)
    told = [record for record in caplog.records if record.name == "services.job.api.desk"]
    done = ["production_paused", "production_resumed", "production_cancelled", "take_picked", "take_unpicked"]
    assert [record.getMessage() for record in told] == done
    assert {(record.tenant_id, record.by) for record in told} == {("acme", "ada")}
    assert {record.production_id for record in told[:3]} == {job.production_id}
    assert {record.take_id for record in told[3:]} == {take.id}
