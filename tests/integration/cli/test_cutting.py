"""`rushes cut` and the verbs of films against a house: from a production to another cut of the same takes."""

import asyncio
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import yaml

from services.cli import __main__ as command
from services.cli import visit
from tests import homes
from tests.unit.compiler import test_sound_files

Run = Callable[..., tuple[int, str, str]]
BOARD = """\
name: Doors
size: 640x360
scenes:
  - {title: One, subject: A red door, duration: 1}
  - {title: Two, subject: A blue door, duration: 1}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with homes.folder("rushes-cli-") as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUSHES_SANDBOX_LATENCY", "0")
        at = Path(made) / "home"
        asyncio.run(visit.ensure(at, print))
        try:
            yield at
        finally:
            asyncio.run(visit.stop(at))


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    def invoke(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", *words, "--home", str(folder)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "doors.yaml").write_text(BOARD)
    return invoke


def frames(path: str) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def told(run: Run, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_from_a_film_to_another_cut_of_it(run: Run, folder: Path, tmp_path: Path) -> None:
    first = told(run, "film", "doors.yaml")
    assert run("cut", "--from", first["production_id"], "-o", "edit.yaml") == (0, "", "")
    edit = yaml.safe_load(Path("edit.yaml").read_text())
    assert (edit["title"], [cut["title"] for cut in edit["cuts"]]) == ("Doors", ["One", "Two"])
    assert yaml.safe_load(run("cut", "--from", first["film_id"])[1]) == edit
    code, _, err = run("cut", "--from", first["film_id"], "-o", "edit.yaml")
    assert (code, err) == (2, "edit.yaml is there already; name another.\n")

    edit["cuts"][0]["trim"] = "0..20"
    edit["cuts"][1]["join"] = "crossfade 6"
    test_sound_files.recorded(tmp_path / "music.m4a", "ipod", "aac")
    edit["music"] = {"file": "music.m4a", "gain": -12}
    Path("edit.yaml").write_text(yaml.safe_dump(edit, sort_keys=False))
    code, out, err = run("cut", "edit.yaml", "-o", "another.mp4")
    assert (code, out) == (0, "another.mp4\n"), err
    assert "cutting the film\n" in err
    assert frames("another.mp4") == 20 + 24 - 6
    for name in ("another.poster.jpg", "another.contact.jpg"):
        assert Path(name).is_file()
    assert not list((folder / "runs").iterdir())

    films = told(run, "film", "list")["films"]
    newest = films[0]
    assert [film["edit_list"]["title"] for film in films[:2]] == ["Doors", "Doors"]
    assert newest["edit_list"]["music"]["clip"]["key"].startswith("t/")
    made_by = newest["edit_list"]["cuts"][0]["provenance"]
    assert (made_by["provider"], len(made_by["prompt_sha256"])) == ("sandbox", 64)
    assert [film["id"] for film in told(run, "film", "list", "--production", first["production_id"])["films"]] == [
        first["film_id"]
    ]
    cuts = told(run, "film", "list", "--storyboard", first["storyboard_id"])["films"]
    assert [(film["id"], film["cut_number"]) for film in cuts] == [(newest["id"], 2), (first["film_id"], 1)]
    assert run("film", "watch", newest["id"]) == (0, "", "done\n")
    code, _, err = run("film", "cancel", newest["id"])
    assert (code, newest["id"] in err) == (5, True)


def test_an_interrupted_cut_is_taken_up_again_and_begun_once(run: Run, folder: Path) -> None:
    takes = told(run, "take", "list", told(run, "production", "list")["productions"][0]["storyboard_id"])["takes"]
    cuts = [{"take": takes[number % 2]["id"], "join": "crossfade 6" if number else "cut"} for number in range(12)]
    Path("edit.yaml").write_text(yaml.safe_dump({"title": "Interrupted", "cuts": cuts}))
    _killed_when_begun("cut", str(Path("edit.yaml").resolve()), "--home", str(folder))
    assert len([*(folder / "runs").iterdir()]) == 1
    code, out, err = run("cut", "edit.yaml", "-o", "a.mp4")
    assert (code, out) == (0, "a.mp4\n"), err
    assert not [*(folder / "runs").iterdir()]
    films = told(run, "film", "list")["films"]
    assert [film["edit_list"]["title"] for film in films].count("Interrupted") == 1


def _killed_when_begun(*words: str) -> None:
    """Kill the command as soon as it names its film, which then takes a good second to cut."""
    command = [sys.executable, "-m", "services.cli", *words]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any(line.startswith("Film film_") for line in running.stderr)
        running.kill()


def test_what_a_service_refuses_is_told_where_it_stands(run: Run) -> None:
    Path("edit.yaml").write_text("title: x\ncuts:\n  - take: take_1\n  - take: take_2\n")
    code, _, err = run("cut", "edit.yaml")
    assert code == 2
    assert err.splitlines() == [
        "edit.yaml:3: cuts[0].take: is no take of yours; `rushes take list` names them.",
        "edit.yaml:4: cuts[1].take: is no take of yours; `rushes take list` names them.",
    ]
    Path("edit.yaml").write_text(
        "title: x\ncuts:\n  - {take: take_1, scene: s, clip: t/other/1.mp4, join: dip to black 900}\n"
    )
    code, _, err = run("cut", "edit.yaml")
    assert (code, err.splitlines()) == (
        2,
        [
            "edit.yaml:3: cuts[0].clip: should be the key of a clip of yours.",
            "edit.yaml:3: cuts[0].join: should be 1 to 480.",
        ],
    )
    assert run("cut")[0] == 2
    assert run("cut", "--from", "prod_01jd8x0000000000000000000")[0] == 3


def test_a_film_that_fails_says_why_and_is_made_anew(run: Run, folder: Path) -> None:
    Path("edit.yaml").write_text("title: x\ncuts:\n  - {take: take_1, scene: s, clip: t/local/clips/gone.mp4}\n")
    for _ in range(2):
        code, _, err = run("cut", "edit.yaml")
        assert (code, "The film could not be made: " in err) == (1, True), err
        assert not list((folder / "runs").iterdir())


def test_a_film_is_brought_here_with_all_that_belongs_to_it_and_in_every_form(run: Run) -> None:
    film = told(run, "film", "doors.yaml")["film_id"]
    code, out, err = run("film", "show", film)
    assert code == 0, err
    found = re.match(r"  (Doors - cut \d+ - 360p)\.mp4; video/mp4; ", out.splitlines()[1])
    assert found, out
    named = found[1]
    code, out, err = run("film", "download", film, "-o", "all")
    assert code == 0, err
    assert sorted(path.name for path in Path("all").iterdir()) == [
        f"{named} contact sheet.jpg",
        f"{named} manifest.json",
        f"{named} poster.jpg",
        f"{named} sprite.jpg",
        f"{named} sprite.vtt",
        f"{named}.mp4",
    ]
    assert json.loads(Path(f"all/{named} manifest.json").read_text())["film_id"] == film
    for kind in ("otio", "fcpxml", "edl", "csv"):
        assert run("film", "export", film, kind) == (0, f"{named}.{kind}\n", "")
    assert run("film", "export", film, "scenes", "-o", "clips.zip") == (0, "clips.zip\n", "")
    with zipfile.ZipFile("clips.zip") as packed:
        assert {"001 One.mp4", "002 Two.mp4", "Doors.otio"} < set(packed.namelist())
        assert packed.read("Doors.edl") == Path(f"{named}.edl").read_bytes()
    assert run("film", "export", film, "hls") == (0, f"{named} hls.zip\n", "")
    code, _, err = run("film", "export", film, "gif")
    assert (code, err) == (2, "gif is no format; write one of hls, scenes, otio, fcpxml, edl, csv.\n")


def a_film(run: Run) -> str:
    """One that is done: made, when there is none yet."""
    done = [film["id"] for film in told(run, "film", "list").get("films", []) if film["state"] == "STATE_COMPLETED"]
    return done[0] if done else str(told(run, "film", "doors.yaml")["film_id"])


def test_a_film_is_shown_by_a_link_until_it_is_taken_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    film = a_film(run)
    monkeypatch.setattr(sys, "stdin", io.StringIO("rain on the pier\n"))
    code, url, err = run("film", "share", film, "--expires", "12h", "--passphrase-stdin", "--download")
    assert (code, url.count("/s/rushes_share_"), "rain" in err) == (0, 1, False), err
    assert re.search(r"^share_\w+ .*; with a passphrase; for download; 0 views; the address is not shown again\n$", err)
    (share,) = told(run, "film", "shares", film)["shares"]
    assert url.rpartition("_")[2].startswith(share["hint"])
    code, out, err = run("film", "unshare", share["id"])
    assert (code, "; taken back " in out) == (0, True), err
    code, _, err = run("film", "share", film, "--expires", "soon")
    assert (code, err) == (2, "--expires soon: write days or hours, such as 7d or 12h.\n")


def test_a_take_is_shown_by_a_link(run: Run) -> None:
    cuts = next(film for film in told(run, "film", "list")["films"] if film["id"] == a_film(run))["edit_list"]["cuts"]
    take = next(cut["take_id"] for cut in cuts if cut.get("take_id"))
    made = told(run, "film", "share", take)
    assert (made["share"]["take_id"], made["url"].endswith(f"/s/{made['secret']}")) == (take, True)
    assert [share["id"] for share in told(run, "film", "shares", take)["shares"]] == [made["share"]["id"]]
