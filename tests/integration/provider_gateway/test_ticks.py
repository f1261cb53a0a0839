"""Drivers against the real sandbox process: what is bought once, brought home, resolved, refused or lost."""

import asyncio
import collections
import datetime
import hashlib
import json
import urllib.parse

import av
import httpx
import numpy
import pytest
import sqlalchemy as sa

from rushes.job.v1 import events_pb2 as job_pb
from rushes.provider_gateway.v1 import events_pb2, submission_pb2
from rushes.type.v1 import media_pb2
from services.provider_gateway import claims, domain, lifecycle, recorder, wire
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S = domain.State
ACCOUNT = "endpoint:sandbox-openai"
PAST = datetime.timedelta(minutes=-1)


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def ordered(gateway, *specs, **more):
    """New orders as intents."""
    await gateway.hear(*await gateway.orders(*specs or [house.spec()], **more))
    return await gateway.submissions()


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def story(gateway, submission_id):
    """The states it went through."""
    async with gateway.database.house() as conn:
        query = "SELECT state FROM submission_log WHERE submission_id = :id ORDER BY version"
        return list((await conn.execute(sa.text(query), {"id": submission_id})).scalars())


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def kept(crew, key):
    return crew.folder / "blobs" / key


async def test_from_the_intent_to_the_stored_clip(gateway, crew, reel):
    await ordered(gateway, last_frame_wanted=True)
    await crew.until([crew.driver()])
    done = await one(gateway)
    assert done.state is S.STORED
    assert await story(gateway, done.id) == ["SENDING", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"]
    clip = kept(crew, done.clip.media.key)
    assert (clip.stat().st_size, hashlib.sha256(clip.read_bytes()).hexdigest()) == (
        done.clip.media.size_bytes,
        done.clip.media.sha256,
    )
    frames = pictures(clip)
    assert frames[0].shape == (done.clip.height, done.clip.width, 3)
    assert len(frames) == round(done.clip.seconds * 24)
    still = kept(crew, done.clip.last_frame.key)
    assert still.read_bytes().startswith(b"\x89PNG")
    assert hashlib.sha256(still.read_bytes()).hexdigest() == done.clip.last_frame.sha256
    assert numpy.array_equal(pictures(still)[0], frames[-1])
    assert not numpy.array_equal(frames[0], frames[-1])
    (charge,) = reel.lines("charge", [done.id])
    assert (charge["id"], charge["micros"]) == (done.provider_job_id, done.cost_micros)
    await the_money_is(gateway, spent=done.cost_micros, kinds=["commit", "reserve"])


async def the_money_is(gateway, reserved=0, spent=0, suspense=0, kinds=()):
    """The budget and the ledger say the same."""
    budget, lines = await gateway.budget(), await gateway.postings()
    assert (budget.reserved_micros, budget.spent_micros, budget.suspense_micros) == (reserved, spent, suspense)
    sums = [sum(getattr(line, account) for line in lines) for account in ("reserved", "spent", "suspense")]
    assert sums == [reserved, spent, suspense]
    assert sorted(line.kind for line in lines) == sorted(kinds)


async def test_an_answer_that_is_the_finished_job_is_told_once(gateway, crew):
    await ordered(gateway)
    await crew.until([crew.driver()])
    assert [type(event) for event, _ in await gateway.said()] == [events_pb2.ClipStored]


async def test_what_is_said_of_it_belongs_to_the_trace_of_its_order(gateway, crew):
    await ordered(gateway, house.spec("Waves. [[slow(0.2)]]"), last_frame_wanted=True)
    await crew.until([crew.driver()])
    done = await one(gateway)
    assert {headers["traceparent"] for _, headers in await gateway.said()} == {house.TRACE}
    moved, stored = [event for event, _ in await gateway.said()]
    if isinstance(moved, events_pb2.ClipStored):
        moved, stored = stored, moved
    assert (moved.state, moved.version) == (submission_pb2.Submission.STATE_ACCEPTED, 3)
    assert (stored.job_id, stored.submission_id, stored.attempt) == (done.job_id, done.id, 1)
    assert stored.clip == wire.blob(done.clip.media)
    assert stored.last_frame == wire.blob(done.clip.last_frame)
    assert (stored.cost.micros, stored.cost.currency) == (100_000, "XTS")
    assert stored.duration.ToTimedelta().total_seconds() == pytest.approx(done.clip.seconds, abs=1e-6)
    shown = (await gateway("GetSubmission", submission_id=done.id)).submission
    assert (shown.state, shown.clip, shown.cost) == (
        submission_pb2.Submission.STATE_STORED,
        stored.clip,
        stored.cost,
    )


async def test_without_a_wish_there_is_no_last_frame(gateway, crew):
    await ordered(gateway)
    await crew.until([crew.driver()])
    assert (await one(gateway)).clip.last_frame is None
    (stored,) = await gateway.said(events_pb2.ClipStored)
    assert not stored.event.HasField("last_frame")


async def test_two_processes_send_each_of_thirty_once(gateway, crew, reel):
    found = await ordered(gateway, *(house.spec(f"Scene {number}.") for number in range(30)))
    await crew.until([crew.driver("one", most=8), crew.driver("two", most=8)])
    names = [submission.id for submission in found]
    for event in ("create", "charge"):
        counts = collections.Counter(line["client_ref"] for line in reel.lines(event, names))
        assert counts == dict.fromkeys(names, 1)
    after = await gateway.submissions()
    assert {submission.state for submission in after} == {S.STORED}
    assert len({submission.provider_job_id for submission in after}) == 30
    await the_money_is(gateway, spent=3_000_000, kinds=["reserve", "commit"] * 30)
    assert len(await gateway.said(events_pb2.ClipStored)) == 30


async def dies_sending(gateway, crew, paid):
    """A process that claims a submission and ends in the middle of the call: its lease runs out."""
    async with gateway.database.house() as conn:
        (claimed,) = await claims.begin(conn, "dead", 20, ACCOUNT, 1)
    if paid:
        provider = await crew.keys.provider(ACCOUNT, "acme")
        await provider.create(wire.order(claimed.submission, (None, None), {}))
    await gateway.change(claimed.submission.id, lease_until=house.real_time() + PAST)
    return claimed.submission


@pytest.mark.parametrize("paid", [True, False], ids=["behind the call", "before the call"])
async def test_a_sender_that_died_is_looked_after_without_paying_twice(gateway, crew, reel, paid):
    await ordered(gateway)
    lost = await dies_sending(gateway, crew, paid)
    await crew.until([crew.driver("one"), crew.driver("two")])
    after = await one(gateway)
    assert await story(gateway, lost.id) == [
        *("SENDING", "UNKNOWN", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"),
    ]
    (created,) = reel.lines("create", [lost.id])
    assert created["id"] == after.provider_job_id
    await the_money_is(gateway, spent=100_000, kinds=["reserve", "commit"])
    moves = [event.state for event, _ in await gateway.said(events_pb2.SubmissionStateChanged)]
    assert moves == [submission_pb2.Submission.STATE_UNKNOWN]


async def test_who_lost_the_lease_has_no_say(gateway, crew):
    await ordered(gateway)
    slow = await dies_sending(gateway, crew, paid=True)
    await crew.until([crew.driver()])
    before = await one(gateway)
    desk = recorder.Recorder(gateway.database, house.real_time)
    for late in (lifecycle.accepted(slow, "video_late", house.NOW), lifecycle.rejected(slow, "no", False, house.NOW)):
        with pytest.raises(recorder.LeaseLost):
            await desk.record(claims.Change(slow, late))
    assert await one(gateway) == before
    await the_money_is(gateway, spent=100_000, kinds=["reserve", "commit"])


async def test_who_was_slow_with_the_same_step_has_no_say_either(gateway, crew):
    await ordered(gateway)
    await crew.step(crew.driver())
    taken = []
    for owner in ("slow", "quick"):
        async with gateway.database.house() as conn:
            taken += await claims.claim(conn, owner, 20, 1)
        if owner == "slow":
            await gateway.change(taken[0].submission.id, lease_until=house.real_time() + PAST)
    slow, quick = (claim.submission for claim in taken)
    assert slow.state is quick.state is S.ACCEPTED
    desk = recorder.Recorder(gateway.database, house.real_time)
    with pytest.raises(recorder.LeaseLost):
        await desk.record(claims.Change(slow, lifecycle.provider_failed(slow, "no", False, 0, house.NOW)))
    await desk.record(claims.Change(quick, lifecycle.pending(quick, None, house.real_time())))
    assert (await one(gateway)).state is S.ACCEPTED


async def test_a_sender_that_hangs_is_overtaken_and_its_late_answer_ignored(gateway, crew, reel):
    """Its own process does not take the row twice; another resolves it, and the sandbox sees one create."""
    reached, hang_up = asyncio.Event(), asyncio.Event()

    async def never_answer(reader, writer):
        await reader.read(1)
        reached.set()
        await hang_up.wait()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    await ordered(gateway)
    hanging = crew.among({"sandbox-openai": address}).driver("hanging")
    assert await hanging.claim() == 1
    async with asyncio.timeout(10):
        await reached.wait()
    late = await one(gateway)
    await gateway.change(late.id, lease_until=house.real_time() + PAST)
    assert await hanging.claim() == 0, "it is still in its hands"
    await crew.until([crew.driver("other")])
    before = await one(gateway)
    hang_up.set()
    await hanging.settle()
    assert await one(gateway) == before
    assert before.state is S.STORED
    assert len(reel.lines("create", [late.id])) == 1
    await the_money_is(gateway, spent=100_000, kinds=["reserve", "commit"])
    server.close()
    await server.wait_closed()


async def test_a_lease_that_is_held_is_left_alone_and_can_be_renewed(gateway, crew):
    await ordered(gateway)
    async with gateway.database.house() as conn:
        assert len(await claims.begin(conn, "alive", 20, ACCOUNT, 1)) == 1
    assert await crew.driver().claim() == 0
    assert await crew.driver("alive").renew() == 0, "it works on nothing"
    assert (await one(gateway)).state is S.SENDING


async def test_a_refusal_costs_nothing(gateway, crew, reel):
    await ordered(gateway)
    refused = await one(gateway)
    await gateway.change(refused.id, wire_model="sandbox-reel-9")
    await crew.until([crew.driver()])
    after = await one(gateway)
    assert (after.state, after.cost_micros, after.fault.reason) == (S.REJECTED, 0, "PROVIDER_REJECTED")
    assert not reel.lines("create", [refused.id])
    await the_money_is(gateway, kinds=["reserve", "release"])
    ((event, _),) = await gateway.said()
    assert (event.reason, event.cost.micros, event.retryable) == ("PROVIDER_REJECTED", 0, False)
    shown = (await gateway("GetSubmission", submission_id=refused.id)).submission
    assert (shown.error.reason, shown.cost.micros) == ("PROVIDER_REJECTED", 0)


@pytest.fixture
def unreachable():
    """An address where nobody listens."""
    return {"sandbox-openai": shop.NOWHERE}


async def test_what_never_left_is_as_if_it_had_never_been_tried(gateway, crew, reel, unreachable):
    await ordered(gateway)
    nobody = crew.among(unreachable).driver()
    await crew.step(nobody)
    before = await one(gateway)
    assert (before.state, before.tries) == (S.INTENT, 1)
    assert before.next_action_at > before.updated_at
    assert await crew.step(nobody) == 0, "not before its time"
    await gateway.change(before.id, next_action_at=before.created_at)
    await crew.until([crew.driver()])
    assert len(reel.lines("create", [before.id])) == 1
    await the_money_is(gateway, spent=100_000, kinds=["reserve", "commit"])


async def test_a_provider_that_is_away_fails_no_paid_work(gateway, crew, unreachable):
    await ordered(gateway)
    await crew.step(crew.driver())
    assert (await one(gateway)).state is S.ACCEPTED
    await crew.step(crew.among(unreachable).driver())
    waiting = await one(gateway)
    assert (waiting.state, waiting.fault) == (S.ACCEPTED, None)
    await gateway.hear(job_pb.CancelRequested(tenant_id="acme", job_id=waiting.job_id))
    await gateway.change(waiting.id, next_action_at=waiting.created_at)
    await crew.until([crew.driver()])
    assert (await one(gateway)).state is S.STORED, "paid, so it is finished and kept"


async def test_a_first_frame_is_sent_along_and_waited_for(gateway, crew, reel, tmp_path):
    key = "t/acme/clips/before.last.png"
    quote = await gateway.quote(house.spec())
    order = house.order(quote)
    order.spec.first_frame.CopyFrom(media_pb2.Blob(key=key, content_type="image/png", size_bytes=1, sha256="ab" * 32))
    await gateway.hear(order)
    await crew.step(crew.driver())
    before = await one(gateway)
    assert (before.state, before.tries) == (S.INTENT, 1), "nothing was sent without it"
    assert not reel.lines("create", [before.id])
    still = tmp_path / "still.png"
    with av.open(str(still), "w", format="image2", options={"update": "1"}) as output:
        stream = output.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "rgb24"
        grey = av.VideoFrame.from_ndarray(numpy.full((36, 64, 3), 99, numpy.uint8), format="rgb24")
        output.mux([*stream.encode(grey), *stream.encode(None)])
    await crew.files.put_file(key, still, "image/png")
    await gateway.change(before.id, next_action_at=before.created_at)
    await crew.until([crew.driver()])
    (created,) = reel.lines("create", [before.id])
    orders = map(json.loads, (reel.home / "orders.jsonl").read_text().splitlines())
    (sent,) = [line["order"] for line in orders if line["id"] == created["id"]]
    assert sent["reference"] == hashlib.sha256(still.read_bytes()).hexdigest()


async def test_a_clip_that_the_provider_deleted_is_paid_and_lost(gateway, crew, reel):
    await ordered(gateway)
    await crew.step(crew.driver("one"))
    await crew.step(crew.driver("two"))
    paid = await one(gateway)
    assert (paid.state, paid.cost_micros) == (S.PROVIDER_DONE, 100_000)
    assert paid.clip_expires_at > paid.updated_at
    address = f"{reel.url}/v1/videos/{urllib.parse.quote(paid.provider_job_id)}"
    async with httpx.AsyncClient(headers={"authorization": "Bearer key"}) as client:
        assert (await client.delete(address)).status_code == 200
    await crew.step(crew.driver("three"))
    again = await one(gateway)
    assert (again.state, again.tries) == (S.PROVIDER_DONE, 1)
    await gateway.change(again.id, next_action_at=paid.created_at, clip_expires_at=paid.created_at)
    await crew.step(crew.driver("four"))
    assert (await one(gateway)).state is S.CLIP_EXPIRED
    await the_money_is(gateway, spent=100_000, kinds=["reserve", "commit"])
    ((event, _),) = await gateway.said(events_pb2.SubmissionFailed)
    assert (event.reason, event.cost.micros, event.retryable) == ("CLIP_EXPIRED", 100_000, False)


async def test_an_outcome_that_stays_unknown_ends_the_job_and_holds_the_money(gateway, crew):
    """At an endpoint that does not know an order again, nothing is ever sent a second time."""
    await ordered(gateway)
    lost = await dies_sending(gateway, crew, paid=False)
    long_ago = house.real_time() - datetime.timedelta(hours=25)
    elsewhere = {"endpoint": "openai-compatible", "account": "endpoint:openai-compatible"}
    await gateway.change(lost.id, sent_at=long_ago, **elsewhere)
    other = crew.among({"openai-compatible": shop.NOWHERE})
    for _ in range(2):
        await crew.step(other.driver())
    after = await one(gateway)
    assert (after.state, after.fault.reason, after.cost_micros) == (S.UNRESOLVED, "OUTCOME_UNKNOWN", None)
    await the_money_is(gateway, suspense=100_000, kinds=["reserve", "suspend"])
    ((event, _),) = await gateway.said(events_pb2.SubmissionFailed)
    assert (event.reason, event.HasField("cost"), event.retryable) == ("OUTCOME_UNKNOWN", False, False)
    await gateway.change(lost.id, next_action_at=long_ago)
    await crew.step(other.driver())
    still = await one(gateway)
    assert (still.state, still.version) == (S.UNRESOLVED, after.version)
    assert still.next_action_at > house.real_time(), "somebody will look again, tomorrow"
    assert len(await gateway.said(events_pb2.SubmissionFailed)) == 1


async def test_paid_clips_that_expire_soonest_come_first(gateway, crew):
    found = await ordered(gateway, *(house.spec(f"Scene {number}.") for number in range(3)))
    for number, expires in ((1, 2), (2, 1)):
        soon = house.real_time() + datetime.timedelta(hours=expires)
        for state in ("SENDING", "ACCEPTED", "PROVIDER_DONE"):
            await gateway.change(found[number].id, state=state, provider_job_id=f"video_{number}")
        await gateway.change(found[number].id, clip_expires_at=soon)
    async with gateway.database.house() as conn:
        claimed = [(await claims.claim(conn, f"owner-{n}", 20, 1))[0].submission.id for n in range(2)]
    assert claimed == [found[2].id, found[1].id]
