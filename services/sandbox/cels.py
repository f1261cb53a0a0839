"""Painted layers as planes of 4:2:0 video, and the fast ways to lay one over another.

Everything here is whole numbers in numpy: alpha is stored as what is left of the background (0 to 256), colour is
already multiplied by alpha, and each cel keeps four copies of itself shifted by quarter pixels, so that a slow move
is smooth at the cost of a fast one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.sandbox import palette

Bytes = NDArray[np.uint8]
Field = NDArray[np.floating[Any]]
Planes = tuple[Bytes, Bytes, Bytes]
_PHASES = 4


@dataclass(slots=True)
class Painting:
    """A layer as a painter leaves it: colours from 0 to 1 at (x, y) of the stage; no alpha means opaque."""

    colour: palette.RGB
    alpha: Field | None
    x: int = 0
    y: int = 0
    depth: float = 0.0
    """How much it follows the camera: 0 for the sky, 1 for what is nearest."""
    drift: float = 0.0
    """Pixels a frame it moves by itself, to the right."""
    sway: float = 0.0
    """Pixels it swings to and fro."""
    beat: tuple[int, int] | None = None
    """(2, 12): the third of twelve poses that take turns."""


class Cel:
    """A painting ready to be laid: for each plane its four phases and, unless opaque, what it lets through."""

    def __init__(self, painting: Painting, look: str, vertical: bool) -> None:
        """`vertical` says along which axis it will move smoothly; along the other it moves in even pixels."""
        self.depth, self.drift, self.sway, self.beat = painting.depth, painting.drift, painting.sway, painting.beat
        self.x, self.y, self.vertical = painting.x, painting.y, vertical and not painting.drift
        colour, alpha = _even(painting.colour), painting.alpha
        self.height, self.width = colour.shape[:2]
        planes = yuv(palette.grade(colour, look))
        alphas = None if alpha is None else _alphas(_even(alpha))
        self.solid = self.height if alphas is None else _solid_from(alphas[0])
        if alphas is None:
            self.solid = 0
        self._films = [self._film(p, None if alphas is None else alphas[min(i, 1)]) for i, p in enumerate(planes)]
        self._holds = None if alphas is None else [self._hold(a) for a in alphas]

    def _film(self, plane: Field, alpha: Field | None) -> list[Bytes]:
        lit = plane if alpha is None else plane * alpha
        dither = np.random.default_rng(plane.size).random(plane.shape, np.float32)
        return [np.minimum(one + dither * (one > 0), 255).astype(np.uint8) for one in self._shifted(lit)]

    def _hold(self, alpha: Field) -> list[NDArray[np.uint16]]:
        return [np.rint(256 * (1 - one)).astype(np.uint16) for one in self._shifted(alpha)]

    def _shifted(self, plane: Field) -> list[Field]:
        axis = 0 if self.vertical else 1
        before = np.concatenate([plane.take([0], axis), plane.take(range(plane.shape[axis] - 1), axis)], axis)
        return [plane + (before - plane) * np.float32(phase / _PHASES) for phase in range(_PHASES)]

    def lay(self, stage: Planes, x: float, y: float, until: int, scratch: NDArray[np.uint16]) -> None:
        """Lay it over the stage with its corner at (x, y); rows from `until` on are hidden by nearer cels."""
        x, y = x + self.x, y + self.y
        for number, plane in enumerate(stage):
            step = 1 if number == 0 else 2
            self._lay_plane(number, plane, x / step, y / step, -(-until // step), scratch)

    def _lay_plane(
        self, number: int, plane: Bytes, x: float, y: float, until: int, scratch: NDArray[np.uint16]
    ) -> None:
        along = y if self.vertical else x
        whole, phase = divmod(round(along * _PHASES), _PHASES)
        left, top = (round(x), whole) if self.vertical else (whole, round(y))
        film = self._films[number][phase]
        x0, x1 = max(0, left), min(plane.shape[1], left + film.shape[1])
        y0, y1 = max(0, top), min(plane.shape[0], top + film.shape[0], until)
        if x0 >= x1 or y0 >= y1:
            return
        columns = slice(x0 - left, x1 - left)
        solid = min(y1, max(y0, top + 1 + -(-self.solid // (1 if number == 0 else 2)))) if self._holds else y0
        if self._holds and solid > y0:
            hold = self._holds[min(number, 1)][phase][y0 - top : solid - top, columns]
            over(plane[y0:solid, x0:x1], film[y0 - top : solid - top, columns], hold, scratch)
        np.copyto(plane[solid:y1, x0:x1], film[solid - top : y1 - top, columns])


def over(under: Bytes, film: Bytes, hold: NDArray[np.uint16], scratch: NDArray[np.uint16]) -> None:
    """Lay premultiplied `film` over `under`, in place."""
    room = scratch[: under.shape[0], : under.shape[1]]
    np.multiply(under, hold, out=room, dtype=np.uint16, casting="unsafe")
    np.right_shift(room, 8, out=room)
    np.add(room, film, out=under, casting="unsafe")


def compose(
    cels: Sequence[Cel], stage: Planes, places: Sequence[tuple[float, float]], scratch: NDArray[np.uint16]
) -> None:
    """Lay the cels from the farthest to the nearest, skipping the rows that a nearer one covers whole."""
    until = stage[0].shape[0]
    limits = []
    for cel, (_, y) in zip(reversed(cels), reversed(places), strict=True):
        limits.append(until)
        if cel.width >= stage[0].shape[1] and round(y) + cel.y + cel.height >= until:
            until = min(until, max(0, round(y) + cel.y + cel.solid + 4))
    for cel, (x, y), limit in zip(cels, places, reversed(limits), strict=True):
        cel.lay(stage, x, y, limit, scratch)


def halved(picture: Field) -> Field:
    """Half as tall and wide: each pixel the mean of four."""
    rows = picture[::2] + picture[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)


def yuv(colour: palette.RGB) -> tuple[Field, Field, Field]:
    """BT.709 planes, video range, chroma halved."""
    luma = colour @ palette.LUMA
    small = halved(colour)
    small_luma = small @ palette.LUMA
    blue = 128 + 224 * (small[..., 2] - small_luma) / 1.8556
    red = 128 + 224 * (small[..., 0] - small_luma) / 1.5748
    return 16 + 219 * luma, blue.astype(np.float32), red.astype(np.float32)


def _alphas(alpha: Field) -> tuple[Field, Field]:
    return alpha, halved(alpha)


def _even(picture: Field) -> Field:
    return picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def _solid_from(alpha: Field) -> int:
    """The row from which everything below is opaque."""
    open_rows = np.flatnonzero((alpha < 0.999).any(1))
    return int(open_rows[-1]) + 1 if open_rows.size else 0
