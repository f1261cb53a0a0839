"""Reading the catalogue: from one file or a folder, with what an installation replaces; every fault with its file."""

import pathlib
from typing import Any

import pytest
import yaml

from libs import errors
from services.provider_gateway import catalogue
from tests.unit.provider_gateway.offers import OFFER, PATH, TODAY, asked

NEW = """
endpoints:
  mine:
    {dialect: openai_videos, limits: {most_at_once: 2}, flags: {json_create: true}, source: me, checked_at: 2026-11-20}
models:
  - id: mine/wan
    family: wan-2.2-5b
    title: Wan of mine
    endpoint: mine
    wire_model: wan
    durations: [4]
    sizes: [1280x704]
    audio: false
    silent: true
    first_frame: true
    last_frame: false
    seed: true
    negative_prompt: true
    currency: USD
    prices: [{per: clip, costs: "0.001"}]
    source: me
    checked_at: 2026-11-20
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two files of the shipped catalogue, to be spoiled."""
    place = tmp_path / "offer"
    place.mkdir()
    for name in ("sandbox.yaml", "gemini.yaml"):
        (place / name).write_text((PATH / name).read_text())
    return place


def spoil(file: pathlib.Path, **changes: Any) -> None:
    """Write over what a file says of its first model."""
    written = yaml.safe_load(file.read_text())
    written["models"][0] |= changes
    file.write_text(yaml.safe_dump(written))


def faults(path: pathlib.Path, overrides: pathlib.Path | None = None) -> dict[str, str]:
    with pytest.raises(catalogue.CatalogueInvalid) as fault:
        catalogue.load(path, overrides)
    assert str(path) in str(fault.value)
    return {one.field: one.description for one in fault.value.violations}


def test_a_folder_is_read_whole(folder: pathlib.Path) -> None:
    offer = catalogue.load(folder)
    assert {one.endpoint for one in offer.models} == set(offer.endpoints)
    assert catalogue.load(folder / "sandbox.yaml").models == tuple(one for one in offer.models if one.play_money)


