"""Two at once about one paid call: what each of them has learned or wished is in force when both are done."""

import asyncio
import datetime
import uuid

import pytest
from aiohttp import web

from libs import auth
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as pb
from services.provider_gateway import budgets, domain, evidence, providers, steps, store, wire
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway.machine import gateway as stage
from tests.integration.provider_gateway.machine import story
from tests.unit.provider_gateway import servers

S = domain.State
MINUTE = datetime.timedelta(minutes=1)
LOST = providers.Unknown("no answer")


@pytest.fixture
async def listed(database):
    """A gateway that buys where a list proves absence."""
    async for opened in opens(database, "listed"):
        yield opened


@pytest.fixture
async def blind(database):
    """A gateway that buys where nothing can be looked up."""
    async for opened in opens(database, "blind"):
        yield opened


async def opens(database, kind):
    place = await database("provider_gateway")
    opened = stage.Gateway(place.database, story.KINDS[kind])
    await opened.open(2)
    yield opened
    await opened.close()


async def one(gateway):
    async with gateway.database.house() as conn:
        (found,) = await store.list_submissions(conn, "acme", None, "", None, 9)
    return found


async def ordered(gateway):
    gateway.begin()
    await gateway.deliver(gateway.messages[-1])


async def call(gateway, worker=0):
    """What a worker asks of the outside, once it has claimed."""
    await gateway.claim(worker)
    (asked,) = gateway.outside.calls
    return asked


async def doubtful(gateway, is_taken):
    """An order whose answer was lost."""
    await ordered(gateway)
    create = await call(gateway)
    gateway.outside.send(create)
    if is_taken:
        gateway.outside.take(create)
    await gateway.answer(create, LOST)
    lost = await one(gateway)
    assert lost.state is S.UNKNOWN
    return lost


async def finds_nothing(gateway):
    """A lookup that is too late for what it should have seen."""
    await gateway.time_passes(minutes=15)
    await gateway.answer(await call(gateway), [])


async def called_back(gateway, lost):
    async with gateway.database.house() as conn:
        row = (await conn.execute(store.SUBMISSIONS.select().where(store.SUBMISSIONS.c.id == lost.id))).mappings().one()
    await gateway.called_back(row, gateway.outside.job_of(lost.id))


async def test_a_callback_that_comes_while_nothing_is_found_counts_for_more(listed):
    lost = await doubtful(listed, is_taken=True)
    await finds_nothing(listed)
    await finds_nothing(listed)
    await listed.time_passes(minutes=15)
    last = await call(listed)
    await called_back(listed, lost)
    await listed.answer(last, [])
    assert (await one(listed)).state is S.UNKNOWN
    await listed.claim(1)
    assert (await one(listed)).state is S.ACCEPTED


@pytest.mark.parametrize("hint", ["callback", "person"])
async def test_what_comes_while_somebody_looks_is_looked_at_next_and_not_tomorrow(listed, hint):
    lost = await doubtful(listed, is_taken=True)
    for _ in range(2):
        await listed.time_passes(hours=25)
        look = await call(listed)
        if look.kind == "find" and (await one(listed)).state is S.UNRESOLVED:
            break
        await listed.answer(look, [])
    assert (await one(listed)).state is S.UNRESOLVED
    if hint == "callback":
        await called_back(listed, lost)
    else:
        name = listed.outside.job_of(lost.id).name
        await listed.person("ReconcileSubmission", submission_id=lost.id, provider_job_id=name, note="seen")
    await listed.answer(look, [])
    await listed.claim(1)
    assert (await one(listed)).state is S.ACCEPTED


async def test_a_cancel_that_was_heard_before_its_parked_order_ends_it(blind):
    await blind.set_limit(0)
    blind.begin()
    (job,) = blind.jobs.values()
    order = blind.messages[0]
    await blind.deliver(order)
    async with blind.database.house() as conn:  # as if the two transactions had not seen each other
        await store.note_cancel(conn, "acme", job.id, blind.clock())
    await blind.time_passes(minutes=15)
    await blind.let_in()
    assert (await one(blind)).state is S.CANCELED_FREE


async def test_what_a_person_has_cancelled_is_not_bought_once_more(blind):
    await ordered(blind)
    create = await call(blind)
    await blind.person("CancelSubmission", submission_id=create.subject)
    blind.outside.send(create)
    await blind.answer(create, providers.Rejected("busy", retryable=True, passing=True))
    assert (await one(blind)).state is S.REJECTED
    await blind.hear(None)
    assert not blind.messages, "the job asks for another"


