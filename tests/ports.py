"""Ports for servers of tests that are told theirs before they listen."""

import itertools
import os
import random

from services.cli import house

_RANGE = range(12000, 20000)
"""Below those of outgoing connections, one of which may come first while a server is started again, and of houses."""


def _own() -> list[int]:
    """Those of this worker, of up to four side by side, shuffled, since another run of the tests may go on as well."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = list(_RANGE[worker % 4 :: 4])
    random.shuffle(ports)
    return ports


_NEXT = itertools.cycle(_own())
"""In turn: a port that was given is not given again to the neighbour of a server that does not listen yet."""


def free() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    return next(port for port in _NEXT if house.is_free(port))
