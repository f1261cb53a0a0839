"""What was learned counts, whoever learned it and however late: answers, names that contradict, ids of others' jobs."""

import asyncio
import contextlib
import datetime
import urllib.parse

import grpc
import prometheus_client
import pytest

from rushes.provider_gateway.v1 import submission_pb2
from services.provider_gateway import domain, evidence
from tests.integration import refusals
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S, L = domain.State, domain.Learned
OPENAI = "sandbox-openai"
PAST = datetime.timedelta(minutes=-1)
BLIND = shop.selling(OPENAI, idempotency_s=0, lookup="none")


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


class Slow:
    """A way to the sandbox on which answers wait until they are let through."""

    def __init__(self, reel):
        self.there = urllib.parse.urlsplit(reel.url)
        self.answered, self.let_through = asyncio.Event(), asyncio.Event()

    async def carry(self, reader, writer):
        onward, outward = await asyncio.open_connection(self.there.hostname, self.there.port)
        sending = asyncio.create_task(self._forward(reader, outward))
        answer = await onward.read()  # an order has a connection of its own, which ends with its answer
        self.answered.set()
        await self.let_through.wait()
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        sending.cancel()
        for end in (writer, outward):
            end.close()

    async def _forward(self, reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data)


@pytest.fixture
async def slow(reel):
    way = Slow(reel)
    async with await asyncio.start_server(way.carry, "127.0.0.1", 0) as server:
        way.addresses = {OPENAI: f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"}
        yield way
        way.let_through.set()


async def overtaken(gateway, crew, slow):
    """A sender whose answer is on its way when another process takes over; it and its order."""
    await gateway.hear(*await gateway.orders(house.once("A lighthouse, slowly.")))
    sender = crew.among(slow.addresses, offer=BLIND).driver("slow")
    assert await sender.claim() == 1
    async with asyncio.timeout(10):
        await slow.answered.wait()
    order = await one(gateway)
    await gateway.change(order.id, lease_until=house.real_time() + PAST)
    await crew.among(offer=BLIND).look()
    assert (await one(gateway)).state is S.UNKNOWN
    return sender, order


async def test_the_late_answer_of_an_overtaken_sender_is_written_down_and_found(gateway, crew, reel, slow):
    sender, order = await overtaken(gateway, crew, slow)
    slow.let_through.set()
    await sender.settle()
    (known,) = await gateway.evidence(order.id)
    (created,) = reel.lines("create", [order.id])
    assert (known.kind, known.provider_job_id) == (L.ANSWER, created["id"])
    assert (await one(gateway)).state is S.UNKNOWN, "it has no say itself"
    await crew.among(offer=BLIND).until([crew.among(offer=BLIND).driver()])
    assert (await one(gateway)).provider_job_id == created["id"]
    assert len(reel.lines("post", [order.id])) == len(reel.lines("charge", [order.id])) == 1
    assert await gateway.money() == (0, 100_000, 0)


def paid_after_all():
    return prometheus_client.REGISTRY.get_sample_value("rushes_paid_after_all_total", {"endpoint": OPENAI}) or 0


async def test_an_answer_after_everybody_believed_it_free_is_an_alert_and_is_kept(gateway, crew, slow, caplog):
    sender, order = await overtaken(gateway, crew, slow)
    await gateway("SettleSubmission", submission_id=order.id, note="It is not on the bill.")
    before = paid_after_all()
    slow.let_through.set()
    await sender.settle()
    after = await one(gateway)
    assert (after.state, after.cost_micros) == (S.ABSENT, 0)
    assert [known.kind for known in await gateway.evidence(order.id)] == [L.PERSON, L.ANSWER]
    assert (await gateway.evidence(order.id))[-1].provider_job_id.startswith("video_")
    assert paid_after_all() == before + 1
    (alert,) = [line for line in caplog.records if line.message == "paid_after_all"]
    assert (alert.submission_id, alert.job_id) == (order.id, order.job_id)


async def told(gateway, submission, *pieces):
    async with gateway.database.house() as conn:
        await evidence.add(conn, [evidence.Piece(submission, learned) for learned in pieces])


async def test_two_names_contradict_each_other_until_a_person_decides(gateway, crew, reel, caplog):
    crew = crew.among(offer=BLIND)
    await gateway.hear(*await gateway.orders(house.once("A lighthouse in dispute. [[drop_reply]]")))
    await crew.look()
    doubtful = await one(gateway)
    (created,) = reel.lines("create", [doubtful.id])
    now = house.real_time()
    await told(
        gateway,
        doubtful,
        domain.Evidence(L.CALLBACK, now, created["id"]),
        domain.Evidence(L.ANSWER, now, "video_of_another"),
    )
    await crew.look(3)
    assert (await one(gateway)).state is S.UNKNOWN
    assert "evidence_contradicts" in caplog.text
    await gateway.named(submission_id=doubtful.id, provider_job_id=created["id"], note="I saw it.")
    await crew.finish()
    done = await one(gateway)
    assert (done.state, done.provider_job_id) == (S.STORED, created["id"])
    assert len(reel.lines("post", [doubtful.id])) == 1


async def test_a_name_that_belongs_to_another_order_is_no_name(gateway, crew, reel):
    crew = crew.among(offer=BLIND)
    await gateway.hear(*await gateway.orders(house.spec("Known."), house.once("Lost. [[drop_reply]]")))
    await crew.look(2)
    known, lost = await gateway.submissions()
    await told(gateway, lost, domain.Evidence(L.CALLBACK, house.real_time(), known.provider_job_id))
    await crew.look(2)
    _, after = await gateway.submissions()
    assert (after.state, after.provider_job_id) == (S.UNKNOWN, None)


@pytest.mark.parametrize("can", [{}, {"idempotency_s": 0}], ids=["repeated", "looked up"])
async def test_an_answer_with_the_id_of_another_s_job_is_an_alert_and_a_doubt(gateway, crew, reel, caplog, can):
    crew = crew.among(offer=shop.selling(OPENAI, **can))
    await gateway.hear(*await gateway.orders(house.spec("First.")))
    await crew.finish()
    await gateway.hear(*await gateway.orders(house.once("Second, mistaken for the first. [[id_collision]]")))
    await crew.look()
    doubtful = next(found for found in await gateway.submissions() if found.state is not S.STORED)
    assert (doubtful.state, doubtful.provider_job_id) == (S.UNKNOWN, None)
    assert doubtful.answered_at, "its sender has seen the end of it"
    assert [known.kind for known in await gateway.evidence(doubtful.id)] == [L.AMBIGUOUS]
    assert "provider_id_collision" in caplog.text
    await crew.finish()
    ids = [found.id for found in await gateway.submissions()]
    names = {line["client_ref"]: line["id"] for line in reel.lines("create", ids)}
    assert {found.id: found.provider_job_id for found in await gateway.submissions()} == names
    assert len(reel.lines("charge", ids)) == 2


async def test_what_was_learned_is_listed_oldest_first_to_its_tenant_only(gateway, crew):
    await gateway.hear(*await gateway.orders(house.spec()))
    order = await one(gateway)
    at = house.real_time()
    learned = [
        domain.Evidence(L.NOT_FOUND, at, "", "lookup: list"),
        domain.Evidence(L.PERSON, at + datetime.timedelta(seconds=1), "video_1", "ada: I saw it."),
    ]
    await told(gateway, order, *reversed(learned))
    found = (await gateway("ListEvidence", submission_id=order.id)).evidence
    assert [(one.kind, one.provider_job_id, one.note) for one in found] == [
        (submission_pb2.Evidence.KIND_NOT_FOUND, "", "lookup: list"),
        (submission_pb2.Evidence.KIND_PERSON, "video_1", "ada: I saw it."),
    ]
    assert {(one.submission_id, one.id[:4]) for one in found} == {(order.id, "evd_")}
    assert found[0].create_time.ToDatetime(datetime.UTC) == at
    foreign = gateway("ListEvidence", "other", submission_id=order.id)
    info = await refusals.refused(foreign, grpc.StatusCode.NOT_FOUND)
    assert info.reason == "SUBMISSION_NOT_FOUND"
