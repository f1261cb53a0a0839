"""Files made to do harm: what strangers send, or what is left of a clip on a bad day."""

import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.unit.compiler import footage

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta")
_FTYP = b"isom\0\0\2\0isomavc1mp41"
_MANY = 100_000

Change = Callable[[bytes], bytes]


def corpus(folder: Path, port: int, canary: Path) -> Iterator[tuple[str, bytes]]:
    """Every harmful file with its name; they point at this port of loopback, and at a file nobody may read."""
    good = footage.shoot(folder / "good.mp4").read_bytes()
    yield from _pointing_elsewhere(good, port, canary)
    yield from _too_large(good)
    yield from _lying_tables(good)
    yield from _cut_off(good)
    yield "giant-jpeg", giant(folder / "giant.mp4")
    yield "wav-of-nan", wav([np.nan, np.inf, -np.inf, 1e38] * 500)


def mutants(good: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """The clip with some of its bytes changed, half of the time in its index; the same for the same seed."""
    dice = random.Random(seed)
    index = good.index(b"moov")
    for number in range(count):
        changed = bytearray(good)
        start = index if number % 2 else 0
        for _ in range(dice.choice((1, 2, 4, 8, 32))):
            changed[dice.randrange(start, len(good))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        yield f"mutant-{number}", bytes(changed)


def giant(path: Path) -> bytes:
    """Write a clip whose track is small, and whose picture says that it is 16384 x 16384."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mjpeg", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        packet = av.Packet(_jpeg(16_384, 16_384))
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 24)
        out.mux(packet)
    return path.read_bytes()


def wav(samples: list[float], channels: int = 1) -> bytes:
    """A file of these samples, which may be no numbers."""
    data = np.array(samples, np.float32).tobytes()
    form = struct.pack("<HHIIHH", 3, channels, 48_000, 192_000 * channels, 4 * channels, 32)
    start = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return start + b"data" + struct.pack("<I", len(data)) + data


def box(kind: bytes, content: bytes = b"") -> bytes:
    """A box of ISO/IEC 14496-12."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes that lie one after the other, each with its content."""
    while data:
        size = int.from_bytes(data[:4], "big")
        yield data[4:8], data[8:size]
        data = data[size:]


def edited(data: bytes, kind: bytes, change: Change) -> bytes:
    """The file with the content of each box of a kind changed; what holds them grows with them."""
    done = b""
    for name, content in boxes(data):
        if name == kind:
            content = change(content)
        elif name in _CONTAINERS:
            content = edited(content, kind, change)
        done += box(name, content)
    return done


def _pointing_elsewhere(good: bytes, port: int, canary: Path) -> Iterator[tuple[str, bytes]]:
    for where, url in (("http", f"http://127.0.0.1:{port}/a.ts"), ("file", str(canary)), ("beside", "good.mp4")):
        for name, text in _playlists(url).items():
            yield f"{name}-{where}", text.encode()
            yield f"{name}-{where}-behind-ftyp", box(b"ftyp", _FTYP) + text.encode()
            yield f"{name}-{where}-behind-id3", b"ID3\4\0\0\0\0\0\0" + text.encode()
        reference = box(b"url ", b"\0\0\0\0" + url.encode() + b"\0")
        yield f"dref-url-{where}", edited(good, b"dref", lambda _, one=reference: b"\0\0\0\0\0\0\0\1" + one)  # type: ignore[misc]
        alias = box(b"alis", b"\0\0\0\0" + _alias(url))
        yield f"dref-alias-{where}", edited(good, b"dref", lambda _, one=alias: b"\0\0\0\0\0\0\0\1" + one)  # type: ignore[misc]
    yield "rdrf", box(b"ftyp", _FTYP) + box(b"moov", box(b"rmra", box(b"rmda", _redirect(port))))


def _playlists(url: str) -> dict[str, str]:
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "ffconcat": f"ffconcat version 1.0\nfile '{url}'\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {url.split(':')[-1][:5]} RTP/AVP 96\n",
    }


def _alias(path: str) -> bytes:
    """A record of an Apple alias, with the way to the file in the fields that readers follow."""
    name = path.encode()
    fixed = b"\0\0\0\0" + struct.pack(">HH", 150 + len(name), 2) + bytes(2) + b"\4disk".ljust(28, b"\0")
    fixed += bytes(12) + bytes([min(63, len(name))]) + name[:63].ljust(63, b"\0") + bytes(16)
    fixed += struct.pack(">HH", 1, 1) + bytes(16)
    absolute = struct.pack(">HH", 18, len(name)) + name + b"\0" * (len(name) % 2)
    return fixed + absolute + struct.pack(">HH", 0xFFFF, 0)


def _redirect(port: int) -> bytes:
    url = f"http://127.0.0.1:{port}/".encode()
    return box(b"rdrf", b"\0\0\0\0url " + struct.pack(">I", len(url)) + url)


def _too_large(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "size-16k", edited(good, b"stsd", lambda old: old.replace(struct.pack(">HH", 160, 96), b"\x40\0\x40\0"))
    yield "size-0", edited(good, b"stsd", lambda old: old.replace(struct.pack(">HH", 160, 96), bytes(4)))
    yield "hours", edited(good, b"mdhd", lambda old: old[:16] + b"\x7f\xff\xff\xff" + old[20:])
    yield "hours-shown", edited(good, b"stts", lambda _: struct.pack(">IIII", 0, 1, 24, 0x7FFFFFF))
    yield "tracks-empty", edited(good, b"moov", lambda old: old + box(b"trak") * _MANY)
    tracks = b"".join(box(kind, content) for kind, content in boxes(_moov(good)) if kind == b"trak")
    yield "tracks", edited(good, b"moov", lambda old: old + tracks * 1_000)
    cover = box(b"covr", box(b"data", struct.pack(">II", 13, 0) + _jpeg(8, 8)))
    listed = box(b"meta", bytes(4) + box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9)) + box(b"ilst", cover * 10_000))
    yield "covers", edited(good, b"moov", lambda old: old + box(b"udta", listed))
    chapters = b"\1\0\0\0\0\0\0\0\xff" + (bytes(8) + b"\1x") * 255
    yield "chapters", edited(good, b"moov", lambda old: old + box(b"udta", box(b"chpl", chapters) * 1_000))
    yield "index-of-64-mb", edited(good, b"moov", lambda old: old + box(b"udta", box(b"\xa9nam", bytes(1 << 26))))
    yield "boxes-in-boxes", _nested(good, b"moov", 20_000)
    yield "udta-in-udta", edited(good, b"moov", lambda old: old + _nested(b"", b"udta", 20_000))


