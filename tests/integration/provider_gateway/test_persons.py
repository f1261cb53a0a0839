"""What people do about paid calls: watch them, name lost ones, settle them, and have a clip fetched once more."""

import asyncio
import datetime
import urllib.parse

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2

from libs import ids
from rushes.provider_gateway.v1 import events_pb2, submission_pb2
from services.provider_gateway import domain
from tests.integration import refusals
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S, L = domain.State, domain.Learned
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
STATE = submission_pb2.Submission.State
OPENAI = "sandbox-openai"


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


@pytest.fixture
async def blind(crew):
    """Buys where nothing can be looked up."""
    return crew.among(offer=shop.selling(OPENAI, idempotency_s=0, lookup="none"))


async def ordered(gateway, disaster=""):
    await gateway.hear(*await gateway.orders(house.once(f"A lighthouse. {disaster}")))
    return await one(gateway)


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def lost(gateway, blind):
    """An order that the sandbox has made, and whose answer was lost."""
    await ordered(gateway, "[[drop_reply]]")
    await blind.look(2)
    doubtful = await one(gateway)
    assert doubtful.state is S.UNKNOWN
    return doubtful


async def told(watch):
    return [message.submission async for message in watch]


async def test_a_watch_shows_every_state_to_the_end(gateway, crew):
    order = await ordered(gateway, "[[slow(1)]]")
    watch = aiter(gateway.watch(order.id))
    first = (await anext(watch)).submission
    assert (first.state, first.version) == (STATE.STATE_INTENT, 1)
    await crew.finish()
    rest = await told(watch)
    versions = [shown.version for shown in rest]
    assert versions == sorted(set(versions))
    assert (rest[-1].state, rest[-1].version) == (STATE.STATE_STORED, 6)
    assert rest[-1] == (await gateway("GetSubmission", submission_id=order.id)).submission
    assert await told(gateway.watch(order.id)) == rest[-1:], "who comes late is told the end"
    assert await told(gateway.watch(order.id, rest[-1].version)) == [], "who has seen it is not told again"


async def test_a_watch_goes_on_behind_what_was_seen(gateway, crew):
    order = await ordered(gateway)
    watch = gateway.watch(order.id, after_version=1)
    first = asyncio.ensure_future(watch.read())
    await gateway("CancelSubmission", submission_id=order.id)
    assert (await first).submission.version == 2
    assert await watch.read() is grpc.aio.EOF


async def test_a_watch_of_another_s_order_or_of_none_is_not_found(gateway):
    order = await ordered(gateway)
    for watch in (gateway.watch(order.id, tenant="other"), gateway.watch(ids.new("sub"))):
        info = await refusals.refused(watch.read(), grpc.StatusCode.NOT_FOUND)
        assert info.reason == "SUBMISSION_NOT_FOUND"


async def test_watches_end_when_the_server_goes_away(gateway):
    watch = gateway.watch((await ordered(gateway)).id)
    await watch.read()
    gateway.draining.set()
    fault = await refusals.fault_of(watch.read(), grpc.StatusCode.UNAVAILABLE)
    assert refusals.detail(fault, error_details_pb2.ErrorInfo).reason == "SERVER_DRAINING"


async def test_a_person_s_word_for_an_id_is_taken_and_kept_with_their_name(gateway, blind, reel):
    doubtful = await lost(gateway, blind)
    (created,) = reel.lines("create", [doubtful.id])
    far = house.real_time() + datetime.timedelta(hours=1)
    await gateway.change(doubtful.id, next_action_at=far)
    answer = await gateway.named(
        submission_id=doubtful.id,
        provider_job_id=f"  {created['id']} ",
        note="On the provider's own page.",
    )
    assert answer.submission.retry_time.ToDatetime(datetime.UTC) < far, "it is looked at at once"
    await blind.until([blind.driver()])
    done = await one(gateway)
    assert (done.state, done.provider_job_id) == (S.STORED, created["id"])
    (word,) = await gateway.evidence(doubtful.id)
    assert (word.kind, word.note) == (L.PERSON, "ada: On the provider's own page.")
    assert len(reel.lines("post", [doubtful.id])) == 1


