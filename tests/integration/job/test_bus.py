"""Job service and gateway over the real bus: orders become intents, cancels free their money, refusals end them."""

import asyncio
import contextlib

from libs import bus
from rushes.job.v1 import job_pb2
from rushes.provider_gateway.v1 import submission_pb2
from rushes.type.v1 import clip_pb2
from services.job import events
from services.provider_gateway import events as gateway_events
from tests.integration.job import conftest as house


@contextlib.asynccontextmanager
async def joined(line, nats_url, clock):
    """Both services' relays and inlets, as their processes run them."""
    heard = {
        "job": (line.crew.database, events.HANDLERS),
        "provider_gateway": (
            line.gateway_database,
            gateway_events.Events(house.OFFER, frozenset({"sandbox-openai"}), clock).handlers(),
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


async def test_what_the_budget_does_not_hold_fails_with_the_reason(line, nats_url, clock):
    order = await line.order(clip_pb2.SEAM_CUT, clip_pb2.SEAM_LAST_FRAME)
    await line("SetBudget", limit={"currency": "XTS", "micros": 0})
    async with joined(line, nats_url, clock):
        made = (await line("CreateProduction", **order)).production
        after = await ended(line, made.id)
    assert after.state == job_pb2.Production.STATE_FAILED
    assert [job.error.reason for job in after.jobs] == ["BUDGET_EXCEEDED", "SCENE_BEFORE_FAILED"]
    assert {job.error.metadata["charged"] for job in after.jobs} == {"no"}
    assert not (await line("ListSubmissions")).submissions
