"""Every RPC of ProviderGatewayService, over real gRPC, on a real PostgreSQL."""

import asyncio
import uuid

import grpc
import pytest
from google.protobuf import duration_pb2

from libs import ids
from rushes.provider_gateway.v1 import model_pb2, provider_gateway_service_pb2, quote_pb2, submission_pb2
from rushes.type.v1 import media_pb2
from services.provider_gateway import wire
from tests.integration import refusals
from tests.integration.provider_gateway import conftest as house
from tests.integration.provider_gateway import shop

NAME = "ProviderGatewayService"
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
OMNI = {"model": "google/gemini-omni-1.2-flash", "duration": duration_pb2.Duration(seconds=10)}
Blob = media_pb2.Blob(key="t/acme/stills/1.png", content_type="image/png", size_bytes=9, sha256="ab" * 32)


async def test_the_catalogue_usable_models_first(gateway):
    answer = await gateway("ListModels")
    assert answer.default_model == "sandbox/reel-1"
    usable = (model_pb2.Model.STATE_AVAILABLE, model_pb2.Model.STATE_DEPRECATED)
    flags = [model.state in usable for model in answer.models]
    assert flags == sorted(flags, reverse=True)
    assert len(answer.models) == len(shop.OFFER.models)
    by_id = {model.id: model for model in answer.models}
    assert by_id["openai/sora-2"].state == model_pb2.Model.STATE_RETIRED
    assert by_id["openai/sora-2"].replacement == "google/gemini-omni-1.2-flash"
    assert by_id["self-hosted/wan-2.2-5b"].state == model_pb2.Model.STATE_UNCONFIGURED
    reel = by_id["sandbox/reel-1"]
    assert (reel.play_money, list(reel.duration_seconds)) == (True, list(range(1, 21)))
    assert [price.per_second.micros for price in reel.prices] == [100_000]
    only = (await gateway("ListModels", usable_only=True)).models
    assert [model.id for model in only] == [model.id for model in answer.models if model.state in usable]
    assert (await gateway("GetModel", model_id="sandbox/reel-1")).model == reel
    retired = (await gateway("GetModel", model_id="openai/sora-2")).model
    assert retired.HasField("retire_time")


async def test_an_unknown_model_names_its_nearest(gateway):
    info = await refusals.refused(gateway("GetModel", model_id="sandbox/rel-1"), grpc.StatusCode.NOT_FOUND)
    assert (info.reason, info.domain) == ("MODEL_NOT_FOUND", "provider_gateway.rushes")
    assert dict(info.metadata) == {"model": "sandbox/rel-1", "nearest": "sandbox/reel-1"}
    quoting = gateway.quote(house.spec(model="googel/gemini-omni-1.2-flash"))
    assert (await refusals.refused(quoting, grpc.StatusCode.NOT_FOUND)).metadata["nearest"] == OMNI["model"]
    for strange in ("", "\x00", "x" * 500):
        info = await refusals.refused(gateway("GetModel", model_id=strange), grpc.StatusCode.NOT_FOUND)
        assert info.metadata["nearest"]


async def test_a_quote_is_the_most_it_can_cost(gateway, clock):
    quote = await gateway.quote(house.spec(seconds=4), house.spec("Fog.", seconds=20))
    assert [item.most_you_can_pay.micros for item in quote.items] == [400_000, 2_000_000]
    assert (quote.most_you_can_pay.micros, quote.most_you_can_pay.currency) == (2_400_000, "XTS")
    assert quote.play_money
    assert [item.digest for item in quote.items] == [wire.spec_digest(item.spec) for item in quote.items]
    assert quote.create_time.ToDatetime(clock.now.tzinfo) == clock.now
    assert quote.expire_time.ToSeconds() - quote.create_time.ToSeconds() == 15 * 60
    clock.forward(hours=3)
    assert (await gateway("GetQuote", quote_id=quote.id)).quote == quote
    budget = await gateway.budget()
    assert budget.reserved_micros == 0, "a quote reserves nothing"


async def test_real_money_by_the_size_of_the_picture(gateway):
    quote = await gateway.quote(
        house.spec(**OMNI), house.spec("Fog.", **OMNI | {"size": media_pb2.FrameSize(width=1920, height=1080)})
    )
    frames, words = 2 * 3_060, (32, 6)  # the two that seams may add; a byte of the prompt is 1.5 micros
    assert [item.most_you_can_pay.micros for item in quote.items] == [
        230_000 + frames + words[0],
        1_050_000 + frames + words[1],
    ]
    assert (quote.most_you_can_pay.currency, quote.play_money) == ("USD", False)


