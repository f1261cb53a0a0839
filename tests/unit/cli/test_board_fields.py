"""Fields and values as people type them."""

import pytest

from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.type.v1 import clip_pb2
from services.cli import board_fields, exits

BOARD = pb.Storyboard(
    id="sb_1",
    scenes=[pb.Scene(id="scene_1"), pb.Scene(id="scene_2")],
    characters=[pb.Character(id="char_1", name="Mara Voss"), pb.Character(id="char_2", name="0")],
)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("name", ("", "", "name")),
        ("scenes[2].action", ("scenes", "2", "action")),
        ("characters[Mara Voss].profile", ("characters", "Mara Voss", "profile")),
    ],
)
def test_paths(path, parts):
    assert board_fields.split(path) == parts


@pytest.mark.parametrize(
    "path", ["titel", "scenes[0].id", "scenes[0]", "props[0].profile", "characters[0].identity_tag"]
)
def test_a_path_that_is_none_names_those_that_are(path):
    with pytest.raises(exits.Ended, match="write one of") as caught:
        board_fields.split(path)
    assert caught.value.code is exits.Code.USAGE


def test_things_are_found_by_id_name_or_place():
    assert board_fields.find(BOARD, "scenes", "1").id == "scene_2"
    assert board_fields.find(BOARD, "scenes", "scene_1").id == "scene_1"
    assert board_fields.find(BOARD, "characters", "Mara Voss").id == "char_1"
    assert board_fields.find(BOARD, "characters", "0").id == "char_2", "a name goes before a place"
    with pytest.raises(exits.Ended, match="rushes board show sb_1"):
        board_fields.find(BOARD, "scenes", "2")


def test_values_become_what_the_field_holds():
    scene = pb.Scene(cast=["Old"], mood="sad", seed=3)
    typed = {"action": "runs", "duration": "6s", "seam": "last_frame", "cast": "Mara, Zoë", "seed": "7", "mood": ""}
    for field, text in typed.items():
        board_fields.put(scene, field, text)
    assert (scene.action, scene.duration.seconds, scene.seam) == ("runs", 6, clip_pb2.SEAM_LAST_FRAME)
    assert (list(scene.cast), scene.seed, scene.mood) == (["Mara", "Zoë"], 7, "")
    board_fields.put(scene, "seed", "")
    assert not scene.HasField("seed")
    board = pb.Storyboard()
    board_fields.put(board, "size", "1920x1080")
    board_fields.put(board, "silent", "true")
    assert (board.size.width, board.size.height, board.silent) == (1920, 1080, True)


@pytest.mark.parametrize(
    ("field", "text"),
    [("duration", "long"), ("seam", "fade"), ("seed", "x"), ("seam", "unspecified"), ("seed", "9" * 40)],
)
def test_a_value_that_does_not_fit_says_what_would(field, text):
    with pytest.raises(exits.Ended, match=f"{field}: write"):
        board_fields.put(pb.Scene(), field, text)
    with pytest.raises(exits.Ended, match="true or false"):
        board_fields.put(pb.Storyboard(), "silent", "yes")
    with pytest.raises(exits.Ended, match="1920x1080"):
        board_fields.put(pb.Storyboard(), "size", "big")


@pytest.mark.parametrize("kind", ["characters", "locations", "props"])
def test_who_is_renamed_is_renamed_everywhere(kind):
    scene = pb.Scene(cast=["Old", "Other"], location="Old", props=["Old"])
    board_fields.rename([scene], kind, "Old", "New")
    found = {"characters": scene.cast[0], "locations": scene.location, "props": scene.props[0]}
    assert [it for it, name in found.items() if name == "New"] == [kind]
