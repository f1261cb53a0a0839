"""Has orders filled by worker processes, as many at once as there is room for, and ends those no longer wanted."""

import asyncio
import contextlib
import errno
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable

from libs import blobs, errors, failpoints
from services.compiler import domain, orders

log = logging.getLogger(__name__)

_PYTHON = (sys.executable, "-m", "services.compiler.zygote")
_LONGEST_LINE = 1 << 20  # bytes
_SIGNALS = {
    f"-{signal.SIGKILL:d}": "it was killed, by hand or because memory ran out",
    f"-{signal.SIGXCPU:d}": "its processor time was used up",
    f"-{signal.SIGXFSZ:d}": "its file grew larger than is allowed",
    f"-{signal.SIGSYS:d}": "it called what the jail does not let it call",
    **{f"-{crash:d}": f"it crashed ({crash.name})" for crash in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)},
}
_FULL = {os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)}


class WorkerDied(errors.Unavailable):
    """The worker process ended without an answer: {how}."""


class WorkerBroke(errors.Unavailable):
    """The worker could not go on: {cause}."""


class WorkerLate(errors.Unavailable):
    """The worker did not finish within {seconds} seconds."""


class SourceUnusable(Exception):
    """The file of this digest or address cannot be used; the problem ends the sentence "the clip …"."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source} {problem}")
        self.source, self.problem = source, problem


class Cutter:
    """At most so many workers at once, and no more of them than fit into this memory, in bytes."""

    def __init__(self, most: int, memory: int) -> None:
        self._most, self._memory = most, memory
        self._busy, self._taken = 0, 0
        self._freed = asyncio.Condition()
        self._zygote = _Zygote()

    async def run(
        self, order: orders.Order, hear: Callable[[orders.Said], None], deadline_s: float, memory: int = 0
    ) -> None:
        """Have the order filled in a process of its own; cancelling this ends the process. `hear` hears how it goes.

        It waits until `memory` bytes are free for it, or nothing else runs; the deadline counts from then on. Raises
        SourceUnusable, domain.FilmNotAsPlanned and blobs.StorageFull, else WorkerDied, WorkerBroke or WorkerLate.
        """
        async with self._room(memory), self._zygote.worker() as (talk, leash):
            failpoints.reach("worker.forked")
            try:
                async with asyncio.timeout(deadline_s):
                    talk[1].write(orders.order_line(order))
                    await _seen_through(talk[0], leash[0], hear)
            except TimeoutError:
                raise WorkerLate(seconds=f"{deadline_s:g}") from None

    async def begin(self) -> None:
        """Have ready what workers come from, before the first is wanted."""
        await self._zygote.started()

    async def close(self) -> None:
        """End every worker, and what they come from."""
        await self._zygote.close()

    @contextlib.asynccontextmanager
    async def _room(self, memory: int) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._fits(memory))
            self._busy, self._taken = self._busy + 1, self._taken + memory
        try:
            yield
        finally:
            self._busy, self._taken = self._busy - 1, self._taken - memory
            async with self._freed:
                self._freed.notify_all()

    def _fits(self, memory: int) -> bool:
        return self._busy < self._most and (not self._busy or self._taken + memory <= self._memory)


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Zygote:
    """The process that workers are forked from, started when it is first needed and again when it has died.

    It is told nothing of our environment: its children read hostile files.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[tuple[Line, Line]]:
        """A new worker: the line to it, and its leash, which says at the end how it ended. It is killed on leaving."""
        async with contextlib.AsyncExitStack() as stack:
            talk, theirs = await _line(stack)
            end, held = await _line(stack)
            with theirs, held:
                await self._fork([theirs.fileno(), held.fileno()])
            try:
                yield talk, end
            finally:
                end[1].write_eof()  # which kills it
                talk[1].close()
                with contextlib.suppress(OSError):
                    await asyncio.shield(end[0].read())  # its end: until then it may still write into its folder

    async def close(self) -> None:
        """End it, and all that came from it."""
        if self._process and self._control:
            self._control.close()
            await self._process.wait()
            self._process = self._control = None

    async def _fork(self, lines: list[int]) -> None:
        """Have a worker forked that holds these; that all have died may be learned only now. Raises WorkerDied."""
        for _ in range(2):
            try:
                socket.send_fds(await self.started(), [b"+"], lines)
                return
            except OSError:
                if self._process:
                    await self._process.wait()
        raise WorkerDied(how="it could not begin")

    async def started(self) -> socket.socket:
        """Its ear, once there is a process; that may still be beginning."""
        async with self._starting:
            if self._control and self._process and self._process.returncode is None:
                return self._control
            if self._control:
                log.warning("workers_start_again")
                self._control.close()
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *_PYTHON,
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,
                )
            return self._control


async def _line(stack: contextlib.AsyncExitStack) -> tuple[Line, socket.socket]:
    """A line, and what is to be held at its other end; both are closed with the stack."""
    ours, theirs = socket.socketpair()
    stack.callback(theirs.close)
    try:
        line = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
    except BaseException:
        ours.close()
        raise
    stack.callback(line[1].close)
    return line, theirs


async def _seen_through(
    said: asyncio.StreamReader, leash: asyncio.StreamReader, hear: Callable[[orders.Said], None]
) -> None:
    """Listen until the worker is done, or gone. Raises what it says, and WorkerDied."""
    listening, end = asyncio.create_task(_listen(said, hear)), asyncio.create_task(leash.read())
    try:
        await asyncio.wait([listening, end], return_when=asyncio.FIRST_COMPLETED)
        if end.done() and not end.result():
            raise WorkerDied(how="all workers ended at once")
        if not await listening:
            raise WorkerDied(how=_ended((await end).decode()))
    finally:
        listening.cancel()
        end.cancel()
        await asyncio.wait([listening, end])


def _ended(code: str) -> str:
    return _SIGNALS.get(code) or f"exit code {code or 'unknown'}"


async def _listen(said: asyncio.StreamReader, hear: Callable[[orders.Said], None]) -> bool:
    """Whether the worker said that it is done; False when it fell silent before it had."""
    with contextlib.suppress(ConnectionError):
        async for line in said:
            match orders.read_said(line):
                case orders.Done():
                    return True
                case orders.Unguarded(missing):
                    _tell_once(missing)
                case orders.Unusable(source, problem):
                    raise SourceUnusable(source, problem)
                case orders.Broken(cause, _) if cause in _FULL:
                    raise blobs.StorageFull
                case orders.Broken(cause, trace):
                    log.error("worker_broke", extra={"cause": cause, "trace": trace})
                    raise WorkerBroke(cause=cause)
                case domain.FilmNotAsPlanned() as refusal:
                    raise refusal
                case other:
                    hear(other)
    return False


@functools.cache
def _tell_once(missing: tuple[str, ...]) -> None:
    """The same is missing for every worker."""
    log.warning("jail_not_whole", extra={"missing": ", ".join(missing)})


def _environment() -> dict[str, str]:
    """The workers import what we import; one thread is enough for numpy, and threads do not outlive a fork."""
    return {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "OPENBLAS_NUM_THREADS": "1"}
