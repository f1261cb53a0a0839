"""The sizes that a picture of one shape has at other resolutions."""

import math
from collections.abc import Iterable
from typing import NamedTuple

_ALIKE = 0.05
"""Models round their pictures to whole blocks: so far, as a logarithm, may two of one shape be apart."""


class Size(NamedTuple):
    """A picture's size in pixels."""

    width: int
    height: int


class Shape(NamedTuple):
    """A size that a model makes, and what its provider calls the resolution."""

    size: Size
    resolution: str


def alike(size: Size, shapes: Iterable[Shape]) -> dict[str, Size]:
    """Of each resolution the size whose shape is the nearest, where it is the same; the smallest first."""
    found: dict[str, Size] = {}
    same = [one for one in shapes if _apart(size, one.size) < _ALIKE]
    for one in sorted(same, key=lambda one: _apart(size, one.size)):
        found.setdefault(one.resolution, one.size)
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _apart(one: Size, other: Size) -> float:
    return abs(math.log(one.width * other.height / (one.height * other.width)))
