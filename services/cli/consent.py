"""Asks a person for a yes before money is spent."""

import sys

from services.cli import exits


def asks() -> bool:
    """Whether there is anybody to be asked."""
    return sys.stdin.isatty()


def ask(question: str, is_given: bool) -> None:
    """Return when the yes is given. Raises Ended with MONEY."""
    if is_given:
        return
    if not asks():
        raise exits.Ended("Nobody can be asked here: give --yes and --max-cost.", exits.Code.MONEY)
    print(f"{question} [y/N]", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise exits.Ended("Nothing was spent.", exits.Code.MONEY)
