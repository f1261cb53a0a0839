"""What is chosen for a cut, as an edit list and back."""

from typing import Any

import pytest

from rushes.compiler.v1 import film_pb2
from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import edit_list_pb2 as pb
from services.studio.pages import captions, cutting

BOARD = storyboard_pb2.Storyboard(
    name="The Letter",
    scenes=[
        storyboard_pb2.Scene(id="scene_a", title="Kitchen", caption="Forty <years>."),
        storyboard_pb2.Scene(id="scene_b", title="Pier"),
        storyboard_pb2.Scene(id="scene_c"),
    ],
)
TAKES = {scene: pb.Cut(take_id=f"take_{scene}", clip={"key": f"t/x/{scene}.mp4"}) for scene in ("scene_a", "scene_b")}


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"join": "CROSSFADE", "frames": 7, "size": "1920x1080", "fit": "CROP"},
        {"opening": "The Letter", "fade": True, "captions": "burnt"},
        {"ending": "The end", "sound": False, "captions": "none"},
        {"opening": "One", "ending": "Two", "missing": "card", "join": "DIP_TO_BLACK"},
    ],
)
def test_what_was_chosen_is_read_from_the_film(chosen: dict[str, Any]) -> None:
    wanted = cutting.Settings(**chosen)
    assert cutting.chosen(cutting.edit_list(BOARD, TAKES, wanted, 24), BOARD) == wanted


def test_scenes_without_a_take_are_left_out_or_have_a_card() -> None:
    without = cutting.edit_list(BOARD, TAKES, cutting.Settings(), 24)
    assert [cut.take_id for cut in without.cuts] == ["take_scene_a", "take_scene_b"]
    filled = cutting.edit_list(BOARD, TAKES, cutting.Settings(missing="card", join="WIPE_UP"), 24)
    assert (filled.cuts[2].card.text, filled.cuts[2].card.frames) == ("Scene 3", 72)
    assert [cut.join.frames for cut in filled.cuts] == [0, 12, 12]


def test_a_form_that_says_nonsense_chooses_what_goes_without_saying() -> None:
    told = {"join": "KIND", "frames": "-3", "size": "1x1", "fit": "", "captions": "?", "missing": "", "sound": "on"}
    assert cutting.read(told) == cutting.Settings()
    assert cutting.read({"frames": "9999"}).frames == 480


def test_captions_lie_within_their_cut() -> None:
    edits = cutting.edit_list(BOARD, TAKES, cutting.Settings(), 24)
    edits.cuts[1].captions.add(text="Late", first_frame=12, frames=480)
    film = film_pb2.Film(edit_list=edits, profile={"frame_rate": {"numerator": 24, "denominator": 1}})
    assert not captions.has(film)
    for start in (0, 4):
        film.chapters.add(start={"seconds": start}, end={"seconds": start + 4})
    cues = captions.vtt(film).split("\n\n")
    assert cues[1] == "00:00:00.000 --> 00:00:04.000\nForty &lt;years&gt;."
    assert cues[2].strip() == "00:00:04.500 --> 00:00:08.000\nLate"
