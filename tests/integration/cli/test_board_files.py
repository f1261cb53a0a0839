"""Files and proposals as a person types them, against a house whose language model is the sandbox."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli import board_file, exits

Run = Callable[..., tuple[int, str, str]]
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def run(run: Run) -> Run:
    return functools.partial(run, "board")


def made(told: tuple[int, str, str]) -> str:
    """The id of a board that was made."""
    code, out, _ = told
    assert code == 0
    return out.split()[0]


def test_an_export_is_imported_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    board = made(run("new", str(EXAMPLES / "the-letter.yaml")))
    shown = run("show", board, "--json")[1]
    for format in ("yaml", "json", "fountain", "csv"):
        assert run("export", board, "--format", format) == (0, f"the-letter.{format}\n", "")
        again = made(run("import", f"the-letter.{format}"))
        back = json.loads(run("show", again, "--json")[1])
        assert [it["action"] for it in back["scenes"]] == [it["action"] for it in json.loads(shown)["scenes"]]
        assert [it["identity_tag"] for it in back["characters"]] == [
            it["identity_tag"] for it in json.loads(shown)["characters"]
        ]
    code, _, err = run("export", board)
    assert (code, "the-letter.yaml is there already" in err) == (exits.Code.USAGE, True)
    assert run("export", board, "--output", "-")[1].startswith("name: The Letter\n")
    assert run("export", board, "--format", "html", "-o", "x.html")[1] == "x.html\n"
    assert board_file.read(tmp_path / "the-letter.yaml").board.characters[0].identity_tag, "an export can be filmed"


def test_faults_are_told_by_file_and_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("subject,duration\na,4\nb,soon\n")
    wrong = "is 'soon', not a whole number; write digits only, such as 4."
    assert run("import", str(path)) == (exits.Code.USAGE, "", f"{path}:3: scenes[1].duration: {wrong}\n")
    unknown = "does not say by its ending what it is: --format: write one of yaml, json, fountain, csv, browser_json.\n"
    code, _, err = run("import", str(tmp_path / "shots.txt"))
    assert (code, err.endswith(unknown)) == (exits.Code.USAGE, True), "html is only written"
    assert run("import", str(path), "--format", "html")[0] == exits.Code.USAGE
    assert "cannot be read" in run("import", str(tmp_path / "none.csv"))[2]


def test_a_check_says_what_would_be_made(run: Run) -> None:
    code, out, err = run("import", str(EXAMPLES / "letter.csv"), "--check")
    assert (code, out.splitlines()[:2], "\nscenes[2] 4 s, cut\n" in out) == (
        0,
        ["Untitled", "characters[0] Elias"],
        True,
    )
    assert err == "Note: line 1: name: it has no name; Untitled is taken.\n"


def test_a_proposal_is_shown_and_then_sent(run: Run, tmp_path: Path) -> None:
    board = made(run("new", "--name", "Empty"))
    script = tmp_path / "script.txt"
    script.write_text("Mara climbs the stairs.\n\nThe lamp goes out.\n")
    code, out, err = run("propose", board, "--script", str(script))
    assert (code, err, len(out.splitlines())) == (0, "", 2)
    assert "scenes[0]" not in run("show", board)[1]
    assert run("propose", board, "--script", str(script), "--apply")[0] == 0
    code, out, _ = run("refine", board, "1", "-i", "quietly", "--apply")
    assert (code, "quietly" in out) == (0, True)
    assert "  action: The lamp goes out. quietly" in run("show", board)[1]
