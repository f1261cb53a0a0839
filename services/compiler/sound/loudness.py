"""Measures loudness as EBU R128 does, and finds the gain that brings a sound to the loudness wanted."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, thread
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph

from services.compiler.sound import samples
from services.compiler.sound.samples import RATE, Block, Steps

STEP = RATE // 200
"""Samples in a step of 5 ms, for each of which a Meter keeps two numbers: six megabytes for an hour."""
CEILING = -1.5
"""What no peak may pass before it is encoded, in dBTP; AAC adds up to half a decibel to it."""
SILENT = -70.0
"""The absolute gate (ITU-R BS.1770-4, 3.3) in LUFS: what is not above it is silence."""

_TENTH = 20  # steps in 100 ms
_BLOCK = 4 * _TENTH
_OVERSAMPLED = 4  # ITU-R BS.1770-4, annex 2
# ITU-R BS.1770-4, tables 1 and 2: the head, then the ear's deafness to bass.
_K_WEIGHTING = (
    "b0=1.53512485958697:b1=-2.69169618940638:b2=1.19839281085285:a0=1:a1=-1.69065929318241:a2=0.73248077421585",
    "b0=1:b1=-2:b2=1:a0=1:a1=-1.99004745483398:a2=0.99007225036621",
)
_OFFSET = -0.691
_MOST_LIMITED = 9.0  # decibels; more would be heard
_AHEAD, _BEHIND, _EASE = 5, 12, 4
"""Steps: the limiter goes down in the 45 ms before a peak and comes back within 80 ms."""
_TRIES = 4
_CLOSE = 0.02  # LU
_MANY = 30  # blocks: three seconds
_LONG_SILENCE = 2 * RATE // STEP  # steps


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a whole sound is, in LUFS, no less than SILENT, and its highest peak between samples, in dBTP."""

    integrated: float
    true_peak: float

    def reaches(self, wanted: float, within: float) -> bool:
        """Whether this is the loudness wanted, within so many units, or as near as its peaks allow, or silence."""
        as_loud_as_it_may_be = self.integrated < wanted and self.true_peak > CEILING - 1
        return as_loud_as_it_may_be or is_about(self.integrated, wanted, within)


def is_about(found: float, wanted: float, within: float) -> bool:
    """Whether this is that loudness, within so many units, or silence."""
    return found <= SILENT or abs(found - wanted) <= within


def tolerance(powers: Steps) -> float:
    """How many units this sound may miss its loudness by: a half (EBU R 128), and more where less than three seconds of
    it can be heard, because what the encoder does to a single block is then not made up for by the others. What is
    shorter than a block has no loudness.
    """
    if powers.size < _BLOCK:
        return float("inf")
    return 0.5 * max(1.0, float(np.sqrt(_MANY / max(1, _heard(powers).size))))


class Ear:
    """Hears a sound block by block through filters, and keeps one number of each step."""

    def __init__(
        self, filters: Sequence[tuple[str, str]], size: int, reduce: Callable[[npt.NDArray[Any]], Steps]
    ) -> None:
        self._graph, self._steps, self._at = _graph(*filters), _Steps(size, reduce), 0

    def hear(self, block: Block) -> None:
        """Listen to the next samples."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += block.shape[1]
        self._pass(frame)

    def end(self) -> Steps:
        """All that was heard."""
        self._pass(None)
        return self._steps.end()

    def _pass(self, frame: av.AudioFrame | None) -> None:
        self._graph.push(frame)
        while True:
            try:
                self._steps.add(self._graph.pull().to_ndarray())
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def power() -> Ear:
    """Keeps the weighted power of both channels together."""
    return Ear([("biquad", f"{one}:precision=f64") for one in _K_WEIGHTING], STEP, _power)


def peaks() -> Ear:
    """Keeps the highest peak between samples, which takes nine times as long."""
    dense = ("aresample", f"{RATE * _OVERSAMPLED}:filter_size=16")
    return Ear([dense], STEP * _OVERSAMPLED, _peak)


class Meter:
    """Hears a sound block by block; keeps the weighted power and the highest peak of each step.

    Peaks are found in a thread of their own, at most a block behind: they take as long as decoding the sound.
    """

    def __init__(self) -> None:
        self._power, self._peaks = power(), peaks()
        self._thread = thread.ThreadPoolExecutor(1)
        self._behind: Future[None] = Future()
        self._behind.set_result(None)

    def hear(self, block: Block) -> None:
        """Listen to the next samples, which must not change any more."""
        before, self._behind = self._behind, self._thread.submit(self._peaks.hear, block)
        self._power.hear(block)
        before.result()

    def end(self) -> tuple[Steps, Steps]:
        """All that was heard: the power of each step, and its peak."""
        self._behind.result()
        self._thread.shutdown()
        powers, found = self._power.end(), self._peaks.end()
        return powers, np.pad(found, (0, max(0, powers.size - found.size)))[: powers.size]


class _Steps:
    """Makes one number of every `size` samples."""

    def __init__(self, size: int, reduce: Callable[[npt.NDArray[Any]], Steps]) -> None:
        self._size, self._reduce = size, reduce
        self._rest: npt.NDArray[Any] = np.zeros((2, 0), np.float32)
        self._found: list[Steps] = []

    def add(self, block: npt.NDArray[Any]) -> None:
        joined = np.concatenate([self._rest, block], axis=1) if self._rest.size else block
        whole = joined.shape[1] // self._size * self._size
        self._found.append(self._reduce(joined[:, :whole].reshape(2, -1, self._size)))
        self._rest = joined[:, whole:]

    def end(self) -> Steps:
        self.add(np.zeros((2, -self._rest.shape[1] % self._size), np.float32))
        return np.concatenate(self._found)


def _power(steps: npt.NDArray[Any]) -> Steps:
    power: Steps = np.einsum("cns,cns->n", steps, steps, dtype=np.float64) / steps.shape[2]
    return power


def _peak(steps: npt.NDArray[Any]) -> Steps:
    peak: Steps = np.abs(steps).max(axis=(0, 2), initial=0).astype(np.float64)
    return peak


def _graph(*filters: tuple[str, str]) -> Graph:
    graph = Graph()
    source = graph.add("abuffer", f"sample_rate={RATE}:sample_fmt=fltp:channel_layout=stereo:time_base=1/{RATE}")
    graph.link_nodes(source, *(graph.add(*one) for one in filters), graph.add("abuffersink")).configure()
    return graph


def measured(powers: Steps, peaks: Steps) -> Loudness:
    """What a meter's steps say of the whole."""
    return Loudness(integrated(powers), 20 * float(np.log10(max(peaks.max(initial=0), 1e-6))))