async def test_a_word_that_was_wrong_can_be_corrected(gateway, blind, reel):
    doubtful = await lost(gateway, blind)
    (created,) = reel.lines("create", [doubtful.id])
    await gateway.named(submission_id=doubtful.id, provider_job_id="video_mistyped", note="Oops.")
    await blind.look(22)
    wrong = await one(gateway)
    assert (wrong.state, wrong.provider_job_id) == (S.UNKNOWN, "video_mistyped")
    await gateway.named(submission_id=doubtful.id, provider_job_id=created["id"], note="Better.")
    await blind.finish()
    done = await one(gateway)
    assert (done.state, done.provider_job_id) == (S.STORED, created["id"])


async def test_a_job_that_belongs_to_another_order_is_not_taken(gateway, blind):
    await ordered(gateway)
    await blind.finish()
    known = await one(gateway)
    await gateway.hear(*await gateway.orders(house.once("Lost. [[drop_reply]]")))
    await blind.look(2)
    doubtful = next(found for found in await gateway.submissions() if found.state is S.UNKNOWN)
    taking = gateway.named(submission_id=doubtful.id, provider_job_id=known.provider_job_id)
    info = await refusals.refused(taking, PRECONDITION)
    assert (info.reason, info.metadata["provider_job_id"]) == ("PROVIDER_JOB_TAKEN", known.provider_job_id)
    assert await gateway.evidence(doubtful.id) == []


async def test_without_an_id_it_is_only_looked_at_again(gateway, blind, crew):
    doubtful = await lost(gateway, blind)
    await gateway.change(doubtful.id, next_action_at=house.real_time() + datetime.timedelta(hours=1))
    listed = crew.among(offer=shop.selling(OPENAI, idempotency_s=0))
    assert await crew.step(listed.driver()) == 0
    await gateway("ReconcileSubmission", submission_id=doubtful.id)
    assert await crew.step(listed.driver()) == 1
    assert (await one(gateway)).state is S.ACCEPTED


@pytest.mark.parametrize("word", ["", "video_1"])
async def test_what_is_not_in_doubt_needs_no_word(gateway, crew, word):
    order = await ordered(gateway)
    asking = {"submission_id": order.id, "provider_job_id": word}
    info = await refusals.refused(gateway("ReconcileSubmission", **asking), PRECONDITION)
    assert info.reason == "SUBMISSION_NOT_UNKNOWN", "nothing was sent"
    await crew.finish()
    info = await refusals.refused(gateway("ReconcileSubmission", **asking), PRECONDITION)
    assert (info.reason, info.metadata["state"]) == ("SUBMISSION_NOT_UNKNOWN", "STORED")
    assert await gateway.evidence(order.id) == []


@pytest.mark.parametrize(
    ("charged", "state", "kind"),
    [(70_000, S.PROVIDER_FAILED, "commit"), (0, S.ABSENT, "release")],
    ids=["paid", "free"],
)
async def test_a_person_settles_by_the_bill(gateway, blind, charged, state, kind):
    doubtful = await lost(gateway, blind)
    bill = {"currency": "XTS", "micros": charged} if charged else None
    answer = await gateway("SettleSubmission", submission_id=doubtful.id, charged=bill, note=" It says so. ")
    assert answer.submission.state == STATE.Value(f"STATE_{state}")
    assert (answer.submission.cost.micros, answer.submission.HasField("retry_time")) == (charged, False)
    assert "ada: It says so." in answer.submission.error.message
    assert await gateway.money() == (0, charged, 0)
    assert sorted(line.kind for line in await gateway.postings()) == sorted(["reserve", kind])
    (word,) = await gateway.evidence(doubtful.id)
    assert (word.kind, word.note) == (L.PERSON, "ada: It says so.")
    ((event, _),) = await gateway.said(events_pb2.SubmissionFailed)
    assert (event.cost.micros, event.retryable) == (charged, False)
    again = gateway("SettleSubmission", submission_id=doubtful.id, note="Again.")
    assert (await refusals.refused(again, PRECONDITION)).reason == "SUBMISSION_NOT_UNKNOWN"


async def test_an_unresolved_one_is_settled_out_of_suspense(gateway, blind, ahead):
    doubtful = await lost(gateway, blind)
    ahead.forward(days=1)
    await blind.look()
    assert await gateway.money() == (0, 0, 100_000)
    await gateway("SettleSubmission", submission_id=doubtful.id, note="It is not on the bill.")
    assert await gateway.money() == (0, 0, 0)
    assert (await one(gateway)).state is S.ABSENT


