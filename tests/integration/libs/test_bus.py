"""Outbox to JetStream to inbox, with everything that can go wrong on the way."""

import asyncio
import contextlib
import datetime
import json

import nats
import prometheus_client
import pytest
import sqlalchemy as sa

from libs import bus, db, outbox, topology
from rushes.job.v1 import events_pb2

HEARD = sa.Table("heard", sa.MetaData(), sa.Column("job_id", sa.Text))
EVENTS = [events_pb2.ClipRequested(tenant_id="acme", job_id=f"job_{n}") for n in range(20)]


@contextlib.asynccontextmanager
async def running(*parts):
    """The parts while the block runs; then they are cancelled, as after the grace of a stop."""
    tasks = [asyncio.create_task(part(asyncio.Event())) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(condition, seconds=15):
    """Return once the query says so."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110, what we wait for is in another process
            await asyncio.sleep(0.02)


class Ends:
    """Two databases: one speaks as `job`, the other listens as `provider_gateway`."""

    def __init__(self, bus, speaker, listener):
        self.bus, self.speaker, self.listener = bus, speaker, listener
        self.relay = bus.relay(speaker, "job")

    async def say(self, *events):
        async with self.speaker.tenant("acme") as conn:
            await outbox.put(conn, *events)

    def hearing(self, handler=None):
        return self.bus.deliver(self.listener, "provider_gateway", {events_pb2.ClipRequested: handler or self.note})

    async def note(self, conn, event):
        await conn.execute(sa.insert(HEARD).values(job_id=event.job_id))

    async def heard(self):
        return sorted(await self.column(self.listener, HEARD.c.job_id))

    async def column(self, database, column):
        async with database.house() as conn:
            return list((await conn.execute(sa.select(column))).scalars())

    async def has_heard(self, count):
        return len(await self.heard()) >= count

    async def all_published(self):
        return all(await self.column(self.speaker, outbox.OUTBOX.c.published_at))

    async def all_acknowledged(self):
        facts = await self.js.consumer_info("job", "provider_gateway")
        return facts.num_ack_pending == facts.num_pending == 0

    @property
    def js(self):
        return self.client.jetstream()


@pytest.fixture
async def ends(database, nats_url):
    speaker, listener = await database("storyboard"), await database("storyboard")
    owner = db.Database(listener.owner_url)
    async with owner.house() as conn:
        await conn.execute(sa.text("CREATE TABLE heard (job_id text NOT NULL)"))
    await owner.close()
    connected = await bus.Bus.connect(nats_url, "tests")
    ends = Ends(connected, speaker.database, listener.database)
    ends.url, ends.client = nats_url, await nats.connect(nats_url)
    yield ends
    await ends.client.close()
    await connected.close()


async def test_a_server_that_is_too_old_is_refused():
    async def old(reader, writer):
        writer.write(b'INFO {"server_id": "x", "version": "2.9.25", "max_payload": 1048576}\r\n')
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(old, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RuntimeError, match=r"NATS is 2\.9\.25: should be 2\.12\.0 or newer"):
            await bus.Bus.connect(f"nats://127.0.0.1:{port}", "tests")


async def test_a_server_that_is_heard_of_later_is_entered_as_the_same_user():
    entered, others = asyncio.Queue[dict](), list[str]()

    async def serve(reader, writer):
        facts = {"server_id": "x", "version": "2.12.0", "max_payload": 1048576, "connect_urls": others}
        writer.write(b"INFO " + json.dumps(facts).encode() + b"\r\n")
        entered.put_nowait(json.loads((await reader.readline()).removeprefix(b"CONNECT ")))
        assert await reader.readline() == b"PING\r\n"
        writer.write(b"PONG\r\n")
        if entered.qsize() < 2:  # the first dies as soon as it has said who else there is
            writer.close()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as one:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as two:
            first, second = (server.sockets[0].getsockname()[1] for server in (one, two))
            others.append(f"127.0.0.1:{second}")
            connected = await bus.Bus.connect(f"nats://job:secret@127.0.0.1:{first}", "tests")
            one.close()
            async with asyncio.timeout(30):
                said = [await entered.get(), await entered.get()]
            await connected.close()
    assert [(one["user"], one["pass"]) for one in said] == [("job", "secret")] * 2


async def test_every_event_is_handled_once(ends):
    async with running(ends.relay, ends.hearing(), ends.hearing()):
        await ends.say(*EVENTS[:10])
        await ends.say(*EVENTS[10:])
        await until(lambda: ends.has_heard(20))
        await until(ends.all_acknowledged)
    assert await ends.heard() == sorted(event.job_id for event in EVENTS)
    assert await ends.all_published()
    assert len(await ends.column(ends.listener, outbox.INBOX.c.event_id)) == 20


async def test_told_to_stop_the_parts_end_by_themselves(ends):
    stop = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as parts:
        parts.create_task(ends.relay(stop))
        parts.create_task(ends.hearing()(stop))
        await ends.say(*EVENTS)
        await until(lambda: ends.has_heard(20))
        stop.set()
    assert await ends.all_acknowledged()


async def test_what_a_stop_cut_off_is_given_back_at_once(ends):
    """JetStream itself would wait for longer than this test may last."""
    config, begun = (await ends.js.consumer_info("job", "provider_gateway")).config, asyncio.Event()
    await ends.js.add_consumer("job", config.evolve(ack_wait=3600))

    async def endless(conn, event):
        begun.set()
        await asyncio.Event().wait()

    async with running(ends.relay):
        await ends.say(*EVENTS)
        async with running(ends.hearing(endless)), asyncio.timeout(30):
            await begun.wait()
        async with running(ends.hearing()):
            await until(lambda: ends.has_heard(20), seconds=60)


async def test_what_is_not_committed_is_not_said(ends):
    async def fail():
        async with ends.speaker.tenant("acme") as conn:
            await outbox.put(conn, EVENTS[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not ends.speaker.spoken.is_set()
    assert await ends.column(ends.speaker, outbox.OUTBOX.c.id) == []
    await ends.say(EVENTS[0])
    assert ends.speaker.spoken.is_set()


async def test_what_jetstream_holds_twice_is_handled_once(ends):
    config = (await ends.js.stream_info("job")).config
    config.duplicate_window = 0.1
    await ends.js.update_stream(config)
    subject, payload = EVENTS[0].DESCRIPTOR.full_name, EVENTS[0].SerializeToString()

    async def stored_again():
        headers = {"Nats-Msg-Id": "evt_1"}
        return not (await ends.js.publish(subject, payload, headers=headers)).duplicate

    for _ in range(3):
        await until(stored_again)
    async with running(ends.hearing()):
        await until(ends.all_acknowledged)
    assert (await ends.js.stream_info("job")).state.messages == 3
    assert await ends.heard() == ["job_0"]


async def test_a_relay_that_forgot_says_it_again_and_nobody_hears_it_twice(ends):
    async with running(ends.relay, ends.hearing()):
        await ends.say(*EVENTS)
        await until(ends.all_published)
        async with ends.speaker.house() as conn:
            await conn.execute(sa.update(outbox.OUTBOX).values(published_at=None))
        ends.speaker.spoken.set()
        await until(ends.all_published)
        await until(ends.all_acknowledged)
    assert (await ends.js.stream_info("job")).state.messages == 20
    assert len(await ends.heard()) == 20


async def test_a_failing_event_is_tried_again_and_holds_up_no_other(ends):
    works = asyncio.Event()

    async def stubborn(conn, event):
        if event.job_id == "job_3" and not works.is_set():
            raise RuntimeError("not yet")
        await ends.note(conn, event)

    async with running(ends.relay, ends.hearing(stubborn)):
        await ends.say(*EVENTS)
        await until(lambda: ends.has_heard(19))
        assert "job_3" not in await ends.heard()
        works.set()
        await until(lambda: ends.has_heard(20))
        await until(ends.all_acknowledged)
    assert await ends.heard() == sorted(event.job_id for event in EVENTS)
    assert await ends.column(ends.listener, outbox.DEAD_LETTERS.c.event_id) == []


async def test_an_event_that_never_works_is_buried(ends):
    async def broken(conn, event):
        if event.job_id == "job_0":
            await conn.execute(sa.text("SELECT 1 / 0"))
        await ends.note(conn, event)

    async with running(ends.relay):
        await ends.say(EVENTS[0])
        await until(ends.all_published)
        await give_up_on(ends, bus.MOST_DELIVERIES - 1)
        async with running(ends.hearing(broken)):
            await ends.say(EVENTS[1])
            await until(lambda: ends.has_heard(1))
            await until(ends.all_acknowledged)
    async with ends.listener.house() as conn:
        letter = (await conn.execute(sa.select(outbox.DEAD_LETTERS))).one()
    assert (letter.subject, letter.attempts) == ("rushes.job.v1.ClipRequested", bus.MOST_DELIVERIES)
    assert events_pb2.ClipRequested.FromString(letter.payload) == EVENTS[0]
    assert letter.reason == "DBAPIError"
    assert letter.headers["Nats-Msg-Id"] == letter.event_id
    assert await ends.heard() == ["job_1"]


async def test_no_event_is_buried_while_the_database_is_away(ends):
    tries = []

    async def away_at_first(conn, event):
        tries.append(event)
        if len(tries) < 3:
            raise db.DatabaseAway
        await ends.note(conn, event)

    async with running(ends.relay):
        await ends.say(EVENTS[0])
        await until(ends.all_published)
        await give_up_on(ends, 2 * bus.MOST_DELIVERIES)
        async with running(ends.hearing(away_at_first)):
            await until(ends.all_acknowledged)
    assert await ends.heard() == ["job_0"]
    assert await ends.column(ends.listener, outbox.DEAD_LETTERS.c.event_id) == []


async def give_up_on(ends, times):
    """Take the waiting event and refuse it, as a consumer does that fails so often."""
    subscription = await ends.js.pull_subscribe_bind(durable="provider_gateway", stream="job")
    for _ in range(times):
        (message,) = await subscription.fetch(1, timeout=5)
        await message.nak()
    await ends.client.flush()
    await subscription.unsubscribe()


async def test_what_is_no_such_message_is_buried_at_once(ends):
    subject = EVENTS[0].DESCRIPTOR.full_name
    await ends.js.publish(subject, b"\xff\xff", headers={"Nats-Msg-Id": "evt_garbage"})
    await ends.js.publish(subject, EVENTS[0].SerializeToString())
    async with running(ends.hearing()):
        await until(lambda: ends.has_heard(1))
        await until(ends.all_acknowledged)
    assert await ends.column(ends.listener, outbox.DEAD_LETTERS.c.event_id) == ["evt_garbage"]


async def test_a_lost_stream_is_filled_again_and_handled_once(ends):
    async def is_filled():
        return (await ends.js.stream_info("job")).state.messages == 20

    async with running(ends.relay, ends.hearing()):
        await ends.say(*EVENTS[:10])
        await until(lambda: ends.has_heard(10))
        await until(ends.all_published)
        await ends.js.delete_stream("job")
        await ends.say(*EVENTS[10:])
        await topology.apply(ends.url, topology.load())
        await until(lambda: ends.has_heard(20))
        await until(is_filled)
        await until(ends.all_acknowledged)
    assert await ends.heard() == sorted(event.job_id for event in EVENTS)


async def test_while_jetstream_says_nothing_the_bus_is_not_well(ends):
    async def is_well():
        return ends.bus.is_well()

    async def is_ill():
        return not ends.bus.is_well()

    await ends.js.delete_stream("job")
    async with running(ends.relay):
        await until(is_ill)
        await topology.apply(ends.url, topology.load())
        await until(is_well)
    await ends.bus.close()
    assert not ends.bus.is_well()


async def test_how_full_the_stream_is_can_be_seen_before_it_refuses(ends):
    def filled():
        return prometheus_client.REGISTRY.get_sample_value("rushes_stream_fill_ratio", {"stream": "job"})

    async with running(ends.relay):
        await ends.say(*EVENTS)
        await until(ends.all_published)
    config = (await ends.js.stream_info("job")).config
    state = (await ends.js.update_stream(config.evolve(max_bytes=1 << 20))).state

    async def is_seen():
        return filled() == state.bytes / (1 << 20) > 0

    async with running(ends.bus.relay(ends.speaker, "job")):
        await until(is_seen)


async def test_what_may_lock_in_another_order_is_handled_in_a_transaction_of_its_own(ends):
    """Two replicas that each heard of both kinds at once would wait for each other."""
    cancels = [events_pb2.CancelRequested(tenant_id="acme", job_id=f"cancel_{n}") for n in range(2)]
    await ends.say(*EVENTS[:2], *cancels)
    handled = list[tuple[str, list[str]]]()

    async def note(conn, *said):
        at = (await conn.execute(sa.text("SELECT pg_current_xact_id()::text"))).scalar_one()
        handled.append((at, sorted(one.job_id for one in said)))

    async def together(conn, heard):
        await note(conn, *(one.event for one in heard))

    handlers = {events_pb2.ClipRequested: bus.Together(together), events_pb2.CancelRequested: note}
    async with running(ends.relay):
        await until(ends.all_published)
    async with running(ends.bus.deliver(ends.listener, "provider_gateway", handlers)):
        await until(ends.all_acknowledged)
    assert sorted(jobs for _, jobs in handled) == [["cancel_0"], ["cancel_1"], ["job_0", "job_1"]]
    assert len({at for at, _ in handled}) == 3


async def test_events_are_noted_in_one_order_so_that_two_who_hear_them_never_wait_in_a_circle(ends):
    async with ends.listener.house() as conn:
        await outbox.first_times(conn, ["evt_3", "evt_1", "evt_2"])
        noted = await conn.execute(sa.select(outbox.INBOX.c.event_id).order_by(sa.text("ctid")))
        assert list(noted.scalars()) == ["evt_1", "evt_2", "evt_3"]


async def test_two_relays_say_each_event_once(ends):
    await ends.say(*EVENTS)
    async with running(ends.relay, ends.bus.relay(ends.speaker, "job")):
        await until(ends.all_published)
    stored = (await ends.js.stream_info("job")).state.messages
    assert stored == 20


async def test_the_sweep_forgets_only_what_is_old(ends):
    async with ends.speaker.house() as conn:
        for age in (datetime.timedelta(days=6), datetime.timedelta(days=8)):
            row = {"id": str(age), "subject": "s", "payload": b"", "headers": {}}
            await conn.execute(sa.insert(outbox.OUTBOX).values(**row, published_at=sa.func.now() - age))
        await outbox.put(conn, EVENTS[0])
        await outbox.sweep(conn)
    kept = await ends.column(ends.speaker, outbox.OUTBOX.c.published_at)
    assert len(kept) == 2
