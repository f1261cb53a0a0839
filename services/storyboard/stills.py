"""Reference images on their way in: what a file is, read from its own first bytes and never from its name."""

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from services.storyboard import domain

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
"""The kinds of image that are taken, and what their keys end with."""

LARGEST_BYTES = 10_000_000
LONGEST_PIECE_BYTES = 1_000_000
MOST = 20
"""References of one character or location."""

_SIDES = range(64, 8193)
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Markers of JPEG that begin a frame: ITU T.81, table B.1; C4, C8 and CC are something else.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Upload:
    """What a caller says about an image before its bytes come."""

    storyboard_id: str
    thing_id: str
    content_type: str
    size_bytes: int
    sha256: str

    def wrong(self) -> list[tuple[str, str]]:
        """Each field that breaks a rule, and what it should be."""
        kinds = ", ".join(EXTENSIONS)
        rules = [
            (self.content_type in EXTENSIONS, "content_type", f"should be one of {kinds}"),
            (0 < self.size_bytes <= LARGEST_BYTES, "size_bytes", f"should be 1 to {LARGEST_BYTES}"),
            (_SHA256.fullmatch(self.sha256), "sha256", "should be 64 lower-case hex digits"),
        ]
        return [(field, wrong) for holds, field, wrong in rules if not holds]

    def blob(self, tenant_id: str) -> domain.Blob:
        """Where it is kept: the same bytes of the same tenant are kept once."""
        key = f"t/{tenant_id}/references/{self.sha256}.{EXTENSIONS[self.content_type]}"
        return domain.Blob(key=key, content_type=self.content_type, size_bytes=self.size_bytes, sha256=self.sha256)


def refusal(path: Path, said: Upload) -> str | None:
    """Why the file is not what was said, or cannot be used; None when all is well. Blocks: call it in a thread."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != said.sha256:
            return "the bytes are not those of sha256; send them again"
        found = measured(file)
    if found is None or found[0] != said.content_type:
        return f"the bytes are no {said.content_type}; say what they are, or convert them"
    if not (found[1] in _SIDES and found[2] in _SIDES):
        return f"the image is {found[1]}x{found[2]}; each side should be {_SIDES[0]} to {_SIDES[-1]} pixels"
    return None


def measured(file: BinaryIO) -> tuple[str, int, int] | None:
    """The content type, width and height that the headers of an image tell; None when it is none of ours."""
    file.seek(0)
    head = file.read(32)
    for starts, content_type, read in _READERS:
        if starts(head):
            try:
                width, height = read(file, head)
            except (struct.error, ValueError):
                return None
            return content_type, width, height
    return None


def _png(_: BinaryIO, head: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _jpeg(file: BinaryIO, _: bytes) -> tuple[int, int]:
    """Segment by segment to the frame header, which alone knows the size."""
    file.seek(2)
    while True:
        mark, marker, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or length < 2:
            raise ValueError("no segment begins here")
        if marker in _FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)


def _webp(_: BinaryIO, head: bytes) -> tuple[int, int]:
    """RFC 9649: the lossy, the lossless and the extended header."""
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    raise ValueError("no WebP of RFC 9649")


_Reader = Callable[[BinaryIO, bytes], tuple[int, int]]
_READERS: list[tuple[Callable[[bytes], bool], str, _Reader]] = [
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR", "image/png", _png),
    (lambda head: head.startswith(b"\xff\xd8\xff"), "image/jpeg", _jpeg),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP", "image/webp", _webp),
]
