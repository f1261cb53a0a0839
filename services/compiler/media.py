"""Opens media files the one safe way: by what they begin with, with known decoders, within limits, no other file."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import av
import av.container
from av.stream import Stream

_VIDEO = ("h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4", "mjpeg", "prores")
_SOUND = (
    *("aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "ac3", "eac3", "flac", "alac"),
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"),
)
_MAX_PIXELS = 7680 * 4320
_MAX_TRACKS = 32
_MAX_CHANNELS = 8
_RATES = range(4_000, 192_001)
MAX_SECONDS = 4 * 3600
"""The longest clip, sound or film that is read."""
STRICT = {"err_detect": "explode", "max_pixels": str(_MAX_PIXELS)}
"""How pictures are decoded: what is damaged is an error, not a guess."""
MAX_PACKETS = MAX_SECONDS * 120
"""The most pictures, or pieces of sound, in one track."""
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp3,wav,flac,ogg",
    "codec_whitelist": ",".join(_VIDEO + _SOUND),
    "max_pixels": str(_MAX_PIXELS),
    "max_streams": str(_MAX_TRACKS),
    # What a track of an MP4 file says about other files is not followed.
    "enable_drefs": "0",
    "use_absolute_path": "0",
}
_PROBED = {"mov": {"codec_whitelist": ",".join(("mpeg4", *_SOUND))}}
"""An MP4 says in its index what its pictures are, but for the size of MPEG-4's: to decode the first of each to find out
took 7 ms of the 7.4 that it takes to open a file."""
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE})
"""What goes wrong with a disk or a process, and is no file's fault."""


class Unreadable(Exception):
    """These bytes are no video that can be used; the message ends the sentence "the clip …"."""


class SourceUnreadable(Exception):
    """The file of this digest or address cannot be used; the problem ends the sentence "the clip …"."""

    def __init__(self, source: str, problem: object) -> None:
        super().__init__(f"{source} {problem}")
        self.source, self.problem = source, str(problem)


@contextlib.contextmanager
def blamed_on(source: str) -> Iterator[None]:
    """Turns Unreadable, and whatever else the libraries say of a file, into SourceUnreadable, which says what file."""
    try:
        yield
    except Unreadable as error:
        raise SourceUnreadable(source, error) from error
    except MemoryError as error:
        raise SourceUnreadable(source, "needs more memory than a clip may") from error
    except av.error.FFmpegError as error:
        if error.errno in _OURS:
            raise
        raise SourceUnreadable(source, "is damaged") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The file as an MP4 whose first video track is decoded strictly. Raises Unreadable for all else."""
    if _format(path) != "mov":
        raise Unreadable("is no MP4 file")
    with _container(path, "mov") as container:
        if not container.streams.video:
            raise Unreadable("holds no picture")
        _check_picture(container)
        _check_sounds(container)
        yield container


@contextlib.contextmanager
def heard(path: Path) -> Iterator[av.container.InputContainer]:
    """The file as MP4, M4A, MP3, WAV, FLAC or Ogg with at least one sound track. Raises Unreadable for all else."""
    kind = _format(path)
    if kind is None:
        raise Unreadable("is no MP4, M4A, MP3, WAV, FLAC or Ogg file")
    with _container(path, kind) as container:
        if not container.streams.audio:
            raise Unreadable("holds no sound")
        _check_sounds(container)
        yield container


def _format(path: Path) -> str | None:
    """The one reader that may look at the file, by its first bytes; None when there is none."""
    with path.open("rb") as file:
        start = file.read(12)
    # An MP3 starts with a tag, or with the 11 bits that mark a frame and the 2 of layer III (ISO/IEC 11172-3, 2.4.1.3).
    frame = int.from_bytes(start[:2], "big") & 0xFFE6 == 0xFFE2
    marks = {
        "mov": start[4:8] == b"ftyp",
        "wav": start[:4] == b"RIFF" and start[8:] == b"WAVE",
        "flac": start[:4] == b"fLaC",
        "ogg": start[:4] == b"OggS",
        "mp3": start[:3] == b"ID3" or frame,
    }
    return next((kind for kind, fits in marks.items() if fits), None)


@contextlib.contextmanager
def _container(path: Path, kind: str) -> Iterator[av.container.InputContainer]:
    try:
        # Text that is no UTF-8 is no reason to refuse a clip.
        container = av.open(
            str(path), "r", format=kind, options=_OPTIONS | _PROBED.get(kind, {}), metadata_errors="replace"
        )
    except MemoryError as error:  # so says the library as well of more tracks than it may read
        raise Unreadable("holds more than can be read") from error
    except av.error.FFmpegError as error:
        if error.errno in _OURS:
            raise
        raise Unreadable("is cut short or damaged") from error
    with container:
        for stream in container.streams:
            _check_length(stream)
        yield container


def _check_length(stream: Stream) -> None:
    seconds = (stream.duration or 0) * (stream.time_base or 0)
    if not 0 <= seconds <= MAX_SECONDS or len(stream.index_entries) > MAX_PACKETS:
        raise Unreadable("is longer than can be used")


def _check_picture(container: av.container.InputContainer) -> None:
    picture = container.streams.video[0].codec_context
    if picture is None or picture.name not in _VIDEO:
        raise Unreadable("holds pictures of a kind that is not taken")
    if not 0 < picture.width * picture.height <= _MAX_PIXELS:
        raise Unreadable("holds pictures of a size that is not taken")
    picture.options = dict(STRICT)


def _check_sounds(container: av.container.InputContainer) -> None:
    for stream in container.streams.audio:
        sound = stream.codec_context
        if sound is None or sound.name not in _SOUND:
            raise Unreadable("holds sound of a kind that is not taken")
        if sound.sample_rate not in _RATES or sound.layout.nb_channels not in range(1, _MAX_CHANNELS + 1):
            raise Unreadable("holds sound of a kind that is not taken")
