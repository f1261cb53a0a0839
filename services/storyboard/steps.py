"""Which revision Undo and Redo bring back, read from the history alone: pure."""

from collections.abc import Mapping

History = Mapping[int, int | None]
"""For each revision, as far back as one looks: the older one whose content it brought back by Undo or Redo, or None."""

LOOKED_BACK = 1000
"""How many revisions back one can undo."""


def undone(history: History) -> int | None:
    """What was there before the last change that is not undone; None when there is nothing before."""
    head = max(history)
    return _before(history, history[head] or head)


def redone(history: History) -> int | None:
    """What the last Undo took back; None when the last change is not undone."""
    head = max(history)
    now: int | None = history[head] or head
    step: int | None = max((number for number, same_as in history.items() if same_as is None), default=now)
    after = None
    while step is not None and step != now:
        step, after = _before(history, step), step
    return after if step == now else None


def _before(history: History, change: int) -> int | None:
    """What the board was like when this change was made to it."""
    before = change - 1
    return history[before] or before if before in history else None
