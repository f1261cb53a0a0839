"""A lost order is found by evidence: exactly one hit adopts it, several leave the choice to the caller."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from services.provider_gateway import providers
from tests.integration.provider_gateway.adapters import buyers, conftest, dialects, rogues

Build = Callable[[str], providers.Provider]

finds = pytest.mark.capable(lambda one: one.can.lookup != "none")


@finds
@pytest.mark.parametrize("disaster", ["drop_reply", "error_after_create", "id_missing"])
async def test_a_lost_order_is_found_again_and_was_sent_once(buy: conftest.Buy, disaster: str) -> None:
    buyer = buy()
    await buyer.bought(buyer.order())
    order = buyer.order(f"[[{disaster}]]")
    assert isinstance(await buyer.seller.create(order), providers.Unknown)
    await buyer.bought(buyer.order())
    (job_id,) = await buyer.found(order)
    assert isinstance(await buyer.ended(job_id), providers.Done)
    assert len(buyer.lines("post", order)) == len(buyer.lines("create", order)) == 1


@finds
async def test_an_order_that_was_never_taken_is_not_found(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order("[[busy]]")
    assert isinstance(await buyer.seller.create(order), providers.Unknown)
    assert await buyer.found(order) == []


@finds
async def test_an_order_may_be_taken_late(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order("[[late_create(0.3)]]")
    assert isinstance(await buyer.seller.create(order), providers.Unknown)
    assert await buyer.found(order) == []
    async with asyncio.timeout(15):
        while not (found := await buyer.found(order)):  # noqa: ASYNC110, it is decided by another process
            await asyncio.sleep(0.05)
    assert isinstance(await buyer.ended(found[0]), providers.Done)
    assert len(buyer.lines("post", order)) == 1


@finds
async def test_what_was_accepted_is_found_under_the_same_name(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order()
    job_id = await buyer.bought(order)
    done, (found,) = await buyer.ended(job_id), await buyer.found(order)
    assert found == job_id or await buyer.ended(found) == done


@pytest.mark.capable(lambda one: one.can.lookup == "list")
async def test_two_equal_orders_are_not_told_apart_by_guessing(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order()
    again = dataclasses.replace(order, submission_id=buyer.order().submission_id)
    ids = [await buyer.bought(one) for one in (order, again)]
    assert await buyer.found(order) == await buyer.found(again) == sorted(ids)


@pytest.mark.capable(lambda one: one.can.lookup in ("our_id", "prefix"))
async def test_two_equal_orders_are_told_apart_by_their_names(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order()
    again = dataclasses.replace(order, submission_id=buyer.order().submission_id)
    for one in (order, again):
        await buyer.ended(await buyer.bought(one))
    (first,), (second,) = await buyer.found(order), await buyer.found(again)
    assert first != second


@pytest.mark.capable(lambda one: one.can.lookup == "list")
async def test_a_list_may_lag(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order("[[list_lag(0.3)]]")
    job_id = await buyer.bought(order)
    assert await buyer.found(order) == []
    async with asyncio.timeout(15):
        while await buyer.found(order) != [job_id]:  # noqa: ASYNC110, it is decided by another process
            await asyncio.sleep(0.05)


@pytest.mark.capable(lambda one: one.can.lookup == "list")
async def test_another_length_size_or_prompt_is_another_order(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order()
    for other in ({"seconds": 6}, {"width": 720, "height": 1280}, {"prompt": f"{order.prompt} More."}):
        changed: dict[str, Any] = {"submission_id": buyer.order().submission_id} | other
        await buyer.bought(dataclasses.replace(order, **changed))
    assert await buyer.found(order) == []


@finds
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="hangs-up"),
        pytest.param(rogues.answer("200 OK", "<html>Sign in</html>"), id="html"),
        pytest.param(rogues.answer("500 Internal Server Error", {"error": {"message": "Oh."}}), id="500"),
        pytest.param(rogues.answer("429 Too Many Requests", {"error": {"message": "Slow down."}}), id="429"),
        pytest.param(rogues.answer("401 Unauthorized", {"error": {"message": "No."}}), id="401"),
    ],
)
async def test_a_lookup_without_an_answer_proves_nothing(
    build: Build, order: providers.Order, misbehave: conftest.Serve, dialect: dialects.Dialect, said: bytes | None
) -> None:
    server = await misbehave(said)
    with pytest.raises(providers.ProviderAway):
        await buyers.Buyer(dialect, build(server.url), None, conftest.KEY).found(order)
