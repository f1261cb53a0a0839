"""Keeps a house from the first signal to the last: one supervisor per folder, ended by a signal or by disuse."""

import asyncio
import contextlib
import datetime
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from libs import telemetry
from services.cli import exits, house, issuer, state, supervisor

log = logging.getLogger(__name__)

ENOUGH_DISK_BYTES = 500 * 2**20
_LOOK_S = 0.5


async def keep(
    folder: Path,
    say: Callable[[str], None],
    ready: Callable[[house.House], None],
    services: Sequence[str] = house.SERVICES,
    while_used: bool = False,
    enough_disk_bytes: int = ENOUGH_DISK_BYTES,
) -> None:
    """Run the house until SIGINT or SIGTERM; a second signal does not wait for the drain.

    With `while_used` it also ends when no command uses the house any more. Raises Ended when something will not
    start, or when another supervisor keeps this folder.
    """
    folder = house.make_folder(folder)
    with _for_us_alone(), state.supervising(folder) as lock:
        if lock is None:
            note = "" if while_used else f"The house in {folder} is already running."
            raise exits.Ended(note, exits.Code.CONFLICT)
        _require_disk(folder, enough_disk_bytes)
        of = house.prepare(folder, say)
        issuer.prepare(of, datetime.datetime.now(datetime.UTC))
        rotate_logs(of)
        kept = supervisor.Supervisor(of, services, say, while_used)
        with _journal(of):
            async with _told_to_stop() as stop:
                try:
                    if await _started(kept, stop):
                        ready(of)
                        await (_disused(folder, lock, stop, kept) if while_used else _over(lock, stop))
                finally:
                    await kept.stop()


async def _started(kept: supervisor.Supervisor, stop: asyncio.Event) -> bool:
    """Whether everything is healthy; False when told to stop before that. Raises Ended."""
    starting, stopped = asyncio.create_task(kept.start()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
        return starting.done()
    finally:
        for task in (starting, stopped):
            task.cancel()
        await asyncio.gather(starting, stopped, return_exceptions=True)


async def _over(lock: BinaryIO, stop: asyncio.Event) -> None:
    """Return when told to stop, or when the home was deleted: another house may begin there."""
    while not stop.is_set() and not state.is_gone(lock):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)


async def _disused(folder: Path, lock: BinaryIO, stop: asyncio.Event, kept: supervisor.Supervisor) -> None:
    """As `_over`; also when nobody uses the house and it is stopped: whoever comes meanwhile waits."""
    while not stop.is_set() and not state.is_gone(lock):
        with state.alone(folder) as alone:
            if alone:
                log.info("house_disused")
                return await kept.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_S)


@contextlib.asynccontextmanager
async def _told_to_stop() -> AsyncIterator[asyncio.Event]:
    """An event set by the first signal; the second one cancels the task that entered."""
    stop, loop, main = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()

    def on_signal(number: signal.Signals) -> None:
        log.info("house_told_to_stop", extra={"signal": number.name})
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _for_us_alone() -> Iterator[None]:
    """What is written meanwhile, by us and by those we start, only our user may read."""
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)


@contextlib.contextmanager
def _journal(of: house.House) -> Iterator[None]:
    """Write down, meanwhile, what starts, what ends and why: each process has its own log, and this is of them all."""
    handler, ours = logging.FileHandler(of.log("house")), logging.getLogger("services.cli")
    handler.setFormatter(telemetry.JsonFormatter("house"))
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        handler.close()


def _require_disk(folder: Path, enough: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < enough:
        raise exits.Ended(
            f"Only {free // 2**20} MB are free where {folder} is, {enough // 2**20} MB are needed. "
            "Free some, or choose another folder with --home."
        )


def rotate_logs(of: house.House) -> None:
    """Keep the logs of the last life, and begin others."""
    for log in (of.folder / "logs").glob("*.log"):
        if log.stem != "supervisor":
            log.replace(log.with_suffix(".log.1"))
