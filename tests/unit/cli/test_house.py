import json
import pwd
import socket
import stat
from pathlib import Path

import pytest

from services.cli import environment, exits, house


def make(folder: Path) -> tuple[house.House, list[str]]:
    notes: list[str] = []
    return house.prepare(house.make_folder(folder), notes.append), notes


def test_ports_and_secrets_are_remembered(tmp_path: Path) -> None:
    first, notes = make(tmp_path / "a" / "home")
    second, _ = make(tmp_path / "a" / "home")
    assert (first.ports, first.secrets) == (second.ports, second.secrets)
    assert len(set(first.ports.values())) == len(house.PORTS)
    assert house.load(first.folder) == second
    assert notes == []


def test_two_houses_share_neither_ports_nor_secrets(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one")[0], make(tmp_path / "two")[0]
    assert not set(one.secrets.values()) & set(two.secrets.values())


def test_a_port_that_another_program_took_is_replaced_with_a_note(tmp_path: Path) -> None:
    before, _ = make(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", before.ports["job"]))
        other.listen()
        after, notes = make(tmp_path)
    assert after.ports["job"] != before.ports["job"]
    assert {name for name in house.PORTS if after.ports[name] != before.ports[name]} == {"job"}
    [note] = notes
    assert str(before.ports["job"]) in note
    assert str(after.ports["job"]) in note


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    of, _ = make(tmp_path / "home")
    for name in ("secrets.json", "endpoints.json", "house.json"):
        assert stat.S_IMODE((of.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(of.folder.stat().st_mode) == 0o700
    assert of.secrets["postgres"] not in repr(of)


def test_the_gateway_is_told_where_the_sandbox_is(tmp_path: Path) -> None:
    of, _ = make(tmp_path)
    told = json.loads(of.endpoints.read_text())
    assert told["sandbox-openai"]["base_url"] == f"http://{of.address('sandbox')}/v1"
    assert told["sandbox-google"]["key"] == of.secrets["sandbox-google"]


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(exits.Ended, match="Choose another with --home"):
        house.make_folder(tmp_path / "file" / "home")


def test_a_house_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(exits.Ended, match="`rushes up` starts one") as caught:
        house.load(tmp_path)
    assert caught.value.code == exits.Code.NOT_FOUND


def test_a_house_that_is_damaged(tmp_path: Path) -> None:
    of, _ = make(tmp_path)
    (of.folder / "house.json").write_text("{")
    with pytest.raises(exits.Ended, match="is not JSON"):
        make(tmp_path)
    (of.folder / "house.json").write_text("{}")
    with pytest.raises(exits.Ended, match="is not complete"):
        house.load(tmp_path)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"RUSHES_HOME": "/r", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/r"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/rushes"),
        ({"HOME": "/h"}, "/h/.local/share/rushes"),
    ],
)
def test_the_default_home(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str) -> None:
    for name in ("RUSHES_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert house.default_folder() == Path(folder)


def test_a_service_is_told_what_it_needs_and_no_setting_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSHES_DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("RUSHES_OTHER", "x")
    monkeypatch.setenv("RUSHES_SANDBOX_LATENCY", "0.1")
    monkeypatch.setenv("no_proxy", "example.org")
    of, _ = make(tmp_path / "with space")
    told = environment.of_service(of, "job")
    assert told["RUSHES_DATABASE_URL"] == f"postgresql+asyncpg://job:{of.secrets['job']}@{of.address('postgres')}/job"
    assert told["RUSHES_STORYBOARD_ADDRESS"] == of.address("storyboard")
    assert told["RUSHES_PROVIDER_GATEWAY_ADDRESS"] == of.address("provider_gateway")
    assert told["RUSHES_SANDBOX_LATENCY"] == "0.1"
    assert told["no_proxy"] == "example.org,127.0.0.1,localhost"
    assert "with%20space/blobs?public=http://127.0.0.1:" in told["RUSHES_BLOBS_URL"]
    assert "RUSHES_OTHER" not in told
    assert "RUSHES_DATABASE_URL" not in environment.of_service(of, "sandbox")
    assert "RUSHES_ENDPOINTS_FILE" in environment.of_service(of, "provider_gateway")
    assert of.secrets["job_owner"] not in " ".join(told.values())


def test_who_has_no_home_is_told_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("RUSHES_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)  # as for a number that no /etc/passwd knows
    with pytest.raises(exits.Ended, match="with --home or RUSHES_HOME") as ended:
        house.default_folder()
    assert ended.value.code == exits.Code.CONFIG
