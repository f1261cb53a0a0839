"""Adds up what is heard in a film, second by second: its cuts, faded into each other, and its narrations."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from services.compiler import media
from services.compiler.recipes import Heard, Sound, Voice
from services.compiler.sound import samples, source
from services.compiler.sound.samples import BLOCK, FADE, Block, Reader


@dataclass(frozen=True, slots=True)
class Shape:
    """How loud a sound of so many samples is from its first to its last: `rise` and `fall` are samples as well.

    Two that are crossed, one falling while the other rises, are together as strong as one.
    """

    length: int
    gain: float = 1.0
    rise: int = FADE
    fall: int = FADE
    rise_crossed: bool = False
    fall_crossed: bool = False

    def over(self, first: int, count: int) -> "Block | float":
        """The gain of `count` samples from `first` on."""
        if self.rise <= first and first + count <= self.length - self.fall:
            return self.gain
        place = np.arange(first, first + count) + 0.5
        rise = _ramp(place / max(self.rise, 1), self.rise_crossed)
        fall = _ramp((self.length - place) / max(self.fall, 1), self.fall_crossed)
        return (self.gain * rise * fall).astype(np.float32)


def _ramp(part: samples.Steps, crossed: bool) -> samples.Steps:
    part = np.clip(part, 0, 1)
    return np.sin(part * (np.pi / 2)) if crossed else part


@dataclass(frozen=True, slots=True)
class _Track:
    start: int
    shape: Shape
    reader: Reader

    @property
    def end(self) -> int:
        return self.start + self.shape.length

    def add(self, mix: Block, at: int) -> None:
        """Add what is heard of it in this block, which begins at sample `at` of the film."""
        first, last = max(self.start, at), min(self.end, at + mix.shape[1])
        if first < last:
            block = self.reader.read(last - first)
            count = block.shape[1]
            mix[:, first - at : first - at + count] += block * self.shape.over(first - self.start, count)


def blocks(recipe: Sound, folder: Path) -> Iterator[Block]:
    """Cuts and narrations of the whole film. Raises media.SourceUnreadable.

    A file is opened when its first sample is due, and closed after its last: as many are open as are heard at once.
    """
    length = samples.edge(recipe.frames, recipe.fps)
    tracks = [_cut(cut, recipe.fps, folder) for cut in recipe.heard if cut.source]
    tracks += [_voice(voice, recipe.fps, length, folder) for voice in recipe.voices]
    for at in range(0, length, BLOCK):
        mix = np.zeros((2, min(BLOCK, length - at)), np.float32)
        for track in tracks:
            track.add(mix, at)
        tracks = [track for track in tracks if track.end > at + BLOCK]
        yield mix


def named(digest: str, heard: Iterator[Block]) -> Iterator[Block]:
    """The same sound; what is wrong with it is said of this file."""
    with media.blamed_on(digest):
        yield from heard


def _cut(cut: Heard, fps: Fraction, folder: Path) -> _Track:
    start, end = samples.edge(cut.start, fps), samples.edge(cut.end, fps)
    shape = Shape(
        end - start,
        samples.factor(cut.gain_db),
        samples.edge(cut.start + cut.lead, fps) - start if cut.lead else FADE,
        end - samples.edge(cut.end - cut.tail, fps) if cut.tail else FADE,
        cut.lead_crossed,
        cut.tail_crossed,
    )
    digest = str(cut.source)
    heard = source.clip(folder / digest, samples.edge(cut.first, fps))
    return _Track(start, shape, Reader(named(digest, heard)))


def _voice(voice: Voice, fps: Fraction, length: int, folder: Path) -> _Track:
    start = min(samples.edge(voice.start, fps), length)
    shape = Shape(length - start, samples.factor(voice.gain_db))
    return _Track(start, shape, Reader(named(voice.source, source.whole(folder / voice.source))))
