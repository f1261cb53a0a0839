"""Uploads a still of a character or location, in pieces."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rushes.storyboard.v1 import storyboard_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.cli import board_calls, board_fields, exits

_PIECE_BYTES = 1_000_000
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


class Pieces:
    """The upload of a file: its facts, then its bytes; each time anew, so that the call can be repeated."""

    def __init__(self, path: Path, facts: pb.UploadReferenceRequest.Facts) -> None:
        self._path, self._facts = path, facts

    def __iter__(self) -> Iterator[pb.UploadReferenceRequest]:
        """Each piece in turn."""
        yield pb.UploadReferenceRequest(facts=self._facts)
        with self._path.open("rb") as file:
            while data := file.read(_PIECE_BYTES):
                yield pb.UploadReferenceRequest(data=data)


def upload(home: Path, board_id: str, who: str, path: Path) -> storyboard_pb2.Storyboard:
    """Add the still to whoever has this id or name. Raises Ended."""
    content_type = _TYPES.get(path.suffix.lower())
    if content_type is None:
        raise exits.Ended(f"{path}: name a file that ends in {', '.join(_TYPES)}.", exits.Code.USAGE)
    board = board_calls.get(home, board_id)
    kind = "locations" if any(who in (it.id, it.name) for it in board.locations) else "characters"
    thing = board_fields.find(board, kind, who)
    try:
        with path.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError as fault:
        raise exits.Ended(f"{path} cannot be read: {fault.strerror}.", exits.Code.USAGE) from None
    facts = pb.UploadReferenceRequest.Facts(
        storyboard_id=board_id, thing_id=thing.id, content_type=content_type, size_bytes=size, sha256=sha256
    )
    pieces: Any = Pieces(path, facts)
    return board_calls.ask(home, pb.UploadReferenceResponse, pieces).storyboard
