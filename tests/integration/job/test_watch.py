"""WatchProduction: what is, then what changes, in order, to the end; and again after a cut."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2

from libs import ids
from rushes.job.v1 import job_pb2
from tests.integration import refusals
from tests.integration.job import news

STATE = job_pb2.Production.State.Name


async def told(watch, most=None):
    """The messages of a watch, to its end or until there are so many."""
    found = []
    while len(found) != most and (message := await watch.read()) is not grpc.aio.EOF:
        found.append(message)
    return found


def changes(messages):
    return [message.WhichOneof("change") for message in messages]


async def test_from_the_snapshot_to_the_end(crew):
    first, second = await crew.begin(False, False)
    watch = crew.watch(first.production_id)
    snapshot = await watch.read()
    assert snapshot.snapshot == (await crew("GetProduction", production_id=first.production_id)).production
    await crew.hear(news.stored(first))
    job, production = await told(watch, 2)
    assert (job.job.id, job.job.state) == (first.id, job_pb2.Job.STATE_SUCCEEDED)
    assert job.job.cost.currency == "XTS"
    assert (production.production.cost.micros, production.production.jobs) == (news.COST, [])
    await crew.hear(news.stored(second))
    await crew.hear(news.film_progressed(first.production_id, 0.5))
    await crew.hear(news.film_completed(first.production_id))
    rest = await told(watch)
    last = rest[-1].production
    assert (last.state, last.film_id, last.film_progress) == (job_pb2.Production.STATE_SUCCEEDED, "film_1", 1.0)
    assert [message.job.id for message in rest if message.HasField("job")] == [second.id]


async def test_what_clips_take_is_measured_anew_with_each_that_is_stored(crew):
    jobs = await crew.begin(*[False] * 4)
    watch = crew.watch(jobs[0].production_id)
    assert not (await watch.read()).snapshot.paces
    await crew.hear(*map(news.moved, jobs))
    moved = await told(watch, 5)
    assert not moved[-1].production.paces, "nothing was stored"
    await crew.hear(*map(news.stored, jobs[:3]))
    (pace,) = (await told(watch, 4))[-1].production.paces
    assert (pace.model, pace.samples) == ("sandbox/reel-1", 3)
    watch.cancel()


async def test_a_cut_loses_nothing(crew):
    jobs = await crew.begin(False, False, False)
    watch = crew.watch(jobs[0].production_id)
    await watch.read()
    await crew.hear(*(news.stored(job) for job in jobs))
    first = await watch.read()
    watch.cancel()
    await crew.hear(news.film_completed(jobs[0].production_id))
    again = await told(crew.watch(jobs[0].production_id, first.resume_token))
    assert changes(again) == ["job", "job", "production"], "half of a version is a place to go on from"
    assert [message.job.id for message in again[:2]] == [job.id for job in jobs if job.id != first.job.id]
    assert await told(crew.watch(jobs[0].production_id, again[-1].resume_token)) == []


async def test_what_has_ended_is_shown_and_done(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.failed(job, cost=None))
    (only,) = await told(crew.watch(job.production_id))
    assert only.snapshot.state == job_pb2.Production.STATE_FAILED
    assert only.snapshot.error.reason == "SCENES_FAILED"
    assert only.snapshot.jobs[0].error.metadata["charged"] == "unknown"


async def test_what_is_learned_after_the_end_is_shown_to_who_comes_then(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.failed(job, cost=None))
    await told(crew.watch(job.production_id))
    await crew.hear(news.failed(job, cost=5))
    (only,) = await told(crew.watch(job.production_id))
    assert only.snapshot == (await crew("GetProduction", production_id=job.production_id)).production
    assert only.snapshot.cost.micros == 5


async def test_a_change_that_ends_nothing_is_told(crew):
    (job,) = await crew.begin(False)
    watch = crew.watch(job.production_id)
    await watch.read()
    await crew.hear(news.moved(job, "ACCEPTED", 3))
    moved, _ = await told(watch, 2)
    assert moved.job.submission_state == "ACCEPTED"
    watch.cancel()


async def test_many_watch_one_production(crew):
    (job,) = await crew.begin(False)
    watches = [crew.watch(job.production_id) for _ in range(8)]
    await asyncio.gather(*(watch.read() for watch in watches))
    await crew.hear(news.stored(job))
    await crew.hear(news.film_failed(job.production_id))
    ends = [(await told(watch))[-1].production for watch in watches]
    assert {STATE(end.state) for end in ends} == {"STATE_FAILED"}
    assert {end.error.reason for end in ends} == {"CLIP_UNREADABLE"}


@pytest.mark.parametrize("token", ["", "made up"])
async def test_there_is_nothing_to_watch(crew, token):
    (job,) = await crew.begin(False)
    seen = (await told(crew.watch(job.production_id), 1))[0].resume_token if token else ""
    for production_id, tenant in ((ids.new("prod"), "acme"), (job.production_id, "other")):
        watch = told(crew.watch(production_id, "" if production_id != job.production_id else seen, tenant))
        info = await refusals.refused(watch, grpc.StatusCode.NOT_FOUND)
        assert info.reason == "PRODUCTION_NOT_FOUND"


async def test_a_token_belongs_to_its_watch(crew):
    (job,), (other,) = await crew.begin(False), await crew.begin(False)
    (snapshot,) = await told(crew.watch(job.production_id), 1)
    for token in (snapshot.resume_token, "garbage", "%%%"):
        watch = told(crew.watch(other.production_id, token))
        await refusals.fault_of(watch, grpc.StatusCode.INVALID_ARGUMENT)


async def test_a_server_that_goes_away_says_so_and_where_to_go_on(crew):
    (job,) = await crew.begin(False)
    watch = crew.watch(job.production_id)
    await watch.read()
    crew.door.stop.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await told(watch)
    info = refusals.detail(caught.value, error_details_pb2.ErrorInfo)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
