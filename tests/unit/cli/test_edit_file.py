"""Edit files: what a person writes is understood or told with its line, and what is understood can be written."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema
import pytest
import yaml

from rushes.job.v1 import job_pb2
from rushes.type.v1 import clip_pb2, edit_list_pb2, media_pb2
from services.cli import edit_file, edit_form, edit_list, yaml_file
from services.compiler import edit_rules, wire
from tests.unit.compiler import test_edit_rules as rules

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "edits").glob("*.yaml"))
KIND = edit_list_pb2.Join
KEY = "t/acme/clips/1.mp4"

FULL = """\
title: The Letter
profile: {size: 1080p, aspect: "9:16", fps: 23.976, fit: crop}
loudness: -16
captions: {language: pt-BR, burnt: true}
music: {file: rain.mp3, gain: -6, fade_in: 24, fade_out: 48, duck: 12}
narrations:
  - {key: t/acme/sounds/1.wav, at: 48, gain: 1.5}
  - {file: voice.wav}
ending: dip to white 24
cuts:
  - card: {text: Title, subtext: "two\\nlines", frames: 48, background: "#101010"}
    join: dip to black 12
  - take: take_1
    trim: 10..80
    join: crossfade 12
    gain: -3
    fit: blur
    captions:
      - {text: "Ah.", at: 2, frames: 10}
      - {text: "Oh.", at: 12}
  - {take: take_2, clip: t/acme/clips/2.mp4, scene: sc_2, title: Mine, trim: 5.., join: wipe left 8}
"""

MANY = """\
tilte: x
profile: {size: 720, aspect: "16:9", fps: 24.5, codec: av1}
loudness: loud
music: {gain: 3}
narrations:
  - file: voice.txt
  - {file: gone.wav, key: t/x}
ending: crossfade 12
cuts:
  - take: take_1
    join: wipe left 5
  - title: nothing
  - {take: take_2, card: {frames: 0, ink: red}}
  - {take: take_3, clip: t/x, trim: 9..9}
  - {take: take_4, join: fade 12, trim: 3, volume: 2}
  - take: take_5
    captions: [{text: a, start: 3}]
    fit: stretch
