"""A board file that is filmed again: what in it is what it was before."""

from rushes.storyboard.v1 import storyboard_pb2
from rushes.type.v1 import media_pb2
from services.cli import shelf

Scene = storyboard_pb2.Scene


def numbered(known: list[Scene], wanted: list[Scene]) -> list[str]:
    shelf.number_scenes(known, wanted)
    return [scene.id for scene in wanted]


KNOWN = [
    Scene(id="scene_a", title="Ebb", subject="A boat"),
    Scene(id="scene_b", title="Flood", subject="The water"),
    Scene(id="scene_c", subject="A lantern"),
]


def test_scenes_keep_their_ids_by_words_then_title_then_place() -> None:
    same = [Scene(title=one.title, subject=one.subject) for one in KNOWN]
    assert numbered(KNOWN, same) == ["scene_a", "scene_b", "scene_c"]
    moved = [Scene(subject="A lantern"), Scene(title="Ebb", subject="A boat"), Scene(title="Flood", subject="Waves")]
    assert numbered(KNOWN, moved) == ["scene_c", "scene_a", "scene_b"]
    reworded = [
        Scene(title="Low", subject="A ship"),
        Scene(title="Flood", subject="The water"),
        Scene(subject="A lamp"),
    ]
    assert numbered(KNOWN, reworded) == ["scene_a", "scene_b", "scene_c"]


def test_new_scenes_get_new_ids_and_no_id_is_given_twice() -> None:
    grown = [Scene(subject="A gull"), *(Scene(title=one.title, subject=one.subject) for one in KNOWN)]
    assert numbered(KNOWN, grown) == ["", "scene_a", "scene_b", "scene_c"]
    twins = [Scene(subject="A lantern"), Scene(subject="A lantern")]
    found = numbered(KNOWN, twins)
    assert found[0] == "scene_c"
    assert found[1] in ("scene_a", "scene_b")


def test_people_keep_their_ids_tags_and_stills_by_their_names() -> None:
    still = media_pb2.Blob(key="t/acme/stills/a.png")
    known = [storyboard_pb2.Character(id="char_1", name="Ada", identity_tag="character:ada_id:1", references=[still])]
    wanted = [storyboard_pb2.Character(name="Ada", profile="Tall"), storyboard_pb2.Character(name="Bo")]
    shelf.keep_ids(known, wanted)
    assert wanted[0] == storyboard_pb2.Character(
        id="char_1", name="Ada", profile="Tall", identity_tag="character:ada_id:1", references=[still]
    )
    assert wanted[1] == storyboard_pb2.Character(name="Bo")
    props = [storyboard_pb2.Prop(name="the letter", description="Torn")]
    shelf.keep_ids([storyboard_pb2.Prop(id="prop_1", name="the letter")], props)
    assert props == [storyboard_pb2.Prop(id="prop_1", name="the letter", description="Torn")]
