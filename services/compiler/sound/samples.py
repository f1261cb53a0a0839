"""What sound is made of here: blocks of samples, their places in the film, and gains that change without a click."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from services.compiler import timeline

RATE = 48_000
BLOCK = RATE
"""Samples that are worked on at a time: a second, however long the film."""
FADE = RATE * 5 // 1000
"""Samples in the ramp that keeps a sudden beginning or end from clicking."""
_LOUDEST = 4.0  # six channels at full scale, mixed down, are 2.4

Block = npt.NDArray[np.float32]
"""Samples as float, one row for each of the two channels."""
Steps = npt.NDArray[np.float64]
"""A number for each of the short steps that a sound is divided into."""


def edge(frame: int, fps: Fraction) -> int:
    """The sample at which a frame starts: rounded from the beginning of the film, so that nothing adds up."""
    return timeline.nearest(frame * RATE / fps)


def factor(decibels: float) -> float:
    """The gain that so many decibels are."""
    return float(10 ** (decibels / 20))


def silence(count: int) -> Iterator[Block]:
    """So many samples of nothing, in blocks."""
    for at in range(0, count, BLOCK):
        yield np.zeros((2, min(BLOCK, count - at)), np.float32)


class Reader:
    """Reads blocks of any length in the lengths that are asked for."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks, self._rest = iter(blocks), np.zeros((2, 0), np.float32)

    def read(self, count: int) -> Block:
        """The next samples: fewer than `count` only at the end."""
        parts, have = [self._rest], self._rest.shape[1]
        while have < count and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            have += block.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._rest = joined[:, count:]
        # Damaged sound may decode to infinity, from which the encoder does not return.
        return np.clip(np.nan_to_num(joined[:, :count], copy=False), -_LOUDEST, _LOUDEST)


def eased(gains: Steps, ahead: int, behind: int, ease: int) -> Steps:
    """The lowest gain from `behind` steps before to `ahead` steps after each, moving there in 2 * `ease` + 1 steps.

    Never above the gain asked for, as long as `ease` is less than `ahead` and `behind`. The first `behind` + `ease`
    and the last `ahead` + `ease` steps are only looked at.
    """
    lowest = np.lib.stride_tricks.sliding_window_view(gains, behind + 1 + ahead).min(axis=-1)
    weights = np.hanning(2 * ease + 3)[1:-1]
    return np.convolve(lowest, weights / weights.sum(), "valid")


def spread(gains: Steps, step: int, count: int) -> Block:
    """The gain of each of `count` samples, where `gains` tells it at the beginning of each step."""
    if gains.min() == gains.max():
        return np.full(count, gains[0], np.float32)
    return np.interp(np.arange(count) / step, np.arange(gains.size), gains).astype(np.float32)
