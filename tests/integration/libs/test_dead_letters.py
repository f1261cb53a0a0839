"""Events that cannot be handled: shown without what they say, handled again or discarded, and in nobody's way."""

import asyncio
import contextlib

import grpc
import pytest
import sqlalchemy as sa

from libs import bus, db, dead_letters, outbox
from rushes.job.v1 import events_pb2
from rushes.ops.v1 import dead_letter_service_pb2 as pb
from rushes.ops.v1 import dead_letter_service_pb2_grpc
from rushes.type.v1 import clip_pb2
from tests.integration import refusals
from tests.integration.libs.test_bus import HEARD, running, until

CANARY = "a lighthouse nobody may read about"
POISON = {"job_13"}


class Listener:
    """A service that hears ClipRequested, and cannot handle those in `poison`."""

    def __init__(self, database, poison):
        self.database, self.poison, self.stub, self.issuer = database, set(poison), None, None
        self.handlers = {events_pb2.ClipRequested: self.note}

    async def note(self, conn, event):
        await conn.execute(sa.insert(HEARD).values(job_id=event.job_id))
        if event.job_id in self.poison:
            raise LookupError(f"{event.job_id} {event.spec.prompt}")

    async def stakes(self, conn, event):
        return dead_letters.Stake("XTS", 250_000 * event.attempt)

    async def heard(self):
        async with self.database.house() as conn:
            return list((await conn.execute(sa.select(HEARD.c.job_id))).scalars())

    async def letters(self):
        async with self.database.house() as conn:
            return list((await conn.execute(sa.select(outbox.DEAD_LETTERS))).mappings())

    async def __call__(self, verb, tenant="acme", roles=("owner",), **fields):
        from libs import rpc

        metadata = rpc.bearer(self.issuer.token(tenant, "ada", roles))
        return await getattr(self.stub, verb)(getattr(pb, f"{verb}Request")(**fields), metadata=metadata, timeout=15)

    async def bury(self, event_id, event):
        row = outbox.Event(event_id, event.DESCRIPTOR.full_name, event.SerializeToString(), {})
        async with self.database.house() as conn:
            await outbox.bury(conn, row, outbox.Fault("KeyError", "services/a.py:1 b", 8))


def order(number, tenant="acme"):
    spec = clip_pb2.ClipSpec(model="sandbox/reel-1", prompt=CANARY)
    return events_pb2.ClipRequested(tenant_id=tenant, job_id=f"job_{number}", attempt=1, quote_id="quote_1", spec=spec)


@pytest.fixture
async def listener(database, serve, issuer):
    place = await database("provider_gateway")
    owner = db.Database(place.owner_url)
    async with owner.house() as conn:
        await conn.execute(sa.text("CREATE TABLE heard (job_id text NOT NULL)"))
    await owner.close()
    made = Listener(place.database, POISON)
    door = await serve("gateway", dead_letters.servicer(made.database, made.handlers, made.stakes))
    made.stub, made.issuer = dead_letter_service_pb2_grpc.DeadLetterServiceStub(door.channel), issuer
    return made


async def test_one_bad_event_among_a_thousand_is_buried_and_the_others_are_handled_once(listener, database, nats_url):
    speaker = (await database("job")).database
    async with contextlib.aclosing(Closing(await bus.Bus.connect(nats_url, "tests"))) as connected:
        parts = (
            connected.bus.relay(speaker, "job"),
            connected.bus.deliver(listener.database, "provider_gateway", listener.handlers),
        )
        async with running(*parts):
            async with speaker.tenant("acme") as conn:
                await outbox.put(conn, *map(order, range(1001)))
            await until(lambda: has(listener, 1000), 60)
            assert await listener.letters() == []  # nobody waited for its eight attempts
        await pretend_it_failed(listener, speaker)
    heard = await listener.heard()
    assert len(heard) == len(set(heard)) == 1000
    assert not POISON & set(heard)


class Closing:
    def __init__(self, connected):
        self.bus = connected

    async def aclose(self):
        await self.bus.close()


async def has(listener, count):
    return len(await listener.heard()) >= count


