"""Opens media files the one safe way: MP4 only, known decoders, bounded pictures, no other file."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import av.container

from services.compiler import domain, film

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


@contextlib.contextmanager
def blamed_on(scene: film.Scene) -> Iterator[None]:
    """Turns Unreadable into domain.ClipUnreadable, which names the scene and the remedy."""
    try:
        yield
    except Unreadable as error:
        facts = dataclasses.asdict(scene)
        raise domain.ClipUnreadable(problem=error, **facts) from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The file as an MP4 whose first video track is decoded strictly. Raises Unreadable for all else."""
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            raise Unreadable("is no MP4 file")
    try:
        container = av.open(str(path), "r", format="mov", options=_OPTIONS)
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise Unreadable("is cut short or damaged") from error
    with container:
        _check(container)
        yield container


def _check(container: av.container.InputContainer) -> None:
    if not container.streams.video:
        raise Unreadable("holds no picture")
    picture = container.streams.video[0].codec_context
    if picture is None or picture.name not in _VIDEO:
        raise Unreadable("holds pictures of a kind that is not taken")
    if not 0 < picture.width * picture.height <= _MAX_PIXELS:
        raise Unreadable("holds pictures of a size that is not taken")
    picture.options = {"err_detect": "explode"}
    for sound in container.streams.audio:
        if sound.codec_context is None or sound.codec_context.name not in _SOUND:
            raise Unreadable("holds sound of a kind that is not taken")
