import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import __main__ as command
from services.cli import house, issuer, runs

Run = Callable[..., tuple[int, str, str]]
GOOD = "name: x\nscenes:\n  - subject: a\n    duration: 1\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def invoke(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    return invoke


def test_help_names_every_verb(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for verb in ("up", "down", "status", "doctor", "film", "cut", "watch", "board", "token"):
        assert f"  {verb} " in out


def test_a_good_board(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    assert run("board", "validate", str(tmp_path / "a.yaml")) == (0, f"{tmp_path}/a.yaml: fine: x, 1 scene, 1 s\n", "")


def test_faults_of_every_file_and_exit_code_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: x\n")
    (tmp_path / "b.yaml").write_text("")
    code, out, err = run("board", "validate", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"{tmp_path}/a.yaml:1: scenes: is missing. Add it.",
        f"{tmp_path}/b.yaml:1: it is empty. Write a name and scenes.",
    ]


def test_the_schema_is_json(run: Run) -> None:
    code, out, _ = run("board", "schema")
    assert code == 0
    assert json.loads(out)["title"] == "Rushes board"


@pytest.mark.parametrize(
    ("board", "options", "told"),
    [
        ("name: x\n", [], "scenes: is missing"),
        (GOOD, ["-o", "/nowhere/film.mp4"], "no file can be written there"),
        (GOOD, ["-o", "film.avi"], "Name it film.mp4"),
        (GOOD, ["--max-cost", "lots"], "write an amount such as 5.00"),
        (GOOD, ["--max-cost", "-1"], "write an amount such as 5.00"),
        (GOOD, ["--max-cost", "NaN"], "write an amount such as 5.00"),
    ],
)
def test_what_is_refused_before_any_house_is_looked_for(
    run: Run, tmp_path: Path, board: str, options: list[str], told: str
) -> None:
    (tmp_path / "a.yaml").write_text(board)
    words = ["-o", str(tmp_path / "a.mp4"), *options]
    code, _, err = run("film", str(tmp_path / "a.yaml"), "--home", str(tmp_path / "home"), *words)
    assert code == 2
    assert told in err
    assert not (tmp_path / "home").exists()


def test_a_house_that_does_not_run(run: Run, tmp_path: Path) -> None:
    assert run("status", "--home", str(tmp_path))[0] == 3
    assert run("token", "--home", str(tmp_path))[0] == 3
    code, out, _ = run("down", "--home", str(tmp_path))
    assert (code, out) == (0, f"No house runs in {tmp_path}.\n")


def test_the_token(run: Run, tmp_path: Path) -> None:
    of = house.prepare(house.make_folder(tmp_path), print)
    issuer.prepare(of, datetime.datetime.now(datetime.UTC))
    code, out, _ = run("token", "--home", str(tmp_path))
    assert code == 0
    assert out.strip() == of.token.read_text()
    assert not list(tmp_path.glob("runs/*"))
    assert runs.__doc__
