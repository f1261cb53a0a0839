"""Whatever is asked for: every frame of the film shows what the edit list says, copied or drawn."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.compiler import domain, edit, film, recipes
from services.compiler.edit import DIPS, Card, JoinKind
from tests.unit.compiler.test_film import FACTS

Seen = list[tuple[str | Card, int]]
"""What one frame of a film shows: sources, lowest first, each with its frame."""


@st.composite
def clips(draw: st.DrawFn) -> film.Facts:
    frames = draw(st.integers(1, 130))
    keys = draw(st.sets(st.integers(1, max(1, frames - 1)), max_size=8)) if frames > 1 else set()
    steady = draw(st.integers(0, 9)) > 0
    return replace(FACTS, frames=frames, seconds=Fraction(frames, 24), keys=(0, *sorted(keys)), steady=steady)


@st.composite
def entries(draw: st.DrawFn, facts: dict[str, film.Facts], first: bool) -> edit.Entry:
    key = draw(st.sampled_from(sorted(facts)))
    card = Card("Words", "", draw(st.integers(1, 40)), "#000000", "#ffffff")
    source = draw(st.one_of(st.just(key), st.just(key), st.just(key), st.just(card)))
    available = card.frames if isinstance(source, Card) else facts[key].frames
    start = 0 if isinstance(source, Card) else draw(st.integers(0, available - 1))
    trim = edit.Trim(start, draw(st.none() | st.integers(1, available - start)))
    kinds = sorted(DIPS if first else JoinKind)
    join = draw(st.none() | st.builds(edit.Join, st.sampled_from(kinds), st.integers(1, 12)))
    caption = st.builds(edit.Caption, st.just("Hello"), st.integers(0, 50), st.none() | st.integers(1, 50))
    return edit.Entry(edit.Scene("", "", ""), source, trim, join, captions=tuple(draw(st.lists(caption, max_size=1))))


@st.composite
def edits(draw: st.DrawFn) -> tuple[edit.Edit, dict[str, film.Found]]:
    facts = {f"clip {n}": one for n, one in enumerate(draw(st.lists(clips(), min_size=1, max_size=3)))}
    count = draw(st.integers(1, 5))
    cuts = tuple(draw(entries(facts, number == 0)) for number in range(count))
    ending = draw(st.none() | st.builds(edit.Join, st.sampled_from(sorted(DIPS)), st.integers(1, 12)))
    wanted = edit.Edit("Film", cuts, ending=ending, burnt=draw(st.booleans()))
    return wanted, {key: film.Found(f"digest of {key}", one) for key, one in facts.items()}


@given(edits())
def test_every_frame_shows_what_was_asked_for(asked: tuple[edit.Edit, dict[str, film.Found]]) -> None:
    wanted, found = asked
    try:
        plan = film.plan(wanted, found)
    except domain.JoinTooLong:
        return
    assert list(shown(plan)) == list(expected(plan))


@given(edits())
def test_copies_begin_and_end_between_groups_of_pictures(asked: tuple[edit.Edit, dict[str, film.Found]]) -> None:
    wanted, found = asked
    try:
        plan = film.plan(wanted, found)
    except domain.JoinTooLong:
        return
    groups = {cut.pictures.source: {*cut.pictures.keys, cut.pictures.frames} for cut in plan.cuts if cut.pictures}
    for run in plan.film.runs:
        if run.source in groups:
            assert {run.first, run.first + run.frames} <= groups[run.source]
    for piece in plan.pieces.values():
        if isinstance(piece, recipes.Render):
            assert 1 <= piece.frames <= 36
            assert all(layer.start < piece.frames and layer.end > 0 for layer in piece.layers)


def shown(plan: film.Plan) -> "list[Seen]":
    """What the pieces of a plan show, frame by frame."""
    frames: list[Seen] = []
    for run in plan.film.runs:
        piece = plan.pieces.get(run.source)
        for number in range(run.frames):
            if isinstance(piece, recipes.Render):
                layers = [layer for layer in piece.layers if layer.start <= number < layer.end]
                frames.append([_still(layer.source, layer.first + number - layer.start) for layer in layers])
            else:
                frames.append([(run.source, run.first + number)])
    return frames


def expected(plan: film.Plan) -> "list[Seen]":
    """What the cuts of a plan ask for, frame by frame."""
    frames: list[Seen] = [[] for _ in range(plan.film.frames)]
    for cut in plan.cuts:
        for number in range(cut.place.frames):
            source = cut.pictures.source if cut.pictures else cut.place.entry.source
            frames[cut.place.start + number].append(_still(source, cut.place.first + number))
    return frames


def _still(source: str | Card, frame: int) -> tuple[str | Card, int]:
    return (source, frame) if isinstance(source, str) else (replace(source, frames=0), 0)
