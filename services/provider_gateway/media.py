"""Looks into a downloaded clip: whether it is one, how long and how large it is, and its last picture."""

import pathlib
from dataclasses import dataclass

import av
import av.error


class NotAClip(Exception):
    """The file is no video that can be decoded; the message says why, for operators."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured in the file."""

    seconds: float
    width: int
    height: int


def probe(path: pathlib.Path) -> Facts:
    """Measure a clip; its first picture must decode. Blocks: call it in a thread. Raises NotAClip."""
    try:
        # The demuxer is forced: a playlist called .mp4 could make the library open other files.
        with av.open(str(path), format="mov") as container:
            if not container.streams.video:
                raise NotAClip("it has no video stream")
            stream = container.streams.video[0]
            frame = next(container.decode(stream), None)
            if frame is None:
                raise NotAClip("it has no picture")
            seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            if seconds <= 0:
                raise NotAClip("it has no length")
            return Facts(seconds, frame.width, frame.height)
    except av.error.FFmpegError as fault:
        raise NotAClip(type(fault).__name__) from fault


def save_last_frame(path: pathlib.Path, still: pathlib.Path) -> None:
    """Write the clip's last picture as PNG. Blocks: call it in a thread. Raises NotAClip."""
    try:
        with av.open(str(path), format="mov") as container:
            stream = container.streams.video[0]
            if stream.duration:
                # From the last key frame on: decoding the whole clip for one picture would be waste.
                container.seek(stream.duration, stream=stream, backward=True)
            last = None
            for frame in container.decode(stream):
                last = frame
            if last is None:
                raise NotAClip("it has no last picture")
            _write_png(last, still)
    except av.error.FFmpegError as fault:
        raise NotAClip(type(fault).__name__) from fault


def _write_png(frame: av.VideoFrame, still: pathlib.Path) -> None:
    with av.open(str(still), "w", format="image2", options={"update": "1"}) as output:
        stream = output.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "rgb24"
        picture = frame.reformat(format="rgb24")
        picture.pts = None
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