def test_an_installation_adds_models_and_endpoints_of_its_own(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(NEW)
    offer = catalogue.load(folder, own)
    assert offer.find("mine/wan").endpoint == "mine"
    assert offer.endpoints["mine"].limits == catalogue.Pace(most_at_once=2)
    assert offer.endpoints["mine"].flags == {"json_create": True}
    assert len(offer.models) == len(catalogue.load(folder).models) + 1


def test_an_installation_replaces_what_has_the_same_name(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    omni = yaml.safe_load((PATH / "gemini.yaml").read_text())["models"][0]
    own = tmp_path / "gemini.yaml"  # a name that is there already
    cheaper = omni | {"prices": [{"per": "second", "costs": "0.01"}]}
    gemini = {"dialect": "google_interactions", "source": "me", "checked_at": TODAY}
    own.write_text(yaml.safe_dump({"default_model": omni["id"], "endpoints": {"gemini": gemini}, "models": [cheaper]}))
    offer = catalogue.load(folder, own)
    before = catalogue.load(folder)
    assert [one.id for one in offer.models] == [one.id for one in before.models]
    assert offer.default_model == omni["id"]
    assert len(offer.find(omni["id"]).prices) == 1
    assert offer.endpoints["gemini"].base_url is None
    assert offer.find("google/veo-2.0-generate-001") == before.find("google/veo-2.0-generate-001")


def test_every_fault_is_told_at_once_with_its_file(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    spoil(
        folder / "sandbox.yaml",
        durations={"min": "one", "max": 20}, sizes=["1280*720"], prices=[{"per": "second", "costs": 0.1}], price=1,
        form={"dauer": "duration"}, references=True,
    )  # fmt: skip
    spoil(folder / "gemini.yaml", prices=[{"per": "minute", "costs": "1"}, {"per": "clip", "costs": "1e3"}])
    own = tmp_path / "mine.yaml"
    own.write_text(NEW.replace("most_at_once: 2", "most_at_once: 0").replace("source: me\n", "\n"))
    found = faults(folder, own)
    assert {field.removesuffix(".min") for field in found} == {
        "sandbox.yaml: models.sandbox/reel-1.durations",
        "sandbox.yaml: models.sandbox/reel-1.sizes",
        "sandbox.yaml: models.sandbox/reel-1.prices.0.costs",
        "sandbox.yaml: models.sandbox/reel-1.price",
        "sandbox.yaml: models.sandbox/reel-1.form",
        "sandbox.yaml: models.sandbox/reel-1.references",
        "gemini.yaml: models.google/gemini-omni-1.2-flash.prices.0.per",
        "gemini.yaml: models.google/gemini-omni-1.2-flash.prices.1.costs",
        "mine.yaml: endpoints.mine.limits.most_at_once",
        "mine.yaml: models.mine/wan.source",
    }
    assert "should be a decimal in quotes" in found["sandbox.yaml: models.sandbox/reel-1.prices.0.costs"]
    assert "dauer is no part of an order" in found["sandbox.yaml: models.sandbox/reel-1.form"]


def test_capabilities_that_nobody_knows_are_faults(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(NEW.replace("limits: {most_at_once: 2}", "capabilities: {idempotent: true, lookup: maybe}"))
    assert "idempotent: known are absence," in faults(folder, own)["mine.yaml: endpoints.mine.capabilities"]
    own.write_text(NEW.replace("limits: {most_at_once: 2}", "capabilities: {lookup: maybe, charges_failed: perhaps}"))
    assert set(faults(folder, own)) == {
        "mine.yaml: endpoints.mine.capabilities.lookup",
        "mine.yaml: endpoints.mine.capabilities.charges_failed",
    }


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"endpoint": "nowhere"}, "endpoint", "there is no endpoint nowhere"),
        ({"audio": False, "silent": False}, "silent", "a model without sound is silent"),
        ({"first_frame": False}, "last_frame", "none is taken without a first frame"),
        ({"rules": [{"when": {}, "durations": [7, 99]}]}, "rules", "7 or 99 s should be among the durations"),
        ({"rules": [{"when": {"resolution": "5k"}, "durations": [7]}]}, "rules", "there is no resolution 5k"),
        ({"retires": "2026-12-01"}, "replacement", "a model that retires names one, or null when nothing replaces it"),
        ({"replacement": "a/b"}, "replacement", "there is no model a/b"),
        ({"replacement": "google/gemini-omni-1.2-flash"}, "replacement", "is in turn replaced by this one"),
        ({"released": "2027-01-01"}, "released", "is after the day this was checked"),
        (
            {"prices": [{"per": "second", "costs": "1", "when": {"resolution": ["720p", "8k"]}}]},
            "prices",
            "there is none for 3 s at 1080p with sound without images",
        ),
        ({"prices": [{"per": "image", "costs": "1"}]}, "prices", "there is none for 3 s at 360p with sound"),
        (
            {"prices": [{"per": "clip", "costs": "1", "when": {"seconds": list(range(3, 15))}}]},
            "prices",
            "there is none for 15 s at 360p with sound",
        ),
    ],
)
def test_what_contradicts_itself_is_told_with_its_file(
    folder: pathlib.Path, changes: dict[str, Any], field: str, said: str
) -> None:
    spoil(folder / "gemini.yaml", **changes)
    with pytest.raises(catalogue.CatalogueInvalid) as fault:
        catalogue.load(folder)
    told = {(one.field, one.description) for one in fault.value.violations}
    places = {place for place, _ in told}
    assert places <= {f"gemini.yaml: google/gemini-omni-1.2-flash.{field}"} | {
        f"gemini.yaml: {model.id}.replacement" for model in OFFER.models if model.endpoint == "gemini"
    }
    assert any(said in description for _, description in told)


def test_a_ring_of_replacements_is_found_from_wherever_it_is_entered(folder: pathlib.Path) -> None:
    spoil(folder / "gemini.yaml", replacement="google/gemini-omni-flash-preview")
    assert len(faults(folder)) >= 2


def test_names_are_there_once(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (folder / "zweitens.yaml").write_text((folder / "gemini.yaml").read_text())
    assert faults(folder)["zweitens.yaml: gemini"] == "is there twice"
    (folder / "zweitens.yaml").unlink()
    own = tmp_path / "mine.yaml"
    written = yaml.safe_load(NEW)
    written["models"] *= 2
    own.write_text(yaml.safe_dump(written))
    assert faults(folder, own) == {"mine.yaml: mine/wan": "is there twice"}


def test_default_model_has_to_be_there(folder: pathlib.Path) -> None:
    (folder / "sandbox.yaml").unlink()
    assert faults(folder) == {"default_model": "there is no model "}


@pytest.mark.parametrize("text", ["models: [", "", "[]", "models: {}", "models: [reel]", "a: 2026-13-01", "a: \xff"])
def test_file_that_is_no_catalogue(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(errors.Invalid, match=r"catalogue\.yaml"):
        catalogue.load(path)


def test_what_was_read_does_not_change() -> None:
    one = OFFER.models[0]
    with pytest.raises(ValueError, match="frozen"):
        one.title = "Another"
    assert asked().size in one.sizes
