"""Taking a job up again at the step where it stands: nothing that may be paid is bought twice."""

import asyncio

import grpc
import sqlalchemy as sa

from libs import bus
from rushes.job.v1 import events_pb2, job_pb2
from rushes.job.v1.job_service_pb2 import RetryJobResponse as Retried
from rushes.type.v1 import clip_pb2
from services.provider_gateway import events as gateway_events
from tests.e2e import waiting
from tests.integration import refusals
from tests.integration.job import news

Job = job_pb2.Job
CONFLICT = grpc.StatusCode.FAILED_PRECONDITION


async def test_a_silent_job_is_stuck_after_a_quarter_of_an_hour_and_its_order_is_repeated(crew, clock):
    job, waiting = await crew.begin(False, True)
    clock.forward(minutes=15)
    assert not (await crew("ListJobs", stuck_only=True)).jobs
    clock.forward(seconds=1)
    (stuck,) = (await crew("ListJobs", stuck_only=True)).jobs
    assert (stuck.id, stuck.stuck, stuck.state) == (job.id, True, Job.STATE_RUNNING), "it is shown, and never failed"
    answer = await crew("RetryJob", job_id=job.id)
    assert (answer.step, answer.job.stuck) == (Retried.STEP_ORDERED_AGAIN, False)
    (order,) = await crew.said(events_pb2.ClipRequested)
    assert (order.job_id, order.attempt) == (job.id, 1), "the gateway knows this attempt, and makes nothing of it"
    info = await refusals.refused(crew("RetryJob", job_id=waiting.id), CONFLICT)
    assert (info.reason, info.metadata["hold"]) == ("JOB_WAITS", "SEAM")


async def test_what_waits_for_money_is_not_stuck(crew, clock):
    (job,) = await crew.begin(False)
    await crew.hear(news.parked(job))
    clock.forward(hours=2)
    assert not (await crew("GetJob", job_id=job.id)).job.stuck


async def test_what_failed_for_nothing_is_made_anew_with_all_that_hung_on_it(crew):
    first, second, third, other = await crew.begin(False, True, True, False)
    await crew.hear(news.failed(first))
    assert [job.state.value for job in await crew.jobs(first.production_id)][:3] == ["FAILED"] * 3
    answer = await crew("RetryJob", job_id=first.id)
    assert answer.step == Retried.STEP_MADE_ANEW
    again = await crew("RetryJob", job_id=first.id)
    assert (again.step, again.job.id) == (answer.step, answer.job.id), "its answer was lost: nothing is bought twice"
    jobs = await crew.jobs(first.production_id)
    assert [(job.scene_number, job.take_number, job.state.value) for job in jobs] == [
        *((1, 1, "FAILED"), (1, 2, "RUNNING"), (2, 1, "FAILED"), (2, 2, "WAITING")),
        *((3, 1, "FAILED"), (3, 2, "WAITING"), (4, 1, "RUNNING")),
    ]
    for number in (1, 3, 5):
        await crew.hear(news.stored(jobs[number], sha256=jobs[number].id))
    await crew.hear(news.stored(other))
    (film,) = await crew.said(events_pb2.FilmRequested)
    assert len(film.edit_list.cuts) == 4
    assert (second.id, third.id) == (jobs[2].id, jobs[4].id)


async def test_what_hung_on_it_is_made_anew_once_however_often_it_fails(crew):
    first, second, _ = await crew.begin(False, True, False)
    for _ in range(2):
        await crew.hear(news.failed(first))
        again = (await crew("RetryJob", job_id=first.id)).job
        (first,) = [job for job in await crew.jobs(first.production_id) if job.id == again.id]
    of_second = [job for job in await crew.jobs(first.production_id) if job.scene_id == second.scene_id]
    assert [job.state.value for job in of_second] == ["FAILED", "FAILED", "WAITING"]
    assert [job.retries for job in of_second] == ["", second.id, of_second[1].id]


async def test_what_hangs_on_a_scene_that_somebody_has_filled_begins_at_once(crew):
    (elsewhere, _) = await crew.begin(False, True)
    await crew.hear(news.stored(elsewhere))
    first, second, _ = await crew.begin(False, True, False)
    await crew.hear(news.failed(first))
    take = (await crew("GetJob", job_id=elsewhere.id)).job.take
    await crew("PickTake", take_id=take.id)
    await crew("RetryJob", job_id=first.id)
    (again,) = [job for job in await crew.jobs(first.production_id) if job.retries == second.id]
    assert (again.state.value, again.input_take_id) == ("RUNNING", take.id)