"""


def take(number: int = 1) -> edit_list_pb2.Cut:
    made = job_pb2.Take(
        id=f"take_{number}",
        job_id="job_1",
        scene_id=f"sc_{number}",
        model="openai/sora-2",
        clip=media_pb2.Blob(key=KEY),
    )
    job = job_pb2.Job(scene_title="The ferry", spec=clip_pb2.ClipSpec(prompt="a ferry"))
    return edit_list.cut_of(made, job, "0" * 64)


def read(tmp_path: Path, text: str) -> edit_file.EditFile:
    path = tmp_path / "edit.yaml"
    path.write_text(text)
    return edit_file.read(path)


def faults(tmp_path: Path, text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(yaml_file.Faulty) as caught:
        read(tmp_path, text)
    return [(fault.line, fault.field, fault.wrong, fault.remedy) for fault in caught.value.faults]


def test_everything_that_can_be_written_reaches_the_edit_list(tmp_path: Path) -> None:
    for name in ("rain.mp3", "voice.wav"):
        (tmp_path / name).touch()
    edit = read(tmp_path, FULL).edit
    sounds = {"rain.mp3": media_pb2.Blob(key="t/acme/sounds/rain"), "voice.wav": media_pb2.Blob(key="t/acme/sounds/v")}
    made = edit_list.write(edit, {"take_1": take()}, sounds)
    assert edit_rules.violations(made, "acme") == []
    assert (made.title, made.loudness_lufs) == ("The Letter", -16)
    assert made.captions == edit_list_pb2.CaptionTrack(language="pt-BR", burnt=True)
    assert (made.profile.size.width, made.profile.size.height) == (1080, 1920)
    assert made.profile.frame_rate == edit_list_pb2.FrameRate(numerator=24000, denominator=1001)
    assert made.profile.fit == edit_list_pb2.FIT_CROP
    assert made.ending == KIND(kind=KIND.KIND_DIP_TO_WHITE, frames=24)
    assert made.music == edit_list_pb2.Music(
        clip=sounds["rain.mp3"], gain_db=-6, fade_in_frames=24, fade_out_frames=48, duck_db=12
    )
    assert [(one.clip.key, one.first_frame, one.gain_db) for one in made.narrations] == [
        ("t/acme/sounds/1.wav", 48, 1.5),
        ("t/acme/sounds/v", 0, 0),
    ]
    card, first, second = made.cuts
    assert card.card == edit_list_pb2.Card(
        text="Title", subtext="two\nlines", frames=48, background="#101010", ink="#ffffff"
    )
    assert card.join == KIND(kind=KIND.KIND_DIP_TO_BLACK, frames=12)
    assert (first.scene_id, first.take_id, first.title, first.clip.key) == ("sc_1", "take_1", "The ferry", KEY)
    assert first.trim == edit_list_pb2.Trim(first_frame=10, frames=70)
    assert (first.gain_db, first.fit) == (-3, edit_list_pb2.FIT_BLUR)
    assert [(one.text, one.first_frame, one.frames) for one in first.captions] == [("Ah.", 2, 10), ("Oh.", 12, 0)]
    made_by = first.provenance
    assert (made_by.provider, made_by.model, made_by.prompt_sha256) == ("openai", "openai/sora-2", "0" * 64)
    assert (second.scene_id, second.take_id, second.title) == ("sc_2", "take_2", "Mine")
    assert second.clip.key == "t/acme/clips/2.mp4"
    assert second.trim == edit_list_pb2.Trim(first_frame=5)
    assert second.join == KIND(kind=KIND.KIND_WIPE_LEFT, frames=8)


def test_every_fault_has_its_line_and_a_remedy(tmp_path: Path) -> None:
    found = faults(tmp_path, MANY)
    assert [(line, field) for line, field, _, _ in found] == [
        (1, "tilte"),
        (1, "title"),
        (2, "profile.codec"),
        (2, "profile.fps"),
        (2, "profile.size"),
        (3, "loudness"),
        (4, "music"),
        (6, "narrations[0].file"),
        (7, "narrations[1]"),
        (7, "narrations[1].file"),
        (8, "ending"),
        (11, "cuts[0].join"),
        (12, "cuts[1]"),
        (13, "cuts[2].card.frames"),
        (13, "cuts[2].card.ink"),
        (13, "cuts[2].take"),
        (14, "cuts[3]"),
        (14, "cuts[3].trim"),
        (15, "cuts[4].join"),
        (15, "cuts[4].trim"),
        (15, "cuts[4].volume"),
        (17, "cuts[5].captions[0].start"),
        (18, "cuts[5].fit"),
    ]
    remedies = {field: remedy for _, field, _, remedy in found}
    assert all(remedies.values())
    assert remedies["tilte"] == "Did you mean title?"
    assert remedies["cuts[4].volume"] == "Did you mean gain?"
    assert remedies["cuts[5].captions[0].start"] == "Did you mean at?"
    assert remedies["cuts[4].join"] == (
        "Write a kind and its frames, such as crossfade 12, dip to black 24, wipe left 12 or cut."
    )
    assert remedies["profile.size"] == ("Write 720p, 1080p, 4k or width x height in pixels, such as 1920x800.")


@pytest.mark.parametrize(
    ("profile", "field"),
    [('{aspect: "9:16"}', "profile.aspect"), ('{aspect: "1:1", size: 640x480}', "profile.aspect")],
)
def test_an_aspect_goes_with_a_named_size(tmp_path: Path, profile: str, field: str) -> None:
    text = f"title: x\nprofile: {profile}\ncuts: [take: take_1]\n"
    assert [fault[:2] for fault in faults(tmp_path, text)] == [(2, field)]


@pytest.mark.parametrize(
    ("violation", "line", "field"),
    [
        ("edit_list.cuts[1].join.frames", 15, "cuts[1].join"),
        ("edit_list.cuts[2].clip.key", 21, "cuts[2].clip"),
        ("edit_list.cuts[1].trim.first_frame", 14, "cuts[1].trim"),
        ("edit_list.cuts[1].captions[1].first_frame", 20, "cuts[1].captions[1].at"),
        ("edit_list.cuts[0].scene_id", 11, "cuts[0]"),
        ("edit_list.music.fade_in_frames", 5, "music.fade_in"),
        ("edit_list.narrations[0].gain_db", 7, "narrations[0].gain"),
        ("edit_list.profile.frame_rate", 2, "profile.fps"),
        ("edit_list.cuts", 10, "cuts"),
        ("request_id", 1, ""),
    ],
)
def test_what_the_compiler_refuses_is_told_where_it_stands(
    tmp_path: Path, violation: str, line: int, field: str
) -> None:
    for name in ("rain.mp3", "voice.wav"):
        (tmp_path / name).touch()
    (fault,) = read(tmp_path, FULL).refuse([(violation, "should be otherwise")]).faults
    assert (fault.line, fault.field, fault.wrong) == (line, field, "should be otherwise")


def test_json_is_an_edit_file_too(tmp_path: Path) -> None:
    path = tmp_path / "edit.json"
    path.write_text(json.dumps({"title": "x", "cuts": [{"take": "take_1", "gain": -3}]}, indent=1))
    assert edit_file.read(path).edit.cuts[0].gain == -3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24", (24, 1)),
        ("23.976", (24000, 1001)),
        ("23.98", (24000, 1001)),
        ("29.97", (30000, 1001)),
        ("59.94", (60000, 1001)),
        ("24.5", None),
    ],
)
def test_a_rate_is_exact(text: str, expected: tuple[int, int] | None) -> None:
    assert edit_file.rate(text) == expected


@pytest.mark.parametrize(
    ("name", "aspect", "expected"),
    [
        ("720p", "16:9", (1280, 720)),
        ("1080p", "9:16", (1080, 1920)),
        ("4k", "16:9", (3840, 2160)),
        ("4k", "1:1", (2160, 2160)),
        ("1920x800", "16:9", (1920, 800)),
    ],
)
def test_a_size_has_a_name_and_a_shape(name: str, aspect: str, expected: tuple[int, int]) -> None:
    assert edit_list.size(name, aspect) == expected


@hypothesis.given(rules.good_lists())
def test_what_is_written_of_an_edit_list_is_the_same_film(wanted: edit_list_pb2.EditList) -> None:
    for cut in wanted.cuts:
        if cut.HasField("card"):
            cut.card.text = cut.card.text.strip()
        for caption in cut.captions:
            caption.text = caption.text.strip()
    raw = yaml.load(edit_list.text(wanted), yaml.BaseLoader)
    known = edit_list_pb2.Cut(scene_id="sc", take_id="take", clip=rules.CLIP)
    made = edit_list.write(edit_form.Edit.model_validate(raw), {"take": known}, {})
    assert wire.edit_of(made) == wire.edit_of(wanted)


def test_a_production_without_a_film_is_written_with_cards_for_what_is_missing() -> None:
    scenes = [
        job_pb2.ProductionScene(scene_id="sc_1", scene_number=1, scene_title="One", take_id="take_1"),
        job_pb2.ProductionScene(scene_id="sc_2", scene_number=2, scene_title="Two"),
        job_pb2.ProductionScene(scene_id="sc_3", scene_number=3),
    ]
    text = edit_list.text(edit_list.of_scenes(job_pb2.Production(title="Doors", scenes=scenes)))
    assert yaml.safe_load(text) == {
        "title": "Doors",
        "cuts": [
            {"take": "take_1", "title": "One"},
            {"card": {"text": "Two", "frames": 48}},
            {"card": {"text": "Scene 3", "frames": 48}},
        ],
    }


def test_the_published_schema_is_fresh() -> None:
    assert (DOCS / "edit.schema.json").read_text() == json.dumps(edit_form.schema(), indent=2) + "\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_faultless_and_fits_the_schema(path: Path) -> None:
    edit_file.read(path)
    plain: Any = yaml.safe_load(path.read_text())
    jsonschema.Draft202012Validator(edit_form.schema()).validate(plain)


def test_there_is_an_example() -> None:
    assert [path.stem for path in EXAMPLES] == ["the-letter"]
