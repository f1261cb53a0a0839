"""The verbs of productions, jobs, takes and costs against a house."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]
BOARD = """\
name: Doors
size: 640x360
scenes:
  - {title: One, subject: A red door, duration: 1}
  - {title: Two, subject: A blue door, duration: 1, seam: last_frame}
"""


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "doors.yaml").write_text(BOARD)
    return run


def told(run: Run, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_from_a_film_to_another_take_of_one_scene(run: Run) -> None:
    assert run("take", "list", "doors.yaml")[0] == 3, "it was not filmed yet"
    assert run("production", "plan", "doors.yaml")[1].count("make, a new scene") == 2
    code, _, err = run("production", "plan", "windows.yaml")
    assert (code, "windows.yaml:1: it cannot be read" in err) == (2, True)
    assert run("film", "doors.yaml")[0] == 0
    code, out, _ = run("production", "plan", "doors.yaml")
    assert (code, out.count("reuse, unchanged"), "Nothing has to be bought." in out) == (0, 2, True)
    code, out, _ = run("production", "plan", "doors.yaml", "--resolution", "720p")
    assert (code, out.count("its take is a picture of another size"), out.count("1280x720")) == (0, 2, 2), out
    code, _, err = run("production", "create", "doors.yaml", "--model", "sandbox/reel-2")
    assert (code, "options.model: should be sandbox/" in err) == (2, True), err
    Path("doors.yaml").write_text(BOARD.replace("blue", "green"))
    out = run("production", "plan", "doors.yaml")[1]
    assert (out.count("reuse, unchanged"), out.count("its words or its look changed")) == (1, 1), out
    Path("doors.yaml").write_text(BOARD)

    code, out, err = run("production", "create", "doors.yaml", "--remake", "2", "--takes", "2")
    assert code == 0
    assert "scene 2 Two: make again, asked for; 2 takes; at most 0.20 in play money" in err
    assert "2 clips to make, 2 s, at most 0.20 in play money" in err
    production = out.strip()
    assert run("production", "watch", production)[0] == 0
    shown = run("production", "show", production)[1]
    assert "succeeded; 0.20 of up to 0.20 in play money" in shown
    listed = told(run, "production", "list", "--storyboard", "doors.yaml")["productions"]
    assert listed[0]["id"] == production
    assert len(listed) == 2

    takes = told(run, "take", "list", "doors.yaml")["takes"]
    assert len(takes) == 4
    of_two = [take for take in takes if take["scene_id"] == takes[0]["scene_id"]]
    assert sum(bool(take.get("picked")) for take in of_two) == 1
    newest = takes[0]["scene_id"]
    assert run("take", "list", "doors.yaml", "--scene", newest)[1].count(f" of scene 2 Two ({newest}); ") == 3
    other = next(take for take in of_two if not take.get("picked"))["id"]
    assert "; picked" in run("take", "pick", other)[1]
    assert "The light is right." in run("take", "note", other, "The light is right.")[1]
    assert "The light is right." in run("take", "show", other)[1]
    assert "picked" not in run("take", "unpick", other)[1]

    jobs = told(run, "job", "list", "--production", production)["jobs"]
    assert sorted(job["take_number"] for job in jobs) == [1, 2]
    assert "; done; 0.10 in play money" in run("job", "show", jobs[0]["id"])[1]
    history = run("job", "history", jobs[0]["id"])[1].splitlines()
    assert history[-2].endswith("RUNNING -> SUCCEEDED; STORED")
    assert " STORED; sandbox/reel-1" in history[-1]
    assert told(run, "job", "history", jobs[0]["id"])["changes"][-1]["state"] == "STATE_SUCCEEDED"
    code, _, err = run("job", "retry", jobs[0]["id"])
    assert (code, "has succeeded" in err) == (5, True)
    assert run("job", "cancel", jobs[0]["id"])[0] == 5
    assert run("production", "pause", production)[0] == 5

    assert (
        "all: 4 jobs, quoted 0.40 in play money, spent 0.40 in play money"
        in run("costs", "--storyboard", "doors.yaml")[1]
    )
    assert run("costs", "--by", "scene", "--storyboard", "doors.yaml")[1].count("quoted") == 2
    assert run("costs", "--by", "weather")[0] == 2


def test_a_production_waits_for_approval_is_held_and_stopped(run: Run) -> None:
    assert run("film", "doors.yaml")[0] == 0
    words = ("production", "create", "doors.yaml", "--remake", "all", "--approve-above", "0.10")
    code, out, err = run(*words)
    assert (code, "It will wait for `rushes production approve`." in err) == (0, True)
    production = out.strip()
    assert "needs approval" in run("production", "show", production)[1]
    (line,) = [line for line in run("job", "queues")[1].splitlines() if line.startswith("sandbox/reel-1: ")]
    assert line.startswith("sandbox/reel-1: 2 waiting, ")
    assert ", waiting since " in line
    assert told(run, "job", "queues", "--by", "tenant", "--every-tenant")["lines"][0]["waiting"] == 2
    assert run("job", "queues", "--by", "weather")[0] == 2
    code, out, _ = run("production", "cancel", production)
    assert (code, "saved 0.20 in play money" in out, "spent 0.00 in play money" in out) == (0, True, True)
    code, _, err = run("production", "approve", production)
    assert (code, "CANCELED" in err) == (5, True)
    assert run("production", "create", "doors.yaml", "--remake", "9")[0] == 2
    code, _, err = run("production", "create", "doors.yaml", "--remake", "all", "--max-cost", "0.10")
    assert (code, "more than --max-cost 0.10" in err) == (6, True)