def loudest(powers: Steps, gains: Steps) -> float:
    """How loud the loudest tenth of a second is that is played with these gains, in LUFS."""
    return _OFFSET + 10 * float(np.log10(max(_tenths(powers * gains[:-1] ** 2).max(initial=0), 1e-12)))


def integrated(powers: Steps) -> float:
    """How loud these steps are together, in LUFS; no less than SILENT.

    ITU-R BS.1770-4, 3: blocks of 400 ms every 100 ms, less the silent, less those 10 LU under the rest.
    """
    heard = _heard(powers)
    if not heard.size:
        return SILENT
    return _OFFSET + 10 * float(np.log10(heard[heard > heard.mean() / 10].mean()))


def _heard(powers: Steps) -> Steps:
    """The power of each block that is not silent."""
    tenths = _tenths(powers)
    tenths = np.pad(tenths, (0, max(0, 4 - tenths.size)))
    blocks: Steps = np.lib.stride_tricks.sliding_window_view(tenths, 4).mean(axis=1)
    return blocks[blocks > 10 ** ((SILENT - _OFFSET) / 10)]


def _tenths(powers: Steps) -> Steps:
    tenths: Steps = powers[: powers.size // _TENTH * _TENTH].reshape(-1, _TENTH).mean(axis=1)
    return tenths


def silences(powers: Steps) -> Iterator[tuple[Fraction, Fraction]]:
    """From which second to which nothing is heard, where that is for two seconds and more."""
    heard = powers > 10 ** ((SILENT - _OFFSET) / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], heard, [True]])))
    for start, end in edges.reshape(-1, 2).tolist():
        if end - start >= _LONG_SILENCE:
            yield Fraction(start * STEP, RATE), Fraction(end * STEP, RATE)


def levelled(powers: Steps, peaks: Steps, wanted: float) -> Steps:
    """The gain at the beginning of each step and after the last that makes this sound `wanted` LUFS loud.

    One gain for all of it, but for the 45 ms before and 80 ms after a peak that would pass the ceiling. It is less
    than needed where peaks would have to come down by more than 9 dB. Silence is left as it is.
    """
    found = measured(powers, peaks)
    gains = np.ones(powers.size + 1)
    if found.integrated <= SILENT:
        return gains
    most = CEILING - found.true_peak + _MOST_LIMITED
    gain = min(wanted - found.integrated, most)
    for _ in range(_TRIES):
        gains = _limited(samples.factor(gain), peaks)
        missing = wanted - integrated(powers * ((gains[1:] + gains[:-1]) / 2) ** 2)
        if missing < _CLOSE or gain == most:
            break
        gain = min(gain + missing, most)
    return gains


def _limited(gain: float, peaks: Steps) -> Steps:
    ceiling = samples.factor(CEILING)
    allowed = ceiling / np.maximum(peaks * gain, ceiling)
    around = np.pad(allowed, (_BEHIND + _EASE, 1 + _AHEAD + _EASE), constant_values=1.0)
    return gain * samples.eased(around, _AHEAD, _BEHIND, _EASE)
