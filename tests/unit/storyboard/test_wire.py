"""Every rule of the contract, broken once."""

import uuid

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from libs import errors, ids, paging
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from rushes.type.v1 import media_pb2
from services.storyboard import asks, domain, wire
from tests.unit.storyboard import boards

SCENE, CHARACTER = ids.new("scene"), ids.new("char")


def scene(**fields):
    return pb.Scene(**{"subject": "Fog", "duration": Duration(seconds=4), **fields})


def board(**fields):
    return pb.Storyboard(**{"name": "The letter", **fields})


def violations(storyboard, request_id=None):
    request = service_pb.CreateStoryboardRequest(request_id=request_id or str(uuid.uuid4()), storyboard=storyboard)
    with pytest.raises(errors.Invalid) as caught:
        asks.creation(request, "acme")
    return {v.field: v.description for v in caught.value.violations}


BROKEN = [
    (board(name=" "), "name", "should have 1 to 200 characters, and has 0"),
    (board(name="x" * 201), "name", "and has 201"),
    (board(name="a\x00b"), "name", "control characters"),
    (board(logline="x" * 2001), "logline", "at most 2000 characters"),
    (board(preset="moody"), "preset", "should be one of cinematic, noir"),
    (board(model="x" * 201), "model", "at most 200"),
    (board(size=media_pb2.FrameSize(width=127, height=720)), "size.width", "even, 128 to 7680, and is 127"),
    (board(size=media_pb2.FrameSize(width=1280, height=7682)), "size.height", "and is 7682"),
    (board(size=media_pb2.FrameSize()), "size.width", "and is 0"),
    (board(characters=[pb.Character(name="M")] * 51), "characters", "at most 50 entries, and has 51"),
    (board(characters=[pb.Character()]), "characters[0].name", "1 to 100"),
    (board(characters=[pb.Character(name="M", profile="x" * 2001)]), "characters[0].profile", "2000"),
    (board(characters=[pb.Character(name="M")] * 2), "characters[1].name", "also that of characters[0]"),
    (board(characters=[pb.Character(id="char_x", name="M")]), "characters[0].id", "empty for a new one"),
    (
        board(characters=[pb.Character(id=CHARACTER, name=name) for name in "MN"]),
        "characters[1].id",
        "also that of characters[0]",
    ),
    (
        board(characters=[pb.Character(name="M", references=[boards.still("k")] * 21)]),
        "characters[0].references",
        "at most 20",
    ),
    (
        board(characters=[pb.Character(name="M", references=[media_pb2.Blob(content_type="image/png", size_bytes=1)])]),
        "characters[0].references[0].sha256",
        "64 lower-case hex",
    ),
    (
        board(locations=[pb.Location(name="R", references=[media_pb2.Blob(key="k", content_type="video/mp4")])]),
        "locations[0].references[0].content_type",
        "image/png",
    ),
    (board(locations=[pb.Location(name="R")] * 101), "locations", "at most 100"),
    (board(locations=[pb.Location(name="R")] * 2), "locations[1].name", "choose another"),
    (board(locations=[pb.Location(name="R", description="x" * 2001)]), "locations[0].description", "2000"),
    (board(props=[pb.Prop(name="P")] * 201), "props", "at most 200"),
    (board(props=[pb.Prop(name="P"), pb.Prop(name=" P ")]), "props[1].name", "choose another"),
    (board(props=[pb.Prop(name="P", description="x" * 2001)]), "props[0].description", "2000"),
    (board(scenes=[scene()] * 501), "scenes", "at most 500 entries"),
    (board(scenes=[scene(id="sb_1")]), "scenes[0].id", "should be the scene_…"),
    (board(scenes=[scene(id=SCENE), scene(id=SCENE)]), "scenes[1].id", "also that of scenes[0]"),
    (board(scenes=[scene(title="x" * 201)]), "scenes[0].title", "200"),
    (board(scenes=[scene(subject="")]), "scenes[0].subject", "1 to 2000"),
    (board(scenes=[scene(action="x" * 2001)]), "scenes[0].action", "2000"),
    (board(scenes=[scene(setting="x" * 2001)]), "scenes[0].setting", "2000"),
    (board(scenes=[scene(camera="x" * 1001)]), "scenes[0].camera", "1000"),
    (board(scenes=[scene(lighting="x" * 1001)]), "scenes[0].lighting", "1000"),
    (board(scenes=[scene(mood="x" * 1001)]), "scenes[0].mood", "1000"),
    (board(scenes=[scene(dialogue="x" * 2001)]), "scenes[0].dialogue", "2000"),
    (board(scenes=[scene(negative_prompt="x" * 2001)]), "scenes[0].negative_prompt", "2000"),
    (board(scenes=[scene(caption="x" * 501)]), "scenes[0].caption", "500"),
    (board(scenes=[pb.Scene(subject="Fog")]), "scenes[0].duration", "1 to 60 whole seconds, such as 4s"),
    (board(scenes=[scene(duration=Duration(seconds=61))]), "scenes[0].duration", "1 to 60"),
    (board(scenes=[scene(duration=Duration(seconds=4, nanos=5))]), "scenes[0].duration", "whole seconds"),
    (board(scenes=[scene(seam=9)]), "scenes[0].seam", "use SEAM_CUT"),
    (board(scenes=[scene(), scene(), scene(cast=["Ada"])]), "scenes[2].cast[0]", "add the character"),
    (
        board(characters=[pb.Character(name="M")], scenes=[scene(cast=["M", "M"])]),
        "scenes[0].cast[1]",
        "twice; remove one",
    ),
    (board(scenes=[scene(cast=["M"] * 51)]), "scenes[0].cast", "at most 50"),
    (board(scenes=[scene(location="Moon")]), "scenes[0].location", "add the location"),
    (board(scenes=[scene(props=["Sword"])]), "scenes[0].props[0]", "add the prop"),
    (board(scenes=[scene(model="a\x07")]), "scenes[0].model", "control characters"),
]


