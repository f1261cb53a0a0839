"""What a service has not got rid of is measured, whether or not anybody takes it away."""

import asyncio
import datetime

import prometheus_client
import sqlalchemy as sa

from libs import backlog, outbox
from rushes.job.v1 import events_pb2


def value(name: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(f"rushes_{name}")


async def looked(database) -> None:
    """One look: the part ends after the tick under way."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    await backlog.watch(database)(stop)


async def test_outbox_and_dead_letters_are_measured(database):
    place = (await database("job")).database
    await looked(place)
    assert (value("outbox_pending"), value("outbox_oldest_age_seconds"), value("dead_letters")) == (0, 0, 0)
    event = events_pb2.CancelRequested(tenant_id="acme", job_id="job_1")
    async with place.house() as conn:
        await outbox.put(conn, event, event)
        waited = sa.func.now() - datetime.timedelta(minutes=5)
        await conn.execute(sa.update(outbox.OUTBOX).values(created_at=waited))
        buried = outbox.Event("evt_1", event.DESCRIPTOR.full_name, event.SerializeToString(), {})
        await outbox.bury(conn, buried, outbox.Fault("KeyError", "", 8))
    await looked(place)
    assert (value("outbox_pending"), value("dead_letters")) == (2, 1)
    assert 300 <= (value("outbox_oldest_age_seconds") or 0) < 600
