"""Finds the facts of one clip: what it shows, how long, and whether its pictures could be copied."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from services.compiler import film, media, parameters, timeline

_MIN_FPS, _MAX_FPS = 1, 120
_JITTER = Fraction(1, 2000)  # seconds; half the millisecond that some writers count in
_IDR = 5
_HD_LINES = 720
_MATRICES = {1: "bt709", 5: "smpte170m", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_BRIGHT = {16: "smpte2084", 18: "arib-std-b67"}
"""ISO/IEC 23091-2: MatrixCoefficients, and the TransferCharacteristics of high dynamic range."""
_FULL_RANGE = 2


@dataclass(frozen=True, slots=True)
class Look:
    """What the first picture shows: its size upright and in square pixels, and how its colours are kept.

    `transfer` is how light is kept. `full`: black is 0 and white 255, not 16 and 235. `woven`: every picture is two
    half pictures of different moments.
    """

    width: int
    height: int
    rotation: int
    square: bool
    pixels: str
    matrix: str
    transfer: str
    full: bool
    woven: bool


def look(container: InputContainer) -> Look:
    """Decode the first picture. Raises media.Unreadable."""
    stream = container.streams.video[0]
    container.seek(0)
    try:
        picture = next(_pictures(container, stream))
    except (av.error.InvalidDataError, StopIteration) as error:
        raise media.Unreadable("is damaged") from error
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    width, height = timeline.nearest(picture.width * aspect), picture.height
    rotation = -picture.rotation % 360
    return Look(
        *((height, width) if rotation in (90, 270) else (width, height)),
        rotation=rotation,
        square=aspect == 1,
        pixels=picture.format.name,
        matrix=_MATRICES.get(int(picture.colorspace), "bt709" if height >= _HD_LINES else "smpte170m"),
        transfer=_BRIGHT.get(int(picture.color_trc), "bt709"),
        full=int(picture.color_range) == _FULL_RANGE,
        woven=picture.interlaced_frame,
    )


def alone(context: VideoCodecContext, packet: "av.Packet[VideoStream]") -> list[av.VideoFrame]:
    """A key picture by itself: the decoder would hold it back until others have come."""
    pictures = [*context.decode(packet), *context.decode(None)]
    context.flush_buffers()
    return pictures


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    context = stream.codec_context
    for packet in container.demux(stream):
        yield from alone(context, packet) if packet.is_keyframe else context.decode(packet)


def _as_shown(seen: Look) -> bool:
    """Whether the pictures are stored as a film stores them."""
    return seen.rotation == 0 and seen.square and not seen.full and not seen.woven and seen.transfer == "bt709"


def seek(container: InputContainer, time: int) -> None:
    """Go to the last IDR picture not shown after this time, in ticks of the track: what follows it decodes whole.

    The index also lists pictures that others before them lean on, as encoders with open groups make them.
    """
    stream = container.streams.video[0]
    while True:
        container.seek(time, stream=stream)
        packet = next(container.demux(stream))
        if packet.pts is None or packet.pts <= (stream.start_time or 0) or _is_idr(bytes(packet)):
            break
        time = min(time, packet.pts) - 1
    container.seek(time, stream=stream)


def probe(path: Path) -> film.Facts:
    """Read every packet's time and decode the first picture. Raises media.Unreadable."""
    with media.opened(path) as container:
        stream = container.streams.video[0]
        times, shown, alone = _packets(container, stream, path.stat().st_size)
        seconds, fps, steady = _rate(stream, shown)
        seen = look(container)
        ranks = _ranks(times)
        return film.Facts(
            width=seen.width,
            height=seen.height,
            fps=fps,
            frames=len(shown),
            seconds=seconds,
            codec=stream.codec_context.name,
            profile=str(stream.codec_context.profile),
            pixels=seen.pixels,
            parameters=_parameters(stream),
            steady=steady,
            plain=alone[:1] == [0] and len(shown) == len(times) and _as_shown(seen),
            rotation=seen.rotation,
            matrix=seen.matrix,
            reorder=max(position - rank for position, rank in enumerate(ranks)),
            keys=tuple(ranks[position] for position in alone),
            sound=bool(container.streams.audio),
        )


def hear(path: Path) -> None:
    """See that there is a sound to be heard. Raises media.Unreadable."""
    with media.heard(path):
        pass


def _packets(container: InputContainer, stream: VideoStream, size: int) -> tuple[list[int], list[int], list[int]]:
    """Every picture's time in decoding order; those that an edit list lets be seen; which are IDR pictures."""
    times: list[int] = []
    alone: list[int] = []
    shown: list[int] = []
    tick = stream.time_base or Fraction(1)
    if any(entry.pos + entry.size > size for entry in stream.index_entries):
        raise media.Unreadable("is cut short")
    try:
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            if packet.is_corrupt:
                raise media.Unreadable("is damaged")
            if packet.is_keyframe and _is_idr(bytes(packet)):
                alone.append(len(times))
            times.append(packet.pts)
            shown += [] if packet.is_discard else [packet.pts]
            if len(times) > media.MAX_PACKETS or abs(packet.pts - times[0]) * tick > media.MAX_SECONDS:
                raise media.Unreadable("is longer than can be used")
    except av.error.InvalidDataError as error:
        raise media.Unreadable("is damaged") from error
    if not shown or len(set(times)) < len(times):
        raise media.Unreadable("shows no picture, or two at one time")
    return times, shown, alone


def _rate(stream: VideoStream, times: Sequence[int]) -> tuple[Fraction, Fraction, bool]:
    """Seconds shown, frames a second, and whether every picture sits on that grid."""
    tick = stream.time_base or Fraction(1)
    shown = sorted((time - min(times)) * tick for time in times)
    if len(shown) == 1:
        fps = min(max(Fraction(_MIN_FPS), stream.average_rate or Fraction(24)), Fraction(_MAX_FPS))
        return 1 / fps, fps, True
    exact = (len(shown) - 1) / shown[-1]
    guesses = (Fraction(round(exact)), Fraction(round(exact * 1001 / 1000) * 1000, 1001))
    for fps in (*sorted(guesses, key=lambda guess: abs(guess - exact)), exact.limit_denominator(1001)):
        slack = max(_JITTER, 2 * tick)
        if _MIN_FPS <= fps <= _MAX_FPS and all(abs(time - n / fps) <= slack for n, time in enumerate(shown)):
            return len(shown) / fps, fps, True
    gaps = [after - before for before, after in itertools.pairwise(shown)]
    fps = Fraction(max(_MIN_FPS, min(round(1 / sorted(gaps)[len(gaps) // 2]), _MAX_FPS)))
    return shown[-1] + gaps[-1], fps, False


def _parameters(stream: VideoStream) -> bytes:
    """The `avcC` of the track; empty when there is none that pictures beside it could share."""
    avcc = stream.codec_context.extradata or b""
    try:
        parameters.read(avcc)
    except ValueError:
        return b""
    return avcc if stream.codec_context.name == "h264" and stream.codec_tag == "avc1" else b""


def _is_idr(picture: bytes) -> bool:
    """Whether one of the units, each behind four bytes of length, is a slice of an IDR picture."""
    at = 0
    while at + 4 < len(picture):
        if picture[at + 4] & 31 == _IDR:
            return True
        at += 4 + int.from_bytes(picture[at : at + 4], "big")
    return False


def _ranks(times: Sequence[int]) -> list[int]:
    """For each picture in decoding order, its place in showing order."""
    places = {time: rank for rank, time in enumerate(sorted(times))}
    return [places[time] for time in times]
