"""Tells those who watch a production that it has changed: one look for all of them."""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Any, TypeVar

from libs import db, errors
from services.job import changes

Read = TypeVar("Read")


class Feed:
    """Tells watchers that a production has changed: one query for all of them, however many there are."""

    def __init__(self, database: db.Database, look_every_s: float) -> None:
        self._database, self._look_every_s = database, look_every_s
        self._followed: Counter[str] = Counter()
        self._versions: dict[str, int] = {}
        self._turn = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._reads: dict[str, dict[Hashable, asyncio.Task[Any]]] = {}

    @contextlib.contextmanager
    def following(self, production_id: str) -> Iterator[None]:
        """Look for its changes meanwhile."""
        self._followed[production_id] += 1
        try:
            yield
        finally:
            self._followed[production_id] -= 1
            if not self._followed[production_id]:
                del self._followed[production_id]
                self._versions.pop(production_id, None)
                self._reads.pop(production_id, None)  # nobody would see that it changes

    async def newer(self, production_id: str, version: int) -> None:
        """Return once it has a newer version than this."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        while self._versions.get(production_id, version) <= version:
            await self._turn.wait()

    async def shared(self, production_id: str, what: Hashable, read: Callable[[], Awaitable[Read]]) -> Read:
        """Read it once for all who follow the production and ask for the same before anything changes again."""
        reads = self._reads.setdefault(production_id, {})
        if what not in reads:
            task = reads[what] = asyncio.ensure_future(read())
            task.add_done_callback(functools.partial(_forget_failure, reads, what))
        # A watcher that leaves must not end the reading of the others.
        found: Read = await asyncio.shield(reads[what])
        return found

    async def _look(self) -> None:
        while self._followed:
            with contextlib.suppress(errors.Unavailable):
                await self._look_once()
            await asyncio.sleep(self._look_every_s)
        self._reads.clear()

    async def _look_once(self) -> None:
        async with self._database.house() as conn:
            found = await changes.versions(conn, list(self._followed))
        if any(self._versions.get(one) != version for one, version in found.items()):
            self._versions |= found
            self._reads.clear()
            turn, self._turn = self._turn, asyncio.Event()
            turn.set()


def _forget_failure(reads: dict[Hashable, asyncio.Task[Any]], what: Hashable, task: asyncio.Task[Any]) -> None:
    if task.cancelled() or task.exception():
        reads.pop(what, None)
