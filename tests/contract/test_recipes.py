"""What the recipes tell each process is right, in production."""

import re
from collections.abc import Mapping

import pytest

from libs import migrate, settings, topology
from services.cli import config_guide
from tests.contract import rooms
from tests.recipes import filled

PAAS = dict(re.findall(r"(?ms)^```env ([\w.]+)\n(.*?)^```", (rooms.ROOT / "docs" / "recipes" / "paas.md").read_text()))
OWNERS = sorted(path.stem.removeprefix("migrate-") for path in (filled.FOLDER / "env").glob("migrate-*.env"))


def faults(patch: pytest.MonkeyPatch, told: Mapping[str, str], cls: type[settings.Settings]) -> list[str]:
    for name, value in told.items():
        patch.setenv(name, value)
    return settings.read(cls)[1]


def of_paas(*names: str) -> dict[str, str]:
    lines = "".join(PAAS[name] for name in names).splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("service", filled.SERVICES)
def test_what_a_service_is_told_is_right(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    cls = config_guide.class_of(service)
    for told in (filled.variables(filled.passwords(), "common", service), of_paas("common", service)):
        with monkeypatch.context() as patch:
            assert faults(patch, told, cls) == []
            assert settings.load(cls).model_dump()["environment"] == "production"


def test_what_the_commands_are_told_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    known = filled.passwords()
    assert OWNERS == sorted(path.parent.name for path in (rooms.ROOT / "services").glob("*/migrations"))
    for told in (*(filled.variables(known, f"migrate-{service}") for service in OWNERS), of_paas("libs.migrate")):
        assert faults(monkeypatch, told, migrate.Settings) == []
    for told in (filled.variables(known, "topology"), of_paas("libs.topology")):
        assert faults(monkeypatch, told, topology.Settings) == []


def test_each_process_of_a_machine_has_a_port_of_its_own() -> None:
    told = [filled.variables(filled.passwords(), service) for service in filled.SERVICES]
    ports = [value for one in told for name, value in one.items() if name.endswith("LISTEN")]
    assert len(set(ports)) == len(ports)
    proxied = re.findall(r"127\.0\.0\.1:\d+", (filled.FOLDER / "nginx.conf").read_text())
    assert set(proxied) <= set(ports)
