from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from services.compiler import blending, cards, media, painter
from services.compiler.edit import Card, JoinKind
from services.compiler.recipes import Edge, Layer, Profile, Render, Words
from tests.unit.compiler import footage

PROFILE = Profile(footage.WIDTH, footage.HEIGHT, Fraction(24))
BLACK, WHITE, RED = (Card("", "", 0, colour, "#808080") for colour in ("#000000", "#ffffff", "#ff0000"))


def painted(frames: int, *layers: Layer, words: Sequence[Words] = (), folder: Path = Path()) -> list[blending.Planes]:
    return list(painter.paint(Render(PROFILE, frames, 0, layers, tuple(words)), folder))


def luma(pictures: Sequence[blending.Planes]) -> list[int]:
    return [int(picture[0, 0]) for picture in pictures]


@pytest.fixture(params=[{}, {"bf": "8", "g": "24"}, {"g": "1"}, {"bf": "3", "x264-params": "open-gop=1"}], ids=str)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A clip of 40 pictures, of encoders that work in different order."""
    options = {"g": "12", "bf": "2"} | request.param
    take = footage.Take(seconds=Fraction(40, 24), options=tuple(options.items()), shift=5)
    return footage.laid(tmp_path, [footage.shoot(tmp_path / "clip.mp4", take)])[0]


def test_a_layer_shows_its_clip_from_any_picture_on(clip: str, tmp_path: Path) -> None:
    for first in (0, 1, 5, *range(9, 15), 22, 23, 24, 38, 39):
        pictures = painted(min(4, 40 - first), Layer(clip, first, 0, 40, None, None), folder=tmp_path)
        numbers = [footage.number_of(picture[: footage.HEIGHT]) for picture in pictures]
        assert numbers == list(range(40))[first : first + 4]


def test_a_layer_that_began_before_the_piece_is_shown_from_there(clip: str, tmp_path: Path) -> None:
    lead = Edge(JoinKind.CROSSFADE, 9)
    pictures = painted(3, Layer(BLACK, 0, 0, 3, None, None), Layer(clip, 2, -6, 20, lead, None), folder=tmp_path)
    whole = painted(9, Layer(BLACK, 0, 0, 9, None, None), Layer(clip, 2, 0, 20, lead, None), folder=tmp_path)
    assert (np.array(pictures) == np.array(whole[6:])).all()


def test_pictures_that_are_not_there_are_damage_to_the_clip(tmp_path: Path) -> None:
    digest = footage.laid(tmp_path, [footage.shoot(tmp_path / "clip.mp4")])[0]
    with pytest.raises(media.SourceUnreadable, match="is damaged") as caught:
        painted(30, Layer(digest, 0, 0, 30, None, None), folder=tmp_path)
    assert caught.value.source == digest


def test_a_crossfade_shows_some_of_both_from_its_first_to_its_last() -> None:
    lead = Edge(JoinKind.CROSSFADE, 3)
    brightness = luma(painted(9, Layer(BLACK, 0, 0, 6, None, None), Layer(WHITE, 0, 3, 9, lead, None)))
    assert brightness == [16, 16, 16, 71, 126, 180, 235, 235, 235]


def test_a_dip_reaches_its_colour_on_both_sides_of_the_cut() -> None:
    edge = Edge(JoinKind.DIP_TO_BLACK, 3)
    brightness = luma(painted(10, Layer(WHITE, 0, 0, 5, None, edge), Layer(WHITE, 0, 5, 10, edge, None)))
    assert brightness == pytest.approx([235, 235, 162, 89, 16, 16, 89, 162, 235, 235], abs=1)


def test_a_dip_to_white_is_white() -> None:
    edge = Edge(JoinKind.DIP_TO_WHITE, 2)
    pictures = painted(4, Layer(RED, 0, 0, 2, None, edge), Layer(RED, 0, 2, 4, edge, None))
    assert luma(pictures) == [149, 235, 235, 149]
    assert (pictures[1] == cards.card(WHITE, PROFILE)).all()


def test_a_film_opens_from_black_and_ends_in_it() -> None:
    edge = Edge(JoinKind.DIP_TO_BLACK, 4)
    brightness = luma(painted(8, Layer(WHITE, 0, 0, 8, edge, edge)))
    assert brightness[0] == brightness[-1] == 16
    assert brightness == brightness[::-1]
    assert brightness[:4] == sorted(set(brightness[:4]))


@pytest.mark.parametrize("kind", [kind for kind in JoinKind if kind.startswith("WIPE")])
def test_a_wipe_brings_more_with_every_picture_and_all_behind_it(kind: JoinKind) -> None:
    layers = Layer(BLACK, 0, 0, 8, None, None), Layer(WHITE, 0, 1, 9, Edge(kind, 7), None)
    shown = [float((picture[: footage.HEIGHT] > 128).mean()) for picture in painted(9, *layers)]
    assert shown == pytest.approx([part / 8 for part in range(9)], abs=0.02)


def test_the_part_of_a_dip_that_another_piece_shows_is_left_out() -> None:
    whole = painted(8, Layer(WHITE, 0, 0, 8, None, Edge(JoinKind.DIP_TO_BLACK, 6)))
    parts = [painted(4, Layer(WHITE, 0, start, start + 8, None, Edge(JoinKind.DIP_TO_BLACK, 6))) for start in (0, -4)]
    assert luma(whole) == luma(parts[0]) + luma(parts[1])


def test_captions_are_drawn_on_their_pictures_and_over_joins() -> None:
    layers = Layer(BLACK, 0, 0, 6, None, None), Layer(RED, 0, 2, 9, Edge(JoinKind.CROSSFADE, 4), None)
    bare = painted(9, *layers)
    pictures = painted(9, *layers, words=[Words("One", 1, 4), Words("Two", 4, 7)])
    assert [bool((one != two).any()) for one, two in zip(bare, pictures, strict=True)] == [
        1 <= number < 7 for number in range(9)
    ]
    one, two = (cards.caption(text, PROFILE) for text in ("One", "Two"))
    assert (pictures[3] == one.over(bare[3])).all()
    assert (pictures[4] == two.over(bare[4])).all()


def test_where_two_captions_meet_the_coming_one_is_shown_alone() -> None:
    layer = Layer(RED, 0, 0, 4, None, None)
    both = painted(4, layer, words=[Words("Going away", 0, 3), Words("Come", 1, 4)])
    assert (both[1] == painted(4, layer, words=[Words("Come", 1, 4)])[1]).all()


def test_a_card_is_the_same_on_all_its_pictures() -> None:
    card = replace(RED, text="Fin")
    pictures = painted(5, Layer(card, 0, 0, 5, None, None))
    assert all((picture == cards.card(card, PROFILE)).all() for picture in pictures)
    assert len(pictures) == 5
