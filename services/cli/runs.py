"""Remembers the runs that have not finished, so that the next run of the same board or edit list resumes them."""

import contextlib
import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


class Run:
    """One run: all its request ids come from one, so that a repeat returns what the first time made."""

    def __init__(self, path: Path, resumed: bool) -> None:
        self.resumed = resumed
        self.path = path
        self._id = uuid.UUID(path.suffix[1:])

    def request_id(self, verb: str) -> str:
        """The id of this run's one request of that kind."""
        return str(uuid.uuid5(self._id, verb))

    @property
    def kept(self) -> bytes:
        """The request that this run has sent, or was about to send; empty when it had not come so far."""
        return self.path.read_bytes()

    def keep(self, request: bytes) -> None:
        """Write down what is about to be sent, so that the same is sent again."""
        self.path.write_bytes(request)

    def finish(self) -> None:
        """Forget the run: the next one of the same starts anew."""
        self.path.unlink(missing_ok=True)

    def renew(self) -> None:
        """Begin anew with other ids, when the old ones came to nothing."""
        self.keep(b"")
        renewed = uuid.uuid4()
        self.path = self.path.rename(self.path.with_suffix(f".{renewed}"))
        self._id, self.resumed = renewed, False


@contextlib.contextmanager
def claim(folder: Path, of: bytes) -> Iterator[Run]:
    """An unfinished run of this very board or edit list that no living process holds, else a new one."""
    runs = folder / "runs"
    runs.mkdir(exist_ok=True, mode=0o700)
    digest = hashlib.sha256(of).hexdigest()
    for path in sorted(runs.glob(f"{digest}.*")):
        with contextlib.suppress(FileNotFoundError), _held(path, os.O_RDWR) as held:
            if held:
                yield Run(path, resumed=True)
                return
    path = runs / f"{digest}.{uuid.uuid4()}"
    with _held(path, os.O_RDWR | os.O_CREAT):
        yield Run(path, resumed=False)


@contextlib.contextmanager
def _held(path: Path, flags: int) -> Iterator[bool]:
    with open(os.open(path, flags, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        else:
            held = os.fstat(file.fileno()).st_nlink > 0  # else it was finished while we opened it
        yield held
