"""Where the houses of tests stand: in memory where there is room, so that they do not wait for a disk."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30
_OLD_S = 24 * 3600


def folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for a house, gone afterwards; its name begins with `rushes-`.

    Not in pytest's own: that is closed to others again by the next session, and the user of PostgreSQL must pass
    through it. Whatever is killed in a house, the system lives on, so that memory keeps what a disk would.
    """
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    _sweep()
    return tempfile.TemporaryDirectory(prefix=prefix, dir=_MEMORY if has_room else None, ignore_cleanup_errors=True)


def _sweep() -> None:
    """Remove what sessions left that were killed."""
    for left in _MEMORY.glob("rushes-*"):
        with contextlib.suppress(FileNotFoundError):  # another session has just removed its own
            if time.time() - left.stat().st_mtime > _OLD_S:
                shutil.rmtree(left, ignore_errors=True)
