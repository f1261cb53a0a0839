"""Undo and redo against the simplest model there is: two stacks."""

import hypothesis
from hypothesis import strategies as st

from services.storyboard import steps


@hypothesis.given(st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=40))
def test_it_walks_as_two_stacks_do(verbs):
    history: dict[int, int | None] = {1: None}
    shown, past, future = 1, [], []
    for verb in verbs:
        number = max(history) + 1
        if verb == "edit":
            past, future, shown = [*past, shown], [], number
            history[number] = None
        elif verb == "undo":
            assert steps.undone(history) == (past[-1] if past else None)
            if past:
                future, shown = [*future, shown], past.pop()
                history[number] = shown
        else:
            assert steps.redone(history) == (future[-1] if future else None)
            if future:
                past, shown = [*past, shown], future.pop()
                history[number] = shown


def test_beyond_what_is_looked_back_there_is_nothing():
    assert steps.undone({7: None}) is None
    assert steps.redone({7: 3}) is None
    assert steps.redone({7: 3, 6: None}) is None
