"""Keeps a house from the first signal to the last: one supervisor per folder, ended by a signal or by disuse."""

import asyncio
import contextlib
import datetime
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from services.cli import exits, house, issuer, state, supervisor

ENOUGH_DISK_BYTES = 500 * 2**20
_LOOK_FOR_USERS_S = 0.5


async def keep(
    folder: Path,
    say: Callable[[str], None],
    ready: Callable[[house.House], None],
    services: Sequence[str] = house.SERVICES,
    while_used: bool = False,
) -> None:
    """Run the house until SIGINT or SIGTERM; a second signal does not wait for the drain.

    With `while_used` it also ends when no command uses the house any more. Raises Ended when something will not
    start, or when another supervisor keeps this folder.
    """
    folder = house.make_folder(folder)
    with state.supervising(folder) as only:
        if not only:
            note = "" if while_used else f"The house in {folder} is already running."
            raise exits.Ended(note, exits.Code.CONFLICT)
        os.umask(0o077)
        _require_disk(folder)
        of = house.prepare(folder, say)
        issuer.prepare(of, datetime.datetime.now(datetime.UTC))
        _rotate_logs(of)
        async with _told_to_stop() as stop:
            kept = supervisor.Supervisor(of, services, say, while_used)
            await _live(kept, lambda: ready(of), stop, of.folder if while_used else None)


async def _live(
    kept: supervisor.Supervisor,
    ready: Callable[[], None],
    stop: asyncio.Event,
    used: Path | None,
) -> None:
    stopped = asyncio.create_task(stop.wait())
    started = asyncio.create_task(kept.start())
    try:
        await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            await started
            ready()
            await (_stop_unused(used, stopped, kept) if used else stopped)
    finally:
        for task in (started, stopped):
            task.cancel()
        await asyncio.gather(started, stopped, return_exceptions=True)
        await kept.stop()


async def _stop_unused(folder: Path, stopped: asyncio.Task[bool], kept: supervisor.Supervisor) -> None:
    """Return when told to stop, or when nobody used the house and it is stopped; who comes meanwhile waits."""
    while not (await asyncio.wait({stopped}, timeout=_LOOK_FOR_USERS_S))[0]:
        with state.alone(folder) as alone:
            if alone:
                return await kept.stop()


@contextlib.asynccontextmanager
async def _told_to_stop() -> AsyncIterator[asyncio.Event]:
    """An event set by the first signal; the second one cancels the task that entered."""
    stop, loop, main = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _require_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ENOUGH_DISK_BYTES:
        raise exits.Ended(
            f"Only {free // 2**20} MB are free where {folder} is, {ENOUGH_DISK_BYTES // 2**20} MB are needed. "
            "Free some, or choose another folder with --home."
        )


def _rotate_logs(of: house.House) -> None:
    for log in (of.folder / "logs").glob("*.log"):
        if log.stem != "supervisor":
            log.replace(log.with_suffix(".log.1"))
