"""What a quote offers to film with, and what it says of what cannot be had."""

from rushes.job.v1 import job_pb2
from rushes.provider_gateway.v1 import model_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway
from rushes.storyboard.v1 import storyboard_pb2 as pb
from rushes.type.v1 import media_pb2
from services.studio.pages import offers, terms, ways


def model(name: str, **shapes: tuple[int, int]) -> model_pb2.Model:
    made = [
        model_pb2.Shape(size=media_pb2.FrameSize(width=width, height=height), resolution=resolution[1:])
        for resolution, (width, height) in shapes.items()
    ]
    return model_pb2.Model(id=f"sandbox/{name}", title=name.capitalize(), shapes=made)


REEL = model("reel", _1080p=(1920, 1080), _720p=(1280, 720), _360p=(640, 360), _4k=(2160, 3840))
OMNI = model("omni", _720p=(1280, 704), _360p=(640, 352))
TOLD = gateway.ListModelsResponse(models=[REEL, OMNI], default_model=REEL.id)


def test_a_project_is_offered_what_all_its_models_make_in_its_shape() -> None:
    plain = offers.read(TOLD, pb.Storyboard(scenes=[pb.Scene()]), "")
    assert plain == ({OMNI.id: "Omni", REEL.id: "Reel"}, {"360p": "360p", "1080p": "1080p"}, "Reel", "720p")
    mixed = pb.Storyboard(scenes=[pb.Scene(), pb.Scene(model=OMNI.id)])
    found = offers.read(TOLD, mixed, "")
    assert (found.model, list(found.resolutions)) == ("2 models", ["360p", "720p"])
    assert list(offers.read(TOLD, mixed, REEL.id).resolutions) == ["360p", "1080p"], "those of the one that is chosen"
    tall = pb.Storyboard(scenes=[pb.Scene()], size=media_pb2.FrameSize(width=720, height=1280))
    assert offers.read(TOLD, tall, "")[1:] == ({"4k": "4k"}, "Reel", "720 \u00d7 1280")
    gone = pb.Storyboard(scenes=[pb.Scene()], model="old/one")
    assert offers.read(TOLD, gone, "")[1:] == ({}, "old/one", "1280 \u00d7 720")


def test_a_fault_that_scenes_share_is_told_once() -> None:
    told = [(f"scenes[{index}].duration", "1 s") for index in range(10)]
    told += [("scenes[3].negative_prompt", "none"), ("options.resolution", "9p"), ("items", "mix")]
    assert terms.refused(told) == [
        ("Duration of 001, 002, 003, 004, 005, 006, 007, 008 and 2 more", "1 s"),
        ("Negative prompt of 004", "none"),
        ("Quality", "9p"),
        ("items", "mix"),
    ]


def test_what_a_draft_has_not_made_is_quoted_as_a_draft() -> None:
    draft = job_pb2.Production(storyboard_id="sb_1", model="sandbox/reel", resolution="360p")
    assert ways.quote(draft, scene="s") == "/p/sb_1/quote?scene=s&model=sandbox%2Freel&resolution=360p"
    assert ways.quote(job_pb2.Production(storyboard_id="sb_1")) == "/p/sb_1/quote"