async def test_what_has_succeeded_or_is_over_says_what_to_do(crew):
    done, failed = await crew.begin(False, False)
    await crew.hear(news.stored(done))
    info = await refusals.refused(crew("RetryJob", job_id=done.id), CONFLICT)
    assert info.reason == "JOB_SUCCEEDED", "a completed one is never reset"
    await crew.hear(news.failed(failed))
    info = await refusals.refused(crew("RetryJob", job_id=failed.id), CONFLICT)
    assert (info.reason, info.metadata["why"]) == ("RETRY_NEEDS_PLAN", "its production is FAILED")


async def test_what_succeeds_while_it_is_to_be_taken_up_is_not_bought_again(crew):
    job, _ = await crew.begin(False, False)
    async with crew.hearing(news.stored(job)) as conn:
        asking = asyncio.ensure_future(crew("RetryJob", job_id=job.id))
        await waiting.is_waited_for(conn)
    info = await refusals.refused(asking, CONFLICT)
    assert info.reason == "JOB_SUCCEEDED"
    assert not await crew.said(events_pb2.ClipRequested)


async def bought(line, clock, job, *states):
    """The gateway hears of the order, and its submission comes to these states; its id."""
    (order,) = [one for one in await line.crew.said(events_pb2.ClipRequested) if one.job_id == job.id]
    heard = bus.Heard(order, news.TRACE)
    async with line.gateway_database.house() as conn:
        await gateway_events.Events(line.admission, clock).on_clips_requested(conn, [heard])
        for state in states:
            step = "UPDATE submissions SET state = :state, provider_job_id = :name WHERE job_id = :job_id"
            name = None if state in ("SENDING", "UNKNOWN") else f"video_{job.id}"
            await conn.execute(sa.text(step), {"state": state, "name": name, "job_id": job.id})
        found = await conn.execute(sa.text("SELECT id FROM submissions WHERE job_id = :job_id"), {"job_id": job.id})
        return found.scalar_one()


async def test_what_may_be_paid_is_looked_for_or_fetched_and_never_bought_again(line, clock):
    production = (await line("CreateProduction", **await line.order(*[clip_pb2.SEAM_CUT] * 4))).production
    lost, unsure, paid, gone = await line.crew.jobs(production.id)
    unknown = ("SENDING", "UNKNOWN")
    names = {
        lost: await bought(line, clock, lost, *unknown),
        unsure: await bought(line, clock, unsure, *unknown),
        paid: await bought(line, clock, paid, "SENDING", "ACCEPTED", "PROVIDER_DONE"),
        gone: await bought(line, clock, gone, "SENDING", "ACCEPTED", "PROVIDER_FAILED"),
    }
    ids = [dict(submission_id=name) for name in names.values()]
    await line.crew.hear(
        news.moved(lost, "UNKNOWN", 3, **ids[0]),
        news.failed(unsure, cost=None, **ids[1]),
        news.moved(paid, "PROVIDER_DONE", 5, **ids[2]),
        news.failed(gone, cost=7, **ids[3]),
    )
    before = await line.crew.said()
    steps = [(await line("RetryJob", job_id=job.id)).step for job in (lost, unsure, paid)]
    assert steps == [Retried.STEP_LOOKED_AGAIN, Retried.STEP_LOOKED_AGAIN, Retried.STEP_FETCHED_AGAIN]
    info = await refusals.refused(line("RetryJob", job_id=gone.id), CONFLICT)
    assert info.reason == "RETRY_NEEDS_PLAN"
    assert "no clip" in info.metadata["why"]
    assert await line.crew.said() == before, "nothing is ordered"


async def test_what_nobody_knew_is_written_down_when_it_is_known(crew):
    unknown, _ = await crew.begin(False, False)
    await crew.hear(news.failed(unknown, cost=None))
    assert (await crew("GetJob", job_id=unknown.id)).job.held.micros == 500_000
    await crew.hear(news.failed(unknown, cost=5))
    told = (await crew("GetJob", job_id=unknown.id)).job
    assert (told.cost.micros, told.error.metadata["charged"], told.HasField("held")) == (5, "yes", False)
    assert told.state == Job.STATE_FAILED
