"""Sounds on their way in: what a file is, read from its own first bytes and never from its name."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
}
"""The kinds of sound that are taken, and what their keys end with."""

LARGEST_BYTES = 200_000_000
LONGEST_PIECE_BYTES = 1_000_000

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Upload:
    """What a caller says about a sound before its bytes come."""

    content_type: str
    size_bytes: int
    sha256: str

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Each field that breaks a rule, and what it should be."""
        if self.content_type not in EXTENSIONS:
            yield "content_type", f"should be one of {', '.join(EXTENSIONS)}"
        if not 0 < self.size_bytes <= LARGEST_BYTES:
            yield "size_bytes", f"should be 1 to {LARGEST_BYTES}"
        if not _SHA256.fullmatch(self.sha256):
            yield "sha256", "should be 64 lower-case hex digits"

    def key(self, tenant_id: str) -> str:
        """Where it is kept: the same bytes of the same tenant are kept once."""
        return f"t/{tenant_id}/sounds/{self.sha256}.{EXTENSIONS[self.content_type]}"


def refusal(path: Path, said: Upload) -> str | None:
    """Why the file is not what was said; None when all is well. Blocks: call it in a thread."""
    with path.open("rb") as file:
        if kind(file.read(_HEAD_BYTES)) != said.content_type:
            return f"the bytes are no {said.content_type}; say what they are, or convert them"
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != said.sha256:
            return "the bytes are not those of sha256; send them again"
    return None


def kind(head: bytes) -> str | None:
    """The content type that the first 12 bytes of a file tell; None for what is not taken."""
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    return "audio/mpeg" if head.startswith(b"ID3") or _is_mpeg(head) else None


def _is_mpeg(head: bytes) -> bool:
    """Whether a frame of MPEG audio begins here (ISO/IEC 11172-3, 2.4.1.3), and none of AAC, which has no layer."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bitrate != 15 and rate != 3
