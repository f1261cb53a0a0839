"""What happened to a job: every change, in order, of its own tenant, and nothing that can be changed afterwards."""

import grpc
import pytest
import sqlalchemy as sa

from rushes.job.v1 import job_pb2
from tests.integration import refusals
from tests.integration.job import news

NAMES = job_pb2.Job.State


async def told(crew, job, **fields):
    answer = await crew("ListJobHistory", job_id=job.id, **fields)
    return [
        (NAMES.Name(one.state_before)[6:], NAMES.Name(one.state)[6:], one.attempt, one.submission_state, one.reason)
        for one in answer.changes
    ], answer


async def test_every_change_is_written_down_in_order(crew):
    first, second = await crew.begin(False, True)
    await crew.hear(news.moved(first, "ACCEPTED", 3))
    await crew.hear(news.failed(first, retryable=True))
    await crew.hear(news.moved(first, "ACCEPTED", 3, attempt=2))
    await crew.hear(news.stored(first, attempt=2))
    await crew.hear(news.failed(second))
    found, answer = await told(crew, first)
    assert found == [
        ("RUNNING", "RUNNING", 1, "ACCEPTED", ""),
        ("RUNNING", "RUNNING", 2, "", ""),
        ("RUNNING", "RUNNING", 2, "ACCEPTED", ""),
        ("RUNNING", "SUCCEEDED", 2, "STORED", ""),
    ]
    versions = [one.version for one in answer.changes]
    assert versions == sorted(set(versions))
    found, _ = await told(crew, second)
    assert [one[:2] for one in found] == [("WAITING", "RUNNING"), ("RUNNING", "FAILED")]
    assert found[-1][-1] == "PROVIDER_FAILED"


async def test_a_history_comes_in_pages(crew):
    (job,) = await crew.begin(False)
    for number in range(5):
        await crew.hear(news.moved(job, ("ACCEPTED", "FETCHING")[number % 2], 3 + number))
    pages, token = [], ""
    while True:
        found, answer = await told(crew, job, page_size=2, page_token=token)
        pages.append(len(found))
        if not (token := answer.next_page_token):
            break
    assert pages == [2, 2, 1]


async def test_nobody_reads_another_tenant_s_history_or_changes_one(crew):
    (job,) = await crew.begin(False)
    await crew.hear(news.stored(job))
    refusal = await refusals.refused(crew("ListJobHistory", "other", job_id=job.id), grpc.StatusCode.NOT_FOUND)
    assert refusal.reason == "JOB_NOT_FOUND"
    for change in ("UPDATE job_log SET state = 'FAILED'", "DELETE FROM job_log"):
        with pytest.raises(sa.exc.IntegrityError, match="only added"):
            async with crew.database.house() as conn:
                await conn.execute(sa.text(change))
