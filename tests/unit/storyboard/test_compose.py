"""Prompts are a promise: equal revisions and composer versions give equal bytes, for ever."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from services.storyboard import asks, compose, dialects, domain, presets, wire
from tests.unit.storyboard import boards

NOIR = presets.BY_KEY["noir"]
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


@pytest.fixture
def content() -> domain.Content:
    request = service_pb.CreateStoryboardRequest(
        request_id="7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10", storyboard=boards.the_letter()
    )
    numbers = itertools.count(1)
    return domain.identified(
        asks.creation(request, "acme").content, domain.Content(), lambda prefix: f"{prefix}_{next(numbers)}"
    )


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_same_words_give_the_same_bytes_for_ever(content, path):
    golden = json.loads(path.read_text())
    assert golden["composer_version"] == compose.COMPOSER_VERSION, "a new version has new files"
    composed = compose.prompts(dataclasses.replace(content, model=golden["model"]), "house/default")
    told = [wire.from_prompt(prompt, {golden["model"]: golden["limit"]}) for prompt in composed]
    assert [json_format.MessageToDict(it, preserving_proto_field_name=True) for it in told] == golden["prompts"]


def test_one_model_can_stand_for_all_that_are_named(content):
    named = [dataclasses.replace(scene, model="sandbox/veo-1") for scene in content.scenes]
    meant = compose.prompts(dataclasses.replace(content, scenes=tuple(named)), "house/default")
    told = compose.prompts(content, "house/default", "sandbox/veo-1")
    assert [wire.from_prompt(it, {}) for it in told] == [wire.from_prompt(it, {}) for it in meant]


def test_there_is_a_golden_file_for_each_dialect():
    golden = [json.loads(path.read_text()) for path in GOLDEN]
    assert {it["prompts"][0]["dialect"] for it in golden} == {*dialects.Dialect}


def test_what_is_left_is_counted_part_by_part(content):
    (first, *_) = compose.prompts(content, "house/default")
    told = wire.from_prompt(first, {first.model: 100})
    assert told.characters == len(told.spec.prompt)
    assert told.characters_left == 100 - told.characters == told.parts[-1].characters_left < 0
    assert told.parts[0].characters_left == 100 - len(told.parts[0].text)
    assert told.parts[1].characters_left == 100 - len(" ".join(part.text for part in told.parts[:2]))
    unknown = wire.from_prompt(first, {})
    assert not unknown.HasField("characters_left")
    assert not unknown.parts[0].HasField("characters_left")
    assert unknown.digest == told.digest


@pytest.mark.parametrize(("negative", "start"), [("hats, ", "Avoid: hats,"), ("", "Avoid: colour")])
def test_models_without_a_negative_field_are_told_in_words(content, negative, start):
    scene = dataclasses.replace(content.scenes[0], negative_prompt=negative, model="house/unknown")
    (prompt,) = compose.prompts(dataclasses.replace(content, scenes=(scene,)), "house/default")
    assert prompt.negative_prompt == ""
    assert prompt.text[prompt.text.index("Avoid:") :].startswith(start)
    assert prompt.text.endswith(f"{NOIR.negative_words}.")


def test_empty_parts_are_dropped_and_sentences_kept_apart(content):
    _, second, third = compose.prompts(content, "house/default")
    assert second.text == f"A red stamp. Fog crosses it. {NOIR.words} Avoid: {NOIR.negative_words}."
    assert [part.origin for part in second.parts] == [
        "scene.subject",
        "scene.action",
        "preset.words",
        "preset.negative_words",
    ]
    assert third.text.startswith("Mara and Zoë at the rail. Zoë [character:zoe_id:")
    assert [part.origin for part in third.parts][1:3] == ["characters[1].profile", "characters[0].profile"]


def test_the_first_words_tell_which_scene_it_is(content):
    starts = {prompt.text[:20] for prompt in compose.prompts(content, "house/default")}
    assert len(starts) == 3


def test_seams_and_models_and_sound(content):
    prompts = compose.prompts(content, "house/default")
    assert [prompt.seam for prompt in prompts] == [domain.Seam.CUT, domain.Seam.SHARED_KEYFRAME, domain.Seam.CUT]
    assert [prompt.model for prompt in prompts] == ["sandbox/reel-1", "sandbox/reel-2", "sandbox/reel-1"]
    bare = dataclasses.replace(content, model="", size=None, preset="", silent=True)
    first = compose.prompts(bare, "house/default")[0]
    assert (first.model, first.size, first.audio) == ("house/default", compose.SIZE, False)
    assert first.parts[-3].text == presets.BY_KEY["cinematic"].words


def test_the_spec_says_what_the_scene_says(content):
    prompt = wire.from_prompt(compose.prompts(content, "house/default")[0], {})
    spec = prompt.spec
    assert prompt.spec.prompt == " ".join(part.text for part in prompt.parts)
    assert (spec.duration.seconds, spec.seed, spec.audio) == (4, 7, True)
    assert (spec.size.width, spec.size.height) == (1920, 1080)
    second = wire.from_prompt(compose.prompts(content, "house/default")[1], {})
    assert not second.spec.HasField("seed")


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.key)
def test_each_look_ends_its_sentence(preset):
    assert preset.words.endswith(".")
    assert preset.title
    assert preset.negative_words.strip(" ,.") == preset.negative_words


def test_looks_are_told_apart():
    assert len(presets.BY_KEY) == len(presets.PRESETS) >= 8
    assert presets.DEFAULT in presets.BY_KEY