@pytest.mark.parametrize(("broken", "path", "remedy"), BROKEN, ids=[f"{n}-{row[1]}" for n, row in enumerate(BROKEN)])
def test_a_broken_rule_names_its_field_and_the_remedy(broken, path, remedy):
    assert remedy in violations(broken)[f"storyboard.{path}"]


def test_everything_wrong_is_told_at_once():
    found = violations(board(name="", preset="x", scenes=[scene(subject="", cast=["A"])]), request_id="seven")
    assert list(found) == [
        "request_id",
        "storyboard.preset",
        "storyboard.name",
        "storyboard.scenes[0].subject",
        "storyboard.scenes[0].cast[0]",
    ]


def test_a_still_of_somebody_else_is_told_by_its_key():
    person = pb.Character(name="M", references=[boards.still("t/acme/stills/m"), boards.still("t/acme-2/stills/m")])
    place = pb.Location(name="R", references=[boards.still("stills/r")])
    found = violations(board(characters=[person], locations=[place]))
    assert list(found) == ["storyboard.characters[0].references[1].key", "storyboard.locations[0].references[0].key"]


def test_what_is_there_already_may_stay_whosever_it_was():
    still = domain.Blob(key="stills/m", content_type="image/png", size_bytes=9, sha256="ab" * 32)
    person = domain.Character(name="M", references=(still,))
    kept = domain.Content(name="Kept", characters=(person,))
    request = service_pb.UpdateStoryboardRequest(
        storyboard=wire.from_content(kept), update_mask=FieldMask(paths=["name", "characters"])
    )
    assert asks.change(request, kept, "acme").characters[0].references == person.references
    request.storyboard.characters[0].references.append(boards.still("t/other/stills/m"))
    with pytest.raises(wire.BadRequest) as caught:
        asks.change(request, kept, "acme")
    assert [it.field for it in caught.value.violations] == ["storyboard.characters[0].references[1].key"]


def test_output_only_fields_are_no_part_of_the_request():
    asked = service_pb.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=boards.the_letter())
    echoed = service_pb.CreateStoryboardRequest()
    echoed.CopyFrom(asked)
    echoed.storyboard.MergeFrom(pb.Storyboard(id="sb_1", etag="x", revision=9))
    assert asks.creation(echoed, "acme") == asks.creation(asked, "acme")
    echoed.storyboard.silent = True
    assert asks.creation(echoed, "acme").digest != asks.creation(asked, "acme").digest


def test_a_request_id_is_one_however_it_is_written():
    written = {"7D9F7B5E-6F0C-4B44-9F43-0A8D5F8F7B10", "7d9f7b5e6f0c4b449f430a8d5f8f7b10"}
    requests = (service_pb.CreateStoryboardRequest(request_id=it, storyboard=board()) for it in written)
    assert {asks.creation(it, "acme").request_id for it in requests} == {"7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10"}


def test_only_masked_fields_change():
    kept = domain.created(
        asks.creation(
            service_pb.CreateStoryboardRequest(request_id=str(uuid.uuid4()), storyboard=boards.the_letter()), "acme"
        ).content,
        "acme",
        ids.new,
        None,
    )
    request = service_pb.UpdateStoryboardRequest(
        storyboard=pb.Storyboard(name="The answer", preset="neon", props=[pb.Prop(name="the letter")]),
        update_mask=FieldMask(paths=["name", "props", "size", "silent"]),
    )
    changed = asks.change(request, kept.content, "acme")
    assert (changed.name, changed.preset, changed.size, changed.silent) == ("The answer", "noir", None, False)
    assert changed.scenes == kept.content.scenes
    assert [prop.description for prop in changed.props] == [""]


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ([], "should name a field to change: name, logline"),
        (["etag"], "names 'etag', which cannot be changed"),
        (["scenes.title"], "names 'scenes.title'"),
        (["*"], "names '*'"),
    ],
)
def test_a_faulty_mask(paths, told):
    request = service_pb.UpdateStoryboardRequest(storyboard=board(), update_mask=FieldMask(paths=paths))
    kept = domain.created(domain.Content(name="x"), "acme", ids.new, None)
    with pytest.raises(errors.Invalid) as caught:
        asks.change(request, kept.content, "acme")
    (violation,) = caught.value.violations
    assert violation.field == "update_mask"
    assert told in violation.description


def test_ids_that_none_can_have():
    with pytest.raises(domain.StoryboardNotFound):
        asks.storyboard_id("job_" + ids.new("sb")[3:])
    with pytest.raises(errors.Invalid):
        asks.storyboard_id("")


@pytest.mark.parametrize("key", [("2026-11-20T00:00:00+00:00",), ("yesterday", ids.new("sb")), (7, 7), ("x", "sb_1")])
def test_a_forged_place_is_refused(key):
    with pytest.raises(errors.Invalid, match="next_page_token"):
        asks.place_of_storyboard(paging.encode(key, "bound"), "bound")


@pytest.mark.parametrize("key", [(), ("1",), (0,), (2**31,), (1, 2)])
def test_a_forged_number_is_refused(key):
    with pytest.raises(errors.Invalid, match="next_page_token"):
        asks.place_of_revision(paging.encode(key, "bound"), "bound")