async def test_a_settlement_says_who_knows_it_and_what_was_charged(gateway, blind):
    doubtful = await lost(gateway, blind)
    wrong = {"currency": "USD", "micros": 5}
    found = await refusals.violations(gateway("SettleSubmission", submission_id=doubtful.id, charged=wrong, note=" "))
    assert found == {
        "note": "should say how it is known, for the record",
        "charged.currency": "should be XTS, as it was quoted",
    }
    negative = {"currency": "XTS", "micros": -1}
    found = await refusals.violations(
        gateway("SettleSubmission", submission_id=doubtful.id, charged=negative, note="x")
    )
    assert set(found) == {"charged.micros"}
    assert (await one(gateway)).state is S.UNKNOWN


async def test_a_settlement_wins_over_whoever_is_just_looking(gateway, blind):
    doubtful = await lost(gateway, blind)
    await gateway.make_due()
    looking = blind.driver()
    await looking.claim()
    await gateway("SettleSubmission", submission_id=doubtful.id, note="It is not on the bill.")
    await looking.settle()
    assert (await one(gateway)).state is S.ABSENT
    assert await gateway.money() == (0, 0, 0)


async def expired(gateway, crew, disaster):
    """A paid clip that its provider gave no more, when we gave up."""
    order = await ordered(gateway, disaster)
    await crew.look(2)
    assert (await one(gateway)).state is S.PROVIDER_DONE
    await gateway.change(order.id, clip_expires_at=order.created_at)
    await crew.look()
    given_up = await one(gateway)
    assert (given_up.state, given_up.fault.reason) == (S.CLIP_EXPIRED, "CLIP_EXPIRED")
    return given_up


async def test_a_clip_that_was_given_up_is_fetched_once_more_for_nothing(gateway, crew, reel):
    order = await expired(gateway, crew, "[[url_gone(1)]]")
    assert await gateway.money() == (0, 100_000, 0)
    answer = await gateway("FetchSubmission", submission_id=order.id)
    assert answer.submission.state == STATE.STATE_PROVIDER_DONE
    await crew.until([crew.driver()], ["STORED"])
    assert await gateway.money() == (0, 100_000, 0)
    assert len(reel.lines("charge", [order.id])) == 1
    assert len(await gateway.said(events_pb2.ClipStored)) == 1


async def test_a_clip_that_is_really_gone_expires_again(gateway, crew, reel):
    order = await expired(gateway, crew, "[[url_gone]]")
    address = f"{reel.url}/v1/videos/{urllib.parse.quote(order.provider_job_id)}"
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {shop.KEY}"}) as client:
        assert (await client.delete(address)).status_code == 200
    await gateway("FetchSubmission", submission_id=order.id)
    await crew.look()
    assert (await one(gateway)).state is S.CLIP_EXPIRED
    assert await gateway.money() == (0, 100_000, 0)


async def test_a_download_that_waits_is_begun_at_once(gateway, crew):
    order = await ordered(gateway, "[[truncated(1)]]")
    await crew.look(3)
    waiting = await one(gateway)
    assert (waiting.state, waiting.tries) == (S.PROVIDER_DONE, 1)
    await gateway.change(order.id, next_action_at=house.real_time() + datetime.timedelta(hours=1))
    assert await crew.step(crew.driver()) == 0
    await gateway("FetchSubmission", submission_id=order.id)
    await crew.until([crew.driver()])
    assert (await one(gateway)).state is S.STORED


async def test_only_what_is_paid_and_not_here_is_fetched(gateway, crew):
    order = await ordered(gateway)
    for state in ("INTENT", "STORED"):
        info = await refusals.refused(gateway("FetchSubmission", submission_id=order.id), PRECONDITION)
        assert (info.reason, info.metadata["state"]) == ("SUBMISSION_NOT_PAID", state)
        await crew.finish()


@pytest.mark.parametrize("verb", ["Cancel", "Reconcile", "Settle", "Fetch"])
async def test_what_is_another_tenant_s_is_not_found(gateway, verb):
    order = await ordered(gateway)
    note = {"note": "Mine."} if verb in ("Reconcile", "Settle") else {}
    asking = gateway(f"{verb}Submission", "other", submission_id=order.id, **note)
    info = await refusals.refused(asking, grpc.StatusCode.NOT_FOUND)
    assert info.reason == "SUBMISSION_NOT_FOUND"
    assert (await one(gateway)).state is S.INTENT