async def test_the_default_model_is_priced_when_none_is_named(gateway):
    assert (await gateway.quote(house.spec(model="", seconds=2))).most_you_can_pay.micros == 200_000


async def test_a_still_of_another_tenant_is_not_quoted(gateway):
    theirs = media_pb2.Blob(key="t/other/stills/1.png", content_type="image/png", size_bytes=9, sha256="ab" * 32)
    assert await gateway.quote(house.spec(first_frame=Blob))
    items = [quote_pb2.QuoteItem(scene_id="one", spec=house.spec(first_frame=theirs))]
    quoting = gateway("CreateQuote", request_id=str(uuid.uuid4()), items=items)
    assert set(await refusals.violations(quoting)) == {"items[0].spec.first_frame.key"}


async def test_every_fault_of_a_request_is_named_with_what_is_allowed(gateway):
    wrong = house.spec(
        "",
        45,
        size=media_pb2.FrameSize(width=641, height=360),
        last_frame=Blob,
        references=[Blob],
    )
    silent = house.spec("Fog.", audio=False, negative_prompt="rain", **OMNI | {"seed": 4})
    items = [
        quote_pb2.QuoteItem(scene_id="one", spec=house.spec()),
        quote_pb2.QuoteItem(scene_id="one", spec=wrong),
        quote_pb2.QuoteItem(spec=silent),
    ]
    found = await refusals.violations(gateway("CreateQuote", request_id="mine", items=items))
    assert set(found) == {
        "request_id",
        "items[1].scene_id",
        *(f"items[1].spec.{field}" for field in ("prompt", "duration", "size", "last_frame", "references")),
        "items[2].scene_id",
        *(f"items[2].spec.{field}" for field in ("audio", "negative_prompt", "seed")),
    }
    assert found["items[1].spec.duration"] == "45 s; this model makes 1 to 20 s"
    assert "1280x720" in found["items[1].spec.size"]
    assert "UUID" in found["request_id"]


async def test_one_quote_holds_1_to_1000_clips(gateway):
    assert set(await refusals.violations(gateway("CreateQuote", request_id=str(uuid.uuid4())))) == {"items"}
    with pytest.raises(grpc.aio.AioRpcError, match="1 to 1000"):
        await gateway.quote(*[house.spec()] * 1001)
    assert len((await gateway.quote(*[house.spec()] * 1000)).items) == 1000


async def test_a_fraction_of_a_second_is_no_length(gateway):
    half = house.spec(duration=duration_pb2.Duration(seconds=20, nanos=1))
    found = await refusals.violations(gateway.quote(half))
    assert found == {"items[0].spec.duration": "21 s; this model makes 1 to 20 s"}
    nothing = house.spec(duration=duration_pb2.Duration())
    assert set(await refusals.violations(gateway.quote(nothing))) == {"items[0].spec.duration"}


async def test_a_prompt_has_an_end(gateway):
    await gateway.quote(house.spec("x" * 32_000))
    found = await refusals.violations(gateway.quote(house.spec("x" * 32_001)))
    assert found == {"items[0].spec.prompt": "32001 characters; this model takes at most 32000"}


async def test_a_retired_model_names_its_replacement(gateway):
    info = await refusals.refused(gateway.quote(house.spec(), house.spec(model="openai/sora-2")), PRECONDITION)
    assert info.reason == "MODEL_RETIRED"
    assert dict(info.metadata) == {
        "model": "openai/sora-2",
        "retired": "2026-09-24",
        "replacement": "google/gemini-omni-1.2-flash",
    }


async def test_a_model_without_a_key_here(gateway):
    info = await refusals.refused(gateway.quote(house.spec(model="self-hosted/wan-2.2-5b")), PRECONDITION)
    assert info.reason == "MODEL_UNCONFIGURED"
    assert dict(info.metadata) == {"model": "self-hosted/wan-2.2-5b", "endpoint": "openai-compatible"}


async def test_play_money_and_real_money_are_quoted_apart(gateway):
    found = await refusals.violations(gateway.quote(house.spec(), house.spec(**OMNI)))
    assert found == {"items": "mix USD and XTS; quote them apart"}


