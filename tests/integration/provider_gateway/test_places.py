"""ListEndpoints: where one can buy, with which accounts, and what is going on at each."""

import datetime
import uuid

import pytest

from rushes.provider_gateway.v1 import endpoint_pb2
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

OPENAI = "sandbox-openai"
BREAKER = endpoint_pb2.Account


@pytest.fixture
def gateway(live_gateway):
    return live_gateway


async def places(gateway, tenant="acme"):
    return {one.name: one for one in (await gateway("ListEndpoints", tenant)).endpoints}


async def account(gateway, tenant="acme"):
    (found,) = (await places(gateway, tenant))[OPENAI].accounts
    return found


async def test_every_endpoint_of_the_catalogue_with_what_it_can_be_relied_on_for(gateway):
    found = await places(gateway)
    assert list(found) == sorted(shop.OFFER.endpoints)
    place = found[OPENAI]
    assert place.dialect == "openai_videos"
    told = {
        name: place.capabilities[name] for name in ("lookup", "absence", "cancel", "polls_by_list", "idempotency_s")
    }
    assert told == {
        "lookup": "list",
        "absence": "strong",
        "cancel": "any",
        "polls_by_list": "true",
        "idempotency_s": "86400",
    }
    (own,) = place.accounts
    assert (own.name, own.breaker, own.reason) == ("endpoint:sandbox-openai", BREAKER.BREAKER_CLOSED, "")
    assert not any(own.HasField(name) for name in ("probe_time", "at_stake", "first_expire_time"))
    assert list(found["openai"].accounts) == [], "nobody has a key for it here"


async def test_what_is_where_of_the_caller_s_own(gateway, crew):
    states = [
        "INTENT",
        "SENDING",
        "ACCEPTED",
        "UNKNOWN",
        "UNKNOWN",
        "UNRESOLVED",
        "PROVIDER_DONE",
        "FETCHING",
        "STORED",
    ]
    await gateway.hear(*await gateway.orders(*(house.spec(f"Scene {n}.", n + 1) for n in range(len(states)))))
    await gateway.hear(*await gateway.orders(house.spec(), tenant="bolt"))
    ways = {
        "UNKNOWN": ["SENDING"],
        "UNRESOLVED": ["SENDING", "UNKNOWN"],
        "ACCEPTED": ["SENDING"],
        "PROVIDER_DONE": ["SENDING", "ACCEPTED"],
        "FETCHING": ["SENDING", "ACCEPTED", "PROVIDER_DONE"],
        "STORED": ["SENDING", "ACCEPTED", "PROVIDER_DONE", "FETCHING"],
    }
    soon = house.real_time().replace(microsecond=0) + datetime.timedelta(hours=1)
    for number, (one, state) in enumerate(zip(await gateway.submissions(), states, strict=True)):
        for step in [*ways.get(state, []), *([state] if state != "INTENT" else [])]:
            named = {"provider_job_id": f"video_{number}"} if step in ("ACCEPTED", "PROVIDER_DONE") else {}
            ended = {"next_action_at": None, "clip": {}} if step == "STORED" else {}
            await gateway.change(one.id, state=step, **named, **ended)
        if state in ("PROVIDER_DONE", "FETCHING"):
            soon += datetime.timedelta(hours=1)
            await gateway.change(one.id, clip_expires_at=soon)
    found = await account(gateway)
    assert (found.waiting, found.under_way, found.unknown, found.to_fetch) == (1, 2, 3, 2)
    assert (found.at_stake.micros, found.at_stake.currency) == (400_000 + 500_000 + 600_000, "XTS")
    assert found.first_expire_time.ToDatetime(datetime.UTC) == soon - datetime.timedelta(hours=1)
    theirs = await account(gateway, "bolt")
    assert (theirs.waiting, theirs.unknown) == (1, 0)
    nobody = await account(gateway, "crag")
    assert (nobody.waiting, nobody.under_way) == (0, 0)


async def test_own_keys_take_the_place_of_the_installation_s(gateway):
    made = await gateway(
        "CreateCredential", request_id=str(uuid.uuid4()), endpoint=OPENAI, name="mine", key="a-key-of-my-own"
    )
    assert (await account(gateway)).name == made.credential.id
    assert (await account(gateway, "bolt")).name == "endpoint:sandbox-openai"


async def test_an_account_that_buys_nothing_more_is_shown_until_it_has_finished(gateway):
    await gateway.hear(*await gateway.orders(house.spec()))
    made = await gateway("CreateCredential", request_id=str(uuid.uuid4()), endpoint=OPENAI, name="mine", key="a-key")
    new, old = (await places(gateway))[OPENAI].accounts
    assert (new.name, new.waiting, new.reason) == (made.credential.id, 0, "")
    assert (old.name, old.waiting) == ("endpoint:sandbox-openai", 1)
    assert "it finishes what it has bought" in old.reason
    (one,) = await gateway.submissions()
    await gateway("CancelSubmission", submission_id=one.id)
    assert [account.name for account in (await places(gateway))[OPENAI].accounts] == [made.credential.id]
