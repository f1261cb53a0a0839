"""`python -m tests.crash.armed SERVICE FOLDER NAME`: a service that dies, stops or stumbles where a test wants it to.

It is forked from a process that has loaded everything, again and again: a restart costs milliseconds, and nothing of
the dead one's memory is left. What a test wants lies in FOLDER: see `Faults`.
"""

import asyncio
import ctypes
import dataclasses
import importlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from libs import db, failpoints

_PR_SET_PDEATHSIG = 1
_PAUSE_S = 0.05

ACTIONS = ("kill", "pause", "stumble", "pass")
STUMBLES = {
    "the reply of a commit is lost": db.DatabaseAway,
    "a connection breaks": ConnectionResetError,
    "a bug": RuntimeError,
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens at the `nth` reach of a place, whichever process comes there: `action`, and `how` it stumbles."""

    place: str
    action: str
    nth: int = 1
    how: str = "a bug"


@dataclasses.dataclass(frozen=True)
class Hit:
    """A fault that went off, in this process, at this time."""

    fault: Fault
    pid: int
    at: float


class Faults:
    """A folder through which a test and the processes under test speak of places.

    A file in `armed` is a fault that waits; whoever renames it has it, so that it goes off once. `hit` holds what went
    off, `reached` the name of every place that was ever come to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make the folder."""
        for name in ("armed", "taken", "hit", "reached", "pids"):
            (self._folder / name).mkdir(parents=True)

    def arm(self, fault: Fault) -> None:
        """Let this happen."""
        self._write("armed", fault.place, dataclasses.asdict(fault))

    def disarm(self) -> list[str]:
        """Let nothing more happen, and forget what did; returns the places of the faults that did not go off."""
        waiting = [path.name for path in (self._folder / "armed").iterdir()]
        for name in ("armed", "taken", "hit"):
            for path in (self._folder / name).iterdir():
                path.unlink(missing_ok=True)
        return waiting

    def hits(self) -> list[Hit]:
        """What went off since the last disarming."""
        found = [json.loads(path.read_text()) for path in (self._folder / "hit").iterdir()]
        return [Hit(Fault(**one["fault"]), one["pid"], one["at"]) for one in found]

    def reached(self) -> set[str]:
        """Every place that was ever come to."""
        return {path.name for path in (self._folder / "reached").iterdir()}

    def pid(self, name: str) -> int | None:
        """The process that runs under this name now."""
        try:
            return int((self._folder / "pids" / name).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def set_pid(self, name: str, pid: int) -> None:
        """Say which process runs under this name."""
        self._write("pids", name, pid)

    def note(self, place: str) -> None:
        """This place was come to."""
        (self._folder / "reached" / place).touch()

    def take(self, place: str) -> Fault | None:
        """The fault that goes off here and now, if one does; it is in `hits` already."""
        taken = self._folder / "taken" / f"{place} {os.getpid()}"
        try:
            (self._folder / "armed" / place).rename(taken)
        except FileNotFoundError:
            return None
        fault = Fault(**json.loads(taken.read_text()))
        if fault.nth > 1:
            self.arm(dataclasses.replace(fault, nth=fault.nth - 1))
            return None
        self._write("hit", place, {"fault": dataclasses.asdict(fault), "pid": os.getpid(), "at": time.time()})
        return fault

    def _write(self, where: str, name: str, content: Any) -> None:
        draft = self._folder / f"{where} {name} {os.getpid()}"
        draft.write_text(json.dumps(content))
        draft.rename(self._folder / where / name)


class _Listener:
    """Hears of every place a process of this service reaches."""

    def __init__(self, service: str, faults: Faults) -> None:
        self._service, self._faults = service, faults
        self._seen: set[str] = set()

    def __call__(self, place: str) -> None:
        name = f"{self._service} {place}"
        if name not in self._seen:
            self._seen.add(name)
            self._faults.note(name)
        if fault := self._faults.take(name):
            _go_off(fault)


def _go_off(fault: Fault) -> None:
    if fault.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.action == "pause":
        os.kill(os.getpid(), signal.SIGSTOP)
    if fault.action == "stumble":
        raise STUMBLES[fault.how]


def main(service: str, folder: str, name: str) -> None:
    """Keep the service running for ever."""
    faults, module = Faults(Path(folder)), importlib.import_module(f"services.{service}.__main__")
    while True:
        child = os.fork()
        if not child:
            return _live(module, _Listener(service, faults))
        faults.set_pid(name, child)
        os.waitpid(child, 0)
        time.sleep(_PAUSE_S)


def _live(module: Any, listener: _Listener) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    random.seed()
    failpoints.listener = listener
    asyncio.run(module.main())


if __name__ == "__main__":
    main(*sys.argv[1:])
