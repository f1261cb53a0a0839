"""The film's sound: every clip's laid to its pictures to the sample, mixed, brought to one loudness, encoded once."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np

from services.compiler.recipes import Sound
from services.compiler.sound import loudness, mix, music, samples, source
from services.compiler.sound.loudness import Loudness, integrated, is_about, silences, tolerance
from services.compiler.sound.samples import BLOCK, RATE, Block, Reader, edge

__all__ = [
    "PACKET",
    "RATE",
    "Loudness",
    "edge",
    "integrated",
    "is_about",
    "make",
    "measured",
    "powers",
    "silences",
    "tolerance",
]

PACKET = 1024
"""Samples in one packet of AAC."""
_BIT_RATE = 192_000
_LOUD = -9.0
"""In LUFS. Below it the fast coder takes half the time and is nearer to the original; a tone of -4 LUFS it makes 1 LU
quieter (measured), because what it may write of one tone has an end.
"""


def make(recipe: Sound, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write the sound of a whole film; `tell` hears of each frame. Raises media.SourceUnreadable.

    It is mixed to a file of 384 kB a second beside the target, which nobody else sees and no end of us leaves behind.
    """
    step = _steps(recipe, tell)
    path = target.with_name(f"{target.name}.tape")  # tempfile names from the root, where the jail lets nobody look
    with path.open("w+b") as tape:
        path.unlink()
        powers, gains = _mixed(recipe, folder, tape, step)
        tape.seek(0)
        coder = "fast" if loudness.loudest(powers, gains) < _LOUD else "twoloop"
        _encoded(_levelled(tape, gains, edge(recipe.frames, recipe.fps)), target, coder, step)


def measured(path: Path) -> Loudness:
    """How loud a file's first sound is, and its highest peak. Raises media.Unreadable."""
    meter, reader = loudness.Meter(), Reader(source.whole(path))
    while (block := reader.read(BLOCK)).size:
        meter.hear(block)
    return loudness.measured(*meter.end())


def powers(path: Path) -> samples.Steps:
    """How loud each 5 ms of a file's first sound are, which is a fifth of the work of `measured`.

    Raises media.Unreadable.
    """
    power, reader = loudness.power(), Reader(source.whole(path))
    while (block := reader.read(BLOCK)).size:
        power.hear(block)
    return power.end()


def _steps(recipe: Sound, tell: Callable[[int], None]) -> Callable[[int], None]:
    """Takes samples mixed and samples encoded, and tells of the frames they come to: half of one for each."""
    done, told, total = 0, 0, 2 * edge(recipe.frames, recipe.fps)

    def step(count: int) -> None:
        nonlocal done, told
        done += count
        frames = recipe.frames * done // total
        tell(frames - told)
        told = frames

    return step


def _mixed(
    recipe: Sound, folder: Path, tape: IO[bytes], step: Callable[[int], None]
) -> tuple[samples.Steps, samples.Steps]:
    """Put all that is heard on the tape; how loud each step of it is, and the gains that it is to be played with."""
    meter, blocks = loudness.Meter(), mix.blocks(recipe, folder)
    for block in music.under(blocks, recipe, recipe.bed, folder) if recipe.bed else blocks:
        meter.hear(block)
        tape.write(block.tobytes())
        step(block.shape[1])
    powers, peaks = meter.end()
    return powers, loudness.levelled(powers, peaks, recipe.loudness)


def _levelled(tape: IO[bytes], gains: samples.Steps, length: int) -> Iterator[Block]:
    for at in range(0, length, BLOCK):
        count = min(BLOCK, length - at)
        block = np.frombuffer(tape.read(2 * 4 * count), np.float32).reshape(2, count)
        first = at // loudness.STEP
        yield block * samples.spread(gains[first : first + BLOCK // loudness.STEP + 1], loudness.STEP, count)


def _encoded(blocks: Iterator[Block], target: Path, coder: str, step: Callable[[int], None]) -> None:
    ticks = {"movie_timescale": str(RATE)}  # in milliseconds the edit list could end before the last packet
    with av.open(str(target), "w", format="mp4", container_options=ticks) as out:
        stream = out.add_stream("aac", rate=RATE, bit_rate=_BIT_RATE, options={"aac_coder": coder})
        stream.codec_context.layout = "stereo"
        at = 0
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            at += block.shape[1]
            out.mux(stream.encode(frame))
            step(block.shape[1])
        out.mux(stream.encode(None))
