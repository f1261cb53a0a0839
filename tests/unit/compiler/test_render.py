from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from services.compiler import painter, render
from services.compiler.edit import Card, JoinKind
from services.compiler.recipes import Edge, Layer, Profile, Render, Words
from tests.unit.compiler import footage

PROFILE = Profile(footage.WIDTH, footage.HEIGHT, Fraction(24000, 1001))
CARD = Card("Fin", "The end", 0, "#203040", "#ffffff")


@pytest.fixture
def recipe(tmp_path: Path) -> Render:
    digest = footage.laid(tmp_path, [footage.shoot(tmp_path / "clip.mp4")])[0]
    lead = Edge(JoinKind.CROSSFADE, 10)
    layers = Layer(digest, 0, 0, 20, None, None), Layer(CARD, 0, 10, 30, lead, None)
    return Render(replace(PROFILE, fps=Fraction(24)), 30, 1, layers, (Words("Goodbye", 5, 15),))


def made(recipe: Render, folder: Path, name: str) -> Path:
    render.make(recipe, folder, folder / name, lambda steps: None)
    return folder / name


def test_what_is_painted_is_encoded_picture_by_picture(recipe: Render, tmp_path: Path) -> None:
    shown = footage.planes(made(recipe, tmp_path, "a.mp4"))
    painted = list(painter.paint(recipe, tmp_path))
    assert len(shown) == len(painted) == 30
    for one, two in zip(shown, painted, strict=True):
        assert abs(one.astype(int) - two).mean() < 2


def test_the_same_recipe_is_the_same_bytes(recipe: Render, tmp_path: Path) -> None:
    first, second = (made(recipe, tmp_path, name).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert first == second


@pytest.mark.parametrize(("matrix", "number"), [("bt709", 1), ("smpte170m", 6)])
def test_a_piece_says_how_it_keeps_its_colours(matrix: str, number: int, tmp_path: Path) -> None:
    recipe = Render(replace(PROFILE, matrix=matrix), 3, 0, (Layer(CARD, 0, 0, 3, None, None),), ())
    with av.open(str(made(recipe, tmp_path, "a.mp4"))) as container:
        frame = next(container.decode(video=0))
    assert {int(frame.colorspace), int(frame.color_trc), int(frame.color_primaries)} == {number}
    assert int(frame.color_range) == 1


def test_progress_is_told_for_each_picture(recipe: Render, tmp_path: Path) -> None:
    told: list[int] = []
    render.make(recipe, tmp_path, tmp_path / "a.mp4", told.append)
    assert told == [12] * 30
