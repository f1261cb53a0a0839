"""The Helm chart tells each service what it asks for, and nothing that it does not know."""

import re
from typing import Any

import pytest
import yaml

from deploy.helm import schema
from libs import run
from tests.contract import rooms

VALUES: dict[str, Any] = yaml.safe_load((schema.CHART / "values.yaml").read_text())
SERVICES = sorted(VALUES["services"])
AUTH = {"auth_issuer", "auth_audience", "auth_jwks_url", "tokens_address"}
CALLBACKS = {"callbacks_listen", "public_url"}
UNITS = {"": 1, "Mi": 1 << 20, "Gi": 1 << 30}


def value(service: str, key: str) -> Any:
    own, default = VALUES["services"][service].get(key), VALUES["defaults"][key]
    return {**default, **(own or {})} if isinstance(default, dict) else default if own is None else own


def folders(service: str) -> dict[str, dict[str, str]]:
    default = VALUES["defaults"]["folders"]
    return {name: {**default.get(name, {}), **told} for name, told in value(service, "folders").items()}


def number_of(quantity: str) -> int:
    amount, unit = re.fullmatch(r"(\d+)([A-Z]i)?", quantity).groups(default="")
    return int(amount) * UNITS[unit]


def told(service: str) -> set[str]:
    """The settings that the templates tell, when everything optional is turned on."""
    calls = {f"{called}_address" for called in value(service, "calls")}
    by_folder = {folder["setting"] for folder in folders(service).values()} - {""}
    callbacks = CALLBACKS if "callbacks" in VALUES["services"][service] else set()
    auth = AUTH if value(service, "verifiesTokens") else set()
    settings = {*value(service, "settings"), *value(service, "secrets")}
    return {"listen", "metrics_listen", *calls, *by_folder, *callbacks, *auth, *settings}


def test_the_schema_is_that_of_the_values_and_the_settings():
    assert (schema.CHART / "values.schema.json").read_text() == schema.document(), "run `make chart-schema`"


def test_the_chart_runs_every_service():
    assert {path.parent.name for path in (rooms.ROOT / "services").glob("*/settings.py")} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_the_chart_tells_a_service_only_what_it_knows(service):
    assert told(service) <= set(schema.settings_of(service).model_fields)


@pytest.mark.parametrize("service", SERVICES)
def test_the_chart_tells_a_service_what_it_cannot_do_without(service):
    fields = schema.settings_of(service).model_fields
    secrets = value(service, "secrets")
    absent = {name for name, secret in secrets.items() if not secret["name"]}
    assert {name for name, field in fields.items() if field.is_required()} <= told(service) - absent


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_of_exactly_those_whose_address_it_asks_for(service):
    asked = {name for name in schema.settings_of(service).model_fields if name.endswith("_address")} - AUTH
    assert asked == {f"{called}_address" for called in value(service, "calls")}


@pytest.mark.parametrize("service", SERVICES)
def test_who_has_a_database_has_an_owner_that_migrates_it(service):
    has_database = (rooms.ROOT / "services" / service / "migrations").is_dir()
    assert ("owner" in VALUES["services"][service]) == has_database


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_left_the_time_that_its_process_takes(service):
    wiring = (rooms.ROOT / "services" / service / "__main__.py").read_text()
    own = re.search(r"^_GRACE_S = (\d+)", wiring, re.MULTILINE)
    assert value(service, "drainSeconds") == (int(own[1]) if own else run.together.__defaults__[0])


@pytest.mark.parametrize("service", SERVICES)
def test_folders_fit_into_what_a_pod_may_write(service):
    sizes = [number_of(folder["size"]) for folder in folders(service).values()]
    assert sum(sizes) <= number_of(value(service, "resources")["limits"]["ephemeral-storage"])


def test_the_compiler_is_told_of_no_more_than_its_pod_has():
    settings, limits = value("compiler", "settings"), value("compiler", "resources")["limits"]
    assert settings["compiler_memory_bytes"] < number_of(limits["memory"])
    assert settings["shelf_bytes"] < number_of(folders("compiler")["work"]["size"])
