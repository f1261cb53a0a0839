"""The verbs about stored boards against a house: made, edited, compared, undone, found, deleted and claimed."""

import asyncio
import functools
import json
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from libs import rpc
from rushes.storyboard.v1 import storyboard_pb2, storyboard_service_pb2, storyboard_service_pb2_grpc
from services.cli import exits, house

Run = Callable[..., tuple[int, str, str]]
LETTER = Path(__file__).parents[3] / "docs" / "examples" / "the-letter.yaml"


@pytest.fixture
def run(run: Run) -> Run:
    return functools.partial(run, "board")


@pytest.fixture
def board(run: Run) -> str:
    code, out, err = run("new", str(LETTER), "--json")
    assert (code, err) == (0, "")
    return str(json.loads(out)["id"])


def fine(told: tuple[int, str, str]) -> list[str]:
    """The lines of a verb that went well."""
    code, out, err = told
    assert (code, err) == (0, "")
    return out.splitlines()


def test_a_board_is_edited_by_the_paths_that_it_shows(run: Run, board: str) -> None:
    shown = fine(run("show", board))
    assert shown[0].startswith(f"{board} The Letter; revision 1; updated ")
    assert any(line.startswith("scenes[5] scene_") for line in shown)
    for path, value in (("name", "The answer"), ("scenes[1].mood", "hurried"), ("characters[0].name", "Ines")):
        assert fine(run("edit", board, path, value))
    lines = fine(run("show", board))
    assert "  mood: hurried" in lines
    assert any(line.startswith("  cast: Ines") for line in lines), "who is renamed stays in the cast"
    code, _, err = run("new", "nowhere.yaml")
    assert (code, err) == (
        exits.Code.USAGE,
        "nowhere.yaml:1: it cannot be read: No such file or directory. Check the path.\n",
    )
    code, _, err = run("edit", board, "scenes[9].mood", "x")
    assert (code, "rushes board show" in err) == (exits.Code.NOT_FOUND, True)
    assert run("edit", board, "scenes[0].colour", "x")[0] == exits.Code.USAGE
    assert fine(run("show", board, "--revision", "1"))[0] == f"{board} The Letter; revision 1"


def test_who_clashes_is_told_with_whom(run: Run, board: str) -> None:
    etag = json.loads(run("show", board, "--json")[1])["etag"]
    assert fine(run("edit", board, "scenes[0].action", "runs"))
    assert fine(run("edit", board, "scenes[0].mood", "glad", "--etag", etag))
    code, _, err = run("edit", board, "scenes[0].action", "falls", "--etag", etag)
    assert code == exits.Code.CONFLICT
    assert ".action was changed by " in err
    assert " in revision 2." in err


def test_scenes_come_and_go(run: Run, board: str) -> None:
    added, _ = fine(run("scenes", "add", board, "subject=A gull", "--template", "object_insert", "--before", "0"))
    assert fine(run("scenes", "move", board, added))
    assert any(line.startswith(f"scenes[6] {added} 4 s") for line in fine(run("show", board)))
    (moved,) = fine(run("diff", board))
    assert moved == f"scenes[{added}] moved: 1 -> 7"
    assert fine(run("scenes", "remove", board, "6"))
    (removed,) = fine(run("diff", board))
    assert removed.startswith(f'scenes[{added}] removed: {{"action": ')
    assert '"subject": "A gull"' in removed
    assert run("scenes", "add", board, "subject")[0] == run("scenes", "add", board, "--template", "x")[0] == 2


def test_the_history_is_shown_named_and_walked(run: Run, board: str) -> None:
    fine(run("edit", board, "name", "Two"))
    assert fine(run("name", board, "1", "First cut"))[0].startswith('1 "First cut": ImportStoryboard by ')
    assert fine(run("diff", board)) == ['name changed: "The Letter" -> "Two"']
    assert " The Letter; " in fine(run("undo", board))[0]
    assert " Two; " in fine(run("redo", board))[0]
    assert " The Letter; " in fine(run("restore", board, "1"))[0]
    assert fine(run("diff", board, "1", "5")) == ["Revisions 1 and 5 are the same."]
    lines = fine(run("history", board))
    assert [line.partition(" by ")[0] for line in lines] == [
        "5: RestoreRevision",
        "4: Redo, back to 2",
        "3: Undo, back to 1",
        "2: UpdateStoryboard",
        '1 "First cut": ImportStoryboard',
    ]
    code, _, err = run("redo", board)
    assert (code, "Nothing" in err) == (exits.Code.CONFLICT, True)


def test_boards_are_found_copied_and_deleted(run: Run) -> None:
    (made,) = fine(run("new", "--name", "Quokka"))
    id = made.split()[0]
    assert fine(run("duplicate", id, "--name", "Quokka again"))
    assert len(fine(run("search", "quok"))) == 2
    assert "undelete" in fine(run("delete", id))[0]
    assert [line.split()[1] for line in fine(run("search", "quokka"))] == ["Quokka"]
    assert "deleted" in fine(run("list", "--state", "deleted"))[0]
    assert fine(run("undelete", id))
    assert len(fine(run("search", "quokka", "--state", "all"))) == 2
    assert run("list", "--state", "gone")[0] == run("new")[0] == exits.Code.USAGE


def test_what_can_be_chosen_and_what_would_be_sent(run: Run, board: str) -> None:
    assert len(fine(run("templates"))) >= 6
    assert len(fine(run("presets"))) >= 8
    lines = fine(run("prompts", board))
    assert lines[0] == "The Letter, revision 1, composer 2"
    assert any(line.startswith("  scene.subject: ") for line in lines)


def test_a_still_is_uploaded(run: Run, board: str, tmp_path: Path) -> None:
    still = av.VideoFrame(96, 64, "rgb24")
    with av.open(str(tmp_path / "elias.png"), "w", format="image2") as file:
        stream = file.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        file.mux(stream.encode(still))
    assert fine(run("reference", board, "Elias", str(tmp_path / "elias.png")))
    assert any(line.startswith("  reference: t/") for line in fine(run("show", board)))
    (tmp_path / "no.png").write_text("no image")
    code, _, err = run("reference", board, "Elias", str(tmp_path / "no.png"))
    assert (code, "no image/png" in err) == (exits.Code.USAGE, True)
    for path in (tmp_path / "absent.png", tmp_path / "elias.gif"):
        assert run("reference", board, "Elias", str(path))[0] == exits.Code.USAGE


def test_a_guest_s_board_is_claimed(run: Run, folder: Path) -> None:
    async def visit_as_guest() -> storyboard_service_pb2.CreateGuestStoryboardResponse:
        async with rpc.connect(house.load(folder).address("storyboard")) as channel:
            stub = storyboard_service_pb2_grpc.StoryboardServiceStub(channel)
            board = storyboard_pb2.Storyboard(name="A guest's")
            return await stub.CreateGuestStoryboard(
                storyboard_service_pb2.CreateGuestStoryboardRequest(storyboard=board), timeout=10
            )

    made = asyncio.run(visit_as_guest())
    assert run("show", made.storyboard.id)[0] == exits.Code.NOT_FOUND
    assert run("claim", made.storyboard.id, stdin="wrong")[0] == exits.Code.DENIED
    assert " A guest's; " in fine(run("claim", made.storyboard.id, stdin=f"{made.claim_code}\n"))[0]
    assert fine(run("show", made.storyboard.id))
