"""The composer speaks to each model of the catalogue as the catalogue says it understands."""

from typing import Any

import pytest
import yaml

from services.storyboard import dialects
from tests.contract import rooms

OFFERS = sorted((rooms.ROOT / "services" / "provider_gateway" / "offer").glob("*.yaml"))
MODELS: list[dict[str, Any]] = [
    model for path in OFFERS for model in yaml.safe_load(path.read_text()).get("models", [])
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["id"])
def test_the_composer_and_the_catalogue_agree(model: dict[str, Any]) -> None:
    takes_a_field = (model.get("limits") or model)["negative_prompt"]
    assert (dialects.of(model["id"]) is dialects.Dialect.NEGATIVE_FIELD) == takes_a_field
    assert dialects.stills(model["id"]) == (model.get("limits") or model).get("references", 0)
