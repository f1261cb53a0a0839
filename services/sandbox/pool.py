"""Worker processes that render, so that the event loop never does."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path

from services.sandbox import domain, render

log = logging.getLogger(__name__)

WORKERS = 2
_ATTEMPTS = 3


class Pool:
    """Two processes, started when first needed, replaced when one dies, and never outliving this one."""

    def __init__(self, references: Path, reels: Path) -> None:
        """The folders of the images that clips open on, and of the finished clips."""
        self._folders = references, reels
        self._executor = _executor()

    async def develop(self, name: str, order: domain.Order) -> domain.Footage:
        """Render the order. Raises BrokenProcessPool when workers die on it three times."""
        loop = asyncio.get_running_loop()
        for attempt in range(1, _ATTEMPTS + 1):
            executor = self._executor
            try:
                return await loop.run_in_executor(executor, render.render, order, name, *self._folders)
            except BrokenProcessPool:
                log.warning("render_worker_died", extra={"clip_id": name, "attempt": attempt})
                if attempt == _ATTEMPTS:
                    raise
                if executor is self._executor:
                    self._executor = _executor()
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Take no more; a worker ends after the clip in its hands."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _executor() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), _settle_in)


def _settle_in() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        connection.wait([parent.sentinel])
        os._exit(0)
