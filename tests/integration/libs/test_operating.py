"""What an operator asks a process: how it does, what it was told, what is stuck; and what they change while it runs."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta

import grpc
import pydantic
import pytest
import sqlalchemy as sa
from google.protobuf import duration_pb2, timestamp_pb2
from grpc_health.v1 import health_pb2

from libs import bus, db, operating, outbox, rpc, schema, settings
from rushes.ops.v1 import ops_service_pb2 as pb
from rushes.ops.v1 import ops_service_pb2_grpc
from tests.integration import refusals
from tests.integration.libs.test_bus import EVENTS, Ends, running, until

CANARY = "hunter2"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Told(settings.Service):
    """As services are told, with every kind of secret."""

    database_url: str = f"postgresql+asyncpg://job:{CANARY}@db.example:5432/job?sslpassword={CANARY}"
    blobs_url: str = f"s3://{CANARY}:{CANARY}@s3.example/bucket?secret={CANARY}"
    callbacks_secret: pydantic.SecretStr = pydantic.SecretStr(CANARY)
    writer_key: str = CANARY
    keys: dict[str, pydantic.SecretStr] = {"one": pydantic.SecretStr(CANARY)}  # noqa: RUF012, pydantic copies it
    accounts: dict[str, str] = {"base_url": "https://api.example/v1", "account": CANARY}  # noqa: RUF012, the same


class Office:
    """A process of the job service, asked by an operator unless told otherwise."""

    def __init__(self, database, issuer):
        self.database, self.issuer, self.items = database, issuer, []
        told = Told(listen="127.0.0.1:1", metrics_listen="127.0.0.1:2", auth_jwks_url="file:///k", auth_issuer="i")
        self.means = operating.Means("job", database, told, self.stuck)
        self.stub = None

    async def stuck(self, conn, overdue, most):
        late = datetime.now(UTC) - overdue
        return [one for one in self.items if one.due_at < late][:most]

    async def __call__(self, verb, roles=("operator",), **fields):
        metadata = rpc.bearer(self.issuer.token("acme", "ada", roles))
        return await getattr(self.stub, verb)(getattr(pb, f"{verb}Request")(**fields), metadata=metadata, timeout=15)


@pytest.fixture
async def office(database, serve, issuer):
    made = Office((await database("job")).database, issuer)
    door = await serve("job", operating.servicer(made.means))
    made.stub = ops_service_pb2_grpc.OpsServiceStub(door.channel)
    return made


def minutes(count):
    return duration_pb2.Duration(seconds=60 * count)


async def test_only_an_operator_is_answered(office):
    verbs = [method.name for method in pb.DESCRIPTOR.services_by_name["OpsService"].methods]
    for verb in verbs:
        info = await refusals.refused(office(verb, roles=["owner"]), grpc.StatusCode.PERMISSION_DENIED)
        assert info.reason == "ROLE_MISSING"


async def test_the_status_tells_the_schema_and_what_is_to_be_said(office):
    async with office.database.house() as conn:
        await outbox.put(conn, *EVENTS[:3])
    told = await office("GetStatus")
    assert told.service == "job"
    assert told.schema_revision == told.schema_known == schema.newest("job")
    assert told.schema_fits
    assert not told.draining
    assert told.outbox_waiting == 3
    assert told.HasField("outbox_oldest_time")


async def test_no_secret_is_among_the_settings(office):
    shown = {one.name: one for one in (await office("DumpConfig")).settings}
    assert CANARY not in str(shown)
    assert shown["RUSHES_DATABASE_URL"].value == "postgresql+asyncpg://***@db.example:5432/job?***"
    assert shown["RUSHES_LISTEN"].value == "127.0.0.1:1"
    assert not shown["RUSHES_LISTEN"].is_default
    assert shown["RUSHES_LOG_LEVEL"].is_default
    assert shown["RUSHES_ACCOUNTS"].value == '{"base_url": "https://api.example/v1", "account": "***"}'


async def test_the_log_level_is_changed_for_a_while(office):
    root = logging.getLogger()
    before = root.level
    try:
        told = await office("SetLogLevel", level="DEBUG", lifetime=duration_pb2.Duration(nanos=1_000_000))
        assert told.level == "DEBUG"
        async with asyncio.timeout(10):
            while root.level != logging.INFO:  # noqa: ASYNC110, it is set by a timer
                await asyncio.sleep(0.001)
        await office("SetLogLevel", level="ERROR")
        assert (await office("GetStatus")).log_level == "ERROR"
    finally:
        root.setLevel(before)
    wrong = await refusals.violations(office("SetLogLevel", level="LOUD", lifetime=minutes(60 * 25)))
    assert set(wrong) == {"level", "lifetime"}


async def test_what_is_stuck_is_listed_with_the_money_that_hangs_on_it(office):
    due = datetime.now(UTC) - timedelta(minutes=10)
    office.items = [operating.Item("job", f"job_{n}", "acme", "RUNNING", "nobody", due, "XTS", n) for n in range(3)]
    told = await office("ListStuck", page_size=2)
    assert [one.id for one in told.items] == ["job_0", "job_1"]
    assert told.has_more
    assert told.items[1].at_stake.micros == 1
    assert not (await office("ListStuck", overdue=minutes(11))).items
    assert set(await refusals.violations(office("ListStuck", overdue=minutes(-1)))) == {"overdue"}


async def test_what_was_published_is_published_again_though_jetstream_remembers_it(office, database, nats_url):
    listener, heard = (await database("provider_gateway")).database, []

    async def note(conn, event):
        heard.append(event.job_id)

    connected = await bus.Bus.connect(nats_url, "tests")
    ends = Ends(connected, office.database, listener)
    try:
        async with running(ends.relay, connected.deliver(listener, "provider_gateway", {type(EVENTS[0]): note})):
            await ends.say(*EVENTS[:5])
            await until(lambda: _has(heard, 5))
            since = timestamp_pb2.Timestamp(seconds=1)
            assert (await office("ReplayOutbox", from_time=since)).events == 5
            await until(lambda: _published(office.database, 5))
            assert len(heard) == 5, "who has handled an event does nothing about it"
            await _forget(listener)
            told = await office("ReplayOutbox", from_time=since, event_type="rushes.job.v1.ClipRequested")
            assert told.events == 5
            await until(lambda: _has(heard, 10))
            assert not (await office("ReplayOutbox", from_time=since, event_type="rushes.job.v1.Other")).events
    finally:
        await connected.close()
    assert "start" in await refusals.violations(office("ReplayOutbox"))
    never = timestamp_pb2.Timestamp(seconds=1 << 60)
    assert "from_time" in await refusals.violations(office("ReplayOutbox", from_time=never))


async def _has(heard, count):
    return len(heard) >= count


async def _published(database, count):
    async with database.house() as conn:
        rows = await conn.execute(sa.select(sa.func.count()).where(outbox.OUTBOX.c.published_at.is_not(None)))
        return rows.scalar() == count


async def _forget(listener):
    """As a restore does."""
    async with listener.house() as conn:
        await conn.execute(sa.delete(outbox.INBOX))


@contextlib.asynccontextmanager
async def owning(place):
    owner = db.Database(place.owner_url)
    try:
        async with owner.house() as conn:
            yield conn
    finally:
        await owner.close()


async def test_a_schema_that_is_ahead_is_served_and_one_that_does_not_fit_is_not(database, serve):
    place = await database("job")
    known = schema.newest("job")
    newer = f"{int(known) + 1:04}"
    door = await serve("job", ready=schema.Schema(place.database, "job").ready)
    await door.health()
    async with owning(place) as conn:  # expand: the next release has migrated, this code still runs
        await conn.execute(sa.text(f"UPDATE alembic_version SET version_num = '{newer}'"))
    assert await schema.Schema(place.database, "job").ready()
    async with owning(place) as conn:  # contract: something this code needs was taken away
        await conn.execute(sa.text(f"COMMENT ON TABLE alembic_version IS 'serves code from {newer}'"))
    await door.health(NOT_SERVING)
    await door.health(service="liveness")
    assert await schema.Schema(place.database, "job", newer).ready(), "the next release is served"
    async with owning(place) as conn:  # rolled back to a schema that this code is ahead of
        await conn.execute(sa.text("COMMENT ON TABLE alembic_version IS NULL"))
        await conn.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    assert not await schema.Schema(place.database, "job").ready()
    async with owning(place) as conn:
        await conn.execute(sa.text(f"UPDATE alembic_version SET version_num = '{known}'"))
    await door.health()
