from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from services.compiler import domain, edit, recipes, segments
from services.compiler.segments import State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROFILE = recipes.Profile(1280, 720, Fraction(24))
HOUSE = recipes.House("ab" * 32, PROFILE, 48, edit.Fit.PAD, 0)
LAYER = recipes.Layer(recipes.address(HOUSE), 0, 0, 12, None, None)
RENDER = recipes.Render(PROFILE, 12, 0, (LAYER,), ())
SOUND = recipes.Sound(Fraction(24), 60, (), None, (), -14.0)
RUNNING = replace(segments.of("acme", recipes.address(HOUSE), HOUSE), state=State.RUNNING, attempts=1)


def test_a_piece_knows_all_that_it_is_made_by() -> None:
    one = segments.of("acme", recipes.address(RENDER), RENDER)
    assert (one.kind, one.state, one.needs, one.steps) == ("Render", State.WAITING, [recipes.address(HOUSE)], 144)
    assert recipes.read(one.recipe) == RENDER
    assert one.key == f"t/acme/segments/{one.address}"


def test_a_piece_that_is_made_has_nothing_more_to_do() -> None:
    one = segments.made(RUNNING, 1000, 2.5, NOW)
    assert (one.state, one.size_bytes, one.seconds, one.made_at) == (State.DONE, 1000, 2.5, NOW)
    assert one.next_action_at is None


def test_what_may_pass_is_tried_again_until_it_was_tried_often_enough() -> None:
    one = segments.tried(RUNNING, "The bucket was away.", NOW)
    assert (one.state, one.next_action_at) == (State.WAITING, NOW + timedelta(seconds=2))
    worn = segments.tried(replace(RUNNING, attempts=domain.MOST_ATTEMPTS), "The bucket was away.", NOW)
    assert (worn.state, worn.fault and worn.fault.reason) == (State.FAILED, "COMPILER_EXHAUSTED")


def test_a_piece_that_is_put_off_has_lost_no_attempt() -> None:
    one = segments.put_off(RUNNING, 15, NOW)
    assert (one.state, one.attempts, one.next_action_at) == (State.WAITING, 0, NOW + timedelta(seconds=15))


@pytest.mark.parametrize(
    ("was_there", "encoded", "reused"), [((), 60, 0), ((HOUSE,), 12, 48), ((HOUSE, RENDER), 0, 60)]
)
def test_pictures_are_copied_encoded_or_reused(
    was_there: tuple[recipes.Recipe, ...], encoded: int, reused: int
) -> None:
    pieces = {recipes.address(one): one for one in (HOUSE, RENDER, SOUND)}
    runs = (recipes.Run("cd" * 32, 0, 30), recipes.Run(recipes.address(HOUSE), 12, 36))
    film = recipes.Film("", PROFILE, runs, 2, recipes.address(SOUND), -14.0, (), (), "", False)
    found = segments.work(pieces, film, frozenset(map(recipes.address, was_there)))
    assert found == domain.Work(30, encoded, reused)


def test_larger_pictures_take_more_memory() -> None:
    small, large = (replace(HOUSE, profile=replace(PROFILE, height=height)) for height in (720, 2160))
    assert segments.memory(SOUND) < segments.memory(small) < segments.memory(large) < 1 << 30
