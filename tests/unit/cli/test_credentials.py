"""The verbs about keys where no house is needed: where a key is read from, what is shown, what a house keeps."""

import base64
import datetime
import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rich.console

from rushes.provider_gateway.v1 import credential_pb2
from services.cli import __main__ as command
from services.cli import doctor, environment, exits, house, issuer, locksmith

CANARY = "sk-canary-0123456789abcdef"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`code, out, err = run("list", stdin="…")`, where no house runs."""

    def invoke(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", "credentials", *words, "--home", str(tmp_path / "none")])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    return invoke


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["list"], ""),
        (["show", "cred_1"], ""),
        (["add", "gemini"], f"{CANARY}\n"),
        (["rotate", "cred_1"], CANARY),
        (["verify", "cred_1"], ""),
        (["disable", "cred_1"], ""),
        (["enable", "cred_1"], ""),
        (["delete", "cred_1", "--yes"], ""),
    ],
)
def test_no_house_is_started_for_a_key(run: Run, tmp_path: Path, words: list[str], stdin: str) -> None:
    code, out, err = run(*words, stdin=stdin)
    assert (code, out, err) == (3, "", f"No house runs in {tmp_path}/none; `rushes up` starts it.\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "gemini"], "There is no key"),
        (["add", "gemini", "--key-file", "/nowhere/key"], "/nowhere/key cannot be read: No such file"),
        (["add", "gemini", "--setting", "project"], "write a name and a value"),
        (["rotate", "cred_1"], "There is no key"),
    ],
)
def test_what_is_refused_before_any_house_is_looked_for(run: Run, words: list[str], told: str) -> None:
    code, _, err = run(*words, stdin=" \n")
    assert (code, told in err) == (2, True)


def test_a_key_is_no_word_of_the_command_line(run: Run) -> None:
    for words in (["add", "gemini", CANARY], ["add", "gemini", "--key", CANARY], ["rotate", "cred_1", CANARY]):
        assert run(*words)[0] == 2


def test_a_key_is_not_destroyed_where_nobody_can_be_asked(run: Run) -> None:
    code, _, err = run("delete", "cred_1", stdin="y\n")
    assert (code, err) == (2, "Nobody can be asked here: give --yes.\n")


def test_a_key_comes_from_a_file_or_from_stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    (tmp_path / "picture").write_bytes(b"\xff\xd8")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CANARY}-piped\n"))
    assert locksmith.read_key(tmp_path / "key") == CANARY
    assert locksmith.read_key(None) == f"{CANARY}-piped"
    assert locksmith.read_file(None) == ""
    with pytest.raises(exits.Ended, match="not UTF-8"):
        locksmith.read_key(tmp_path / "picture")


def test_settings_are_names_and_values() -> None:
    assert locksmith.settings(["project=film", "bucket=gs://a=b"]) == {"project": "film", "bucket": "gs://a=b"}


def shown(of: credential_pb2.Credential, as_json: bool = False) -> str:
    paper = io.StringIO()
    locksmith.show([of], as_json, rich.console.Console(file=paper, width=40, soft_wrap=True))
    return paper.getvalue()


def test_a_credential_is_shown_to_people_and_programs() -> None:
    of = credential_pb2.Credential(
        id="cred_1",
        endpoint="gemini",
        name="[bold]main",
        state=credential_pb2.Credential.STATE_DISABLED,
        key_version=2,
        key_hint="cdef",
    )
    of.verify_time.FromJsonString("2026-11-21T10:11:12Z")
    line = "cred_1 · gemini · [bold]main · disabled · key …cdef version 2 · verified 2026-11-21 10:11 · used never"
    assert shown(of) == f"{line}\n"
    assert json.loads(shown(of, as_json=True))["credentials"][0]["key_hint"] == "cdef"
    locksmith.judge(of)
    of.refusal = "No such key."
    assert shown(of) == f"{line} · refused: No such key.\n"
    with pytest.raises(exits.Ended, match="rotate cred_1") as refused:
        locksmith.judge(of)
    assert refused.value.code == exits.Code.PROVIDER


def test_a_house_makes_what_opens_its_vault_once(tmp_path: Path) -> None:
    of = house.prepare(house.make_folder(tmp_path / "home"), print)
    told = json.loads(of.vault.read_text())
    assert len(base64.b64decode(told["keys"][told["current"]])) == 32
    assert stat.S_IMODE(of.vault.stat().st_mode) == 0o600
    assert environment.of_service(of, "provider_gateway")["RUSHES_VAULT_KEYS_FILE"] == str(of.vault)
    assert "RUSHES_VAULT_KEYS_FILE" not in environment.of_service(of, "job")
    house.prepare(of.folder, print)
    assert json.loads(of.vault.read_text()) == told
    of.vault.unlink()
    other = json.loads(house.prepare(of.folder, print).vault.read_text())
    assert other["current"] != told["current"]


async def test_a_lost_vault_file_has_a_remedy(tmp_path: Path) -> None:
    of, now = house.prepare(house.make_folder(tmp_path / "home"), print), datetime.datetime.now(datetime.UTC)
    issuer.prepare(of, now)
    of.vault.unlink()
    found = {one.name: one.remedy async for one in doctor.examine(of.folder, now, 0)}
    assert "rushes credentials rotate" in found["vault.json"]