async def test_what_the_budget_does_not_hold_is_not_quoted(gateway):
    await gateway.set_limit(250_000)
    info = await refusals.refused(gateway.quote(house.spec(seconds=3)), grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert info.reason == "BUDGET_EXCEEDED"
    told = {"needed": "0.30 in play money", "left": "0.25 in play money", "limit": "0.25 in play money"}
    assert dict(info.metadata) == told
    await gateway.quote(house.spec(seconds=2))
    await gateway.quote(house.spec(seconds=3), tenant="other")


async def test_a_repeated_request_is_the_same_quote_for_ever(gateway, clock):
    request_id = str(uuid.uuid4())
    specs = [house.spec(seconds=2), house.spec("Fog.")]
    first, *more = await asyncio.gather(*(gateway.quote(*specs, request_id=request_id) for _ in range(8)))
    assert all(quote == first for quote in more)
    clock.forward(days=1)
    await gateway.set_limit(0)
    assert await gateway.quote(*specs, request_id=request_id) == first, "though the money is gone since"
    info = await refusals.refused(gateway.quote(house.spec(), request_id=request_id), PRECONDITION)
    assert info.reason == "REQUEST_ID_REUSED"
    assert (await gateway.quote(house.spec(), request_id=request_id, tenant="other")).id != first.id


async def test_submissions_are_listed_newest_first(gateway):
    orders = await gateway.orders(*(house.spec(f"Scene {number}.") for number in range(5)))
    await gateway.hear(*orders)
    found, token = [], ""
    while True:
        answer = await gateway("ListSubmissions", page_size=2, page_token=token)
        assert len(answer.submissions) <= 2
        found += answer.submissions
        if not (token := answer.next_page_token):
            break
    assert [one.id for one in found] == sorted((one.id for one in found), reverse=True)
    assert {one.job_id for one in found} == {event.job_id for event in orders}
    one = found[0]
    assert (await gateway("GetSubmission", submission_id=one.id)).submission == one
    assert (one.state, one.reserved.micros) == (submission_pb2.Submission.STATE_INTENT, 100_000)
    assert not one.HasField("cost")
    (of_job,) = (await gateway("ListSubmissions", job_id=one.job_id)).submissions
    assert of_job == one
    stored = submission_pb2.Submission.STATE_STORED
    assert not (await gateway("ListSubmissions", state=stored)).submissions
    assert not (await gateway("ListSubmissions", "other")).submissions
    first = await gateway("ListSubmissions", page_size=1)
    foreign = gateway("ListSubmissions", state=stored, page_token=first.next_page_token)
    assert set(await refusals.violations(foreign)) == {"page_token"}


async def test_the_budget_is_a_wall_that_can_be_moved(gateway):
    budget = (await gateway("GetBudget")).budget
    assert budget.id.startswith("budget_")
    assert (budget.limit.currency, budget.limit.micros) == ("USD", 50_000_000)
    moved = (await gateway("SetBudget", limit={"currency": "USD", "micros": 7})).budget
    assert moved == (await gateway("GetBudget")).budget
    assert (moved.id, moved.limit.micros) == (budget.id, 7)
    assert (await gateway("GetBudget", "other")).budget.limit.micros == 50_000_000
    found = await refusals.violations(gateway("SetBudget", limit={"currency": "EUR", "micros": -1}))
    assert set(found) == {"limit.currency", "limit.micros"}
    assert set(await refusals.violations(gateway("SetBudget"))) == {"limit.currency"}


@pytest.mark.parametrize(
    ("verb", "field", "reason"),
    [("GetQuote", "quote_id", "QUOTE_NOT_FOUND"), ("GetSubmission", "submission_id", "SUBMISSION_NOT_FOUND")],
)
async def test_what_is_not_there_or_another_tenant_s(gateway, verb, field, reason):
    (order,) = await gateway.orders(house.spec())
    await gateway.hear(order)
    mine = order.quote_id if field == "quote_id" else (await gateway.submissions())[0].id
    await gateway(verb, **{field: mine})
    for name, tenant in ((mine, "other"), (ids.new("quote"), "acme"), ("", "acme")):
        info = await refusals.refused(gateway(verb, tenant, **{field: name}), grpc.StatusCode.NOT_FOUND)
        assert (info.reason, info.metadata[field]) == (reason, name)
    await refusals.fault_of(gateway(verb, **{field: "nul\x00"}), grpc.StatusCode.INVALID_ARGUMENT)


async def test_nobody_gets_nothing(gateway):
    verbs = [method.name for method in provider_gateway_service_pb2.DESCRIPTOR.services_by_name[NAME].methods]
    assert len(verbs) > 25
    for verb in verbs:
        if verb == "WatchSubmission":  # a stream
            continue
        info = await refusals.refused(gateway.anonymously(verb), grpc.StatusCode.UNAUTHENTICATED)
        assert info.reason == "TOKEN_MISSING"
