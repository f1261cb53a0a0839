"""Looks into a downloaded clip: whether it is one, how long and how large it is, and two of its pictures."""

import contextlib
import errno
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import av.container
import av.error
import av.video

_DECODERS = ("h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4", "mjpeg", "prores")
_OF_THE_DISK = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
_LIMITS = {"max_pixels": str(8192 * 8192)}
# A playlist called .mp4 makes the library open other files and addresses: the demuxer is forced, and files are all
# it may open. See "Malicious media" in https://ffmpeg.org/ffmpeg-protocols.html#Protocol-Options.
_OPTIONS = _LIMITS | {"protocol_whitelist": "file", "codec_whitelist": "mpeg4"}  # no decoder, no pictures: ADR 60
_NOT_SMOOTHED = {"skip_loop_filter": "all"}  # a sixth of decoding at 720p, and nobody sees it in a thumbnail
_THUMBNAIL_SIDE = 320
_LEADER_S = 1.0
_DARK = 32  # of 255


class NotAClip(Exception):
    """The file is no video that can be decoded; the message says why, for operators."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured in the file."""

    seconds: float
    width: int
    height: int


def stills(clip: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Where the small JPEG of a clip and its last picture lie, beside it."""
    return clip.with_suffix(".jpg"), clip.with_suffix(".png")


def probe(path: pathlib.Path, still: pathlib.Path) -> Facts:
    """Measure a clip, which must be there to its last byte, and write a small JPEG of it.

    It shows the first picture; when that is dark, as films often begin, one from the first third. Blocks: call it in
    a thread. Raises NotAClip, OSError.
    """
    with _opened(path, _NOT_SMOOTHED) as (container, stream):
        _read_index(container, stream)
        size = path.stat().st_size
        if any(entry.pos + entry.size > size for track in container.streams for entry in track.index_entries):
            raise NotAClip("it is cut short")
        seconds = _seconds(container, stream)
        first = _first(container, stream)
        small = _small(first)
        if _is_dark(small):
            small = _small(_at(min(seconds / 3, _LEADER_S), container, stream) or first)
        _write(still, small, "mjpeg", huffman="default")
        return Facts(seconds, first.width, first.height)


def save_last_frame(path: pathlib.Path, still: pathlib.Path) -> None:
    """Write the clip's last picture as PNG. Blocks: call it in a thread. Raises NotAClip, OSError."""
    # From the last key frame on: decoding the whole clip for one picture would be waste, save where its end is damaged.
    last = _last(path, 1) or _last(path, 0)
    if last is None:
        raise NotAClip("it has no last picture")
    _write(still, _converted(last, "rgb24", last.width, last.height), "png")


@contextlib.contextmanager
def _opened(
    path: pathlib.Path, decoding: Mapping[str, str] | None = None
) -> Iterator[tuple[av.container.InputContainer, av.video.VideoStream]]:
    with (
        _faults(),
        av.open(str(path), format="mov", options=_OPTIONS, metadata_errors="replace") as container,
    ):
        if not container.streams.video:
            raise NotAClip("it has no video stream")
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if decoder is None or decoder.name not in _DECODERS:
            raise NotAClip("its pictures are in a code that is not taken")
        decoder.options = {**_LIMITS, **(decoding or {})}  # later pictures can be larger than the first
        decoder.thread_count = 1  # for two pictures, a team costs more than it helps; and clips come side by side
        yield container, stream


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as fault:
        if isinstance(fault, OSError) and fault.errno in _OF_THE_DISK:
            raise
        raise NotAClip(f"it cannot be decoded: {type(fault).__name__}") from fault


def _as_far_as_it_goes() -> contextlib.suppress:
    """Up to the first damage: a bad end is no reason to lose a clip that is paid for."""
    return contextlib.suppress(av.error.FFmpegError)


def _read_index(container: av.container.InputContainer, stream: av.video.VideoStream) -> None:
    """Have all of it: of fragments that are listed at the front, opening reads the first."""
    known, duration = stream.index_entries, stream.duration or 0
    if not known or (duration - known[-1].timestamp) * len(known) > 2 * duration:
        for _ in container.demux():
            pass
        container.seek(0)


def _first(container: av.container.InputContainer, stream: av.video.VideoStream) -> av.VideoFrame:
    """The first picture: nearly always it can be had of the first packet alone."""
    first = next(container.demux(stream))
    pictures = [*stream.codec_context.decode(first), *stream.codec_context.decode(None)]
    container.seek(0)
    found = pictures[0] if pictures else next(container.decode(stream), None)
    if found is None:
        raise NotAClip("it has no picture")
    return found


def _at(wanted_s: float, container: av.container.InputContainer, stream: av.video.VideoStream) -> av.VideoFrame | None:
    container.seek(0)
    picture = None
    with _as_far_as_it_goes():
        for picture in container.decode(stream):
            if (picture.time or 0) >= wanted_s:
                break
    return picture


def _small(picture: av.VideoFrame) -> av.VideoFrame:
    shrink = min(1.0, _THUMBNAIL_SIDE / max(picture.width, picture.height))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in (picture.width, picture.height))
    return _converted(picture, "yuvj420p", width, height)


def _is_dark(small: av.VideoFrame) -> bool:
    """On average, by a few hundred of its points."""
    line, light = small.planes[0].line_size, bytes(small.planes[0])
    points = b"".join(light[row : row + small.width : 8] for row in range(0, small.height * line, 8 * line))
    return sum(points) < _DARK * len(points)


def _last(path: pathlib.Path, share: int) -> av.VideoFrame | None:
    """The last picture that can be had when this share of the clip is skipped, as far as there are key frames."""
    last = None
    with _opened(path) as (container, stream):
        with _as_far_as_it_goes():
            if share and stream.duration:
                container.seek(stream.duration * share, stream=stream, backward=True)
            for frame in container.decode(stream):
                last = frame
        with _as_far_as_it_goes():  # when it came to a damage, the decoder still holds some
            for frame in stream.codec_context.decode(None):
                last = frame
    return last


def _seconds(container: av.container.InputContainer, stream: av.video.VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    raise NotAClip("it has no length")


def _converted(picture: av.VideoFrame, pixels: str, width: int, height: int) -> av.VideoFrame:
    try:
        return picture.reformat(width, height, pixels, threads=1)
    except av.error.FFmpegError:  # colours that the scaler does not know: a tint is better than no picture
        return picture.reformat(width, height, pixels, src_colorspace="itu709", dst_colorspace="itu709", threads=1)


def _write(still: pathlib.Path, picture: av.VideoFrame, codec: Literal["png", "mjpeg"], **options: str) -> None:
    encoder = av.VideoCodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, picture.format.name
    encoder.time_base, encoder.thread_count, picture.pts = Fraction(1, 1), 1, None
    encoder.options = options
    with _faults():
        packets = [*encoder.encode(picture), *encoder.encode(None)]
    still.write_bytes(b"".join(map(bytes, packets)))
