"""What is stored must open in five years: this row was written by the first release."""

import dataclasses
import itertools
import json

from hypothesis import given

from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from services.storyboard import asks, domain, parts, wire
from tests.unit.storyboard import boards
from tests.unit.storyboard.test_merge import CONTENTS

GOLDEN = """{
 "name": "The letter", "logline": "", "preset": "noir", "size": {"width": 1920, "height": 1080},
 "model": "sandbox/reel-1", "silent": true,
 "characters": [{"id": "char_1", "name": "Mara", "profile": "sixty", "identity_tag": "character:mara_id:0123abcd",
   "references": [{"key": "k", "content_type": "image/png", "size_bytes": 9, "sha256": "00"}]}],
 "locations": [{"id": "loc_1", "name": "Room", "description": "brass", "references": []}],
 "props": [{"id": "prop_1", "name": "letter", "description": "yellowed"}],
 "scenes": [{"id": "scene_1", "title": "Stairs", "subject": "Mara", "action": "climbs", "setting": "tower",
   "camera": "35 mm", "lighting": "lamp", "mood": "patient", "dialogue": "-", "seconds": 4,
   "seam": "last_frame", "cast": ["Mara"], "location": "Room", "props": ["letter"], "model": "",
   "negative_prompt": "", "seed": 7, "caption": "1987"}]
}"""


def test_the_first_release_s_row_opens():
    content = parts.opened(json.loads(GOLDEN))
    (scene,) = content.scenes
    assert content.size == domain.Size(width=1920, height=1080)
    assert content.silent
    assert content.characters[0].references[0].size_bytes == 9
    assert content.locations[0].description == "brass"
    assert content.props[0].name == "letter"
    assert (scene.seam, scene.seed, scene.cast) == (domain.Seam.LAST_FRAME, 7, ("Mara",))
    assert json.loads(json.dumps(dataclasses.asdict(content))) == json.loads(GOLDEN)


def test_fields_that_came_later_have_their_defaults_and_newer_ones_are_passed_over():
    content = parts.opened(
        {"name": "Old", "of_tomorrow": 1, "scenes": [{"id": "scene_1", "subject": "Fog", "of_tomorrow": 1}]}
    )
    assert content == domain.Content(name="Old", scenes=(domain.Scene(id="scene_1", subject="Fog"),))


@given(CONTENTS)
def test_parts_make_the_whole_again(content):
    pieces = parts.split(content)
    stored = json.loads(json.dumps([(part.kind, part.content) for part in pieces]))
    assert parts.joined(stored) == content
    assert len({part.digest for part in pieces}) == len({(it.kind, json.dumps(it.content)) for it in pieces})


def test_a_part_is_named_by_what_it_says():
    fog, same, rain = (parts.Part("scenes", {"subject": word}) for word in ("Fog", "Fog", "Rain"))
    assert str(fog.digest) == str(same.digest) == "ee1d3ae2-5e5c-a3c4-262b-84cec353b5a2"
    assert fog.digest != rain.digest != parts.Part("props", {"subject": "Rain"}).digest


def test_a_part_of_a_newer_release_is_passed_over():
    assert parts.joined([("cover", {"name": "Fog"}), ("music", {"name": "Waltz"})]) == domain.Content(name="Fog")


def test_from_the_wire_to_the_row_and_back_nothing_is_lost():
    board = boards.the_letter()
    request = service_pb.CreateStoryboardRequest(request_id="7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10", storyboard=board)
    numbers = itertools.count(1)
    content = domain.identified(
        asks.creation(request, "acme").content, domain.Content(), lambda prefix: f"{prefix}_{next(numbers)}"
    )
    back = wire.from_content(parts.opened(json.loads(json.dumps(dataclasses.asdict(content)))))
    for thing in (*back.characters, *back.locations, *back.props, *back.scenes):
        assert thing.id
        thing.ClearField("id")
    for character in back.characters:
        character.ClearField("identity_tag")
    assert back == board
