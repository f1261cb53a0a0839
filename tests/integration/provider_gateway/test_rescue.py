"""Clips that are paid and not yet here: counted, timed, and warned of once."""

import dataclasses
import datetime
import logging

import prometheus_client
import pytest

from services.provider_gateway import domain, rescue
from tests.integration.provider_gateway import conftest as house

S = domain.State


@pytest.fixture
def clock():
    """At the real time, as the log of states is."""
    made = house.Clock()
    made.now = house.real_time()
    return made


@pytest.fixture
async def watch(gateway, clock):
    return rescue.Watch(gateway.database, clock)


def waiting(endpoint="sandbox-openai"):
    return prometheus_client.REGISTRY.get_sample_value("rushes_paid_clips_waiting", {"endpoint": endpoint})


def least_left(endpoint="sandbox-openai"):
    return prometheus_client.REGISTRY.get_sample_value("rushes_paid_clips_least_seconds_left", {"endpoint": endpoint})


async def paid(gateway, number=1, hours=None, **more):
    """Submissions whose clips the provider has just finished, the first to expire in so many hours."""
    await gateway.hear(*await gateway.orders(*(house.spec(f"Scene {n}.") for n in range(number))))
    found = [one for one in await gateway.submissions() if one.state is S.INTENT]
    for n, one in enumerate(found):
        for state in (S.SENDING, S.ACCEPTED, S.PROVIDER_DONE):
            await gateway.change(one.id, state=state, provider_job_id=one.id)
        if hours is not None:
            expires = house.real_time() + datetime.timedelta(hours=hours + n)
            await gateway.change(one.id, clip_expires_at=expires, **more)
    return found


async def test_what_is_paid_and_not_here_is_counted_with_the_time_that_is_left(gateway, clock, watch):
    await paid(gateway, 3, hours=5)
    await paid(gateway, 2, endpoint="gemini", hours=1)
    await paid(gateway)
    await gateway.hear(*await gateway.orders(house.spec("Not paid yet.")))
    assert await watch.look() == 0
    assert (waiting(), waiting("gemini")) == (4, 2)
    assert least_left() == pytest.approx(5 * 3600, abs=60)
    assert least_left("gemini") == pytest.approx(3600, abs=60)
    clock.forward(hours=6)
    await watch.look()
    assert least_left() == pytest.approx(-3600, abs=60)


async def test_what_is_here_is_waited_for_no_more(gateway, watch):
    (one,) = await paid(gateway, hours=5)
    await gateway.change(one.id, state=S.FETCHING)
    await watch.look()
    assert (waiting(), least_left() is None) == (1, False)
    clip = domain.Clip(domain.Media("t/acme/clips/one.mp4", "video/mp4", 1, "ab" * 32), 1.0, 640, 360)
    await gateway.change(one.id, state=S.STORED, next_action_at=None, clip=dataclasses.asdict(clip))
    await watch.look()
    assert (waiting(), least_left()) == (0, None)
    await paid(gateway)
    await watch.look()
    assert (waiting(), least_left()) == (1, None), "nobody knows how long it is kept"


async def test_a_clip_that_has_used_half_of_its_time_is_warned_of_once(gateway, clock, watch, caplog):
    (late,) = await paid(gateway, hours=2)
    (early,) = await paid(gateway, hours=4)
    await paid(gateway)

    async def warned():
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="services.provider_gateway.rescue"):
            await watch.look()
        return [(record.message, record.submission_id) for record in caplog.records]

    assert await warned() == []
    clock.forward(minutes=59)
    assert await warned() == []
    clock.forward(minutes=2)
    assert await warned() == [("paid_clip_waits", late.id)]
    assert await warned() == []
    clock.forward(hours=1)
    assert await warned() == [("paid_clip_waits", early.id)]
    await gateway.change(late.id, state=S.FETCHING)
    assert await warned() == [], "it is fetched at last, but not here yet"


async def test_the_most_urgent_come_first(gateway, clock):
    await paid(gateway, 3, hours=1)
    clock.forward(hours=9)
    async with gateway.database.house() as conn:
        late = await rescue.late_clips(conn, clock.now, 2)
    assert [one.expires_at for one in late] == sorted(one.expires_at for one in late)
    assert len(late) == 2
    assert late[0].endpoint == "sandbox-openai"