def _nested(front: bytes, kind: bytes, depth: int) -> bytes:
    sizes = range(8 * depth, 0, -8)
    return front + b"".join(struct.pack(">I", size) + kind for size in sizes)


def _lying_tables(good: bytes) -> Iterator[tuple[str, bytes]]:
    lies: dict[str, tuple[bytes, Change]] = {
        "sizes-without-end": (b"stsz", lambda _: struct.pack(">III", 0, 1, 0x7FFFFFFF)),
        "sizes-of-4-gb": (b"stsz", lambda old: old[:12] + b"\xff\xff\xff\xf0" * 24),
        "times-without-end": (b"stts", lambda _: struct.pack(">IIII", 0, 1, 0x7FFFFFFF, 1)),
        "times-back": (b"stts", lambda _: struct.pack(">IIIi", 0, 1, 24, -512)),
        "times-standing": (b"stts", lambda _: struct.pack(">IIII", 0, 1, 24, 0)),
        "length-negative": (b"mdhd", lambda old: old[:16] + b"\xff\xff\xff\xfe" + old[20:]),
        "scale-zero": (b"mdhd", lambda old: old[:12] + bytes(4) + old[16:]),
        "scale-huge": (b"mdhd", lambda old: old[:12] + b"\xff\xff\xff\xff" + old[16:]),
        "chunks-without-end": (b"stsc", lambda _: struct.pack(">IIIII", 0, 1, 1, 0x7FFFFFFF, 1)),
        "chunks-beyond": (b"stco", lambda old: old[:8] + b"\xff\xff\xff\x00" * ((len(old) - 8) // 4)),
        "shown-before-birth": (b"ctts", lambda _: struct.pack(">IIIi", 0x01000000, 1, 24, -(1 << 30))),
        "edits-that-loop": (b"elst", lambda _: _edits(1000, 0, _MANY)),
        "edits-backwards": (b"elst", lambda _: _edits(0x7FFFFFFF, -1)),
        "edits-from-nowhere": (b"elst", lambda _: _edits(1, 0x7FFFFFF0)),
        "handler-text": (b"hdlr", lambda old: old[:8] + b"text" + old[12:]),
        "codec-unknown": (b"stsd", lambda old: old.replace(b"avc1", b"drac").replace(b"mp4a", b"dvau")),
        "codec-png": (b"stsd", lambda old: old.replace(b"avc1", b"png ")),
        "parameters-of-noise": (b"stsd", lambda old: old[:-40] + random.Random(1).randbytes(40)),
    }
    for name, (kind, change) in lies.items():
        yield name, edited(good, kind, change)


def _edits(duration: int, start: int, count: int = 1) -> bytes:
    return struct.pack(">II", 0, count) + struct.pack(">IiI", duration, start, 1 << 16) * count


def _cut_off(good: bytes) -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "ftyp-alone", box(b"ftyp", _FTYP)
    yield "box-of-no-size", box(b"ftyp", _FTYP) + bytes(4) + b"moov"
    yield "box-of-all-sizes", box(b"ftyp", _FTYP) + b"\0\0\0\1moov" + b"\xff" * 8
    yield from ((f"cut-at-{end}", good[:end]) for end in sorted(set(_ends(good, 0))))


def _ends(data: bytes, start: int) -> Iterator[int]:
    for kind, content in boxes(data):
        if start:
            yield start
        yield start + 8
        if kind in _CONTAINERS:
            yield from _ends(content, start + 8)
        start += 8 + len(content)


def _moov(good: bytes) -> bytes:
    return dict(boxes(good))[b"moov"]


def _jpeg(width: int, height: int) -> bytes:
    """A small JPEG that says it is as large as that."""
    kept = BytesIO()
    Image.new("L", (16, 16)).save(kept, "JPEG")
    data = kept.getvalue()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