async def pretend_it_failed(listener, speaker):
    """Bury it as the eighth attempt does, which is minutes away."""
    async with speaker.house() as conn:
        query = sa.select(outbox.OUTBOX).where(outbox.OUTBOX.c.payload == order(13).SerializeToString())
        row = (await conn.execute(query)).mappings().one()
    await listener.bury(row["id"], order(13))
    listed = await listener("ListDeadLetters")
    assert [one.event_id for one in listed.dead_letters] == [row["id"]]
    again = (await listener("RetryDeadLetter", event_id=row["id"])).dead_letter
    assert (again.state, again.attempts, again.reason) == (pb.DeadLetter.STATE_DEAD, 9, "LookupError")
    assert again.place.startswith("tests/integration/libs/test_dead_letters.py:")
    assert again.place.endswith(" note")


async def test_the_eighth_attempt_writes_down_why_and_where_and_for_whom(listener, nats_url, database):
    speaker = (await database("job")).database
    async with contextlib.aclosing(Closing(await bus.Bus.connect(nats_url, "tests"))) as connected:
        async with running(connected.bus.relay(speaker, "job")):
            async with speaker.tenant("acme") as conn:
                await outbox.put(conn, order(13))
            await until(lambda: published(speaker))
        await refuse(nats_url, bus.MOST_DELIVERIES - 1)
        async with running(connected.bus.deliver(listener.database, "provider_gateway", listener.handlers)):
            await until(lambda: buried(listener))
    (letter,) = await listener.letters()
    assert (letter["tenant_id"], letter["reason"], letter["attempts"]) == ("acme", "LookupError", 8)
    assert letter["place"].startswith("tests/integration/libs/test_dead_letters.py:")
    assert await listener.heard() == []


async def published(database):
    async with database.house() as conn:
        return all((await conn.execute(sa.select(outbox.OUTBOX.c.published_at))).scalars())


async def buried(listener):
    return bool(await listener.letters())


async def refuse(nats_url, times):
    import nats

    client = await nats.connect(nats_url)
    subscription = await client.jetstream().pull_subscribe_bind(durable="provider_gateway", stream="job")
    for _ in range(times):
        (message,) = await subscription.fetch(1, timeout=5)
        await message.nak()
    await client.flush()
    await subscription.unsubscribe()
    await client.close()


async def test_a_letter_shows_ids_and_numbers_and_money_and_nothing_that_people_wrote(listener):
    await listener.bury("evt_1", order(1))
    letter = (await listener("GetDeadLetter", event_id="evt_1")).dead_letter
    assert dict(letter.facts) == {"tenant_id": "acme", "job_id": "job_1", "attempt": "1", "quote_id": "quote_1"}
    assert (letter.at_stake.currency, letter.at_stake.micros) == ("XTS", 250_000)
    assert (letter.event_type, letter.place) == ("rushes.job.v1.ClipRequested", "services/a.py:1 b")
    assert letter.size_bytes == len(order(1).SerializeToString())
    assert CANARY not in str(letter)


async def test_retried_it_is_handled_once_however_often_that_is_asked(listener):
    await listener.bury("evt_1", order(1))
    answers = await asyncio.gather(*(listener("RetryDeadLetter", event_id="evt_1") for _ in range(5)))
    assert {one.dead_letter.state for one in answers} == {pb.DeadLetter.STATE_HANDLED}
    assert {one.dead_letter.settled_by for one in answers} == {"ada"}
    assert await listener.heard() == ["job_1"]
    assert (await listener("ListDeadLetters")).dead_letters == []
    assert len((await listener("ListDeadLetters", state=pb.DeadLetter.STATE_HANDLED)).dead_letters) == 1
    told = await refusals.refused(
        listener("DiscardDeadLetter", event_id="evt_1", note="late"), grpc.StatusCode.FAILED_PRECONDITION
    )
    assert told.reason == "DEAD_LETTER_HANDLED"


async def test_a_retry_that_fails_leaves_nothing_behind(listener):
    await listener.bury("evt_13", order(13))
    for attempts in (9, 10):
        letter = (await listener("RetryDeadLetter", event_id="evt_13")).dead_letter
        assert (letter.state, letter.attempts, letter.reason) == (pb.DeadLetter.STATE_DEAD, attempts, "LookupError")
    assert await listener.heard() == []
    listener.poison.clear()
    letter = (await listener("RetryDeadLetter", event_id="evt_13")).dead_letter
    assert letter.state == pb.DeadLetter.STATE_HANDLED
    assert await listener.heard() == ["job_13"]


