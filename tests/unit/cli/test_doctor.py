import datetime
import os
import socket
from pathlib import Path

import pytest

from services.cli import doctor, house, issuer, state

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)


@pytest.fixture
def home(tmp_path: Path) -> house.House:
    of = house.prepare(house.make_folder(tmp_path / "home"), print)
    issuer.prepare(of, NOW)
    return of


async def wrong(folder: Path, now: datetime.datetime = NOW, enough_disk_bytes: int = 0) -> dict[str, tuple[str, str]]:
    found = [finding async for finding in doctor.examine(folder, now, enough_disk_bytes)]
    assert all(bool(finding.wrong) == bool(finding.remedy) for finding in found)
    return {finding.name: (finding.wrong, finding.remedy) for finding in found if finding.wrong}


async def test_nothing_is_wrong_with_a_house_that_is_down(home: house.House) -> None:
    assert await wrong(home.folder) == {}


async def test_nothing_is_wrong_before_the_first_house(tmp_path: Path) -> None:
    assert await wrong(tmp_path / "none" / "yet") == {}


async def test_a_full_disk(home: house.House) -> None:
    found = await wrong(home.folder, enough_disk_bytes=2**62)
    assert "another disk with --home" in found["disk"][1]


async def test_a_port_taken_names_the_program_and_the_remedy(home: house.House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.ports["job"]))
        other.listen()
        [(name, (_, remedy))] = (await wrong(home.folder)).items()
    assert name == "port of job"
    assert f"(pid {os.getpid()})" in remedy
    assert "rushes up" in remedy


async def test_secrets_that_others_may_read(home: house.House) -> None:
    home.token.chmod(0o644)
    (home.folder / "issuer.pem").unlink()
    found = await wrong(home.folder)
    assert found["token"][1] == f"`chmod 600 {home.token}`"
    assert "was removed" in found["issuer.pem"][0]


async def test_a_database_that_others_may_enter(home: house.House) -> None:
    home.postgres.mkdir(mode=0o755)
    home.postgres.chmod(0o755)
    assert (await wrong(home.folder))["postgres data"][1] == f"`chmod 700 {home.postgres}`"


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "not readable JSON"), ("[]", "not readable JSON"), ('{"a": {"base_url": "x", "key": ""}}', "for a")],
)
async def test_endpoints_that_are_no_good(home: house.House, text: str, told: str) -> None:
    home.endpoints.write_text(text)
    assert told in (await wrong(home.folder))["endpoints"][0]


async def test_a_clock_that_went_back(home: house.House) -> None:
    found = await wrong(home.folder, NOW - datetime.timedelta(days=30))
    assert "set the clock" in found["token and clock"][1]


async def test_a_damaged_house(home: house.House) -> None:
    (home.folder / "house.json").write_text("{")
    assert "move the folder away" in (await wrong(home.folder))["house"][1]


async def test_a_home_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o400)
    found = await wrong(tmp_path / "file" / "home")
    assert "--home" in found["home"][1]


async def test_processes_that_do_not_answer(home: house.House) -> None:
    facts = {"pid": None, "since": None, "restarts": 3, "trouble": ""}
    asked = [{"name": name, "address": home.address(name), **facts} for name in ("nats", "job", "sandbox", "postgres")]
    state.write(home.folder, "ready", False, asked)
    found = await wrong(home.folder)
    assert {name: what for name, (what, _) in found.items()} == {
        "nats": "it does not answer",
        "job": "it does not answer",
        "sandbox": "it does not answer",
        "postgres": "it does not answer",
        "database roles": "PostgreSQL cannot be asked",
    }
    assert str(home.log("job")) in found["job"][1]
