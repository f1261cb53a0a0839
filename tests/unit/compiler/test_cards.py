from fractions import Fraction

import numpy as np
import pytest

from services.compiler import blending, cards
from services.compiler.edit import Card
from services.compiler.recipes import Profile

SIZES = [(640, 360), (360, 640), (480, 480)]
PROFILES = [Profile(*size, Fraction(24)) for size in SIZES]


def titled(text: str, subtext: str = "", background: str = "#102030", ink: str = "#f0e0d0") -> Card:
    return Card(text, subtext, 0, background, ink)


@pytest.mark.parametrize(
    ("colour", "matrix", "expected"),
    [
        ((255, 0, 0), "bt709", (63, 102, 240)),
        ((0, 255, 0), "bt709", (173, 42, 26)),
        ((0, 0, 255), "bt709", (32, 240, 118)),
        ((255, 0, 0), "smpte170m", (81, 90, 240)),
        ((0, 255, 0), "smpte170m", (145, 54, 34)),
        ((0, 0, 255), "smpte170m", (41, 240, 110)),
        ((255, 255, 255), "bt709", (235, 128, 128)),
        ((0, 0, 0), "bt709", (16, 128, 128)),
        ((128, 128, 128), "smpte170m", (126, 128, 128)),
    ],
)
def test_colours_are_exact(colour: tuple[int, int, int], matrix: str, expected: tuple[int, int, int]) -> None:
    """The values of the colour bars in ITU-R BT.709 and BT.601."""
    picture = cards.yuv(np.full((4, 6, 3), colour, np.uint8), matrix)
    assert [set(surface.ravel()) for surface in blending.surfaces(picture)] == [{value} for value in expected]


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("text", ["Fin", "The Lighthouse Keeper's Daughter — Дочь смотрителя", "word " * 40])
def test_a_card_has_its_words_in_the_middle_and_air_around_them(profile: Profile, text: str) -> None:
    luma = blending.surfaces(cards.card(titled(text, "directed by nobody\n" * 3), profile))[0]
    assert luma.shape == (profile.height, profile.width)
    ground = int(luma[0, 0])
    rows, columns = ((np.flatnonzero((luma != ground).any(axis=axis))) for axis in (1, 0))
    for there, side in ((rows, profile.height), (columns, profile.width)):
        assert there[0] + there[-1] == pytest.approx(side, abs=max(6, side * 0.12))
        assert there[-1] - there[0] <= side * 0.86 + 2


def test_the_text_is_larger_than_the_subtext_and_above_it() -> None:
    profile = PROFILES[0]
    both = cards.card(titled("Fin", "The end"), profile)[: profile.height]
    rows = np.flatnonzero((both != both[0, 0]).any(axis=1))
    (gap,) = np.flatnonzero(np.diff(rows) > 8)
    assert rows[gap] - rows[0] > 1.5 * (rows[-1] - rows[gap + 1])


def test_an_empty_card_is_its_colour() -> None:
    picture = cards.card(titled("", "", "#ff0000"), PROFILES[0])
    assert [set(surface.ravel()) for surface in blending.surfaces(picture)] == [{63}, {102}, {240}]


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("text", ["long " * 100, "Кто там?\n— Я."])
@pytest.mark.parametrize("ground", ["#000000", "#ffffff", "#ffee00"])
def test_a_caption_is_bright_on_dark_on_any_ground_and_stays_in_the_safe_area(
    profile: Profile, text: str, ground: str
) -> None:
    plain = cards.card(titled("", "", ground), profile)
    shown = cards.caption(text, profile).over(plain)
    luma, before = (blending.surfaces(picture)[0].astype(int) for picture in (shown, plain))
    assert luma.max() >= 200
    assert luma.min() <= 60
    rows, columns = (np.flatnonzero((abs(luma - before) > 8).any(axis=axis)) for axis in (1, 0))
    assert columns[0] >= profile.width * 0.02
    assert columns[-1] < profile.width * 0.98
    assert rows[-1] < profile.height * 0.98
    assert rows[0] > profile.height * 0.35
    assert (plain == cards.card(titled("", "", ground), profile)).all()  # a picture may be shown again without it


@pytest.mark.parametrize("size", [(16, 16), (2, 2), (64, 2)])
def test_the_smallest_film_can_have_cards_and_captions(size: tuple[int, int]) -> None:
    profile = Profile(*size, Fraction(24))
    plain = cards.card(titled("Fin", "The end"), profile)
    assert cards.caption("Hello", profile).over(plain).shape == plain.shape


def test_a_caption_is_without_colour() -> None:
    profile = PROFILES[0]
    red = cards.card(titled("", "", "#ff0000"), profile)
    shown = cards.caption("HHHH", profile).over(red)
    luma, blue, _ = blending.surfaces(shown)
    inside = luma[::2, ::2] == 235
    assert abs(blue[inside].astype(int) - 128).max() <= 26


def test_what_cannot_be_written_is_no_caption() -> None:
    plain = cards.card(titled(""), PROFILES[0])
    assert (cards.caption("\ue000", PROFILES[0]).over(plain) == plain).all()