async def test_what_is_discarded_never_counts_even_if_it_comes_again(listener, nats_url, database):
    listener.poison.clear()
    await listener.bury("evt_1", order(1))
    for _ in range(2):
        letter = (await listener("DiscardDeadLetter", event_id="evt_1", note="A test of ours.")).dead_letter
        assert (letter.state, letter.note) == (pb.DeadLetter.STATE_DISCARDED, "A test of ours.")
    told = await refusals.refused(listener("RetryDeadLetter", event_id="evt_1"), grpc.StatusCode.FAILED_PRECONDITION)
    assert told.reason == "DEAD_LETTER_DISCARDED"
    async with listener.database.house() as conn:
        event = outbox.Event("evt_1", order(1).DESCRIPTOR.full_name, order(1).SerializeToString(), {})
        await bus.handle_again(conn, listener.handlers, event)
    assert await listener.heard() == []
    assert set(await refusals.violations(listener("DiscardDeadLetter", event_id="evt_1", note=" "))) == {"note"}


async def test_a_tenant_sees_its_own_and_an_operator_all(listener):
    await listener.bury("evt_1", order(1))
    await listener.bury("evt_2", order(2, "other"))
    await listener.bury("evt_3", order(3, ""))
    for tenant, roles, seen in (
        ("acme", ["owner"], ["evt_1"]),
        ("other", ["owner"], ["evt_2"]),
        ("third", ["owner"], []),
    ):
        found = (await listener("ListDeadLetters", tenant, roles)).dead_letters
        assert [one.event_id for one in found] == seen
    every = (await listener("ListDeadLetters", "third", ["operator"])).dead_letters
    assert [one.event_id for one in every] == ["evt_3", "evt_2", "evt_1"]
    for verb, more in (("GetDeadLetter", {}), ("RetryDeadLetter", {}), ("DiscardDeadLetter", {"note": "mine"})):
        told = await refusals.refused(listener(verb, event_id="evt_2", **more), grpc.StatusCode.NOT_FOUND)
        assert told.reason == "DEAD_LETTER_NOT_FOUND"
    first = await listener("ListDeadLetters", "third", ["operator"], page_size=2)
    rest = await listener("ListDeadLetters", "third", ["operator"], page_size=2, page_token=first.next_page_token)
    assert [len(one.dead_letters) for one in (first, rest)] == [2, 1]


async def test_what_cannot_be_read_is_shown_as_it_is_and_can_only_be_discarded(listener):
    async with listener.database.house() as conn:
        garbage = outbox.Event("evt_9", order(1).DESCRIPTOR.full_name, b"\xff\xff", {})
        await outbox.bury(conn, garbage, outbox.Fault("DecodeError", "", 1))
    letter = (await listener("RetryDeadLetter", "third", ["operator"], event_id="evt_9")).dead_letter
    assert (letter.state, letter.reason, dict(letter.facts)) == (pb.DeadLetter.STATE_DEAD, "DecodeError", {})
    assert not letter.HasField("at_stake")


async def test_what_is_too_large_to_be_said_is_buried_and_said_again_when_asked(database, nats_url, serve, issuer):
    """JetStream refuses it for ever: behind it, nothing would go out for seconds at a time."""
    speaker = (await database("job")).database
    made = Listener(speaker, ())
    door = await serve("job", dead_letters.servicer(speaker, {}))
    made.stub, made.issuer = dead_letter_service_pb2_grpc.DeadLetterServiceStub(door.channel), issuer
    large = order(1)
    large.spec.prompt = "x" * (9 << 20)
    async with contextlib.aclosing(Closing(await bus.Bus.connect(nats_url, "tests"))) as connected:
        async with speaker.tenant("acme") as conn:
            await outbox.put(conn, large, *map(order, range(2, 300)))
        async with running(connected.bus.relay(speaker, "job")):
            await until(lambda: published(speaker))
            (letter,) = (await made("ListDeadLetters")).dead_letters
            assert (letter.reason, letter.facts["job_id"]) == ("MaxPayloadError", "job_1")
            said = (await made("RetryDeadLetter", event_id=letter.event_id)).dead_letter
            assert said.state in (pb.DeadLetter.STATE_HANDLED, pb.DeadLetter.STATE_DEAD)
            await until(lambda: published(speaker))
        (letter,) = (await made("ListDeadLetters")).dead_letters
    assert letter.state == pb.DeadLetter.STATE_DEAD
