"""Every RPC of money, over real gRPC, on a real PostgreSQL."""

import datetime
import logging

import grpc
import pytest

from libs import rpc
from rushes.provider_gateway.v1 import ledger_pb2, provider_gateway_service_pb2, submission_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2_grpc as pb_grpc
from services.provider_gateway import domain
from tests.integration import refusals
from tests.integration.provider_gateway import conftest as house

S = domain.State
Budget, Switch, Kind = submission_pb2.Budget, ledger_pb2.SpendSwitch, ledger_pb2.LedgerEntry
PLAY = {"currency": "XTS"}


@pytest.fixture
def operator(gateway, issuer):
    """Calls as an operator of the house."""
    stub = pb_grpc.ProviderGatewayServiceStub(gateway.door.channel)
    metadata = rpc.bearer(issuer.token("ops", "grace", ["operator"]))

    async def call(verb, **fields):
        request = getattr(provider_gateway_service_pb2, f"{verb}Request")(**fields)
        return await getattr(stub, verb)(request, metadata=metadata, timeout=15)

    return call


def states(found):
    return [one.state for one in found]


async def test_a_wall_of_every_scope_and_period(gateway, clock):
    put = []
    for scope, scope_id in (("STORYBOARD", "sb_1"), ("PRODUCTION", "prod_1"), ("CREDENTIAL", "cred_1")):
        for period in ("EVER", "DAY", "MONTH"):
            place = {"scope": f"SCOPE_{scope}", "scope_id": scope_id, "period": f"PERIOD_{period}"}
            made = (await gateway("SetBudget", limit={"currency": "XTS", "micros": 7}, **place)).budget
            assert (await gateway("GetBudget", **place, **PLAY)).budget == made
            assert made.period_id == {"EVER": "", "DAY": "2026-11-20", "MONTH": "2026-11"}[period]
            again = (await gateway("SetBudget", limit={"currency": "XTS", "micros": 9}, **place)).budget
            assert (again.id, again.limit.micros) == (made.id, 9)
            put.append((place, again))
    listed = (await gateway("ListBudgets")).budgets
    own, others = listed[:2], listed[2:]
    assert [(one.scope, one.limit.currency) for one in own] == [(Budget.SCOPE_TENANT, it) for it in ("USD", "XTS")]
    assert sorted(one.id for one in others) == sorted(one.id for _, one in put)
    assert len((await gateway("ListBudgets", "other")).budgets) == 2
    for place, _ in put:
        await gateway("DeleteBudget", **place, **PLAY)
        for verb in ("GetBudget", "DeleteBudget"):
            info = await refusals.refused(gateway(verb, **place, **PLAY), grpc.StatusCode.NOT_FOUND)
            assert info.reason == "BUDGET_NOT_FOUND"
            assert info.metadata["scope_id"] == place["scope_id"]
    assert list((await gateway("ListBudgets")).budgets) == list(own)


async def test_a_wall_that_stood_yesterday_begins_anew_today(gateway, clock):
    place = {"period": Budget.PERIOD_DAY}
    before = (await gateway("SetBudget", limit={"currency": "XTS", "micros": 250_000}, **place)).budget
    await gateway.hear(*await gateway.orders(*[house.spec()] * 2))
    used = (await gateway("GetBudget", **place, **PLAY)).budget
    assert (used.id, used.reserved.micros) == (before.id, 200_000)
    clock.forward(days=1)
    fresh = (await gateway("GetBudget", **place, **PLAY)).budget
    assert (fresh.period_id, fresh.reserved.micros, fresh.limit.micros) == ("2026-11-21", 0, 250_000)
    assert fresh.id != before.id
    assert fresh in (await gateway("ListBudgets")).budgets
    await gateway("DeleteBudget", **place, **PLAY)
    clock.forward(days=1)
    await refusals.refused(gateway("GetBudget", **place, **PLAY), grpc.StatusCode.NOT_FOUND)


async def test_a_quote_warns_of_what_today_will_not_let_pass(gateway, clock):
    await gateway("SetBudget", limit={"currency": "XTS", "micros": 250_000}, period=Budget.PERIOD_DAY)
    await gateway("SetBudget", limit={"currency": "XTS", "micros": 900_000}, period=Budget.PERIOD_MONTH)
    assert list((await gateway.quote(*[house.spec()] * 2)).warnings) == []
    assert list((await gateway.quote(*[house.spec()] * 4)).warnings) == [
        "The budget of tenant acme for 2026-11-20 has 0.25 in play money left; what does not fit waits for 2026-11-21."
    ]
    assert list((await gateway.quote(*[house.spec()] * 4, tenant="bolt")).warnings) == []


