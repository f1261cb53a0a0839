"""A model is used only for what it makes and takes; anything else is refused with what is allowed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.type.v1 import clip_pb2, media_pb2
from services.provider_gateway import catalogue, limits, models
from tests.unit.provider_gateway.offers import OFFER, OMNI, REEL, asked, possible

VEO = OFFER.find("vertex/veo-3.1-generate-001")
KLING = OFFER.find("fal/kling-v3.0-pro")


@pytest.mark.parametrize(
    ("model", "changes", "field", "sentence"),
    [
        (REEL, {"seconds": 45}, "duration", "45 s; this model makes 1 to 20 s"),
        (OFFER.find("openai/sora-2"), {"seconds": 5}, "duration", "5 s; this model makes 4, 8, 12, 16 or 20 s"),
        (VEO, {"size": "1920x1080", "seconds": 4}, "duration", "4 s; this model makes 8 s at 1080p or 4k"),
        (
            OMNI,
            {"first_frame": True, "last_frame": True, "seconds": 12},
            "duration",
            "12 s; this model makes 3 to 10 s with a last frame",
        ),
        (OFFER.find("google/veo-2.0-generate-001"), {"audio": True}, "audio", "only false is possible"),
        (OMNI, {"audio": False}, "audio", "only true is possible"),
        (OMNI, {"size": "1000x1000"}, "size", "1000x1000; this model makes 640x360, 1280x720"),
        (OMNI, {"seed": 0}, "seed", "takes no seed"),
        (OMNI, {"negative_prompt": "rain"}, "negative_prompt", "takes no negative prompt"),
        (REEL, {"prompt": " \n"}, "prompt", "empty"),
        (KLING, {"prompt": "a" * 2501}, "prompt", "2501 characters; this model takes at most 2500"),
        (REEL, {"last_frame": True}, "last_frame", "takes no last frame"),
        (VEO, {"last_frame": True}, "last_frame", "only together with a first frame"),
        (REEL, {"references": 2}, "references", "2; this model takes no reference images"),
        (OFFER.find("google/gemini-omni-flash-preview"), {"first_frame": True}, "first_frame", "takes no first frame"),
    ],
)
def test_violations_name_what_is_allowed(
    model: catalogue.Model, changes: dict[str, Any], field: str, sentence: str
) -> None:
    fitting = {"size": str(next(iter(model.sizes))), "seconds": model.durations[0], "audio": model.audio}
    ((named, said),) = limits.violations(model, asked(**fitting | changes))
    assert named == field
    assert sentence in said


def test_all_violations_come_at_once() -> None:
    wrong = asked("1x720", prompt="", seconds=45, seed=1, audio=False)
    found = limits.violations(OMNI, wrong)
    assert [field for field, _ in found] == ["prompt", "duration", "size", "seed", "audio"]


def test_references_are_counted() -> None:
    three = REEL.model_copy(update={"references": 3})
    assert limits.violations(three, asked(references=3)) == []
    assert limits.violations(three, asked(references=4)) == [("references", "4; this model takes at most 3")]


def test_rules_that_leave_nothing_say_so() -> None:
    rules = [{"when": {"audio": True}, "durations": [8]}, {"when": {"images": True}, "durations": [4]}]
    strict = catalogue.Model.model_validate(VEO.model_dump(exclude={"prices", "sizes"}) | {
        "rules": rules, "prices": [{"per": "clip", "costs": "1"}], "sizes": ["1280x720"],
    })  # fmt: skip
    ((_, said),) = limits.violations(strict, asked(seconds=8, first_frame=True))
    assert said == "8 s; this model makes nothing with sound and with images"


@given(st.sampled_from(OFFER.models), st.data())
def test_exactly_the_lengths_that_are_said_are_made(model: catalogue.Model, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(list(possible(model))))
    assert limits.violations(model, one) == []
    for seconds in range(1, 40):
        other = asked(str(one.size), seconds=seconds, audio=one.audio, first_frame=one.first_frame)
        refused = limits.violations(model, other)
        assert bool(refused) == (seconds not in model.durations_for(other))
        assert {field for field, _ in refused} <= {"duration"}


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ("1280x720", "16:9"), ("854x480", "16:9"), ("864x496", "16:9"), ("1112x834", "4:3"), ("752x560", "4:3"),
        ("1470x630", "21:9"), ("992x432", "21:9"), ("720x720", "1:1"), ("720x1080", "2:3"), ("1080x2520", "9:21"),
    ],
)  # fmt: skip
def test_a_size_has_the_name_of_the_nearest_shape(size: str, name: str) -> None:
    assert limits.aspect(asked(size).size) == name


def test_frames_that_a_seam_adds_are_checked_again() -> None:
    spec = clip_pb2.ClipSpec(prompt="A field.", size=media_pb2.FrameSize(width=1280, height=720), audio=True)
    spec.duration.seconds = 12
    models.check(OMNI, spec)
    spec.first_frame.key = spec.last_frame.key = "stills/1.png"
    with pytest.raises(catalogue.ClipRefused, match=r"duration: 12 s; this model makes 3 to 10 s") as fault:
        models.check(OMNI, spec)
    assert fault.value.facts == {"model": OMNI.id}
