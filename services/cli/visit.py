"""Finds the house that runs in a folder, starts one when there is none, and stops it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from services.cli import environment, exits, house, processes, state

_STOP_WITHIN_S = 60.0


async def ensure(folder: Path, say: Callable[[str], None], *options: str) -> house.House:
    """A house that is ready: the one that runs, else one started now with these arguments of `rushes up`.

    Raises Ended when it will not start.
    """
    house.make_folder(folder)
    while (told := state.read(folder)) is None or told.phase != "ready":
        if told is None:
            say(f"Starting a house in {folder}")
            await _start(folder, say, *options)
        else:
            await asyncio.sleep(0.1)  # another command is starting or stopping it
    return house.load(folder)


@contextlib.asynccontextmanager
async def visiting(folder: Path, say: Callable[[str], None], keep: bool = False) -> AsyncIterator[house.House]:
    """The house that runs, or one started for this visit; unless told to keep it, the last to leave stops it."""
    if house.is_elsewhere(folder):
        yield house.load(folder)
        return
    try:
        async with state.using(house.make_folder(folder)):
            yield await ensure(folder, say, *([] if keep else ["--while-used"]))
    finally:
        if (told := state.read(folder)) and told.while_used:
            with state.alone(folder) as alone:
                if alone:
                    await stop(folder)
            async with state.using(folder):
                pass  # when it is being stopped by another, that takes until it is gone


async def stop(folder: Path) -> bool:
    """Tell the supervisor to drain and wait until it is gone; False when none runs."""
    told = state.read(folder)
    if told is None:
        return False
    await asyncio.to_thread(_signal, told)
    deadline = asyncio.get_running_loop().time() + _STOP_WITHIN_S
    while state.lives(told):
        if asyncio.get_running_loop().time() > deadline:
            raise exits.Ended(f"The house does not stop; `kill -9 {told.pid}` ends it, and nothing is lost.")
        await asyncio.sleep(0.05)
    with contextlib.suppress(ChildProcessError):
        _exit_code(told.pid)  # when it is our own child, leave no zombie
    return True


def _signal(told: state.State) -> None:
    """SIGTERM through a handle on the process, so that a pid recycled meanwhile is never hit."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(told.pid)
        try:
            if state.lives(told):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except PermissionError:
            raise exits.Ended("The house belongs to another user.", exits.Code.DENIED) from None
        finally:
            os.close(handle)


async def _start(folder: Path, say: Callable[[str], None], *options: str) -> None:
    """Start a supervisor of its own and wait until it is ready; return at once when another one was quicker."""
    log = folder / "logs" / "supervisor.log"
    with processes.appending(log) as notes:
        begin = notes.tell()
        supervisor = _spawn(
            (sys.executable, "-m", "services.cli", "up", "--home", str(folder), *options), notes.fileno()
        )
    while not (told := state.read(folder)) or told.pid != supervisor or told.phase != "ready":
        code = _exit_code(supervisor)
        if code == exits.Code.CONFLICT:
            return await asyncio.sleep(0.1)
        if code is not None:
            raise exits.Ended(_since(log, begin) or "The house does not start.")
        await asyncio.sleep(0.05)
    if notes_so_far := _since(log, begin):
        say(notes_so_far)


def _spawn(command: tuple[str, ...], notes: int) -> int:
    """Start a process that outlives us, in a session of its own; its pid."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, notes, 2),
    ]
    told = environment.base() | environment.passed_on() | environment.of_storyboards()
    return os.posix_spawn(command[0], command, told, file_actions=actions, setsid=True)


def _exit_code(pid: int) -> int | None:
    """Of a child of ours that has ended; None while it lives."""
    ended, how = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(how) if ended else None


def _since(log: Path, begin: int) -> str:
    return log.read_bytes()[begin:].decode(errors="replace").strip()
