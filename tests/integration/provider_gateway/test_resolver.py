"""What becomes of a call whose answer was lost: found as its endpoint allows, never sent again on suspicion."""

import uuid

import pytest

from rushes.type.v1 import clip_pb2, media_pb2
from services.provider_gateway import claims, domain, wire
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

S, L = domain.State, domain.Learned
OPENAI = "sandbox-openai"
LISTED = {"idempotency_s": 0, "lookup": "list", "list_lag_s": 30}


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def ordered(gateway, *prompts, **more):
    """New orders, with the same words added that no other test uses."""
    words = uuid.uuid4().hex
    await gateway.hear(*await gateway.orders(*(house.spec(f"{prompt} {words}", **more) for prompt in prompts)))
    return await gateway.submissions()


async def one(gateway):
    (found,) = await gateway.submissions()
    return found


async def kinds(gateway, submission):
    return [learned.kind for learned in await gateway.evidence(submission.id)]


@pytest.mark.parametrize(
    ("model", "disaster", "kind"),
    [
        ("sandbox/reel-1", "drop_reply(1)", None),
        ("sandbox/reel-1", "error_after_create(1)", None),
        ("sandbox/reel-1", "id_missing", L.FOUND),
        ("sandbox/omni-1", "drop_reply(1)", None),
        ("sandbox/veo-1", "drop_reply", L.FOUND),
        ("sandbox/fal-reel", "drop_reply", L.FOUND),
        ("sandbox/runware-reel", "drop_reply(1)", None),
        ("sandbox/replicate-reel", "drop_reply", L.FOUND),
        ("sandbox/replicate-reel", "error_after_create", L.FOUND),
    ],
)
async def test_a_lost_answer_is_found_again_as_the_endpoint_allows_and_paid_once(
    gateway, crew, reel, model, disaster, kind
):
    size = media_pb2.FrameSize(width=1280, height=720)
    await ordered(gateway, f"A lighthouse. [[{disaster}]]", model=model, seconds=4, size=size)
    await crew.finish(["STORED"])
    done = await one(gateway)
    assert (await gateway.story(done.id))[:3] == ["SENDING", "UNKNOWN", "ACCEPTED"]
    assert len(reel.lines("create", [done.id])) == len(reel.lines("charge", [done.id])) == 1
    known_again = model in ("sandbox/reel-1", "sandbox/omni-1", "sandbox/runware-reel")
    assert len(reel.lines("post", [done.id])) == (2 if known_again else 1), "written again only where that is the same"
    assert await kinds(gateway, done) == ([kind] if kind else [])
    assert await gateway.money() == (0, done.cost_micros, 0)


async def test_where_nothing_can_be_looked_up_it_waits_for_a_callback_or_a_person(gateway, crew, reel):
    await ordered(gateway, "A lighthouse. [[drop_reply]]", model="sandbox/openrouter-reel")
    await crew.look(6)
    waiting = await one(gateway)
    assert (waiting.state, waiting.provider_job_id) == (S.UNKNOWN, None)
    assert waiting.next_action_at > house.real_time()
    assert len(reel.lines("post", [waiting.id])) == 1
    assert await kinds(gateway, waiting) == []
    assert await gateway.money() == (100_000, 0, 0)


@pytest.fixture
async def listed(crew):
    """Buys where an order is not known again, but can be found in a list that proves absence."""
    return crew.among(offer=shop.selling(OPENAI, **LISTED))


@pytest.mark.parametrize("disaster", ["drop_reply", "error_after_create", "id_missing"])
async def test_exactly_one_job_in_the_list_is_ours(gateway, listed, reel, disaster):
    await ordered(gateway, f"A lighthouse in the {disaster}. [[{disaster}]]")
    await listed.look(2)
    found = await one(gateway)
    assert (found.state, await kinds(gateway, found)) == (S.ACCEPTED, [L.FOUND])
    (created,) = reel.lines("create", [found.id])
    assert found.provider_job_id == created["id"]
    assert len(reel.lines("post", [found.id])) == 1


