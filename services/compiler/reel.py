"""The pictures of runs one after the other, packet by packet, out of the files that they are copied from."""

import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from services.compiler import media, parameters, probe, timeline
from services.compiler.recipes import Run


class Reel:
    """These runs at so many frames a second, their files in `folder`; frames count from the first run."""

    def __init__(self, runs: Sequence[Run], fps: Fraction, folder: Path) -> None:
        self.runs, self._fps, self._folder = runs, fps, folder

    def packets(self, frame: int = 0) -> "Iterator[tuple[int, av.Packet[VideoStream]]]":
        """The frame that each shows, in decoding order, from the key picture at or before `frame` on.

        Raises media.SourceUnreadable, also for pictures that are not there.
        """
        start = 0
        for run in self.runs:
            if start + run.frames > frame:
                with media.blamed_on(run.source), media.opened(self._folder / run.source) as container:
                    for shown, packet in _packets(container, run, self._fps, max(frame - start, 0)):
                        yield start + shown, packet
            start += run.frames

    def keys(self, frame: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """The key pictures from the one at or before `frame` on: cheap, for nothing else has to be decoded."""
        for number, packet in self.packets(frame):
            if packet.is_keyframe:
                with media.blamed_on(self.source(number)):
                    pictures = probe.alone(packet.stream.codec_context, packet)
                yield from ((number, picture) for picture in pictures)

    def decoder(self) -> VideoCodecContext:
        """One for the pictures of all runs, as a player decodes them. Raises media.SourceUnreadable."""
        decoder = av.VideoCodecContext.create("h264", "r")
        decoder.extradata, decoder.options = self.record, dict(media.STRICT)
        return decoder

    @functools.cached_property
    def record(self) -> bytes:
        """The parameter sets of all files in one `avcC`. Raises media.SourceUnreadable."""
        found: dict[bytes, None] = {}
        for source in dict.fromkeys(run.source for run in self.runs):
            with media.blamed_on(source), media.opened(self._folder / source) as container:
                found.setdefault(container.streams.video[0].codec_context.extradata or b"")
        return functools.reduce(parameters.merge, found)

    def source(self, frame: int) -> str:
        """What the pictures around this frame are copied from."""
        end = 0
        for run in self.runs:
            end += run.frames
            if frame < end:
                break
        return run.source


def _packets(
    container: InputContainer, run: Run, fps: Fraction, since: int
) -> "Iterator[tuple[int, av.Packet[VideoStream]]]":
    """Each with its place in the run, which starts and ends between groups of pictures."""
    stream = container.streams.video[0]
    step = (stream.time_base or Fraction(1)) * fps
    zero = stream.start_time or 0
    if since:
        probe.seek(container, timeline.nearest(zero + (run.first + since) / step))
    else:
        container.seek(int(zero + run.first / step), stream=stream)
    left = 0 if since else run.frames
    for packet in container.demux(stream):
        shown = timeline.nearest((packet.pts - zero) * step) - run.first if packet.pts is not None else -1
        if 0 <= shown < run.frames:
            left = left or run.frames - shown
            yield shown, packet
            left -= 1
            if left == 0:
                return
    raise media.Unreadable("is damaged")
