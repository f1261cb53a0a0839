"""The other verbs of JobService over real gRPC: reading, listing, cancelling."""

import grpc
import pytest

from libs import ids
from rushes.job.v1 import events_pb2, job_pb2
from tests.integration import refusals
from tests.integration.job import news

READ = {
    "GetProduction": ("production_id", "PRODUCTION_NOT_FOUND"),
    "CancelProduction": ("production_id", "PRODUCTION_NOT_FOUND"),
    "PauseProduction": ("production_id", "PRODUCTION_NOT_FOUND"),
    "ResumeProduction": ("production_id", "PRODUCTION_NOT_FOUND"),
    "ApproveProduction": ("production_id", "PRODUCTION_NOT_FOUND"),
    "GetJob": ("job_id", "JOB_NOT_FOUND"),
    "CancelJob": ("job_id", "JOB_NOT_FOUND"),
    "RetryJob": ("job_id", "JOB_NOT_FOUND"),
}
BESIDES = (
    *("CreateProduction", "PlanProduction", "ListProductions", "ListJobs", "GetCosts"),
    *("GetTake", "ListTakes", "PickTake", "UnpickTake", "NoteTake"),
)


@pytest.mark.parametrize("verb", READ)
async def test_what_is_not_there_or_another_tenant_s(crew, verb):
    field, reason = READ[verb]
    (job,) = await crew.begin(False)
    theirs = job.id if field == "job_id" else job.production_id
    for name, tenant in ((theirs, "other"), (ids.new("prod"), "acme"), ("", "acme")):
        info = await refusals.refused(crew(verb, tenant, **{field: name}), grpc.StatusCode.NOT_FOUND)
        assert (info.reason, info.metadata[field]) == (reason, name)
    await refusals.fault_of(crew(verb, **{field: "nul\x00"}), grpc.StatusCode.INVALID_ARGUMENT)
    assert (await crew.production(job.production_id)).version == 1


@pytest.mark.parametrize("verb", [*READ, *BESIDES])
async def test_nobody_gets_nothing(crew, verb):
    info = await refusals.refused(crew.anonymously(verb), grpc.StatusCode.UNAUTHENTICATED)
    assert (info.reason, info.domain) == ("TOKEN_MISSING", "job.rushes")


def _production(job):
    return job.production_id


async def test_lists_come_in_pages_newest_first(crew):
    made = [(await crew.begin(False, storyboard_id=f"sb_{number % 2}"))[0] for number in range(5)]
    await crew.begin(False, tenant="other")
    newest_first = [job.production_id for job in sorted(made, key=_production, reverse=True)]
    found, token = [], ""
    while True:
        answer = await crew("ListProductions", page_size=2, page_token=token)
        assert len(answer.productions) <= 2
        assert not any(one.jobs for one in answer.productions)
        found += [one.id for one in answer.productions]
        if not (token := answer.next_page_token):
            break
    assert found == newest_first
    of_board = await crew("ListProductions", storyboard_id="sb_0")
    assert {one.id for one in of_board.productions} == {job.production_id for job in made[::2]}


async def test_a_page_token_belongs_to_its_list(crew):
    for _ in range(2):
        await crew.begin(False)
    token = (await crew("ListProductions", page_size=1)).next_page_token
    assert set(await refusals.violations(crew("ListProductions", storyboard_id="sb_1", page_token=token))) == {
        "page_token"
    }
    jobs = (await crew("ListJobs", page_size=1)).next_page_token
    assert set(await refusals.violations(crew("ListJobs", page_token=token))) == {"page_token"}
    other = crew("ListJobs", state=job_pb2.Job.STATE_RUNNING, page_token=jobs)
    assert set(await refusals.violations(other)) == {"page_token"}
    assert set(await refusals.violations(crew("ListJobs", page_size=-1))) == {"page_size"}


