import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.compiler import edit, manifest, marks
from services.compiler.manifest import File
from tests.unit.compiler import footage, reels

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def test_a_manifest_read_back_is_the_same() -> None:
    for one in (reels.everything(), reels.everything(footage.Fraction(30000, 1001))):
        assert manifest.read(manifest.write(one)) == one


def test_a_films_manifest_says_where_every_picture_comes_from(tmp_path: Path) -> None:
    clips = [
        footage.shoot(tmp_path / "0.mp4"),
        footage.shoot(tmp_path / "1.mp4", footage.Take(size=(320, 180), layout="")),
    ]
    wanted = footage.listed(clips, generated=True)
    card = edit.Entry(edit.Scene("", "", ""), edit.Card("Ende", "", 12, "#000000", "#ffffff"))
    plan = footage.planned(tmp_path, replace(wanted, entries=(*wanted.entries, card)))
    told = manifest.of("film_1", plan, [reels.MAKER, None, None], File("ef" * 32, 9), "1.0", NOW)
    digests = footage.laid(tmp_path, clips)
    assert [shot.source and shot.source.sha256 for shot in told.shots] == [*digests, None]
    assert [shot.source and shot.source.sound for shot in told.shots] == [True, False, None]
    assert [bool(shot.conformed) for shot in told.shots] == [False, True, False]
    assert [(shot.start, shot.frames) for shot in told.shots] == [(0, 24), (24, 24), (48, 12)]
    assert (told.frames, told.create_time) == (60, "2026-11-21T18:00:00+00:00")
    assert told.shots[2].card == card.source


def test_a_claim_names_the_film_as_ai_made_and_every_clip_once() -> None:
    claim = json.loads(manifest.write(reels.everything()))["c2pa"]
    assert [one["title"] for one in claim["ingredients"]] == ["Scene 1", "Scene 2", "Scene 3"]
    created, *placed = claim["assertions"][0]["data"]["actions"]
    assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", marks.SOURCE_TYPE)
    known = {one["instance_id"] for one in claim["ingredients"]}
    assert {one["parameters"]["ingredientIds"][0] for one in placed} == known
    own = json.loads(manifest.write(replace(reels.everything(), generated=False)))["c2pa"]
    assert "digitalSourceType" not in own["assertions"][0]["data"]["actions"][0]


def test_no_prompt_and_no_key_is_told() -> None:
    assert not {"prompt", "key", "tenant_id"} & set(json.loads(manifest.write(reels.everything()))["shots"][0]["maker"])
