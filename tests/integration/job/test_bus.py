"""Job service and gateway over the real bus: orders become intents or wait for money, cancels free it."""

import asyncio
import contextlib
import datetime

from libs import bus
from rushes.job.v1 import job_pb2
from rushes.provider_gateway.v1 import submission_pb2
from rushes.type.v1 import clip_pb2
from services.job import events
from services.provider_gateway import events as gateway_events


@contextlib.asynccontextmanager
async def joined(line, nats_url, clock):
    """Both services' relays and inlets, as their processes run them."""
    heard = {
        "job": (line.crew.database, events.HANDLERS),
        "provider_gateway": (
            line.gateway_database,
            gateway_events.Events(line.admission, clock).handlers(),
        ),
    }
    stop, stubs = asyncio.Event(), {service: await bus.Bus.connect(nats_url, service) for service in heard}
    parts = [
        asyncio.ensure_future(part(stop))
        for service, (database, handlers) in heard.items()
        for part in (
            stubs[service].relay(database, service),
            stubs[service].deliver(database, service, handlers),
        )
    ]
    try:
        yield
    finally:
        stop.set()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await asyncio.gather(*(stub.close() for stub in stubs.values()))


async def ended(line, production_id):
    """The production, once it has ended."""
    last = None
    watch = line.crew.watch(production_id)
    async for message in watch:
        last = message
    assert last is not None
    return (await line("GetProduction", production_id=production_id)).production


async def test_an_order_goes_out_and_its_cancel_after_it(line, nats_url, clock):
    async with joined(line, nats_url, clock):
        order = await line.order(clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME, clip_pb2.SEAM_CUT)
        made = (await line("CreateProduction", **order)).production
        async with asyncio.timeout(15):
            while len(found := (await line("ListSubmissions")).submissions) < 2:  # noqa: ASYNC110, another process
                await asyncio.sleep(0.02)
        running = [job for job in made.jobs if job.state == job_pb2.Job.STATE_RUNNING]
        assert {one.job_id for one in found} == {job.id for job in running}
        assert {one.state for one in found} == {submission_pb2.Submission.STATE_INTENT}
        await line("CancelProduction", production_id=made.id)
        after = await ended(line, made.id)
    assert after.state == job_pb2.Production.STATE_CANCELED
    assert {job.state for job in after.jobs} == {job_pb2.Job.STATE_CANCELED}
    assert after.cost.micros == 0
    states = {one.state for one in (await line("ListSubmissions")).submissions}
    assert states == {submission_pb2.Submission.STATE_CANCELED_FREE}


async def seen(watch, wanted):
    """The first message of the watch that shows a job as wanted."""
    async for message in watch:
        jobs = message.snapshot.jobs if message.HasField("snapshot") else [message.job]
        if found := [job for job in jobs if wanted(job)]:
            return found[0]
    raise AssertionError("the watch has ended without it")


async def test_what_the_budget_does_not_hold_waits_and_goes_on_when_there_is_more(line, nats_url, clock):
    order = await line.order(clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME)
    await line("SetBudget", limit={"currency": "XTS", "micros": 0})
    async with joined(line, nats_url, clock):
        made = (await line("CreateProduction", **order)).production
        watch = line.crew.watch(made.id)
        waiting = await seen(watch, lambda job: job.submission_state == "PARKED")
        assert (waiting.state, waiting.wait_reason) == (job_pb2.Job.STATE_RUNNING, job_pb2.Job.WAIT_REASON_BUDGET)
        assert (waiting.parked.reason, waiting.HasField("error")) == ("BUDGET_EXCEEDED", False)
        assert "rushes budget set" in waiting.parked.message
        (parked,) = (await line("ListSubmissions")).submissions
        assert waiting.parked.metadata["retry_time"] == parked.retry_time.ToDatetime(datetime.UTC).isoformat()
        await line("SetBudget", limit={"currency": "XTS", "micros": 10_000_000})
        assert await line.admission.let_in(line.gateway_database) == 1
        going = await seen(watch, lambda job: job.submission_state == "INTENT")
        assert (going.wait_reason, going.HasField("parked")) == (job_pb2.Job.WAIT_REASON_UNSPECIFIED, False)
        watch.cancel()


async def test_a_production_that_waits_for_money_is_cancelled_for_nothing(line, nats_url, clock):
    order = await line.order(clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME)
    await line("SetBudget", limit={"currency": "XTS", "micros": 0})
    async with joined(line, nats_url, clock):
        made = (await line("CreateProduction", **order)).production
        watch = line.crew.watch(made.id)
        await seen(watch, lambda job: job.submission_state == "PARKED")
        watch.cancel()
        await line("CancelProduction", production_id=made.id)
        after = await ended(line, made.id)
    assert (after.state, after.cost.micros) == (job_pb2.Production.STATE_CANCELED, 0)
    (gone,) = (await line("ListSubmissions")).submissions
    assert (gone.state, gone.cost.micros) == (submission_pb2.Submission.STATE_CANCELED_FREE, 0)
