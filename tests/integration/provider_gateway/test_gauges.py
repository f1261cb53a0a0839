"""What the gateway holds, as its metrics tell it: paid calls by state and age, and the money behind them."""

import datetime

import prometheus_client
import pytest

from services.provider_gateway import domain, gauges
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

ENDPOINT = "sandbox-openai"


def value(name: str, **labels: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(f"rushes_{name}", labels) or 0


def money(account: str) -> float:
    return value("money_micros", currency="XTS", account=account)


@pytest.fixture
def seen(gateway):
    return gauges.Gauges(gateway.database, shop.OFFER)


async def test_money_and_paid_calls_are_told_as_the_books_have_them(gateway, seen):
    await gateway.hear(*await gateway.orders(*(house.spec(f"Scene {n}.") for n in range(3))))
    budget = await gateway.budget()
    await gateway.set_limit(budget.limit_micros)
    await seen.look()
    assert value("submissions", endpoint=ENDPOINT, state="INTENT") == 3
    assert money("reserved") == (await gateway.budget()).reserved_micros > 0
    assert money("limit") == budget.limit_micros
    assert (money("spent"), money("suspense")) == (0, 0)
    left = value("budget_least_headroom_ratio", currency="XTS")
    assert left == pytest.approx((await gateway.budget()).left_micros / budget.limit_micros)
    one = (await gateway.submissions())[0]
    sent = house.real_time() - datetime.timedelta(hours=2)
    await gateway.change(one.id, state=domain.State.SENDING)
    await gateway.change(one.id, state=domain.State.UNKNOWN, sent_at=sent)
    await seen.look()
    assert value("submissions", endpoint=ENDPOINT, state="INTENT") == 2
    assert value("submissions", endpoint=ENDPOINT, state="UNKNOWN") == 1
    assert value("submission_oldest_age_seconds", state="UNKNOWN") == pytest.approx(7200, abs=120)
    await gateway("ThrowSpendSwitch", scope=2, reason="enough")
    await seen.look()
    assert sum(value("spend_switches", scope=scope) for scope in ("HOUSE", "TENANT", "ENDPOINT", "MODEL")) == 1


async def test_a_wall_that_is_nearly_full_is_tight(gateway, seen):
    await gateway.hear(*await gateway.orders(house.spec("Only one.")))
    reserved = (await gateway.budget()).reserved_micros
    await gateway.set_limit(reserved + 1)
    await seen.look()
    assert value("budgets_tight", currency="XTS") == 1
    assert value("budget_least_headroom_ratio", currency="XTS") < 0.1


async def test_what_is_charged_is_counted_as_the_ledger_has_it(gateway, seen):
    await gateway.hear(*await gateway.orders(house.spec("To be charged.")))
    (one,) = await gateway.submissions()
    labels = {"endpoint": one.endpoint, "model": one.model, "currency": "XTS"}
    before = value("charged_micros_total", **labels)
    for state in (domain.State.SENDING, domain.State.UNKNOWN):
        await gateway.change(one.id, state=state, sent_at=house.real_time())
    bill = {"currency": "XTS", "micros": 70_000}
    await gateway("SettleSubmission", submission_id=one.id, charged=bill, note="It says so.")
    await seen.look()
    assert value("charged_micros_total", **labels) - before == money("spent") == 70_000
