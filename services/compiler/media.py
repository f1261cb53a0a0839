"""Opens media files the one safe way: MP4 only, known decoders, bounded pictures, no other file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
import av.container

_VIDEO = ("h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4", "mjpeg", "prores")
_SOUND = ("aac", "mp3", "mp3float", "opus", "libopus", "ac3", "eac3", "flac", "alac", "pcm_s16le")
_MAX_PIXELS = 7680 * 4320
_OPTIONS = {
    "protocol_whitelist": "file",
    "codec_whitelist": ",".join(_VIDEO + _SOUND),
    "max_pixels": str(_MAX_PIXELS),
}


class Unreadable(Exception):
    """These bytes are no video that can be used; the message ends the sentence "the clip …"."""


class SourceUnreadable(Exception):
    """The file of this digest or address cannot be used; the problem ends the sentence "the clip …"."""

    def __init__(self, source: str, problem: object) -> None:
        super().__init__(f"{source} {problem}")
        self.source, self.problem = source, str(problem)


@contextlib.contextmanager
def blamed_on(source: str) -> Iterator[None]:
    """Turns Unreadable into SourceUnreadable, which says what file it was."""
    try:
        yield
    except Unreadable as error:
        raise SourceUnreadable(source, error) from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The file as an MP4 whose first video track is decoded strictly. Raises Unreadable for all else."""
    with _mp4(path) as container:
        if not container.streams.video:
            raise Unreadable("holds no picture")
        _check_picture(container)
        _check_sounds(container)
        yield container


@contextlib.contextmanager
def heard(path: Path) -> Iterator[av.container.InputContainer]:
    """The file as an MP4 with at least one sound track. Raises Unreadable for all else."""
    with _mp4(path) as container:
        if not container.streams.audio:
            raise Unreadable("holds no sound")
        _check_sounds(container)
        yield container


@contextlib.contextmanager
def _mp4(path: Path) -> Iterator[av.container.InputContainer]:
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            raise Unreadable("is no MP4 file")
    try:
        container = av.open(str(path), "r", format="mov", options=_OPTIONS)
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise Unreadable("is cut short or damaged") from error
    with container:
        yield container


def _check_picture(container: av.container.InputContainer) -> None:
    picture = container.streams.video[0].codec_context
    if picture is None or picture.name not in _VIDEO:
        raise Unreadable("holds pictures of a kind that is not taken")
    if not 0 < picture.width * picture.height <= _MAX_PIXELS:
        raise Unreadable("holds pictures of a size that is not taken")
    picture.options = {"err_detect": "explode"}


def _check_sounds(container: av.container.InputContainer) -> None:
    for sound in container.streams.audio:
        if sound.codec_context is None or sound.codec_context.name not in _SOUND:
            raise Unreadable("holds sound of a kind that is not taken")
