"""What is told about settings is what the classes say, and what production refuses is refused by each of them."""

import json
import re
from pathlib import Path

import pytest

from libs import settings
from services.cli import config_guide, environment, house
from tests.contract import rooms

# A variable in double quotes or backticks, or given a value; what ends with `_`, or is half a name, is no variable.
MENTIONED = re.compile(r"\bRUSHES_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?![_…{*])")
BOOKS = sorted(path for folder in (".", "docs", "docs/recipes") for path in (rooms.ROOT / folder).glob("*.md"))

FOR_TRYING_OUT = {
    "compiler": {"AUTH_JWKS_URL", "AUTH_ISSUER", "NATS_URL", "BLOBS_URL", "LEASE_S"},
    "job": {"AUTH_JWKS_URL", "AUTH_ISSUER", "NATS_URL"},
    "provider_gateway": {
        *("AUTH_JWKS_URL", "AUTH_ISSUER", "NATS_URL", "BLOBS_URL", "LEASE_S"),
        *("ENDPOINTS", "PUBLIC_URL", "CALLBACKS_SECRET"),
    },
    "sandbox": {"SANDBOX_HOME"},
    "storyboard": {"AUTH_JWKS_URL", "AUTH_ISSUER", "BLOBS_URL", "DEFAULT_MODEL"},
    "studio": {"BLOBS_URL"},
}
"""What production refuses of a house on one machine."""


@pytest.mark.parametrize("path", config_guide.files(rooms.ROOT), ids=lambda path: path.name)
def test_what_is_made_from_the_settings_is_fresh(path: Path) -> None:
    assert path.read_text() == config_guide.files(rooms.ROOT)[path], "`make config` writes it anew"


def test_every_variable_says_what_it_means() -> None:
    for section in config_guide.sections():
        for variable in section.variables:
            assert variable.meaning.endswith("."), variable.name


@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.name)
def test_a_book_names_no_variable_that_is_none(book: Path) -> None:
    known = set(config_guide.names().split())
    mentioned = {name.removesuffix("_FILE") for name in MENTIONED.findall(book.read_text())}
    assert mentioned - known - {"RUSHES_X"} == set()


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> house.House:
    """A house that has never run: what it would tell its processes."""
    return house.prepare(house.make_folder(tmp_path_factory.mktemp("house")), print)


def told(monkeypatch: pytest.MonkeyPatch, of: house.House, service: str, **more: str) -> dict[str, str]:
    """Every fault of what the house tells a service, by its variable without RUSHES_."""
    for name, value in (environment.of_service(of, service) | more).items():
        if name.startswith("RUSHES_"):
            monkeypatch.setenv(name, value)
    faults = settings.read(config_guide.class_of(service))[1]
    return dict(fault.removeprefix("RUSHES_").split(": ", 1) for fault in faults)


@pytest.mark.parametrize("service", config_guide.SERVICES)
def test_what_a_house_tells_its_processes_is_right(monkeypatch, of, service) -> None:
    assert told(monkeypatch, of, service) == {}


@pytest.mark.parametrize("service", config_guide.SERVICES)
def test_nothing_that_is_shown_of_a_process_holds_a_secret_of_its_house(monkeypatch, of, service) -> None:
    more = {"RUSHES_WRITER_KEY": of.secrets["blobs"], "RUSHES_GUESTS_SECRET": of.secrets["blobs"]}
    assert told(monkeypatch, of, service, **more) == {}
    found = settings.load(config_guide.class_of(service))
    seen = f"{settings.shown(found)} {found!r} {found}"
    vault = json.loads(of.vault.read_text())["keys"].values()
    assert not [secret for secret in [*of.secrets.values(), *vault] if secret in seen]


@pytest.mark.parametrize("service", config_guide.SERVICES)
def test_production_refuses_what_is_for_trying_out(monkeypatch, of, service) -> None:
    bare = {
        "RUSHES_NATS_URL": "nats://127.0.0.1:4222",
        "RUSHES_CALLBACKS_SECRET": "short",
        "RUSHES_LEASE_S": "2",
        "RUSHES_ENVIRONMENT": "production",
    }
    assert told(monkeypatch, of, service, **bare).keys() == FOR_TRYING_OUT[service]


@pytest.mark.parametrize("service", sorted(FOR_TRYING_OUT.keys() - {"sandbox"}))
def test_production_starts_with_what_is_in_earnest(monkeypatch, of, service) -> None:
    earnest = {
        "RUSHES_ENVIRONMENT": "production",
        "RUSHES_NATS_URL": "tls://job:secret@bus:4222",
        "RUSHES_AUTH_JWKS_URL": "https://issuer.example/keys",
        "RUSHES_AUTH_ISSUER": "https://issuer.example",
        "RUSHES_BLOBS_URL": "s3://key:secret@s3.example/media?public=https://media.example",
        "RUSHES_DEFAULT_MODEL": "google/omni",
        "RUSHES_PUBLIC_URL": "https://callbacks.example",
        "RUSHES_CALLBACKS_SECRET": "s" * 32,
        "RUSHES_ENDPOINTS_FILE": "",
        "RUSHES_ENDPOINTS": '{"fal": {"key": "secret"}}',
    }
    assert told(monkeypatch, of, service, **earnest) == {}


@pytest.mark.parametrize(
    ("service", "variable", "value", "fault"),
    [
        ("job", "METRICS_LISTEN", "127.0.0.1:7000", "should be another address"),
        ("provider_gateway", "CALLBACKS_LISTEN", "127.0.0.1:7000", "should be another address"),
        ("provider_gateway", "CALLBACKS_SECRET", "", "should be set where callbacks are heard"),
        ("compiler", "FILM_TIMEOUT_S", "15", "should be longer than RUSHES_LEASE_S"),
        ("job", "LOG_LEVEL", "LOUD", "Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("job", "ENVIRONMENT", "prod", "Input should be 'development' or 'production'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(monkeypatch, of, service, variable, value, fault) -> None:
    faults = told(monkeypatch, of, service, **{"RUSHES_LISTEN": "127.0.0.1:7000", f"RUSHES_{variable}": value})
    assert faults.keys() == {variable}
    assert faults[variable].startswith(fault)
