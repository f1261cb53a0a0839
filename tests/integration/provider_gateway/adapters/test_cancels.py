"""A cancel is asked for once, and what became of it the polls tell."""

from collections.abc import Callable

import pytest

from services.provider_gateway import providers
from tests.integration.provider_gateway.adapters import conftest, dialects

Build = Callable[[str], providers.Provider]

cancels = pytest.mark.capable(lambda one: one.can.cancel != "none")


@cancels
async def test_a_job_is_stopped(buy: conftest.Buy) -> None:
    buyer = buy()
    order = buyer.order("[[never_done]]")
    job_id = await buyer.bought(order)
    await buyer.seller.cancel(job_id)
    outcome = await buyer.ended(job_id)
    assert isinstance(outcome, providers.Failed)
    assert outcome.cancelled
    assert buyer.lines("charge", order) == []


@cancels
async def test_a_job_that_is_done_stays_done(buy: conftest.Buy) -> None:
    buyer = buy()
    job_id = await buyer.bought(buyer.order())
    done = await buyer.ended(job_id)
    await buyer.seller.cancel(job_id)
    assert await buyer.ended(job_id) == done
    assert isinstance(done, providers.Done)


@cancels
async def test_a_job_that_is_not_known_can_be_stopped(buy: conftest.Buy, dialect: dialects.Dialect) -> None:
    await buy().seller.cancel(dialect.job_id)


@cancels
async def test_a_cancel_without_an_answer_is_told(
    build: Build, misbehave: conftest.Serve, dialect: dialects.Dialect
) -> None:
    server = await misbehave(None)
    with pytest.raises(providers.ProviderAway):
        await build(server.url).cancel(dialect.job_id)
