"""What a recorder writes at once, and what waits for company."""

import asyncio
import dataclasses

import sqlalchemy as sa

from services.provider_gateway import claims, domain, lifecycle, recorder
from tests.integration.provider_gateway import conftest as house

ACCOUNT = "endpoint:sandbox-openai"


async def test_what_can_be_asked_again_waits_for_an_answer_which_waits_for_nobody(gateway, crew):
    await gateway.hear(
        *await gateway.orders(house.spec(), house.spec(prompt="Another field"), house.spec(prompt="A third"))
    )
    async with gateway.database.house() as conn:
        begun = await claims.begin(conn, "sender", 20, ACCOUNT, 3)
    first, second, third = (claim.submission for claim in begun)
    desk = recorder.Recorder(gateway.database, house.real_time, rest_s=3600)
    await desk.record(claims.Change(first, lifecycle.answer_lost(first, house.NOW)))
    resting = asyncio.create_task(desk.record(claims.Change(second, lifecycle.answer_lost(second, house.NOW))))
    await asyncio.sleep(0)
    answer = domain.Evidence(domain.Learned.ANSWER, house.NOW, "video_third")
    await desk.record(claims.Change(third, lifecycle.accepted(third, "video_third", house.NOW), answer))
    await resting
    async with gateway.database.house() as conn:
        query = "SELECT count(*) FROM submissions GROUP BY xmin ORDER BY 1"
        assert list((await conn.execute(sa.text(query))).scalars()) == [1, 2]


async def test_an_answer_is_written_however_many_wait_before_it(gateway, crew):
    """More than go at once, and none of them writes by itself: the answer takes all along."""
    await gateway.hear(*await gateway.orders(house.spec(), house.spec(prompt="Another field")))
    async with gateway.database.house() as conn:
        begun = await claims.begin(conn, "sender", 20, ACCOUNT, 2)
    first, second = (claim.submission for claim in begun)
    desk = recorder.Recorder(gateway.database, house.real_time, rest_s=3600)
    await desk.record(claims.Change(first, lifecycle.answer_lost(first, house.NOW)))
    others = [dataclasses.replace(first, id=f"sub_{number}") for number in range(450)]
    late = [claims.Change(other, lifecycle.answer_lost(other, house.NOW)) for other in others]
    resting = [asyncio.create_task(desk.record(change)) for change in late]
    await asyncio.sleep(0)
    answer = domain.Evidence(domain.Learned.ANSWER, house.NOW, "video_second")
    change = claims.Change(second, lifecycle.accepted(second, "video_second", house.NOW), answer)
    await asyncio.wait_for(desk.record(change), 30)
    outcomes = await asyncio.gather(*resting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {recorder.LeaseLost}
