"""Lays music under a film, over and over to its end, stepping back while anything else is heard."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from services.compiler import media
from services.compiler.recipes import Bed, Sound
from services.compiler.sound import mix, samples, source
from services.compiler.sound.samples import BLOCK, FADE, RATE, Block, Reader, Steps

_STEP = RATE // 20
_HEARD = samples.factor(-40)  # what lies under it is the noise of a room
_AHEAD, _BEHIND, _EASE = 8, 20, 7
"""In steps of 50 ms: it has stepped back just before the first word, and stays so in pauses of up to 1.4 s."""
_SHORTEST = RATE


def under(others: Iterator[Block], recipe: Sound, bed: Bed, folder: Path) -> Iterator[Block]:
    """All other sound with the music added, a second behind it. Raises media.SourceUnreadable."""
    reader = Reader(mix.named(bed.source, _looped(folder / bed.source)))
    shape, quiet = _shape(recipe, bed), samples.factor(-bed.duck_db)
    at, waiting = 0, next(others)
    gains = np.append(np.ones(_BEHIND + _EASE), _gains(waiting, quiet))
    for block in others:
        gains = np.append(gains, _gains(block, quiet))
        yield waiting + _music(reader, shape, at, gains, waiting.shape[1])
        gains, at, waiting = gains[BLOCK // _STEP :], at + BLOCK, block
    yield waiting + _music(reader, shape, at, gains, waiting.shape[1])


def _shape(recipe: Sound, bed: Bed) -> mix.Shape:
    length = samples.edge(recipe.frames, recipe.fps)
    fade_in = samples.edge(bed.fade_in, recipe.fps) or FADE
    fade_out = length - samples.edge(recipe.frames - bed.fade_out, recipe.fps) or FADE
    return mix.Shape(length, samples.factor(bed.gain_db), fade_in, fade_out)


def _music(reader: Reader, shape: mix.Shape, at: int, gains: Steps, count: int) -> Block:
    """The music of one block; `gains` reaches from a little before it to a little after."""
    needed = _BEHIND + _EASE + -(-count // _STEP) + 1 + _AHEAD + _EASE
    known = np.append(gains, np.ones(max(0, needed - gains.size)))[:needed]
    ducked = samples.spread(samples.eased(known, _AHEAD, _BEHIND, _EASE), _STEP, count)
    return reader.read(count) * shape.over(at, count) * ducked


def _gains(block: Block, quiet: float) -> Steps:
    """For each step how loud the music may be beside this."""
    power = np.square(np.pad(block, ((0, 0), (0, -block.shape[1] % _STEP)))).reshape(2, -1, _STEP).mean(axis=(0, 2))
    return np.where(power > _HEARD**2, quiet, 1.0)


def _looped(path: Path) -> Iterator[Block]:
    """The same sound again and again, its end and its beginning faded into each other."""
    ending = np.zeros((2, FADE), np.float32)
    rise = np.arange(0.5, FADE, dtype=np.float32) / FADE
    while True:
        reader = Reader(source.whole(path))
        block = reader.read(_SHORTEST)
        if block.shape[1] < _SHORTEST:
            raise media.Unreadable("is too short to be music")
        block[:, :FADE] = block[:, :FADE] * rise + ending
        while (more := reader.read(BLOCK)).size:
            yield block[:, :-FADE]
            block = np.concatenate([block[:, -FADE:], more], axis=1)
        yield block[:, :-FADE]
        ending = block[:, -FADE:]
