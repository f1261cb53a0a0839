"""A replica's own folder for everything temporary, which goes with it: the next one sweeps what a killed one left."""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

_PREFIX = "rushes-compiler-"


class Workroom:
    """The folder of this replica; `shelf` and `orders` lie in it, on one disk."""

    def __init__(self, parent: Path, owner: str) -> None:
        """Make it, and remove those of replicas that are dead. Raises OSError."""
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(parent)
        self.folder = parent / f"{_PREFIX}{owner}"
        self._lock: int | None = _locked(_lock_of(self.folder))  # before there is a folder that could be swept
        self.folder.mkdir(mode=0o700)
        self.shelf, self._orders = self.folder / "shelf", self.folder / "orders"
        self.shelf.mkdir()
        self._orders.mkdir()
        self._count = 0

    @contextlib.asynccontextmanager
    async def order(self) -> AsyncIterator[Path]:
        """An empty folder for one order, gone afterwards."""
        self._count += 1
        folder = self._orders / str(self._count)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def close(self) -> None:
        """Give all of it back, once."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _lock_of(self.folder).unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def left(path: Path) -> Path:
    """What a worker left here, if that is a file: who reads hostile files might leave a link that leads elsewhere.

    It is ours from now on, or the user that workers are could write to it. Raises OSError for anything else.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "the worker left no file", path.name)
    os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
    return path


def sweep(parent: Path) -> None:
    """Remove what dead replicas left in this folder; whoever lives holds the lock beside its folder."""
    for folder in parent.glob(f"{_PREFIX}*/"):
        lock = _lock_of(folder)
        with contextlib.suppress(OSError):  # it lives, or it is another user's
            held = _locked(lock)
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(held)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _locked(path: Path) -> int:
    """The kernel lets go of it however its process ends. Raises OSError when another holds it."""
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
