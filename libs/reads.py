"""Reads rows that many callers ask for at once in one go: a transaction costs ten times what a row does."""

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db

T = TypeVar("T")

Find = Callable[[AsyncConnection, str, Collection[str]], Awaitable[Mapping[str, T]]]
"""Those of a tenant's rows with these ids that exist, by id."""

# Turns of the event loop, of some microseconds each when nobody comes. gRPC lets one call in at a turn, which needs a
# few more to ask: a read that did not wait for those at the door would be shared by few, by fewer the quicker it is.
_STILL, _MOST = 64, 128


@dataclass(eq=False)
class _Batch(Generic[T]):
    """Rows of a tenant that are read together."""

    ids: set[str] = field(default_factory=set)
    asked: int = 0
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    found: Mapping[str, T] = field(default_factory=dict)
    fault: Exception | None = None
    reading: asyncio.Task[None] | None = None

    async def gather(self) -> None:
        """Let in who is at the door, where one is not alone: until nobody has come for some turns."""
        asked = came = 0
        for turn in range(_MOST):
            if self.asked > asked:
                asked, came = self.asked, turn
            if asked == 1 or turn - came == _STILL:
                return
            await asyncio.sleep(0)


class Reads(Generic[T]):
    """A tenant's rows by their ids: while one read is under way, and the next one's transaction is being opened, ids
    gather for it. One alone never waits besides; a crowd does for a fraction of a millisecond.

    The query begins after each of those it answers has asked: whoever has seen a change committed, reads it.
    """

    def __init__(self, database: db.Database, find: Find[T]) -> None:
        self._database, self._find = database, find
        self._gathering = dict[str, _Batch[T]]()
        self._turns = weakref.WeakValueDictionary[str, asyncio.Lock]()

    async def get(self, tenant_id: str, row_id: str) -> T | None:
        """The row, or None when the tenant has none of this id. Raises DatabaseAway, TextInvalid."""
        if "\0" in row_id:  # the others' read would fail with it
            raise db.TextInvalid
        batch = self._gathering.get(tenant_id) or self._begin(tenant_id)
        batch.ids.add(row_id)
        batch.asked += 1
        await batch.is_read.wait()
        if batch.fault:
            raise batch.fault
        return batch.found.get(row_id)

    def _begin(self, tenant_id: str) -> _Batch[T]:
        batch = self._gathering[tenant_id] = _Batch[T]()
        batch.reading = asyncio.create_task(self._read(tenant_id, batch))
        return batch

    async def _read(self, tenant_id: str, batch: _Batch[T]) -> None:
        turn = self._turns.setdefault(tenant_id, asyncio.Lock())
        try:
            async with turn, contextlib.AsyncExitStack() as stack:
                try:
                    conn = await stack.enter_async_context(self._database.tenant(tenant_id))
                    await batch.gather()
                finally:  # who comes now comes too late for this one
                    del self._gathering[tenant_id]
                batch.found = await self._find(conn, tenant_id, batch.ids)
                batch.is_read.set()
        except Exception as fault:
            batch.fault = fault
        finally:
            batch.is_read.set()
