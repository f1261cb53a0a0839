"""What is particular to the sellers that stand in front of many models: fal, OpenRouter, Runware, Replicate."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.provider_gateway import limits, providers
from tests.integration.provider_gateway.adapters import conftest, dialects
from tests.integration.sandbox import callers


def only(*names: str) -> pytest.MarkDecorator:
    """These dialects, and none of the others."""
    return pytest.mark.capable(lambda one: one.name in names)


@pytest.fixture
def form(dialect: dialects.Dialect) -> Mapping[str, str]:
    """What the sandbox's model calls the parts of an order, according to the catalogue."""
    model = next(one for one in dialects.OFFER.models if one.endpoint == dialect.endpoint)
    return model.form_for(limits.Size(1280, 720))


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.png"
    path.write_bytes(callers.red_png())
    return path


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    path = tmp_path / "torn.png"
    path.write_bytes(callers.red_png()[:40])
    return path


@only("fal", "openrouter", "runware", "replicate")
async def test_both_frames_arrive_under_the_names_of_the_catalogue(
    buy: conftest.Buy, form: Mapping[str, str], still: Path, torn: Path
) -> None:
    buyer = buy()
    for frames in ({"first_frame": torn}, {"first_frame": still, "last_frame": torn}):
        assert isinstance(await buyer.seller.create(buyer.order(form=form, **frames)), providers.Rejected)
    good = buyer.order(form=form, first_frame=still, last_frame=still)
    assert isinstance(await buyer.ended(await buyer.bought(good)), providers.Done)


@only("fal", "replicate")
async def test_equal_orders_are_told_apart_by_their_frames(
    buy: conftest.Buy, form: Mapping[str, str], still: Path
) -> None:
    buyer = buy()
    plain = buyer.order(form=form)
    framed = dataclasses.replace(plain, submission_id=buyer.order().submission_id, first_frame=still)
    for order in (plain, framed):
        job_id = await buyer.bought(order)
        assert isinstance(await buyer.ended(job_id), providers.Done)
        assert await buyer.found(order) == [job_id]


@only("replicate")
async def test_equal_orders_are_told_apart_by_their_callbacks(buy: conftest.Buy) -> None:
    buyer = buy()
    first = buyer.order(callback_url="http://127.0.0.1:9/first")
    second = dataclasses.replace(first, callback_url="http://127.0.0.1:9/second")
    for order in (first, second):
        assert await buyer.found(order) == []
        job_id = await buyer.bought(order)
        assert await buyer.found(order) == [job_id]
