from dataclasses import replace
from fractions import Fraction

import pytest

from services.compiler import film

AVCC = bytes.fromhex("0164000cffe100196764000cacd941419f9e1000000300100000030300f142996001000568ef8472c0fdf8f800")
FACTS = film.Facts(
    width=1280,
    height=720,
    fps=Fraction(24),
    frames=96,
    seconds=Fraction(4),
    codec="h264",
    profile="High",
    pixels="yuv420p",
    parameters=AVCC,
    steady=True,
    plain=True,
    rotation=0,
    matrix="bt709",
    reorder=2,
    sound=True,
)
SQUARE = replace(FACTS, width=720, height=720)
OTHER_ENCODER = replace(FACTS, parameters=AVCC.replace(b"\xac", b"\xad"))


def clips(*facts: film.Facts) -> list[film.Clip]:
    return [film.Clip(film.Scene(f"sc_{n}", f"take_{n}", f"Scene {n}"), f) for n, f in enumerate(facts)]


def planned(*facts: film.Facts, wish: film.Wish | None = None) -> film.Plan:
    return film.plan("Film", clips(*facts), wish or film.Wish())


def test_clips_that_match_are_copied_one_after_the_other() -> None:
    plan = planned(FACTS, replace(FACTS, frames=49, seconds=Fraction(49, 24)), FACTS)
    assert [(cut.start, cut.frames, cut.conform) for cut in plan.cuts] == [(0, 96, ()), (96, 49, ()), (145, 96, ())]
    assert (plan.frames, plan.seconds) == (241, Fraction(241, 24))


def test_the_same_input_is_the_same_plan() -> None:
    assert planned(FACTS, SQUARE, OTHER_ENCODER) == planned(FACTS, SQUARE, OTHER_ENCODER)


def test_size_and_rate_are_those_of_most_seconds_not_of_most_clips() -> None:
    short = replace(SQUARE, frames=24, seconds=Fraction(1))
    plan = planned(short, short, short, FACTS)
    assert plan.profile == film.Profile(1280, 720, Fraction(24))
    assert [bool(cut.conform) for cut in plan.cuts] == [True, True, True, False]


def test_the_earliest_of_equals_decides() -> None:
    assert planned(SQUARE, FACTS).profile.width == 720


def test_what_the_edit_list_asks_for_wins() -> None:
    plan = planned(FACTS, FACTS, wish=film.Wish((640, 360), Fraction(30000, 1001)))
    assert plan.profile == film.Profile(640, 360, Fraction(30000, 1001))
    assert [cut.frames for cut in plan.cuts] == [120, 120]  # 4 s are 119.88 pictures
    assert plan.cuts[0].conform == (
        "its picture is 1280x720, the film's 640x360",
        "it runs at 24 frames a second, the film at 30000/1001",
    )


def test_the_minority_of_parameter_sets_is_conformed() -> None:
    plan = planned(OTHER_ENCODER, FACTS, FACTS)
    assert [cut.conform for cut in plan.cuts] == [("its encoder settings differ from those of most clips",), (), ()]
    assert plan.parameter_id == 1  # the copied clips use 0


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(FACTS, codec="hevc", profile="Main"), "it is hevc Main"),
        (replace(FACTS, pixels="yuv444p"), "its pixels are yuv444p"),
        (replace(FACTS, parameters=b""), "its parameter sets are not kept apart from its pictures"),
        (replace(FACTS, steady=False), "its frame rate varies"),
        (replace(FACTS, plain=False), "its pictures are turned, squeezed, trimmed or do not start on their own"),
    ],
)
def test_why_a_clip_cannot_be_copied(facts: film.Facts, why: str) -> None:
    assert planned(FACTS, FACTS, facts).cuts[2].conform == (why,)


def test_a_film_that_copies_nothing_has_the_first_parameter_id() -> None:
    assert planned(replace(FACTS, steady=False)).parameter_id == 0


def test_a_clip_shorter_than_a_frame_still_shows() -> None:
    blink = replace(FACTS, frames=1, seconds=Fraction(1, 1000), fps=Fraction(60))
    assert planned(FACTS, blink).cuts[1].frames == 1


def test_odd_sizes_become_even() -> None:
    odd = replace(FACTS, width=853, height=481)
    assert planned(odd).profile == film.Profile(852, 480, Fraction(24))


def test_a_chapter_without_title_is_numbered() -> None:
    plan = film.plan("Film", [film.Clip(film.Scene("a", "b", ""), FACTS)], film.Wish())
    assert plan.cuts[0].title == "Scene 1"


def test_at_finds_the_cut_that_shows_a_frame() -> None:
    plan = planned(FACTS, FACTS)
    assert [plan.at(frame).number for frame in (0, 95, 96, 191)] == [1, 1, 2, 2]


@pytest.mark.parametrize(("number", "expected"), [("1/2", 1), ("3/2", 2), ("-1/2", 0), ("7/3", 2), ("5", 5)])
def test_nearest_rounds_halves_up(number: str, expected: int) -> None:
    assert film.nearest(Fraction(number)) == expected
