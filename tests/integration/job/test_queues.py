"""What waits and runs, counted from the rows of jobs."""

import datetime

import grpc
import pytest

from libs import rpc
from rushes.job.v1 import job_service_pb2
from tests.integration import refusals
from tests.integration.job import news

BY = job_service_pb2.GetQueueStatsRequest


async def stats(crew, tenant="acme", roles=("owner",), **fields):
    metadata = rpc.bearer(crew.issuer.token(tenant, "ada", roles))
    return (await crew._stub.GetQueueStats(BY(**fields), metadata=metadata, timeout=15)).lines


@pytest.fixture
async def busy(crew, clock):
    """Three jobs of acme and one of another tenant: one runs, one waits, one is parked."""
    _, _, parked = await crew.begin(False, True, False)
    await crew.begin(False, tenant="other")
    await crew.hear(news.parked(parked))
    return crew


async def test_the_jobs_of_a_model_are_counted_by_what_they_do(busy, clock):
    (line,) = await stats(busy)
    assert (line.key, line.waiting, line.parked, line.running, line.stuck) == ("sandbox/reel-1", 1, 1, 1, 0)
    assert line.oldest_waiting_time == line.oldest_running_time == news.at()
    clock.forward(minutes=16)
    (line,) = await stats(busy, group_by=BY.GROUP_BY_PROVIDER)
    assert (line.key, line.stuck) == ("sandbox", 1)


async def test_what_has_ended_is_not_counted(busy):
    jobs = await busy.jobs((await busy("ListProductions")).productions[0].id)
    await busy.hear(news.stored(jobs[0]))
    (line,) = await stats(busy)
    assert (line.waiting, line.running) == (0, 1)  # the take that came has unlocked the job that waited for it


async def test_what_has_just_ended_is_counted_and_how_long_it_took(crew, clock):
    made = await crew.begin(*[False] * 7)
    await crew.hear(*map(news.moved, made))
    refused = news.failed(made[6])
    refused.reason = "PROVIDER_REJECTED"
    told = [*map(news.stored, made[:4]), *map(news.failed, made[4:6]), refused]
    for minute, one in enumerate(told, 1):
        one.event_time.CopyFrom(news.at(news.NOW + datetime.timedelta(minutes=minute)))
    await crew.hear(*told)
    (line,) = await stats(crew, group_by=BY.GROUP_BY_PROVIDER)
    assert (line.key, line.running, line.succeeded, line.failed) == ("sandbox", 0, 4, 3)
    assert [(why.reason, why.jobs) for why in line.failures] == [("PROVIDER_FAILED", 2), ("PROVIDER_REJECTED", 1)]
    assert (line.p50.seconds, line.p95.seconds) == (120, 240)
    assert not await stats(crew, "other")
    clock.forward(minutes=68)
    assert not await stats(crew)


async def test_only_an_operator_counts_every_tenant(busy):
    found = await stats(busy, roles=["operator"], group_by=BY.GROUP_BY_TENANT, every_tenant=True)
    assert [(line.key, line.waiting + line.parked + line.running) for line in found] == [("acme", 3), ("other", 1)]
    assert [line.key for line in await stats(busy, group_by=BY.GROUP_BY_TENANT)] == ["acme"]
    told = await refusals.refused(stats(busy, every_tenant=True), grpc.StatusCode.PERMISSION_DENIED)
    assert told.reason == "OPERATOR_NEEDED"
