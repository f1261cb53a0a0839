"""Mixes two pictures into one, in planes of 8-bit YUV 4:2:0, with one fixed rounding."""

import numpy as np
import numpy.typing as npt

from services.compiler.edit import JoinKind

Planes = npt.NDArray[np.uint8]
"""A picture as PyAV gives it: the rows of Y, then of U, then of V."""

Weights = npt.NDArray[np.uint16]
"""How much of the second picture is seen, 0 to `WHOLE`: for each place, or along one side of the picture."""

WHOLE = 256
GREY = 128  # of U and V: no colour
_HALF = np.uint16(WHOLE // 2)
_BLOCK = 65_536  # pixels whose sums stay in the processor's own memory: ten times as fast as a whole picture at once
_SOFT = 120  # the border of a wipe is this part of the way it goes
_ACROSS = frozenset({JoinKind.WIPE_LEFT, JoinKind.WIPE_RIGHT})
_BACK = frozenset({JoinKind.WIPE_LEFT, JoinKind.WIPE_UP})


def surfaces(picture: Planes) -> tuple[Planes, Planes, Planes]:
    """Y, U and V of a picture of even size, each a view on it."""
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    half = (height // 2, width // 2)
    flat = picture.reshape(-1)
    luma, chroma = width * height, width * height // 4
    return (
        picture[:height],
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def faded(one: Planes, other: Planes, part: int, parts: int) -> Planes:
    """The one on its way to the other, after `part` of so many parts."""
    mixed = np.empty_like(one)
    mix(one, other, np.full((1, 1), WHOLE * part // parts, np.uint16), mixed)
    return mixed


def dipped(picture: Planes, luma: int, part: int, parts: int) -> Planes:
    """The picture on its way to a grey of this brightness, after `part` of so many parts."""
    mixed = np.empty_like(picture)
    weight = np.full((1, 1), WHOLE * part // parts, np.uint16)
    for surface, value, target in zip(surfaces(picture), (luma, GREY, GREY), surfaces(mixed), strict=True):
        mix(surface, np.full((1, 1), value, np.uint8), weight, target)
    return mixed


def wiped(one: Planes, other: Planes, kind: JoinKind, part: int, parts: int) -> Planes:
    """The other drawn over the one, behind a soft edge that has come `part` of so many parts of its way."""
    mixed = np.empty_like(one)
    for under, over, target in zip(surfaces(one), surfaces(other), surfaces(mixed), strict=True):
        across = kind in _ACROSS
        weights = _edge(under.shape[1 if across else 0], part, parts)
        weights = weights[::-1] if kind in _BACK else weights
        mix(under, over, weights[None, :] if across else weights[:, None], target)
    return mixed


def mix(one: Planes, other: Planes, weights: Weights, target: Planes) -> None:
    """Write the two into `target`, which may be one of them; `other` and `weights` may be one value for many places."""
    rows = max(1, _BLOCK // max(1, one.shape[1]))
    other, weights = np.broadcast_to(other, one.shape), np.broadcast_to(weights, one.shape)
    for row in range(0, one.shape[0], rows):
        block = slice(row, row + rows)
        kept = one[block].astype(np.uint16)
        kept *= WHOLE - weights[block]
        kept += other[block] * weights[block]
        kept += _HALF
        kept >>= 8
        target[block] = kept


def _edge(length: int, part: int, parts: int) -> Weights:
    """The weights along the way of a wipe that starts at 0, its border around the edge."""
    soft = max(1, length // _SOFT)
    behind = length * part // parts - np.arange(length)
    return np.clip(behind * WHOLE // soft + WHOLE // 2, 0, WHOLE).astype(np.uint16)
