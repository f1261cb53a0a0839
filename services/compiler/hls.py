"""A finished film for streaming (HLS, RFC 8216): its own pictures, and half the size for slow lines, in one ZIP.

Each rendition is one fragmented MP4 that its playlist addresses by byte ranges: a folder of five files for any server.
"""

import contextlib
import heapq
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from services.compiler import archive, media, timeline
from services.compiler.recipes import Stream

MASTER, HIGH, LOW = "master.m3u8", "high", "low"
_SEGMENT_S = 4
_THREADS = 2
_SPAN = re.compile(r"#EXTINF:([0-9.]+),\n#EXT-X-BYTERANGE:([0-9]+)@")
_SOUND = "mp4a.40.2"  # RFC 6381: AAC-LC


def make(recipe: Stream, folder: Path, target: Path, tell: Callable[[int], None]) -> None:
    """Write the ZIP; `tell` hears of each picture. Raises media.SourceUnreadable."""
    source = folder / recipe.source
    with _room(target) as made, media.blamed_on(recipe.source):
        _halve(source, made / "half.mp4", tell)
        renditions = _packaged(source, source, made, HIGH) + _packaged(made / "half.mp4", source, made, LOW)
        (made / MASTER).write_text("\n".join(["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS", *renditions, ""]))
        with zipfile.ZipFile(target, "w") as packed:
            for file in (MASTER, f"{HIGH}.m3u8", f"{LOW}.m3u8", f"{HIGH}.mp4", f"{LOW}.mp4"):
                archive.add(packed, file, made / file)


@contextlib.contextmanager
def _room(target: Path) -> Iterator[Path]:
    """A folder beside the target; not of tempfile's, which names folders from the root, where we may not look."""
    room = target.with_name(f"{target.name}.hls")
    room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room)


def _halve(source: Path, target: Path, tell: Callable[[int], None]) -> None:
    """The pictures in half the size, key pictures where the source has them: players change over at those."""
    with media.opened(source) as container, av.open(str(target), "w", format="mp4") as out:
        seen = container.streams.video[0]
        stream = _encoder(out, seen)
        for picture in container.decode(seen):
            half = picture.reformat(stream.width, stream.height, "yuv420p", interpolation="AREA")
            half.pict_type = PictureType.I if picture.key_frame else PictureType.NONE
            out.mux(stream.encode(half))
            tell(1)
        out.mux(stream.encode(None))


def _encoder(out: OutputContainer, seen: VideoStream) -> VideoStream:
    stream = out.add_stream("libx264", rate=seen.average_rate or Fraction(24))
    stream.width, stream.height, stream.pix_fmt = max(2, seen.width // 4 * 2), max(2, seen.height // 4 * 2), "yuv420p"
    stream.codec_context.time_base = stream.time_base = seen.time_base or Fraction(1, 24)
    stream.codec_context.options = {
        "preset": "veryfast",
        "crf": "23",
        "forced-idr": "1",
        # As in the house format, so that the same film is always the same bytes.
        "x264-params": f"keyint=infinite:scenecut=0:open-gop=0:mbtree=0:asm=AVX2:threads={_THREADS}",
    }
    return stream


def _packaged(pictures: Path, sound: Path, folder: Path, name: str) -> list[str]:
    """Write one rendition and its playlist; its lines of the master playlist."""
    playlist = folder / f"{name}.m3u8"
    options = {
        "hls_segment_type": "fmp4",
        "hls_flags": "single_file",
        "hls_time": str(_SEGMENT_S),
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / f"{name}.mp4"),
        "avoid_negative_ts": "disabled",  # or all is two frames late, which decoding runs ahead
    }
    with (
        media.opened(pictures) as seen,
        media.heard(sound) as heard,
        av.open(str(playlist), "w", format="hls", options=options) as out,
    ):
        video = out.add_stream_from_template(seen.streams.video[0], opaque=True)
        audio = out.add_stream_from_template(heard.streams.audio[0], opaque=True)
        shown, said = seen.demux(seen.streams.video[0]), heard.demux(heard.streams.audio[0])
        # What an encoder of sound puts first is heard by nobody, but players would begin with it: all would be late.
        primed = (packet for packet in said if packet.pts is None or packet.pts >= 0)
        for packet in heapq.merge(_moved(shown, video), _moved(primed, audio), key=_time):
            out.mux(packet)
        about = _about(seen.streams.video[0])
    return [f"#EXT-X-STREAM-INF:{_rates(playlist.read_text())},{about}", playlist.name]


def _moved(packets: "Iterator[av.Packet[Any]]", stream: Any) -> "Iterator[av.Packet[Any]]":
    for packet in packets:
        if packet.dts is not None:
            packet.stream = stream
            yield packet


def _time(packet: "av.Packet[Any]") -> Fraction:
    return (packet.dts or 0) * packet.time_base


def _about(stream: VideoStream) -> str:
    """What a player wants to know before it fetches anything (RFC 8216, 4.3.4.2)."""
    profile, constraints, level = (stream.codec_context.extradata or bytes(4))[1:4]
    size, rate = f"{stream.width}x{stream.height}", float(stream.average_rate or 24)
    codecs = f"avc1.{profile:02X}{constraints:02X}{level:02X},{_SOUND}"
    return f'RESOLUTION={size},FRAME-RATE={rate:.3f},CODECS="{codecs}"'


def _rates(playlist: str) -> str:
    """Bits a second: of the largest segment, and of all of them."""
    spans = [(Fraction(seconds), int(size) * 8) for seconds, size in _SPAN.findall(playlist)]
    peak = max(timeline.nearest(bits / seconds) for seconds, bits in spans if seconds)
    mean = timeline.nearest(Fraction(sum(bits for _, bits in spans)) / sum(seconds for seconds, _ in spans))
    return f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean}"
