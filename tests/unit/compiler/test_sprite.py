import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from services.compiler import orders, sprite
from services.compiler.recipes import Run
from tests.unit.compiler import footage
from tests.unit.compiler.test_stills import long, number_in


def test_every_still_lies_where_its_cue_says(tmp_path: Path) -> None:
    clips = [
        footage.shoot(tmp_path / f"{n}.mp4", footage.Take(seconds=Fraction(6), first_number=n * 100)) for n in (0, 1)
    ]
    recipe = footage.made(tmp_path, replace(footage.listed(clips), title="Ein Film: 100%")).film
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", sprite.vtt(recipe))
    assert [cue[0] for cue in cues] == [f"00:00:{second:02d}.000" for second in range(12)]
    assert {cue[2] for cue in cues} == {"Ein%20Film%20100%25%20sprite.jpg"}
    with Image.open(tmp_path / orders.SPRITE) as grid:
        assert grid.size == (1600, 192)
        boxes = [tuple(map(int, cue[3:])) for cue in cues]
        shown = [number_in(grid.crop((x, y, x + width, y + height))) for x, y, width, height in boxes]
    assert shown == [second % 6 * 24 + 12 + second // 6 * 100 for second in range(12)]


def test_a_long_film_has_forty_stills() -> None:
    recipe = replace(long("A"), runs=(Run("", 0, 24 * 3600),))
    assert sprite.vtt(recipe).count("-->") == 40


def test_an_upright_film_has_upright_stills() -> None:
    assert sprite.cell(long("A", size=(720, 1280)).profile) == (90, 160)
    assert sprite.cell(long("A", size=(3840, 128)).profile) == (160, 5)


def test_a_film_of_one_picture_has_one_still(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(seconds=Fraction(1, 24)))
    footage.made(tmp_path, footage.listed([clip]))
    with Image.open(tmp_path / orders.SPRITE) as grid:
        assert grid.size == sprite.cell(long("A", size=(160, 96)).profile)
        assert np.asarray(grid).any()
