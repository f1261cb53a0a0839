import datetime
import pathlib
from typing import Any

import pytest
import yaml

from libs import errors
from rushes.provider_gateway.v1 import error_reason_pb2
from services.provider_gateway import catalogue

PATH = pathlib.Path(catalogue.__file__).with_name("catalogue.yaml")
OFFER = catalogue.load(PATH)
TODAY = datetime.date(2026, 11, 20)
EVERYWHERE = frozenset(OFFER.endpoints)
REEL = OFFER.find("sandbox/reel-1")
OMNI = OFFER.find("google/gemini-omni-1.2-flash")


def asked(**changes: Any) -> dict[str, Any]:
    plain = {
        "prompt": "A quiet field.", "negative_prompt": "", "seconds": 5, "width": 1280, "height": 720, "seed": None,
        "audio": True, "first_frame": False, "last_frame": False, "references": 0,
    }  # fmt: skip
    return plain | changes


@pytest.mark.parametrize("model", OFFER.models, ids=lambda model: model.id)
def test_every_entry_is_whole(model: catalogue.Model) -> None:
    assert model.checked_at <= datetime.date(2026, 11, 21)
    assert model.is_retired(TODAY) == (model.retires is not None)
    if model.replacement:
        assert not OFFER.find(model.replacement).is_retired(TODAY)
    made = asked(
        seconds=model.durations[0], width=model.sizes[0].width, height=model.sizes[0].height, audio=model.audio
    )
    assert catalogue.violations(model, **made) == []


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
        ("sora-2", "openai/sora-2"),
        ("gemini-omni", "google/gemini-omni"),
        ("", ""),
    ],
)
def test_unknown_model_gets_a_suggestion(given: str, nearest: str) -> None:
    with pytest.raises(catalogue.ModelNotFound) as fault:
        OFFER.find(given)
    assert fault.value.facts["model"] == given
    assert fault.value.facts["nearest"].startswith(nearest)
    assert fault.value.facts["nearest"] in str(fault.value)


def test_retired_model_names_its_replacement() -> None:
    with pytest.raises(catalogue.ModelRetired) as fault:
        OFFER.usable("openai/sora-2-pro", EVERYWHERE, TODAY)
    assert fault.value.facts == {
        "model": "openai/sora-2-pro",
        "retired": "2026-09-24",
        "replacement": "google/gemini-omni-1.2-flash",
    }
    assert "2026-09-24; use google/gemini-omni-1.2-flash" in str(fault.value)


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
    assert catalogue.state(sora, EVERYWHERE, today) == state
    warnings = OFFER.warnings(sora, today)
    assert len(warnings) == warned
    assert all("2026-09-24" in one and "google/gemini-omni-1.2-flash" in one for one in warnings)


def test_state_without_an_end() -> None:
    assert catalogue.state(OMNI, {"gemini"}, TODAY) == "available"
    assert catalogue.state(OMNI, {"sandbox-openai"}, TODAY) == "unconfigured"
    assert catalogue.state(OFFER.find("openai/sora-2"), (), TODAY) == "retired"
    assert OFFER.warnings(OMNI, TODAY) == []


@pytest.mark.parametrize(
    ("model", "changes", "field", "sentence"),
    [
        (REEL, {"seconds": 45}, "duration", "45 s; this model makes 1 to 20 s"),
        (OFFER.find("openai/sora-2"), {"seconds": 5}, "duration", "5 s; this model makes 4, 8, 12, 16 or 20 s"),
        (OFFER.find("google/veo-2.0-generate-001"), {"audio": True}, "audio", "only false is possible"),
        (OMNI, {"audio": False}, "audio", "only true is possible"),
        (OMNI, {"width": 1000, "height": 1000}, "size", "1000x1000; this model makes 640x360, 1280x720"),
        (OMNI, {"seed": 0}, "seed", "takes no seed"),
        (OMNI, {"negative_prompt": "rain"}, "negative_prompt", "takes no negative prompt"),
        (REEL, {"prompt": " \n"}, "prompt", "empty"),
        (REEL, {"last_frame": True}, "last_frame", "takes no last frame"),
        (REEL, {"references": 2}, "references", "takes no reference images"),
        (OFFER.find("google/gemini-omni-flash-preview"), {"first_frame": True}, "first_frame", "takes no first frame"),
    ],
)
def test_violations_name_what_is_allowed(
    model: catalogue.Model, changes: dict[str, Any], field: str, sentence: str
) -> None:
    fitting = asked(seconds=model.durations[0], audio=model.audio)
    ((named, said),) = catalogue.violations(model, **fitting | {"audio": model.audio} | changes)
    assert named == field
    assert sentence in said


def test_all_violations_come_at_once() -> None:
    found = catalogue.violations(OMNI, **asked(prompt="", seconds=45, width=1, seed=1, audio=False))
    assert [field for field, _ in found] == ["prompt", "duration", "size", "seed", "audio"]


def test_most_micros() -> None:
    assert catalogue.most_micros(REEL, 7, 1280, 720) == (700_000, "XTS")
    assert catalogue.most_micros(OMNI, 10, 720, 1280) == (700_000, "USD")
    assert catalogue.most_micros(OMNI, 10, 3840, 2160) == (2_100_000, "USD")
    assert catalogue.most_micros(OMNI, 1, 1, 1) == (210_000, "USD")


def test_every_fault_of_a_file_is_told_at_once(tmp_path: pathlib.Path) -> None:
    written = yaml.safe_load(PATH.read_text())
    reel, omni = written["models"][:2]
    reel |= {"durations": {"min": "one", "max": 20}, "sizes": ["1280*720"], "micros_per_second": 0.1, "price": 1}
    del omni["source"]
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(catalogue.CatalogueInvalid) as fault:
        catalogue.load(path)
    told = str(fault.value)
    assert str(path) in told
    for place in (
        "models.0.durations",
        "models.0.sizes.0",
        "models.0.micros_per_second",
        "models.0.price",
        "models.1.source",
    ):
        assert place in told


def test_every_loose_end_of_a_file_is_told_at_once(tmp_path: pathlib.Path) -> None:
    written = yaml.safe_load(PATH.read_text())
    models = written["models"]
    written["default_model"] = "sandbox/reel-9"
    models[0] |= {"endpoint": "nowhere", "audio": False, "silent": False}
    models[1] |= {"retires": TODAY, "replacement": "sandbox/reel-9"}
    models[2]["micros_per_second"] = {"640x360": 23000}
    models.append(models[3])
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(catalogue.CatalogueInvalid) as fault:
        catalogue.load(path)
    assert {one.field for one in fault.value.violations} == {
        "default_model",
        "sandbox/reel-1.endpoint",
        "sandbox/reel-1.silent",
        "sandbox/omni-1.replacement",
        "google/gemini-omni-1.2-flash.micros_per_second",
        "google/gemini-omni-1.1-flash",
    }


@pytest.mark.parametrize("text", ["models: [", "", "[]"])
def test_file_that_is_no_catalogue(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(text)
    with pytest.raises(errors.Invalid):
        catalogue.load(path)
