"""What the supervisor of a house says of itself, and the two locks that tell who keeps the house and who uses it."""

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO


@dataclasses.dataclass(frozen=True)
class State:
    """A house as its supervisor last described it; `phase` is starting, ready or stopping.

    `while_used` says that it was started for a visit, and ends with the last one.
    """

    pid: int
    born: int
    phase: str
    while_used: bool = False
    processes: Sequence[Mapping[str, Any]] = ()


def write(folder: Path, phase: str, while_used: bool, processes: Sequence[Mapping[str, Any]]) -> None:
    """Describe the house that this process supervises."""
    told = State(os.getpid(), _born(os.getpid()) or 0, phase, while_used, processes)
    draft = folder / "state.json.new"
    draft.write_text(json.dumps(dataclasses.asdict(told)))
    draft.replace(folder / "state.json")


def read(folder: Path) -> State | None:
    """The description, while the very process that wrote it lives; a recycled pid is not that process."""
    try:
        told = State(**json.loads((folder / "state.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return told if lives(told) else None


def lives(supervisor: State) -> bool:
    """Whether that supervisor still runs."""
    return _born(supervisor.pid) == supervisor.born


def supervising(folder: Path) -> contextlib.AbstractContextManager[BinaryIO | None]:
    """The one supervisor of a folder holds this; None for any other."""
    return _locked(folder / "supervisor.lock", fcntl.LOCK_EX)


def alone(folder: Path) -> contextlib.AbstractContextManager[BinaryIO | None]:
    """Held by whoever stops a house that nobody uses any more; None while someone does."""
    return _locked(folder / "users.lock", fcntl.LOCK_EX)


def is_gone(lock: BinaryIO) -> bool:
    """Whether the folder of a lock that we hold was deleted."""
    return os.fstat(lock.fileno()).st_nlink == 0


@contextlib.asynccontextmanager
async def using(folder: Path) -> AsyncIterator[None]:
    """Held by each command that needs the house; waits while the house is being stopped."""
    while True:
        with _locked(folder / "users.lock", fcntl.LOCK_SH) as lock:
            if lock:
                yield
                return
        await asyncio.sleep(0.1)


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[BinaryIO | None]:
    """Try to hold a lock while the block runs. The system lets go of it for a process that dies."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        lock: BinaryIO | None = file
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            lock = None
        yield lock


def _born(pid: int) -> int | None:
    """When a living process began, in clock ticks since boot (proc(5), field 22); None for the dead and zombies."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if facts[0] in "ZX" else int(facts[19])