@pytest.fixture
async def by_our_id(database):
    """A gateway that buys where a job is found by our own id."""
    async for opened in opens(database, "by our id"):
        yield opened


async def test_a_job_that_bears_our_id_is_not_absent_because_another_was_told_its_name(by_our_id):
    await ordered(by_our_id)
    await ordered(by_our_id)
    await by_our_id.claim(0)
    lost, misled = by_our_id.outside.calls
    for create in (lost, misled):
        by_our_id.outside.send(create)
        by_our_id.outside.take(create)
    await by_our_id.answer(lost, LOST)
    await by_our_id.answer(misled, providers.Accepted(by_our_id.outside.job_of(lost.subject).name))
    for _ in range(4):
        await by_our_id.time_passes(minutes=15)
        await by_our_id.claim(0)
        for asked in [*by_our_id.outside.calls]:
            found = by_our_id.outside.listed(asked, True) if asked.kind == "find" else providers.Pending()
            await by_our_id.answer(asked, found)
    async with by_our_id.database.house() as conn:
        found = await store.list_submissions(conn, "acme", None, "", None, 9)
    assert {one.id: one.state for one in found} == {lost.subject: S.UNKNOWN, misled.subject: S.ACCEPTED}


@pytest.mark.parametrize("no", [providers.Rejected("no such model"), providers.NotSent("no route")])
async def test_a_no_that_comes_after_the_lease_is_kept_and_believed(blind, no):
    """Nothing can be looked up there: without its sender's word it would count as charged after a month."""
    await ordered(blind)
    create = await call(blind)
    blind.outside.send(create)
    await blind.lease_runs_out(create.subject)
    await blind.claim(1)
    assert (await one(blind)).state is S.UNKNOWN
    await blind.answer(create, no)
    await blind.claim(1)
    assert (await one(blind)).state is S.ABSENT


async def test_what_is_in_doubt_says_why_and_until_when(blind):
    lost = await doubtful(blind, is_taken=True)
    shown = (await blind.verb("GetSubmission", submission_id=lost.id)).submission
    assert shown.error.reason == "OUTCOME_UNKNOWN"
    assert shown.error.message.startswith("no answer It may be charged: it is looked for until ")


async def test_on_an_account_that_is_shared_only_an_operator_names_a_job(blind):
    lost = await doubtful(blind, is_taken=True)
    verb = {"submission_id": lost.id, "provider_job_id": "job_of_another_tenant", "note": "seen"}
    with auth.acting_as(auth.Caller("acme", "bob")), pytest.raises(budgets.OperatorNeeded):
        await blind.api.ReconcileSubmission(pb.ReconcileSubmissionRequest(**verb), None)
    with pytest.raises(wire.BadRequest, match="provider_job_id"):
        await blind.verb("ReconcileSubmission", **verb | {"provider_job_id": "x" * 2001})
    async with blind.database.house() as conn:
        assert await evidence.about(conn, lost.id) == []


async def test_a_tenant_with_half_of_all_hands_waits_for_its_own(blind):
    """A worker of these has four."""
    for _ in range(3):
        await ordered(blind)
    await blind.claim(0)
    for create in blind.outside.calls[:]:
        blind.outside.send(create)
        blind.outside.take(create)
        await blind.answer(create, providers.Accepted(blind.outside.job_of(create.subject).name))
    await blind.time_passes(minutes=1)
    assert [await blind.claim(0) for _ in range(3)] == [2, 0, 0]
    assert await blind.claim(1) == 1


async def test_no_more_orders_are_begun_than_there_are_hands_to_send_with(live_gateway, crew):
    """What waited for a hand would count as sent, and be in doubt when the process is gone."""
    gone = asyncio.Event()

    async def answers_nothing(request):
        await gone.wait()
        return web.Response(status=503)

    async with servers.serving(answers_nothing) as port:
        place = {"endpoint": "sandbox-openai", "name": "mine", "base_url": f"http://127.0.0.1:{port}/v1"}
        made = await live_gateway("CreateCredential", request_id=str(uuid.uuid4()), key="sk-of-my-own-0001", **place)
        specs = [house.spec(f"Wave {number}.") for number in range(steps.MOST_SENT_AT_ONCE + 9)]
        await live_gateway.hear(*await live_gateway.orders(*specs))
        at_work = crew.works(most=256)
        for _ in specs:
            at_work.gates.went(made.credential.id, "create", True)
        for _ in range(3):
            await at_work.driver.claim()
        states = [one.state for one in await live_gateway.submissions()]
        gone.set()
        await at_work.driver.settle()
    assert states.count(S.SENDING) == steps.MOST_SENT_AT_ONCE
    assert states.count(S.INTENT) == 9