async def test_jobs_are_listed_by_state_with_their_own_currency(crew):
    first, _, third = await crew.begin(False, True, False)
    await crew.hear(news.stored(third))
    (waiting,) = (await crew("ListJobs", state=job_pb2.Job.STATE_WAITING)).jobs
    assert waiting.wait_reason == job_pb2.Job.WAIT_REASON_SEAM
    (done,) = (await crew("ListJobs", state=job_pb2.Job.STATE_SUCCEEDED)).jobs
    assert done == (await crew("GetJob", job_id=third.id)).job
    assert (done.cost.micros, done.cost.currency) == (news.COST, "XTS")
    found, token = [], ""
    while True:
        answer = await crew("ListJobs", page_size=2, page_token=token)
        found += [one.id for one in answer.jobs]
        if not (token := answer.next_page_token):
            break
    assert found == sorted(found, reverse=True)
    assert len(found) == 3
    assert first.id in found


async def test_a_take_is_shown(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.stored(job))
    shown = (await crew("GetJob", job_id=job.id)).job
    assert shown.take.id.startswith("take_")
    assert (shown.take.job_id, shown.take.scene_id, shown.take.picked) == (job.id, job.scene_id, True)
    assert shown.take.clip == news.blob(f"{job.id}.mp4")
    assert shown.take.duration.ToMicroseconds() == 4_041_666
    assert shown.HasField("end_time")


async def test_a_cancel_stops_what_waits_and_asks_for_the_rest(crew, clock):
    running, waiting, other = await crew.begin(False, True, False)
    await crew.hear(news.stored(other))
    for _ in range(2):
        answer = await crew("CancelProduction", production_id=running.production_id)
        assert answer.production.state == job_pb2.Production.STATE_CANCELING
        assert [job.state for job in answer.production.jobs] == [
            job_pb2.Job.STATE_CANCELING,
            job_pb2.Job.STATE_CANCELED,
            job_pb2.Job.STATE_SUCCEEDED,
        ]
    assert [event.job_id for event in await crew.said(events_pb2.CancelRequested)] == [running.id]
    await crew.hear(news.failed(running, retryable=True))
    ended = (await crew("CancelProduction", production_id=running.production_id)).production
    assert ended.state == job_pb2.Production.STATE_CANCELED
    assert [job.state for job in ended.jobs][:2] == [job_pb2.Job.STATE_CANCELED] * 2
    assert ended.jobs[2].take.picked
    assert not await crew.said(events_pb2.ClipRequested), "nothing is tried again, and nothing unlocked"
    assert not await crew.said(events_pb2.FilmRequested)
    assert waiting.id == ended.jobs[1].id


async def test_what_was_paid_is_kept_though_it_was_cancelled(crew):
    running, _ = await crew.begin(False, True)
    await crew("CancelProduction", production_id=running.production_id)
    await crew.hear(news.stored(running))
    ended = (await crew("GetProduction", production_id=running.production_id)).production
    assert ended.state == job_pb2.Production.STATE_CANCELED
    assert [job.state for job in ended.jobs] == [job_pb2.Job.STATE_SUCCEEDED, job_pb2.Job.STATE_CANCELED]
    assert ended.cost.micros == news.COST
    assert not await crew.said(events_pb2.ClipRequested)


@pytest.mark.parametrize("word", [news.film_completed, news.film_failed, None])
async def test_what_is_finished_cannot_be_cancelled(crew, word):
    (job,) = await crew.begin(False)
    await crew.hear(news.stored(job))
    if word:
        await crew.hear(word(job.production_id))
    before = await crew.production(job.production_id)
    call = crew("CancelProduction", production_id=job.production_id)
    info = await refusals.refused(call, grpc.StatusCode.FAILED_PRECONDITION)
    assert info.reason == "PRODUCTION_ALREADY_FINISHED"
    assert dict(info.metadata) == {"production_id": job.production_id, "state": before.state.value}
    assert await crew.production(job.production_id) == before
