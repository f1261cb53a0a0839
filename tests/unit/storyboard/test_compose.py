"""Prompts are a promise: equal revisions and composer versions give equal bytes, for ever."""

import dataclasses
import itertools

import pytest

from rushes.storyboard.v1 import storyboard_service_pb2 as service_pb
from services.storyboard import asks, compose, domain, presets, wire
from tests.unit.storyboard import boards

NOIR = presets.BY_KEY["noir"]
NOIR_WORDS = f"{NOIR.words} Avoid: {NOIR.negative_words}."


@pytest.fixture
def content() -> domain.Content:
    request = service_pb.CreateStoryboardRequest(
        request_id="7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10", storyboard=boards.the_letter()
    )
    numbers = itertools.count(1)
    return domain.identified(
        asks.creation(request).content, domain.Content(), lambda prefix: f"{prefix}_{next(numbers)}"
    )


def test_golden_prompt(content):
    assert compose.COMPOSER_VERSION == "1"
    first = compose.prompts(content, "house/default")[0]
    assert first.text == (
        "The lighthouse keeper climbs the spiral stairs with a lamp. "
        "Inside the tower, night. "
        "Lantern room: Brass and salt-fogged glass. "
        "Mara Voss [character:mara-voss_id:460cf2eb]: Woman of sixty, grey braid, oilskin coat. "
        "the letter: a yellowed envelope with a red stamp. "
        "Camera: low angle, 35 mm, slow tilt up. Lighting: one oil lamp. Mood: patient. "
        'Dialogue: Mara: "You took your time." ' + NOIR_WORDS
    )
    assert [part.origin for part in first.parts] == [
        "scene.subject",
        "scene.action",
        "scene.setting",
        "locations[0].description",
        "characters[0].profile",
        "props[0].description",
        "scene.camera",
        "scene.lighting",
        "scene.mood",
        "scene.dialogue",
        "preset.words",
        "preset.negative_words",
    ]
    assert first.negative_prompt == "modern clothes,"
    assert [blob.key for blob in first.references] == ["stills/mara", "stills/room"]


def test_golden_digests(content):
    prompts = map(wire.from_prompt, compose.prompts(content, "house/default"))
    assert [prompt.digest for prompt in prompts] == [
        "7a835805c8ae3bf806febd1879686cc4176d0a9d47f2baaa0ca80fbba729b4e7",
        "033b6782e4ae1450c89fd8311909b8e0292cde946bea4c811001543abc82681d",
        "06077260e9dfd89fb4f0f765dcffa8659d590b1128fb128eb18bad00ad5925f2",
    ]


def test_empty_parts_are_dropped_and_sentences_kept_apart(content):
    _, second, third = compose.prompts(content, "house/default")
    assert second.text == "A red stamp. Fog crosses it. " + NOIR_WORDS
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
    assert first.parts[-2].text == presets.BY_KEY["cinematic"].words


def test_the_spec_says_what_the_scene_says(content):
    prompt = wire.from_prompt(compose.prompts(content, "house/default")[0])
    spec = prompt.spec
    assert prompt.spec.prompt == " ".join(part.text for part in prompt.parts)
    assert (spec.duration.seconds, spec.seed, spec.audio) == (4, 7, True)
    assert (spec.size.width, spec.size.height) == (1920, 1080)
    second = wire.from_prompt(compose.prompts(content, "house/default")[1])
    assert not second.spec.HasField("seed")


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.key)
def test_each_look_ends_its_sentence(preset):
    assert preset.words.endswith(".")
    assert preset.title
    assert preset.negative_words.strip(" ,.") == preset.negative_words


def test_looks_are_told_apart():
    assert len(presets.BY_KEY) == len(presets.PRESETS) >= 8
    assert presets.DEFAULT in presets.BY_KEY