async def test_the_log_says_who_moved_which_wall(gateway, caplog):
    place = {"scope": Budget.SCOPE_PRODUCTION, "scope_id": "prod_1"}
    with caplog.at_level(logging.INFO, logger="services.provider_gateway.api.purse"):
        await gateway("SetBudget", limit={"currency": "XTS", "micros": 7}, **place)
        await gateway("DeleteBudget", **place, **PLAY)
    put, gone = caplog.records
    assert (put.message, put.limit_micros, gone.message) == ("budget_set", 7, "budget_deleted")
    for line in (put, gone):
        told = (line.tenant_id, line.by, line.scope, line.scope_id, line.period, line.currency)
        assert told == ("acme", "ada", "PRODUCTION", "prod_1", "EVER", "XTS")


async def test_every_fault_of_a_wall_is_named(gateway):
    found = await refusals.violations(
        gateway("SetBudget", limit={"currency": "EUR", "micros": -1}, scope=9, period=9, scope_id="x")
    )
    assert set(found) == {"limit.currency", "limit.micros", "scope", "period"}
    for fields, wrong in (
        ({"scope_id": "prod_1"}, "scope_id"),
        ({"scope": Budget.SCOPE_PRODUCTION}, "scope_id"),
        ({"scope": Budget.SCOPE_PRODUCTION, "scope_id": "x" * 101}, "scope_id"),
        ({"currency": "EUR"}, "currency"),
    ):
        for verb in ("GetBudget", "DeleteBudget"):
            assert set(await refusals.violations(gateway(verb, **fields))) == {wrong}
    assert set(await refusals.violations(gateway("DeleteBudget"))) == {"scope"}


async def test_what_does_not_fit_is_parked_with_a_reason_and_a_date(gateway, clock):
    place = {"scope": Budget.SCOPE_PRODUCTION, "scope_id": "prod_1", "period": Budget.PERIOD_DAY}
    orders = await gateway.orders(*(house.spec(f"Scene {number}.") for number in range(3)))
    await gateway("SetBudget", limit={"currency": "XTS", "micros": 250_000}, **place)
    await gateway.hear(*orders)
    parked = (await gateway("ListSubmissions", state=submission_pb2.Submission.STATE_PARKED)).submissions
    assert [one.job_id for one in parked] == [orders[2].job_id]
    assert parked[0].error.reason == "BUDGET_EXCEEDED"
    assert (
        "the budget of production prod_1 for 2026-11-20 has 0.05 in play money left of 0.25 in play money"
        in parked[0].error.message
    )
    midnight = clock.now.replace(hour=0) + datetime.timedelta(days=1)
    assert parked[0].retry_time.ToDatetime(datetime.UTC) == midnight
    await gateway("SetBudget", limit={"currency": "XTS", "micros": 300_000}, **place)
    (due,) = (await gateway("ListSubmissions", state=submission_pb2.Submission.STATE_PARKED)).submissions
    assert due.retry_time.ToDatetime(datetime.UTC) == clock.now


async def test_the_ledger_is_listed_newest_first(gateway):
    await gateway.hear(*await gateway.orders(*(house.spec(f"Scene {number}.") for number in range(5))))
    one = (await gateway.submissions())[0]
    await gateway.hear(house.job_pb.CancelRequested(tenant_id="acme", job_id=one.job_id))
    found, token = [], ""
    while True:
        answer = await gateway("ListLedgerEntries", page_size=4, page_token=token, **PLAY)
        found += answer.entries
        if not (token := answer.next_page_token):
            break
    assert [entry.id for entry in found] == sorted((entry.id for entry in found), reverse=True)
    assert [entry.kind for entry in found] == [Kind.KIND_RELEASE, *[Kind.KIND_RESERVE] * 5]
    assert all(it.available.micros + it.reserved.micros + it.spent.micros + it.suspense.micros == 0 for it in found)
    of_one = (await gateway("ListLedgerEntries", submission_id=one.id)).entries
    assert [(entry.submission_id, entry.reserved.micros) for entry in of_one] == [(one.id, -100_000), (one.id, 100_000)]
    assert not (await gateway("ListLedgerEntries", currency="USD")).entries
    assert not (await gateway("ListLedgerEntries", "other", submission_id=one.id)).entries
    first = await gateway("ListLedgerEntries", page_size=1)
    foreign = gateway("ListLedgerEntries", page_token=first.next_page_token, currency="XTS")
    assert set(await refusals.violations(foreign)) == {"page_token"}


