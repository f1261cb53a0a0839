"""A program kept running: on a leash, watched, restarted with growing pauses, stopped politely and then for sure."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from services.cli import exits

log = logging.getLogger(__name__)

_LEASH = str(Path(__file__).with_name("leash.py"))
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_PROVEN_AFTER_S = 30.0  # a life this long forgives the failures before it
_LOOK_AT_FOLDERS_S, _ASK_HEALTH_S = 0.5, 5.0
_LAST_LOOKS, _LAST_LOOK_S = 25, 0.02


Settle = Callable[[], Awaitable[None]]
Stops = tuple[tuple[signal.Signals, float], ...]
DRAIN: Stops = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


async def _nothing() -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Program:
    """What to run, and how to prepare it, know it healthy, settle it in and stop it.

    `stops` are the signals to send, each with the seconds to wait for it; the last one ends anything. `orphaned`
    is the signal it gets when the supervisor dies. `settle` runs after each start, once `healthy`. When one of
    the folders that `landmarks` names vanishes, the program is ended and starts again with `prepare`.
    """

    name: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(repr=False)
    healthy: Callable[[], Awaitable[bool]]
    user: str = "-"
    stops: Stops = DRAIN
    orphaned: signal.Signals = signal.SIGKILL
    prepare: Callable[[], Awaitable[None]] = _nothing
    settle: Settle = _nothing
    landmarks: Callable[[], Iterable[Path]] = tuple


async def spawn(program: Program, log: Path) -> asyncio.subprocess.Process:
    """Start it once, in a session of its own: Ctrl-C at the terminal reaches the supervisor only."""
    with appending(log) as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _LEASH, str(os.getpid()), str(int(program.orphaned)), program.user),
            *program.command,
            env=program.environment,
            cwd=log.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def appending(log: Path) -> BinaryIO:
    """A log, readable by its owner only."""
    return open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


async def end(process: asyncio.subprocess.Process, stops: Stops) -> None:
    """Send each signal in turn until it is gone; whatever it left in its session is killed."""
    try:
        for number, patience in stops:
            if process.returncode is None:
                process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), patience)
    finally:
        await _sweep(process.pid)


async def _sweep(group: int) -> None:
    """Kill what is left of a session, after a moment for those that clean up behind a dead leader, as Python does."""
    try:
        for _ in range(_LAST_LOOKS):
            os.killpg(group, 0)
            await asyncio.sleep(_LAST_LOOK_S)
    except ProcessLookupError:
        return
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


async def run(name: str, command: tuple[str, ...], told: Mapping[str, str], log: Path, user: str = "-") -> None:
    """Run a command to its end; raises Ended with the last lines of its log when it fails."""
    process = await spawn(Program(name, "", command, told, asyncio.Event().wait, user), log)
    try:
        code = await asyncio.wait_for(process.wait(), timeout=60)
    except TimeoutError:
        raise exits.Ended(f"{name} took more than 60 seconds; see {log}") from None
    finally:
        await end(process, ((signal.SIGKILL, 5.0),))
    if code != 0:
        raise exits.Ended(f"{name} failed with exit code {code}: {tail(log)}\nSee {log}")


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a person."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


class Child:
    """Keeps one program running until `stop`; `ready` is set once it was healthy and settled."""

    def __init__(self, program: Program, log: Path, changed: Callable[[], None]) -> None:
        self.program = program
        self.pid: int | None = None
        self.since: float | None = None
        self.restarts = 0
        self.failures = 0
        self.healthy = False
        self.trouble = ""
        self.ready = asyncio.Event()
        self.log = log
        self._changed = changed
        self._marks: dict[Path, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin keeping it."""
        self._task = asyncio.create_task(self._keep(), name=self.program.name)

    async def stop(self) -> None:
        """Stop it as its program says; returns when nothing of it is left."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            log.info("process_stopped", extra={"program": self.program.name})

    def facts(self) -> dict[str, str | int | float | bool | None]:
        """What the state file says of it."""
        return {
            "name": self.program.name,
            "address": self.program.address,
            "pid": self.pid,
            "since": self.since,
            "healthy": self.healthy,
            "restarts": self.restarts,
            "trouble": self.trouble,
        }

    async def _keep(self) -> None:
        while True:
            born = time.monotonic()
            try:
                await self._live()
            except Exception as error:  # whatever it is, the program is to be kept
                self.trouble = str(error) or type(error).__name__
            log.warning("process_ended", extra={"program": self.program.name, "why": self.trouble})
            self.failures = 1 if time.monotonic() - born > _PROVEN_AFTER_S else self.failures + 1
            self._changed()
            await asyncio.sleep(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self.failures - 1)))
            self.restarts += 1

    async def _live(self) -> None:
        await self.program.prepare()
        process = await spawn(self.program, self.log)
        self.pid, self.since = process.pid, time.time()
        log.info("process_started", extra={"program": self.program.name, "pid": process.pid})
        self._changed()
        stops = self.program.stops
        exited = asyncio.create_task(process.wait())
        try:
            await self._settle_in(exited)
            await self._watch(exited)
            stops = stops[-1:]  # it died, or lost its folder: there is nothing to be polite about
        finally:
            await end(process, stops)
            exited.cancel()
            self.pid, self.healthy = None, False
            self._changed()

    async def _settle_in(self, exited: asyncio.Task[int]) -> None:
        while not await self.program.healthy():
            if (await asyncio.wait({exited}, timeout=0.05))[0]:
                raise exits.Ended(f"it ended with code {exited.result()}: {tail(self.log)}")
        await self.program.settle()
        self._marks = {path: path.stat().st_ino for path in self.program.landmarks()}
        self.healthy, self.trouble = True, ""
        self.ready.set()
        self._changed()

    async def _watch(self, exited: asyncio.Task[int]) -> None:
        """Return when it ended, or when one of its folders did."""
        asked = time.monotonic()
        while not (await asyncio.wait({exited}, timeout=_LOOK_AT_FOLDERS_S))[0]:
            if lost := next((path for path, inode in self._marks.items() if not _is(path, inode)), None):
                self.trouble = f"its folder {lost} vanished"
                return
            if time.monotonic() - asked > _ASK_HEALTH_S:
                self.healthy, asked = await self.program.healthy(), time.monotonic()
                self._changed()
        self.trouble = f"it ended with code {exited.result()}"


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False
