"""Which models can be bought, which could, and what to use instead."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.provider_gateway.v1 import error_reason_pb2
from services.provider_gateway import catalogue
from tests.unit.provider_gateway.offers import EVERYWHERE, OFFER, OMNI, REEL, TODAY

DAY = datetime.timedelta(days=1)


def model(**changes: Any) -> catalogue.Model:
    plain = {
        "id": "a/one", "family": "one", "title": "One", "endpoint": "fal", "wire_model": "one", "durations": [4, 8],
        "sizes": ["1280x720"], "audio": True, "silent": True, "first_frame": True, "last_frame": True, "seed": True,
        "negative_prompt": True, "currency": "USD", "prices": [{"per": "second", "costs": "0.1"}], "source": "a page",
        "checked_at": TODAY,
    }  # fmt: skip
    return catalogue.Model.model_validate(plain | changes)


def offer(*models: catalogue.Model) -> catalogue.Catalogue:
    return catalogue.Catalogue(default_model=models[0].id, endpoints={}, models=models)


def test_default_model_costs_nothing() -> None:
    assert OFFER.default_model == REEL.id
    assert REEL.play_money
    assert not OMNI.play_money


def test_errors_are_those_of_the_contract() -> None:
    for error in (catalogue.ModelNotFound, catalogue.ModelRetired, catalogue.ModelUnconfigured):
        assert f"ERROR_REASON_{error.reason}" in error_reason_pb2.ErrorReason.keys()


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("sandbox/reel-2", "sandbox/reel-1"),
        ("sora-2", "/sora-2"),
        ("fal/seedance-2", "fal/seedance-2."),
        ("", ""),
    ],
)
def test_unknown_model_gets_a_suggestion(given: str, nearest: str) -> None:
    with pytest.raises(catalogue.ModelNotFound) as fault:
        OFFER.find(given)
    assert fault.value.facts["model"] == given
    assert nearest in fault.value.facts["nearest"]
    assert fault.value.facts["nearest"] in str(fault.value)


def test_models_are_found_by_endpoint_and_by_any_part_of_their_names() -> None:
    seedance = OFFER.matching("", "Seedance-2.0")
    assert {one.id for one in seedance} >= {"fal/seedance-2.0", "openrouter/seedance-2.0", "fal/seedance-2.0-fast"}
    assert {one.endpoint for one in OFFER.matching("fal", "")} == {"fal"}
    assert [one.id for one in OFFER.matching("fal", "kling 3.0 PRO")] == ["fal/kling-v3.0-pro"]
    assert OFFER.matching("nowhere", "") == []
    assert OFFER.matching("", "") == list(OFFER.models)


def test_retired_model_names_its_replacement() -> None:
    with pytest.raises(catalogue.ModelRetired) as fault:
        OFFER.usable("openai/sora-2-pro", EVERYWHERE, TODAY)
    assert fault.value.facts == {
        "model": "openai/sora-2-pro",
        "retired": "2026-09-24",
        "replacement": "google/gemini-omni-1.2-flash",
    }
    assert "2026-09-24; use google/gemini-omni-1.2-flash" in str(fault.value)


def test_a_replacement_that_is_gone_as_well_is_passed_over() -> None:
    old = OFFER.find("google/veo-3.0-generate-001")
    assert old.replacement == "google/veo-3.1-generate-preview"
    assert OFFER.replacement(old, TODAY) == "google/gemini-omni-1.1-flash"
    assert OFFER.replacement(old, datetime.date(2026, 10, 1)) == "google/veo-3.1-generate-preview"


def test_where_nothing_replaces_a_model_that_is_said() -> None:
    gone = model(retires=TODAY, replacement=None)
    with pytest.raises(catalogue.ModelRetired, match="use another model instead"):
        offer(gone).usable(gone.id, {"fal"}, TODAY)


def test_unconfigured_model_names_its_endpoint() -> None:
    with pytest.raises(catalogue.ModelUnconfigured) as fault:
        OFFER.usable(OMNI.id, {"sandbox-openai"}, TODAY)
    assert fault.value.facts == {"model": OMNI.id, "endpoint": "gemini"}
    assert OFFER.usable(OMNI.id, {"gemini"}, TODAY) is OMNI


@pytest.mark.parametrize(
    ("today", "state", "warned"),
    [
        (datetime.date(2026, 8, 24), "deprecated", False),
        (datetime.date(2026, 8, 25), "deprecated", True),
        (datetime.date(2026, 9, 23), "deprecated", True),
        (datetime.date(2026, 9, 24), "retired", False),
    ],
)
def test_life_of_a_model(today: datetime.date, state: str, warned: bool) -> None:
    sora = OFFER.find("openai/sora-2")
    assert OFFER.state(sora, EVERYWHERE, today) == state
    warnings = OFFER.warnings(sora, today)
    assert len(warnings) == warned
    assert all("2026-09-24" in one and "google/gemini-omni-1.2-flash" in one for one in warnings)


@given(st.dates(datetime.date(2024, 1, 1), datetime.date(2030, 1, 1)), st.integers(-100, 100))
def test_buyers_are_warned_in_the_last_thirty_days_and_on_no_other(retires: datetime.date, left: int) -> None:
    one = model(retires=retires, replacement=None)
    today = retires - left * DAY
    assert bool(offer(one).warnings(one, today)) == (1 <= left <= 30)
    assert one.is_retired(today) == (left <= 0)
    assert OFFER.state(one, {"fal"}, today) == ("retired" if left <= 0 else "deprecated")


def test_state_without_an_end() -> None:
    assert OFFER.state(OMNI, {"gemini"}, TODAY) == "available"
    assert OFFER.state(OMNI, {"sandbox-openai"}, TODAY) == "unconfigured"
    assert OFFER.state(OFFER.find("openai/sora-2"), (), TODAY) == "retired"
    assert OFFER.warnings(OMNI, TODAY) == []


def test_an_end_can_be_announced_without_a_date() -> None:
    one = model(deprecated=TODAY)
    assert OFFER.state(one, {"fal"}, TODAY - DAY) == "available"
    assert OFFER.state(one, {"fal"}, TODAY) == "deprecated"
    assert offer(one).warnings(one, TODAY) == []