async def test_the_balances_say_where_a_tenant_stands(gateway):
    await gateway.set_limit(250_000)
    await gateway.hear(*(await gateway.orders(house.spec()) + await gateway.orders(*[house.spec("Fog.")] * 2)))
    lost = (await gateway.submissions())[0]
    for state in (S.SENDING, S.UNKNOWN):
        await gateway.change(lost.id, state=state)
    balances = {one.currency: one for one in (await gateway("ListBalances")).balances}
    assert set(balances) == {"USD", "XTS"}
    assert (balances["USD"].left, balances["USD"].limit) == (balances["USD"].limit, balances["USD"].left)
    play = balances["XTS"]
    amounts = {name: getattr(play, name).micros for name in ("limit", "left", "reserved", "spent", "suspense")}
    assert amounts == {"limit": 250_000, "left": 50_000, "reserved": 200_000, "spent": 0, "suspense": 0}
    assert (play.unknown_submissions, play.unknown.micros, play.parked_submissions) == (1, 100_000, 1)
    assert play.over_quote.micros == 0


async def test_a_switch_stops_buying_until_it_is_released(gateway, clock):
    orders = await gateway.orders(house.spec(), house.spec("Fog."))
    thrown = (await gateway("ThrowSpendSwitch", scope=Switch.SCOPE_TENANT, reason="A key leaked")).spend_switch
    assert (thrown.thrown_by, thrown.reason, thrown.target) == ("ada", "A key leaked", "")
    again = (await gateway("ThrowSpendSwitch", scope=Switch.SCOPE_TENANT, reason="Once more")).spend_switch
    assert [again] == list((await gateway("ListSpendSwitches")).spend_switches) == [thrown]
    await gateway.hear(*orders)
    assert states(await gateway.submissions()) == [S.PARKED, S.PARKED]
    (one, _) = await gateway.submissions()
    assert (one.fault.reason, one.next_action_at) == ("SPENDING_STOPPED", clock.now + datetime.timedelta(minutes=5))
    assert thrown.id in one.fault.message
    assert (await gateway.budget()).reserved_micros == 0
    clock.forward(minutes=1)
    await gateway("ReleaseSpendSwitch", spend_switch_id=thrown.id)
    assert {it.next_action_at for it in await gateway.submissions()} == {clock.now}
    assert not (await gateway("ListSpendSwitches")).spend_switches
    for tenant in ("acme", "other"):
        info = await refusals.refused(
            gateway("ReleaseSpendSwitch", tenant, spend_switch_id=thrown.id), grpc.StatusCode.NOT_FOUND
        )
        assert (info.reason, info.metadata["spend_switch_id"]) == ("SPEND_SWITCH_NOT_FOUND", thrown.id)


async def test_only_an_operator_stops_the_house(gateway, operator):
    wish = {"scope": Switch.SCOPE_HOUSE, "reason": "Fire"}
    info = await refusals.refused(gateway("ThrowSpendSwitch", **wish), grpc.StatusCode.PERMISSION_DENIED)
    assert info.reason == "OPERATOR_NEEDED"
    thrown = (await operator("ThrowSpendSwitch", **wish)).spend_switch
    assert list((await gateway("ListSpendSwitches")).spend_switches) == [thrown]
    await gateway.hear(*await gateway.orders(house.spec()))
    assert states(await gateway.submissions()) == [S.PARKED]
    releasing = {"spend_switch_id": thrown.id}
    await refusals.refused(gateway("ReleaseSpendSwitch", **releasing), grpc.StatusCode.PERMISSION_DENIED)
    await operator("ReleaseSpendSwitch", **releasing)
    assert not (await gateway("ListSpendSwitches")).spend_switches
    (one,) = await gateway.submissions()
    assert one.next_action_at == house.NOW, "and all tenants are woken"


async def test_a_switch_names_what_exists_and_why(gateway):
    found = await refusals.violations(gateway("ThrowSpendSwitch"))
    assert set(found) == {"scope", "reason"}
    for fields in ({"scope": Switch.SCOPE_TENANT, "target": "x"}, {"scope": Switch.SCOPE_MODEL}):
        assert set(await refusals.violations(gateway("ThrowSpendSwitch", reason="so", **fields))) == {"target"}
    for scope, target, reason in (
        (Switch.SCOPE_MODEL, "sandbox/rel-1", "MODEL_NOT_FOUND"),
        (Switch.SCOPE_ENDPOINT, "sandbox", "ENDPOINT_NOT_FOUND"),
    ):
        call = gateway("ThrowSpendSwitch", scope=scope, target=target, reason="so")
        assert (await refusals.refused(call, grpc.StatusCode.NOT_FOUND)).reason == reason
    assert not (await gateway("ListSpendSwitches")).spend_switches


async def test_nobody_gets_nothing_of_the_money(gateway):
    for verb in (
        "ListBudgets",
        "DeleteBudget",
        "ListLedgerEntries",
        "ListBalances",
        "ThrowSpendSwitch",
        "ReleaseSpendSwitch",
        "ListSpendSwitches",
    ):
        info = await refusals.refused(gateway.anonymously(verb), grpc.StatusCode.UNAUTHENTICATED)
        assert info.reason == "TOKEN_MISSING"
