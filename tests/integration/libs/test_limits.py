"""So many calls in a minute and no more, however many replicas count."""

import asyncio
import contextlib
import re

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2

from libs import db, limits, rpc, settings
from rushes.type.v1 import access_pb2
from tests.integration import refusals
from tests.integration.libs import contracts

NAME = "rushes.test.v1.LimitedService"
METHODS = {
    "Make": access_pb2.Access(role=access_pb2.ROLE_EDITOR, limit=access_pb2.LIMIT_GENERATE),
    "Cut": access_pb2.Access(role=access_pb2.ROLE_EDITOR, limit=access_pb2.LIMIT_COMPILE),
    "Enter": access_pb2.Access(role=access_pb2.ROLE_ANYBODY, limit=access_pb2.LIMIT_SESSION),
    "Look": access_pb2.Access(role=access_pb2.ROLE_EDITOR),
}
FULL = grpc.StatusCode.RESOURCE_EXHAUSTED
contracts.declare(NAME, METHODS)


def add(api, server):
    async def answer(request, context):
        return request

    wire = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {method: grpc.unary_unary_rpc_method_handler(answer, **wire) for method in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


@pytest.fixture
async def place(database):
    return await database("storyboard")


@pytest.fixture
async def call(place, serve, issuer):
    """Calls one of two replicas, in turn."""
    servicer = rpc.Servicer(add, None, NAME)
    counts = [limits.Limits(place.database, {"generate": 3, "compile": 1, "session": 2}).count for _ in range(2)]
    doors = [await serve("test", servicer, count=count) for count in counts]

    async def make(method, subject="ada", tenant="acme", door=0):
        metadata = () if method == "Enter" else rpc.bearer(issuer.token(tenant, subject, ["editor"]))
        channel = doors[door].channel
        ask = channel.unary_unary(f"/{NAME}/{method}", StringValue.SerializeToString, StringValue.FromString)
        asking = ask(StringValue(), metadata=metadata, timeout=10)
        await asking
        return dict(await asking.trailing_metadata())

    return make


async def test_a_limit_is_shared_by_replicas_and_says_when_to_come_again(call):
    for number in range(3):
        told = await call("Make", door=number % 2)
        assert told["ratelimit-policy"] == '"generate";q=3;w=60'
        left, seconds = re.fullmatch(r'"generate";r=(\d+);t=(\d+)', told["ratelimit"]).groups()
        assert (int(left), 0 < int(seconds) <= 20 * (number + 1)) == (2 - number, True)
    assert "ratelimit" not in await call("Look")
    for door in (0, 1):
        fault = await refusals.fault_of(call("Make", door=door), FULL)
        told = refusals.detail(fault, error_details_pb2.ErrorInfo)
        assert (told.reason, dict(told.metadata)) == ("CALLS_EXHAUSTED", {"limit": "generate", "per_minute": "3"})
        assert 0 < refusals.detail(fault, error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 20


async def test_callers_and_limits_are_counted_apart(call):
    await call("Cut")
    for _ in range(3):
        await call("Make")
    await refusals.refused(call("Cut"), FULL)
    for who in ({"subject": "bo"}, {"tenant": "other"}):
        await call("Cut", **who)
    for _ in range(10):
        await call("Look")


async def test_whoever_has_no_token_is_known_by_address(call, place):
    for _ in range(2):
        await call("Enter")
    await refusals.refused(call("Enter"), FULL)
    async with place.database.house() as conn:
        callers = (await conn.execute(sa.select(limits.CALLS.c.caller))).scalars().all()
    assert callers == ["ipv4:127.0.0.1"]


async def test_a_refused_token_costs_its_owner_nothing(call, issuer):
    for _ in range(4):
        await refusals.refused(call("Make", tenant="NOT A TENANT"), grpc.StatusCode.UNAUTHENTICATED)
    await call("Make")


async def test_time_gives_calls_back_and_no_more_than_a_minute_s(place):
    now = 0.0
    counting = limits.Limits(place.database, {"generate": 3}, lambda: now)

    async def allowed():
        with contextlib.suppress(limits.CallsExhausted):
            await counting.count("acme/ada", "generate")
            return True
        return False

    async def pass_s(seconds):
        nonlocal now
        now += seconds
        async with place.database.house() as conn:
            values = {"full_until": limits.CALLS.c.full_until - sa.text(f"interval '{seconds} s'")}
            await conn.execute(sa.update(limits.CALLS).values(values))

    assert [await allowed() for _ in range(4)] == [True, True, True, False]
    await pass_s(20)
    assert [await allowed() for _ in range(2)] == [True, False]
    await pass_s(86_400)
    assert [await allowed() for _ in range(4)] == [True, True, True, False]


async def test_a_crowd_at_once_gets_no_more_than_its_share(place):
    counting = limits.Limits(place.database, {"generate": 5})
    ended = await asyncio.gather(*(counting.count("acme/ada", "generate") for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in ended) == 5
    assert {type(one) for one in ended} == {dict, limits.CallsExhausted}


async def test_who_was_refused_costs_no_query_until_their_time_has_come(place):
    now = 0.0
    counting = limits.Limits(place.database, {"generate": 3, "compile": 1}, lambda: now)
    for _ in range(3):
        await counting.count("acme/ada", "generate")
    with pytest.raises(limits.CallsExhausted) as first:
        await counting.count("acme/ada", "generate")
    async with place.database.tenant("acme") as conn:
        await conn.execute(sa.text("LOCK TABLE calls IN SHARE MODE"))
        for now in (0.0, first.value.retry_after_s - 0.1):
            with pytest.raises(limits.CallsExhausted) as again:
                await counting.count("acme/ada", "generate")
            assert again.value.retry_after_s == pytest.approx(first.value.retry_after_s - now)
    await counting.count("acme/ada", "compile")


async def test_what_is_not_limited_touches_no_database(issuer):
    counting = limits.Limits(None, {"generate": 0})
    await counting.count("acme/ada", "generate")
    await counting.count("acme/ada", "compile")


async def test_callers_of_yesterday_are_forgotten(place):
    counting = limits.Limits(place.database, {"session": 20})
    for number in range(12):
        await counting.count(f"ipv4:10.0.0.{number}", "session")
    async with place.database.house() as conn:
        await conn.execute(sa.update(limits.CALLS).values(full_until=sa.text("now() - interval '1 hour'")))
    for number in range(6):
        await counting.count(f"ipv4:10.1.0.{number}", "session")
    async with place.database.house() as conn:
        callers = (await conn.execute(sa.select(limits.CALLS.c.caller))).scalars().all()
    assert sorted(callers) == [f"ipv4:10.1.0.{number}" for number in range(6)]


def test_every_limit_of_the_contract_has_a_setting_and_a_default():
    named = {name.removeprefix("LIMIT_").lower() for name in access_pb2.Limit.keys()} - {"unspecified"}
    assert settings.Service.model_construct().limits == {"generate": 10, "compile": 5, "session": 20}
    assert settings.Service.model_construct().limits.keys() == named


async def test_a_call_takes_two_forgotten_callers_with_it_however_the_database_joins(place):
    """A list of rows to lock that stands behind IN is made anew for each row that it is compared with."""
    owner = db.Database(place.owner_url)
    async with owner.house() as conn:
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            change = "EXECUTE format('ALTER DATABASE %I SET enable_{} = off', current_database())"
            await conn.execute(sa.text(f"DO $$ BEGIN {change.format(way)}; END $$"))
    await owner.close()
    async with place.database.house() as conn:
        old = "SELECT 'old/' || n, 'generate', now() - interval '1 hour' FROM generate_series(1, 50) n"
        await conn.execute(sa.text(f"INSERT INTO calls {old}"))
    await place.database.close()  # the next connection has the new settings
    await limits.Limits(place.database, {"generate": 5}).count("acme/ada", "generate")
    async with place.database.house() as conn:
        assert (await conn.execute(sa.select(sa.func.count()).select_from(limits.CALLS))).scalar_one() == 49
