import dataclasses
import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml

from services.cli import board, board_file, yaml_file
from services.storyboard import domain, files, presets, wire
from tests.unit.storyboard import boards

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))


def test_the_published_schema_is_fresh() -> None:
    assert (DOCS / "board.schema.json").read_text() == json.dumps(board.schema(), indent=2) + "\n"


def test_the_looks_are_those_of_the_storyboard_service() -> None:
    assert list(get_args(board.Preset)) == [preset.key for preset in presets.PRESETS]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_faultless_and_fits_the_schema(path: Path) -> None:
    board_file.read(path)
    plain = yaml.load(path.read_text().replace("aspect: 9:16", "aspect: '9:16'"), yaml.SafeLoader)
    plain["aspect"] = str(plain["aspect"]) if plain["aspect"] != 16 * 60 + 9 else "16:9"
    jsonschema.Draft202012Validator(board.schema()).validate(plain)


def test_the_examples_are_what_the_guide_says() -> None:
    films = {path.stem: board_file.read(path).board for path in EXAMPLES}
    told = {
        name: (len(film.scenes), sum(scene.duration for scene in film.scenes), film.aspect)
        for name, film in films.items()
    }
    assert told == {
        "espresso-vertical": (4, 12, "9:16"),
        "the-letter": (6, 24, "16:9"),
        "tidewater": (5, 20, "16:9"),
    }
    assert [scene.seam for scene in films["the-letter"].scenes].count("last_frame") == 1
    assert len(films["the-letter"].characters) == 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_word_of_a_board_reaches_the_storyboard(path: Path) -> None:
    file = board_file.read(path)
    read = file.board
    kept, warnings = files.read(file.data, files.Format.YAML, "")
    assert not warnings
    assert (kept.name, kept.preset, kept.size) == (
        read.name,
        read.preset,
        domain.Size(width=read.frame[0], height=read.frame[1]),
    )
    for scene, kept_scene in zip(read.scenes, kept.scenes, strict=True):
        for name, value in scene.model_dump(exclude={"duration", "cast", "props"}).items():
            assert getattr(kept_scene, name) == value
        assert (kept_scene.seconds, [*kept_scene.cast]) == (scene.duration, scene.cast)
        assert [*kept_scene.props] == scene.props
    assert [one.profile for one in kept.characters] == [one.profile for one in read.characters]


def test_an_export_is_a_board_file(tmp_path: Path) -> None:
    path = tmp_path / "the-letter.yaml"
    kept = wire.content(boards.the_letter(), wire.Faults())
    path.write_bytes(files.write(dataclasses.replace(kept, scenes=kept.scenes[1:]), files.Format.YAML).data)
    with pytest.raises(yaml_file.Faulty) as caught:
        board_file.read(path)
    assert [fault.field for fault in caught.value.faults] == ["scenes[0].seam"]
    path.write_text(path.read_text().replace("  seam: shared_keyframe\n", "", 1))
    assert board_file.read(path).board.characters[0].references[1].key == "t/acme/stills/mara"
