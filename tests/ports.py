"""Ports for servers of tests that are told theirs before they listen."""

import random

from services.cli import house

_RANGE = range(12000, 20000)
"""Below those of outgoing connections, one of which may come first while a server is started again, and of houses."""


def free() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    return next(port for port in random.sample(_RANGE, len(_RANGE)) if house.is_free(port))
