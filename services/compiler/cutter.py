"""Starts the worker process for one order, listens to it, and ends it when the work is no longer wanted."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import cast

from libs import errors
from services.compiler import domain, orders

log = logging.getLogger(__name__)

_PYTHON = (sys.executable, "-m", "services.compiler.worker")
_PIPE = asyncio.subprocess.PIPE
_LONGEST_LINE = 1 << 20  # bytes


class WorkerDied(errors.Unavailable):
    """The worker process ended without an answer ({how}); it may have run out of memory."""


class WorkerBroke(errors.Unavailable):
    """The worker could not go on: {cause}."""


class WorkerLate(errors.Unavailable):
    """The worker did not finish within {seconds} seconds."""


class SourceUnusable(Exception):
    """The file of this digest or address cannot be used; the problem ends the sentence "the clip …"."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source} {problem}")
        self.source, self.problem = source, problem


async def run(order: orders.Order, hear: Callable[[orders.Said], None], deadline_s: float) -> None:
    """Have the order filled in a process of its own; cancelling this ends the process. `hear` hears how it goes.

    Raises SourceUnusable and domain.FilmNotAsPlanned, else WorkerDied, WorkerBroke or WorkerLate. The process is
    told nothing of our environment: it reads hostile files.
    """
    process = await asyncio.create_subprocess_exec(
        *_PYTHON, stdin=_PIPE, stdout=_PIPE, limit=_LONGEST_LINE, env=_environment()
    )
    stdin, stdout = cast(asyncio.StreamWriter, process.stdin), cast(asyncio.StreamReader, process.stdout)
    try:
        stdin.write(orders.order_line(order))
        async with asyncio.timeout(deadline_s):
            if not await _listen(stdout, hear):
                raise WorkerDied(how=f"exit code {await process.wait()}")
    except TimeoutError:
        raise WorkerLate(seconds=f"{deadline_s:g}") from None
    finally:
        stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listen(stdout: asyncio.StreamReader, hear: Callable[[orders.Said], None]) -> bool:
    """Whether the worker said that it is done; False when it fell silent before it had."""
    async for line in stdout:
        match orders.read_said(line):
            case orders.Done():
                return True
            case orders.Unusable(source, problem):
                raise SourceUnusable(source, problem)
            case orders.Broken(cause, trace):
                log.error("worker_broke", extra={"cause": cause, "trace": trace})
                raise WorkerBroke(cause=cause)
            case domain.FilmNotAsPlanned() as refusal:
                raise refusal
            case said:
                hear(said)
    return False


def _environment() -> dict[str, str]:
    """The worker imports what we import."""
    return {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