async def test_of_two_jobs_that_fit_none_is_taken(gateway, listed, reel):
    await ordered(gateway, "A provider that makes it twice. [[duplicate_create]] [[drop_reply]]")
    await listed.look(3)
    doubtful = await one(gateway)
    assert doubtful.state is S.UNKNOWN
    first, second = await gateway.evidence(doubtful.id)
    assert (first.kind, first.provider_job_id) == (second.kind, second.provider_job_id) == (L.AMBIGUOUS, "")
    assert "2 jobs" in first.note
    assert len(reel.lines("post", [doubtful.id])) == 1


@pytest.mark.parametrize("disasters", ["[[late_create(1)]]", "[[list_lag(1)]] [[drop_reply]]"])
async def test_what_is_not_listed_yet_is_looked_for_again(gateway, listed, reel, disasters):
    await ordered(gateway, f"A lighthouse, late. {disasters}")
    await listed.look(2)
    waiting = await one(gateway)
    assert (waiting.state, await kinds(gateway, waiting)) == (S.UNKNOWN, [L.NOT_FOUND])
    assert waiting.answered_at
    await listed.finish(["STORED"])
    done = await one(gateway)
    assert (await kinds(gateway, done))[-1] is L.FOUND
    assert len(reel.lines("post", [done.id])) == len(reel.lines("charge", [done.id])) == 1


async def test_two_equal_orders_in_doubt_are_left_alone_until_a_person_names_one(gateway, listed, reel):
    same = "The same lighthouse twice. [[drop_reply]]"
    await ordered(gateway, same, same)
    await listed.look(4)
    first, second = await gateway.submissions()
    assert [first.state, second.state] == [S.UNKNOWN, S.UNKNOWN]
    for doubtful in (first, second):
        assert set(await kinds(gateway, doubtful)) == {L.AMBIGUOUS}
    jobs = {line["client_ref"]: line["id"] for line in reel.lines("create", [first.id, second.id])}
    note = {"note": "It is on the provider's page."}
    await gateway.named(submission_id=first.id, provider_job_id=jobs[first.id], **note)
    await listed.finish(["STORED"])
    for after in await gateway.submissions():
        assert after.provider_job_id == jobs[after.id], "the other is the only one left"
        assert len(reel.lines("post", [after.id])) == len(reel.lines("charge", [after.id])) == 1
    assert await gateway.money() == (0, 200_000, 0)


async def test_an_equal_order_that_is_known_is_nobody_s_rival(gateway, listed, reel):
    await ordered(gateway, "The same lighthouse, once lost.")
    async with gateway.database.house() as conn:
        (dead,) = await claims.begin(conn, "dead", 20, "endpoint:sandbox-openai", 1)
    lost = dead.submission
    provider = await listed.keys.provider(lost.account, "acme")
    await provider.create(wire.order(lost, (None, None), {}))
    await gateway.hear(*await gateway.orders(clip_pb2.ClipSpec.FromString(lost.spec)))
    await listed.finish(["STORED", "SENDING"])
    await gateway.change(lost.id, lease_until=lost.created_at)
    await listed.finish(["STORED"])
    refs = [after.id for after in await gateway.submissions()]
    assert len(refs) == len(reel.lines("post", refs)) == len(reel.lines("charge", refs)) == 2


async def test_a_job_that_its_provider_does_not_find_for_a_while_is_not_lost(gateway, crew, reel):
    await ordered(gateway, "A lighthouse behind a replica. [[hidden(3)]]")
    await crew.finish(["STORED"])
    done = await one(gateway)
    assert await gateway.story(done.id) == ["SENDING", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"]
    assert len(reel.lines("post", [done.id])) == 1


async def test_an_id_that_stays_unknown_is_in_doubt_and_is_asked_for_until_it_is_known_again(gateway, crew, reel):
    await ordered(gateway, "A lighthouse that its provider forgets. [[hidden(24)]]")
    await crew.look(21)
    lost = await one(gateway)
    assert (lost.state, lost.provider_job_id is None) == (S.UNKNOWN, False)
    assert await gateway.money() == (100_000, 0, 0)
    await crew.finish(["STORED"])
    assert await gateway.story(lost.id) == [
        *("SENDING", "ACCEPTED", "UNKNOWN", "ACCEPTED", "PROVIDER_DONE", "FETCHING", "STORED"),
    ]
    assert len(reel.lines("post", [lost.id])) == 1, "what has a name is never sent again, wherever that would be safe"
