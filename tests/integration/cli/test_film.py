"""The command against a whole house: the straight line, what is refused, and what is taken up again."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import rich.console

from services.cli import board_file, client, exits, film, house, household, runs, screening

BOARD = """\
name: Two Doors
size: 640x360
scenes:
  - {title: One, subject: A red door, duration: 1}
  - {title: Two, subject: A blue door, duration: 1, seam: last_frame}
"""


Film = Callable[..., tuple[str, str]]


@pytest.fixture
def make(folder: Path, tmp_path: Path) -> Film:
    def run(text: str = BOARD, max_cost: str | None = None, as_json: bool = False, **otherwise: str) -> tuple[str, str]:
        (tmp_path / "board.yaml").write_text(text)
        out, err = io.StringIO(), io.StringIO()
        screening.film(
            tmp_path / "board.yaml",
            tmp_path / "film.mp4",
            yes=False,
            max_cost=max_cost,
            model=otherwise.get("model", ""),
            resolution=otherwise.get("resolution", ""),
            home=folder,
            keep=False,
            as_json=as_json,
            out=rich.console.Console(file=out, soft_wrap=True),
            err=rich.console.Console(file=err, soft_wrap=True),
        )
        return out.getvalue(), err.getvalue()

    return run


def test_a_board_becomes_a_film(make: Film, folder: Path, tmp_path: Path) -> None:
    out, err = make(as_json=True, max_cost="0.20")
    told = json.loads(out)
    assert told["duration_seconds"] == pytest.approx(2, abs=0.05)
    assert told["cost"] == told["most_you_can_pay"] == {"currency": "XTS", "micros": 200_000}
    assert [scene["state"] for scene in told["scenes"]] == ["done", "done"]
    for name in ("film.mp4", "film.poster.jpg", "film.contact.jpg"):
        assert (tmp_path / name).stat().st_size > 1000
    assert "The most you can pay: 0.20 in play money (the sandbox charges nothing)" in err
    assert "scene 2 Two: waiting for the last frame of the scene before" in err
    assert "Cost: 0.20 of up to 0.20 in play money" in err

    quiet = io.StringIO()
    screening.watch(told["production_id"], folder, rich.console.Console(file=quiet))
    assert "scene 1 One: done 0.10 in play money" in quiet.getvalue()
    assert list((folder / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "max_cost", "code", "told"),
    [
        (BOARD, "0.10", exits.Code.MONEY, "more than --max-cost 0.10"),
        (BOARD + "model: openai/sora-2\n", None, exits.Code.PROVIDER, r":6: model: .*openai/sora-2 .* use \S+"),
        (BOARD + "model: sandbox/real-1\n", None, exits.Code.USAGE, ":6: model: .*sandbox/reel-1"),
        (BOARD.replace("1}", "59}", 1), None, exits.Code.USAGE, r":4: scenes\[0\].duration"),
        (BOARD.replace("640x360", "642x360"), None, exits.Code.USAGE, "size"),
    ],
)
def test_what_is_refused_before_anything_is_spent(
    make: Film, folder: Path, text: str, max_cost: str | None, code: exits.Code, told: str
) -> None:
    with pytest.raises(exits.Ended, match=told) as caught:
        make(text, max_cost)
    assert caught.value.code == code
    assert list((folder / "runs").iterdir()) == []


def test_status_and_doctor_of_a_house_that_runs(folder: Path) -> None:
    written = io.StringIO()
    console = rich.console.Console(file=written, width=120)
    household.status(folder, as_json=True, out=console)
    told = json.loads(written.getvalue())
    assert told["phase"] == "ready"
    assert {process["name"] for process in told["processes"]} == {"postgres", "nats", *house.SERVICES}
    household.status(folder, as_json=False, out=console)
    household.doctor(folder, console)
    assert "✓ database roles: each service may only read and write its own rows" in written.getvalue()
    assert "✕" not in written.getvalue()
    with pytest.raises(exits.Ended, match="is already running"):
        household.up(folder, detach=True, while_used=False, out=console, err=console)


def test_a_production_that_is_not_there(folder: Path) -> None:
    with pytest.raises(exits.Ended) as caught:
        screening.watch("prod_01jd8x0000000000000000000", folder, rich.console.Console(file=io.StringIO()))
    assert caught.value.code == exits.Code.NOT_FOUND


def test_without_a_valid_token_nothing_is_told(folder: Path) -> None:
    of = house.load(folder)
    token = of.token.read_text()
    of.token.write_text("nonsense")
    try:
        with pytest.raises(client.Refused) as caught:
            screening.watch("prod_01jd8x0000000000000000000", folder, rich.console.Console(file=io.StringIO()))
    finally:
        of.token.write_text(token)
    assert caught.value.code == exits.Code.DENIED


def test_an_interrupted_run_is_taken_up_again_and_pays_once(make: Film, folder: Path, tmp_path: Path) -> None:
    text = BOARD.replace("Two Doors", "Interrupted")
    (tmp_path / "board.yaml").write_text(text)
    board = board_file.read(tmp_path / "board.yaml")
    wanted = film.Wanted(
        board, tmp_path / "film.mp4", folder, yes=False, max_cost_micros=None, keep=False, as_json=False
    )
    before = _creates(folder)
    asyncio.run(_interrupted(wanted))
    with runs.claim(folder, board.words) as run:
        assert run.resumed
    _, err = make(text)
    assert "Resuming the run of this board" in err
    assert _creates(folder) - before == 2


def test_a_film_that_could_not_be_written_is_fetched_again_and_not_made_again(
    make: Film, folder: Path, tmp_path: Path
) -> None:
    before = _creates(folder)
    (tmp_path / "film.contact.jpg").mkdir()
    with pytest.raises(exits.Ended, match="cannot be written"):
        make(BOARD.replace("Two Doors", "No Room"), model="sandbox/fal-reel")
    (tmp_path / "film.contact.jpg").rmdir()
    _, err = make(BOARD.replace("Two Doors", "No Room"), model="sandbox/fal-reel")
    assert "Resuming" in err
    assert (tmp_path / "film.contact.jpg").is_file()
    assert _creates(folder) - before == 2


def test_a_film_may_be_made_by_another_model_than_its_board_says(make: Film, folder: Path) -> None:
    with pytest.raises(exits.Ended, match="more than --max-cost"):
        make(max_cost="0.01", model="sandbox/fal-reel")
    with pytest.raises(exits.Ended, match=r"^--model: should be .*sandbox/reel-1") as caught:
        make(model="sandbox/real-1")
    assert caught.value.code == exits.Code.USAGE
    assert list((folder / "runs").iterdir()) == []


async def _interrupted(wanted: film.Wanted) -> None:
    """Film until the first scene is heard of, then leave."""
    written = io.StringIO()
    console = rich.console.Console(file=written)
    running = asyncio.create_task(film.make(wanted, console, console))
    while "scene 1 One" not in written.getvalue():  # noqa: ASYNC110, it is told by another process
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _creates(folder: Path) -> int:
    ledger = (folder / "sandbox" / "ledger.jsonl").read_text()
    return sum(json.loads(line)["event"] == "create" for line in ledger.splitlines())
