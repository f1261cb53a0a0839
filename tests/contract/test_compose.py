"""docker-compose.yml: each service is told all that it must know, runs as it should, and waits for what it needs."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest
import yaml

from libs import settings
from services.cli import house, keys
from tests.contract import rooms
from tests.images import compose

SERVICES = compose.services()
OURS = {name: service for name, service in SERVICES.items() if service.ours}
LONG_LIVED = [name for name, service in SERVICES.items() if service.raw.get("restart") == "unless-stopped"]


def told_by(service: compose.Service) -> type[settings.Settings] | None:
    """The settings of the module that is run; None for those of the command, which reads a folder."""
    module = service.command[service.command.index("-m") + 1]
    if module.startswith("services.cli"):
        return None
    place = module if module.startswith("libs.") else f"{module}.settings"
    found: type[settings.Settings] = importlib.import_module(place).Settings
    return found


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_told_what_it_must_know_and_nothing_else(name):
    service, cls = OURS[name], told_by(OURS[name])
    told = {key.removesuffix("_FILE") for key in service.environment if key.startswith("RUSHES_")}
    if cls is None:
        assert told <= {"RUSHES_HOME"}
        return
    known = {f"RUSHES_{field.upper()}": info.is_required() for field, info in cls.model_fields.items()}
    assert told <= known.keys(), f"{name} has no such setting"
    assert {variable for variable, required in known.items() if required} <= told, f"{name} would not start"


def test_nothing_need_be_told_to_try_it_and_little_to_run_it():
    assert set(re.findall(r"\$\{\w+(:-)?", compose.FILE.read_text())) == {":-"}, "every variable has a default"
    for name in set(LONG_LIVED) & OURS.keys():
        required = [field for field, info in told_by(OURS[name]).model_fields.items() if info.is_required()]
        assert len(required) <= 8, (name, required)


@pytest.mark.parametrize("name", OURS)
def test_what_is_run_is_there(name):
    module = OURS[name].command[OURS[name].command.index("-m") + 1]
    path = rooms.ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_the_keys_are_where_the_services_look(tmp_path: Path):
    keys.main([str(tmp_path)])
    folders = {volume: Path(target).name for target, volume in OURS["keys"].volumes.items()}
    for name, service in SERVICES.items():
        if name == "keys":
            continue
        of_keys = [volume for volume in service.volumes.values() if volume.startswith("keys-")]
        assert len(of_keys) <= 1, f"{name} sees keys that are not its own"
        wanted = [value for value in service.environment.values() if value.startswith(("/keys/", "file:///keys/"))]
        wanted += re.findall(r"/keys/[a-z.]+", " ".join(service.command))
        for path in wanted:
            assert (tmp_path / folders[of_keys[0]] / Path(path).name).is_file(), (name, path)


def test_a_service_loads_its_settings_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys.main([str(tmp_path)])
    for name, service in OURS.items():
        cls = told_by(service)
        for key, value in service.environment.items() if cls else ():
            own = str(tmp_path / name.replace("-", "_"))
            monkeypatch.setenv(key, value.replace("/keys", own, 1) if value.startswith("/keys") else value)
        assert cls is None or settings.load(cls)
        for key in service.environment:
            monkeypatch.delenv(key, raising=False)


def test_the_addresses_are_those_that_the_keys_name():
    named = set(keys.CLUSTER.values())
    listening = {f"{name}:{port}" for name, service in SERVICES.items() for port in ports(service)}
    assert named <= listening | {"postgres:5432", "nats:4222"}
    for service in OURS.values():
        for key, value in service.environment.items():
            if key.endswith("_ADDRESS"):
                called = key.removeprefix("RUSHES_").removesuffix("_ADDRESS").lower()
                assert value == keys.CLUSTER["storyboard" if called == "tokens" else called]


def ports(service: compose.Service) -> list[str]:
    return [mapping.rpartition(":")[2] for mapping in service.raw.get("ports", [])]


def test_nothing_listens_but_on_this_machine():
    for service in SERVICES.values():
        assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", mapping) for mapping in service.raw.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_everything_has_limits(name):
    raw = SERVICES[name].raw
    assert raw["mem_limit"]
    assert raw["logging"]["options"]["max-size"]
    assert not re.search(r":latest|minio/|bitnami", raw["image"])
    assert ":" in raw["image"].rpartition("/")[2], "an image has a tag"


@pytest.mark.parametrize("name", OURS)
def test_ours_run_with_nothing_that_they_do_not_need(name):
    raw = OURS[name].raw
    assert (raw["read_only"], raw["cap_drop"]) == (True, ["ALL"])
    assert name == "keys" or raw["user"] == "65532:65532"


def test_every_service_waits_for_what_it_needs():
    for name in ("storyboard", "provider-gateway", "job", "compiler"):
        waits = {on: how["condition"] for on, how in OURS[name].raw["depends_on"].items()}
        assert waits == dict.fromkeys(("migrate", "topology", "bucket"), "service_completed_successfully")
    for name in set(LONG_LIVED) & (OURS.keys() | {"postgres", "nats", "s3"}):
        assert SERVICES[name].raw["healthcheck"]["test"], f"{name} cannot be waited for"


def test_the_house_has_the_same_services_in_containers():
    assert {name.replace("-", "_") for name in OURS} >= set(house.SERVICES)
    assert dataclasses.replace(house.House(Path(), {}, {}), elsewhere=keys.CLUSTER).address("job") == "job:7003"


def test_what_watches_finds_what_it_reads():
    scraped = yaml.safe_load((rooms.ROOT / "deploy" / "compose" / "prometheus.yaml").read_text())["scrape_configs"]
    targets = {target for config in scraped for one in config["static_configs"] for target in one["targets"]}
    listening = {
        f"{name}:{service.environment['RUSHES_METRICS_LISTEN'].rpartition(':')[2]}"
        for name, service in OURS.items()
        if "RUSHES_METRICS_LISTEN" in service.environment
    }
    assert targets == listening
