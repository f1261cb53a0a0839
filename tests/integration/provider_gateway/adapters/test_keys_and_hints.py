"""Keys are proved by calls that cost nothing, and callbacks by their signatures."""

import datetime
from collections.abc import Callable

import pytest

from services.provider_gateway import providers
from tests.integration.provider_gateway.adapters import conftest, rogues
from tests.integration.sandbox import callers

Build = Callable[[str], providers.Provider]

hints = pytest.mark.capable(lambda one: one.can.webhook != "none")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


async def test_a_good_key_is_proved_for_nothing(buy: conftest.Buy) -> None:
    buyer = buy()
    await buyer.seller.check()
    assert not [line for line in buyer.everything() if line["event"] == "post"]


async def test_a_key_that_was_revoked_is_refused_and_fails_no_paid_work(buy: conftest.Buy) -> None:
    buyer = buy()
    await buyer.seller.check()
    job_id = await buyer.bought(buyer.order("[[key_revoked]]"))
    with pytest.raises(providers.KeyRefused) as fault:
        await buyer.seller.check()
    with pytest.raises(providers.ProviderAway) as away:
        await buyer.seller.poll(job_id)
    refused = await buyer.seller.create(buyer.order())
    assert isinstance(refused, providers.Rejected)
    assert (refused.account, refused.passing) == (True, True)
    assert buyer.key not in f"{fault.value}{away.value}{refused.message}"


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_bad_key_is_refused_without_repeating_it(build: Build, misbehave: conftest.Serve, status: str) -> None:
    server = await misbehave(rogues.answer(status, {"error": {"message": f"Incorrect API key: {conftest.KEY}."}}))
    with pytest.raises(providers.KeyRefused) as fault:
        await build(server.url).check()
    assert conftest.KEY not in str(fault.value)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="hangs-up"),
        pytest.param(rogues.answer("500 Internal Server Error", "{}"), id="500"),
        pytest.param(rogues.answer("404 Not Found", "<html>Who are you?</html>"), id="404-of-somebody-else"),
        pytest.param(rogues.answer("302 Found", "", "location: /login"), id="302"),
    ],
)
async def test_without_an_answer_a_key_is_neither_good_nor_bad(
    build: Build, misbehave: conftest.Serve, said: bytes | None
) -> None:
    server = await misbehave(said)
    with pytest.raises(providers.ProviderAway):
        await build(server.url).check()


@hints
async def test_a_callback_names_its_job_once(buy: conftest.Buy) -> None:
    buyer = buy("webhook_twice")
    async with callers.mailbox() as box:
        job_id = await buyer.bought(buyer.order(callback_url=box.url))
        first, second = await box.letter(), await box.letter()
    hint = await buyer.seller.hint(first.headers, first.body, now())
    assert await buyer.seller.hint(second.headers, second.body, now()) == hint
    assert hint.event_id
    assert hint.provider_job_id == (job_id if buyer.dialect.hints_name_jobs else "")


@hints
async def test_a_callback_may_come_before_the_answer(buy: conftest.Buy) -> None:
    buyer = buy("webhook_early")
    async with callers.mailbox() as box:
        job_id = await buyer.bought(buyer.order(callback_url=box.url))
        letter = await box.letter()
    hint = await buyer.seller.hint(letter.headers, letter.body, now())
    assert hint.provider_job_id in (job_id, "")


@hints
async def test_a_callback_that_was_changed_or_is_old_is_nobody_s(buy: conftest.Buy) -> None:
    buyer, forger, stranger = buy(), buy("webhook_forged"), buy()
    async with callers.mailbox() as box:
        await buyer.bought(buyer.order(callback_url=box.url))
        good = await box.letter()
        await forger.bought(forger.order(callback_url=box.url))
        forged = await box.letter()
    tries = [
        (forger, forged.headers, forged.body, 0),
        (buyer, good.headers, good.body + b" ", 0),
        (buyer, good.headers, b"", 0),
        (buyer, {}, good.body, 0),
        (buyer, good.headers, good.body, 301),
        (buyer, good.headers, good.body, -302),
    ]
    if buyer.dialect.can.webhook != "fal":  # whose signature is the same for all customers
        tries.append((stranger, good.headers, good.body, 0))
    for hearer, headers, body, later_s in tries:
        with pytest.raises(providers.HintInvalid) as fault:
            await hearer.seller.hint(headers, body, now() + datetime.timedelta(seconds=later_s))
        assert "A lighthouse" not in str(fault.value)
    assert await buyer.seller.hint(good.headers, good.body, now() + datetime.timedelta(seconds=290))
