"""The facts that are shipped: whole, sourced, dated, and in the words that the adapters send."""

import datetime
import pathlib
import typing
from typing import Any

import pytest
import yaml

from services.provider_gateway import catalogue, limits, models, providers
from services.provider_gateway.providers import fal, openrouter, replicate, runware
from tests.unit.provider_gateway.offers import EVERYWHERE, OFFER, PATH, TODAY, asked, possible

FILES = sorted(PATH.glob("*.yaml"))
BODIES = {"fal": fal.fields, "openrouter": openrouter.fields, "replicate": replicate.fields, "runware": runware.fields}
MAPPED = [model for model in OFFER.models if OFFER.endpoints[model.endpoint].dialect in BODIES]
RETIRED = [model for model in OFFER.models if model.retires]


@pytest.mark.parametrize("model", OFFER.models, ids=lambda model: model.id)
def test_every_model_is_sourced_and_dated(model: catalogue.Model) -> None:
    assert model.checked_at <= datetime.date(2026, 11, 21)
    assert model.source.startswith(("https://", "services/sandbox/"))
    assert model.play_money == model.source.startswith("services/")
    assert model.id.split("/")[0] not in {"", model.family}


@pytest.mark.parametrize("name", OFFER.endpoints)
def test_every_endpoint_is_sourced_and_dated(name: str) -> None:
    endpoint = OFFER.endpoints[name]
    assert endpoint.checked_at <= datetime.date(2026, 11, 21)
    assert endpoint.source.startswith(("https://", "services/sandbox/"))
    assert any(model.endpoint == name for model in OFFER.models)


@pytest.mark.parametrize("name", OFFER.endpoints)
def test_capabilities_do_not_contradict_each_other(name: str) -> None:
    can = OFFER.endpoints[name].capabilities
    assert can.lookup != "none" or can.absence == "none"
    assert can.webhook != "none" or not can.callback
    assert can.lookup != "prefix" or can.absence == "weak"
    assert bool(can.idempotency_s) == (name in {"sandbox-openai", "sandbox-google", "sandbox-runware", "runware"})
    assert can.charges_failed or name.startswith("sandbox") or name in {"vllm-omni", "sglang"}


def test_every_dialect_is_sold_and_can_be_tried_for_nothing() -> None:
    spoken = {endpoint.dialect for endpoint in OFFER.endpoints.values()}
    for_nothing = {OFFER.endpoints[model.endpoint].dialect for model in OFFER.models if model.play_money}
    assert spoken == for_nothing == set(typing.get_args(catalogue.Dialect))


def test_money_is_written_in_decimals_that_no_parser_can_bend() -> None:
    def numbers(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [found for one in value.values() for found in numbers(one)]
        if isinstance(value, list):
            return [found for one in value for found in numbers(one)]
        return [value]

    for file in FILES:
        assert not [one for one in numbers(yaml.safe_load(file.read_text())) if isinstance(one, float)], file.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_can_be_read_by_people(file: pathlib.Path) -> None:
    lines = file.read_text().splitlines()
    assert len(lines) <= 400
    assert lines[0].startswith("# ")


@pytest.mark.parametrize("model", RETIRED, ids=lambda model: model.id)
def test_every_model_that_ends_leads_to_one_that_lives(model: catalogue.Model) -> None:
    assert model.replacement
    after = OFFER.find(OFFER.replacement(model, TODAY))
    assert not after.is_retired(TODAY)
    assert after.id != model.id


def test_the_dead_are_there_by_name() -> None:
    dead = {model.id for model in OFFER.models if OFFER.state(model, EVERYWHERE, TODAY) == "retired"}
    assert dead >= {"openai/sora-2", "openai/sora-2-pro", "azure/sora-2", "openrouter/sora-2-pro"}
    assert dead >= {f"google/{name}" for name in ("veo-2.0-generate-001", "gemini-omni-flash-preview")}
    assert dead >= {f"vertex/{name}" for name in ("veo-3.0-generate-001", "veo-3.1-generate-preview")}
    assert not {model.id for model in OFFER.models if model.play_money} & dead


def test_a_family_is_the_same_thing_at_several_endpoints() -> None:
    sellers = {model.endpoint for model in OFFER.models if model.family == "veo-3.1-fast"}
    assert sellers == {"gemini", "vertex", "fal", "openrouter", "runware"}


@pytest.mark.parametrize("model", OFFER.models, ids=lambda model: model.id)
def test_every_size_is_nearly_the_shape_it_is_called(model: catalogue.Model) -> None:
    for size in model.sizes:
        width, _, height = limits.aspect(size).partition(":")
        assert size.width / size.height == pytest.approx(int(width) / int(height), rel=0.035)


@pytest.mark.parametrize("model", OFFER.models, ids=lambda model: model.id)
def test_callers_are_told_all_of_it(model: catalogue.Model) -> None:
    told = models.message(model, OFFER.state(model, EVERYWHERE, TODAY))
    assert (told.id, told.family, told.endpoint) == (model.id, model.family, model.endpoint)
    assert models.is_usable(told) != model.is_retired(TODAY)
    assert [(shape.size.width, shape.size.height) for shape in told.shapes] == [tuple(size) for size in model.sizes]
    assert [shape.size for shape in told.shapes] == list(told.sizes)
    assert len(told.prices) >= len(model.prices)
    assert len(told.duration_rules) == len(model.rules)
    assert all(set(rule.duration_seconds) <= set(told.duration_seconds) for rule in told.duration_rules)


@pytest.mark.parametrize("model", MAPPED, ids=lambda model: model.id)
def test_orders_are_written_in_the_seller_s_words(model: catalogue.Model, tmp_path: pathlib.Path) -> None:
    write = BODIES[OFFER.endpoints[model.endpoint].dialect]
    picture = tmp_path / "frame.png"
    for one in possible(model):
        first, last = (picture if frame else None for frame in (one.first_frame, one.last_frame))
        order = providers.Order(
            "sub_1", model.wire_model, one.prompt, "", one.seconds, *one.size, None, one.audio, first, last,
            form=model.form_for(one.size),
        )  # fmt: skip
        body = write(order, *("data:image/png;base64,AA" if frame else None for frame in (first, last)))
        asked_for = body.get("input", body)
        assert asked_for.get("aspect_ratio", "16:9") in limits.ASPECTS
        assert asked_for.get("resolution", model.sizes[one.size]) == model.sizes[one.size]
        assert str(body).count("data:image") == one.images


def test_sizes_that_providers_name_differently_keep_their_names() -> None:
    seedance = OFFER.find("openrouter/seedance-2.0")
    order = providers.Order(
        "sub_1", seedance.wire_model, "A field.", "", 5, 864, 496, None, True,
        form=seedance.form_for(asked("864x496").size),
    )  # fmt: skip
    assert openrouter.fields(order) == {
        "model": "bytedance/seedance-2.0", "prompt": "A field.", "duration": 5, "aspect_ratio": "16:9",
        "resolution": "480p", "generate_audio": True, "session_id": "sub_1",
    }  # fmt: skip
