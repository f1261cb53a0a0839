from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.compiler import cut, media, orders, proof, recipes, sheet, stills
from services.compiler.recipes import Chapter, Film, Profile, Run, Still
from services.compiler.reel import Reel
from tests.unit.compiler import footage


def long(*scenes: str, size: tuple[int, int] = (1280, 720), title: str = "The Film", frames: int = 24) -> Film:
    """A film of these scenes, each so many frames."""
    chapters = tuple(
        Chapter(number, name, (number - 1) * frames, number * frames) for number, name in enumerate(scenes, 1)
    )
    runs = tuple(Run("", 0, frames) for _ in scenes)
    return Film(title, Profile(*size, Fraction(24)), runs, 0, "", -14.0, chapters, (), "", False)


@pytest.fixture
def made(tmp_path: Path) -> Reel:
    """Two scenes with a key picture every half second; the first 30 pictures of the first show nothing."""
    dark = footage.Take(seconds=Fraction(2), dark=30)
    clips = [footage.shoot(tmp_path / "0.mp4", dark), footage.shoot(tmp_path / "1.mp4", replace(dark, dark=0))]
    plan = footage.made(tmp_path, footage.listed(clips)).film
    return Reel(plan.runs, plan.profile.fps, tmp_path)


def number_in(picture: Image.Image) -> int:
    luma = np.asarray(picture.convert("L"))
    centres = [(2 * bit + 1) * picture.width // 16 for bit in range(8)]
    return sum(1 << bit for bit, x in enumerate(centres) if luma[picture.height // 4, x] > 128)


@pytest.mark.usefixtures("made")
def test_the_poster_is_the_first_key_picture_that_shows_something(tmp_path: Path) -> None:
    with Image.open(tmp_path / orders.POSTER) as poster:
        assert poster.size == (footage.WIDTH, footage.HEIGHT)
        assert number_in(poster) == 36


def test_each_scene_is_shown_by_a_key_picture_near_its_middle(made: Reel) -> None:
    pictures = [stills.of_scene(made, scene, (160, 96)) for scene in ((0, 48), (48, 96))]
    assert [number_in(picture) for picture in pictures] == [36, 24]


def test_a_scene_that_shows_nothing_still_has_a_still(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(dark=24))
    plan = footage.made(tmp_path, footage.listed([clip])).film
    assert [len(proof.read(tmp_path / one.source).scenes) for one in plan.proofs] == [1]
    assert (tmp_path / orders.POSTER).exists()


def test_a_scene_without_a_key_picture_of_its_own_is_shown_by_its_middle(made: Reel) -> None:
    assert number_in(stills.of_scene(made, (73, 83), (160, 96))) == 30


@pytest.mark.parametrize(
    ("count", "size", "columns"),
    [
        (1, (1280, 720), 1),
        (2, (1280, 720), 2),
        (4, (1280, 720), 2),
        (6, (1280, 720), 3),
        (9, (1280, 720), 3),
        (5, (720, 1280), 5),
    ],
)
def test_the_sheet_has_a_fitting_number_of_columns(
    count: int, size: tuple[int, int], columns: int, tmp_path: Path
) -> None:
    plan = long(*["A scene"] * count, size=size)
    picture = Image.new("RGB", sheet.cell(plan.profile, count), "#888888")
    sheet.draw(plan, [picture] * count, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as drawn:
        row = np.asarray(drawn.convert("L"))[190]
        assert drawn.getpixel((3, 3)) == (19, 19, 19)
    assert np.count_nonzero(np.diff((row > 100).astype(int)) == 1) == columns


def test_long_and_foreign_titles_fit(tmp_path: Path) -> None:
    plan = long("Die längste Überschrift der Welt — " * 5, size=(160, 90), title="渡し船 " * 60)
    sheet.draw(plan, [Image.new("RGB", (160, 90), "#888888")], tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as drawn:
        right = np.asarray(drawn.convert("L"))[:, -50:]
    assert right.max() < 60


def taken(folder: Path, clip: Path, **how: Any) -> Image.Image:
    """One still of a clip, as the worker takes it."""
    (digest,) = footage.laid(folder, [clip])
    recipe = Still(**{"source": digest, "seconds": None, "last": False, "longest": 0} | how)
    cut.work(orders.Order(folder, make=(recipe,)), lambda said: None)
    with Image.open(folder / recipes.address(recipe)) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(
    ("options", "frames"), [((("g", "12"), ("bf", "2")), 41), ((("g", "999"), ("bf", "3")), 30), ((("g", "1"),), 5)]
)
def test_the_last_picture_of_a_clip(tmp_path: Path, options: Any, frames: int) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(seconds=Fraction(frames, 24), options=options))
    still = taken(tmp_path, clip, last=True)
    assert (still.format, still.size, number_in(still)) == ("PNG", (footage.WIDTH, footage.HEIGHT), frames - 1)


@pytest.mark.parametrize(
    ("seconds", "number"), [(Fraction(0), 0), (Fraction(1), 24), (Fraction(25, 24), 25), (Fraction(99), 47)]
)
def test_the_picture_at_a_time(tmp_path: Path, seconds: Fraction, number: int) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(seconds=Fraction(2)))
    assert number_in(taken(tmp_path, clip, seconds=seconds)) == number


def test_a_thumbnail_shows_something_and_is_small(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(seconds=Fraction(2), dark=30))
    still = taken(tmp_path, clip, longest=80)
    assert (still.format, still.size, number_in(still)) == ("JPEG", (80, 48), 36)


def test_a_turned_clip_gives_an_upright_still(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4", footage.Take(rotation=90))
    still = taken(tmp_path, clip, last=True)
    assert still.size == (footage.HEIGHT, footage.WIDTH)
    upright = still.rotate(90, expand=True)
    assert number_in(upright) == 23


def test_a_clip_without_pictures_is_blamed(tmp_path: Path) -> None:
    broken = tmp_path / "a.mp4"
    broken.write_bytes(b"no film at all")
    with pytest.raises(media.SourceUnreadable):
        taken(tmp_path, broken, last=True)
