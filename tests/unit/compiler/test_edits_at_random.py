"""Edit lists at random: each is refused for a reason, or becomes a film that is as planned."""

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import NamedTuple

import hypothesis
import pytest
from hypothesis import strategies

from services.compiler import domain, edit, orders
from tests.unit.compiler import footage

MOST = hypothesis.settings().max_examples // 5
"""20 by day, 400 with --hypothesis-profile=nights."""
REFUSALS = (domain.TrimBeyondClip, domain.JoinTooLong)
RATES = [Fraction(24)] * 4 + [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001)]
DIPS = [edit.JoinKind.DIP_TO_BLACK, edit.JoinKind.DIP_TO_WHITE]


class Clip(NamedTuple):
    path: Path
    frames: int


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Long and short, of several rates and shapes, with key pictures often and hardly ever, silent and not."""
    folder, chance = tmp_path_factory.mktemp("clips"), Random(7)
    return [_clip(folder / f"{number}.mp4", chance) for number in range(20)]


def _clip(path: Path, chance: Random) -> Clip:
    frames, fps = chance.choice([1, 3, 5, 8, 12, 24, 30, 48]), chance.choice(RATES)
    groups = (("g", chance.choice(["1", "4", "12", "250"])), ("bf", chance.choice(["0", "2", "3"])))
    take = footage.Take(
        seconds=frames / fps,
        fps=fps,
        size=chance.choice([(160, 96), (160, 96), (96, 160), (320, 180)]),
        layout=chance.choice(["stereo", "mono", ""]),
        rate=chance.choice([44_100, 48_000]),
        options=(*groups, ("sc_threshold", "0")),
        dark=chance.choice([0, 0, 0, frames]),
        shift=chance.choice([0, 0, 0, 2]),
    )
    return Clip(footage.shoot(path, take), frames)


def _entry(number: int, clips: Sequence[Clip], chance: Random) -> edit.Entry:
    scene = edit.Scene(f"sc_{number}", f"take_{number}", chance.choice(["", f"Scene {number}"]))
    kinds = list(edit.JoinKind) if number else DIPS
    join = edit.Join(chance.choice(kinds), chance.choice([1, 1, 2, 6])) if chance.random() < 0.6 else None
    if chance.random() < 0.12:
        return edit.Entry(scene, edit.Card("Later", "", chance.choice([1, 5, 12]), "#101010", "#f0f0f0"), join=join)
    clip = chance.choice(clips)
    first = chance.choice([0, 0, chance.randrange(clip.frames)])
    trim = edit.Trim(first, chance.choice([None, chance.randint(1, clip.frames - first)]))
    captions = (edit.Caption("Words"),) if chance.random() < 0.15 else ()
    return edit.Entry(
        scene, str(clip.path), trim, join, chance.choice([0.0, -6.0]), chance.choice([*edit.Fit]), captions
    )


def _edit(clips: Sequence[Clip], chance: Random) -> edit.Edit:
    entries = tuple(_entry(number, clips, chance) for number in range(chance.randint(1, 7)))
    ending = edit.Join(edit.JoinKind.DIP_TO_BLACK, 1) if chance.random() < 0.2 else None
    wish = chance.choice([edit.Wish(), edit.Wish(), edit.Wish((64, 64), Fraction(60)), edit.Wish(fps=Fraction(12))])
    loudness, burnt = chance.choice([-14.0, -23.0, -5.0]), chance.random() < 0.3
    return edit.Edit("At random", entries, wish, ending, loudness=loudness, burnt=burnt)


@hypothesis.settings(max_examples=MOST, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(chance=strategies.randoms(use_true_random=True))
def test_an_edit_is_refused_or_becomes_the_film_it_asks_for(clips: list[Clip], chance: Random) -> None:
    wanted = _edit(clips, chance)
    with tempfile.TemporaryDirectory() as folder:
        try:
            plan = footage.made(Path(folder), wanted)
        except REFUSALS:
            return
        assert len(footage.numbers(Path(folder) / orders.FILM)) == plan.film.frames
