"""Decodes one file's sound to 48 kHz stereo, every sample in the place that the file gives it."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from services.compiler import media, timeline
from services.compiler.sound import samples
from services.compiler.sound.samples import FADE, RATE, Block

_SLACK = RATE // 100  # clocks of writers wander by a millisecond or two; that is not a gap
_RUN_UP = RATE  # a decoder thrown into the middle of a track needs what came before, up to 80 ms of it (RFC 7845, 4.6)


def clip(path: Path, first: int) -> Iterator[Block]:
    """A clip's sound from `first` samples after its first picture on; nothing where it has none.

    Raises media.Unreadable.
    """
    with media.opened(path) as container:
        if not container.streams.audio:
            return
        picture, stream = container.streams.video[0], container.streams.audio[0]
        start = timeline.nearest((picture.start_time or 0) * (picture.time_base or Fraction(1)) * RATE) + first
        picture.discard = Discard.all
        if first > 2 * _RUN_UP:
            with contextlib.suppress(av.error.FFmpegError):  # what cannot be searched is read from its start
                container.seek(int(Fraction(start - _RUN_UP, RATE) / (stream.time_base or Fraction(1))), stream=stream)
        yield from _joined(_decoded(container, stream), start)


def whole(path: Path) -> Iterator[Block]:
    """All that is heard in a file, pictures or not. Raises media.Unreadable."""
    with media.heard(path) as container:
        for picture in container.streams.video:
            picture.discard = Discard.all
        yield from _joined(_decoded(container, container.streams.audio[0]), None)


def _joined(placed: Iterator[tuple[int, Block]], first: int | None) -> Iterator[Block]:
    """The blocks end to end from sample `first` on, or from the first there is, with silence in the gaps."""
    at, held = first, None
    for start, block in placed:
        at = start if at is None else at
        off = start - at if abs(start - at) > (_SLACK if held is not None else 0) else 0
        block = block[:, max(0, -off) :]
        if not block.size:
            continue
        if held is not None:
            yield _faded(held) if off > 0 else held
        yield from samples.silence(off)
        held = _faded(block[:, ::-1])[:, ::-1] if off > 0 else block
        at += max(0, off) + block.shape[1]
    if held is not None:
        yield _faded(held)


def _faded(block: Block) -> Block:
    """The block with its last samples going to nothing."""
    count = min(FADE, block.shape[1])
    ramp = np.ones(block.shape[1], np.float32)
    ramp[block.shape[1] - count :] = (np.arange(count, 0, -1) - 0.5) / count
    return block * ramp


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[tuple[int, Block]]:
    """Blocks of a track, each with its place by the file's clock."""
    # Left to itself the converter takes 3 dB off a mono track; we give both ears the whole of it.
    layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
    convert = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
    try:
        for frame in container.decode(stream):
            yield from _blocks(convert.resample(frame))
        yield from _blocks(convert.resample(None))
    except (av.error.FFmpegError, ValueError) as error:
        raise media.Unreadable("has damaged sound") from error


def _blocks(frames: list[av.AudioFrame]) -> Iterator[tuple[int, Block]]:
    for frame in frames:
        block = frame.to_ndarray().astype(np.float32, copy=False)
        yield round((frame.time or 0) * RATE), np.repeat(block, 2 // block.shape[0], axis=0)
