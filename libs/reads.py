"""Reads rows that many callers ask for at once in one go: a transaction costs ten times what a row does."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db

T = TypeVar("T")

Find = Callable[[AsyncConnection, str, Collection[str]], Awaitable[Mapping[str, T]]]
"""Those of a tenant's rows with these ids that exist, by id: one query, which takes its scope along (`db.in_scope`)."""

_TURNS = 4  # of the event loop, in which those come who are already at the door: the quicker a read, the fewer share it
_IN_A_ROW = 16  # reads of a busy tenant, before its connection goes to whoever waits for one


@dataclass(eq=False)
class _Batch(Generic[T]):
    """Rows of a tenant that are read together."""

    ids: set[str] = field(default_factory=set)
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    found: Mapping[str, T] = field(default_factory=dict)
    fault: Exception | None = None


class Reads(Generic[T]):
    """A tenant's rows by their ids: while one read is under way, or waits for a connection, ids gather for the next;
    nobody waits besides.

    The query begins after each of those it answers has asked: whoever has seen a change committed, reads it.
    """

    def __init__(self, database: db.Database, find: Find[T]) -> None:
        self._database, self._find = database, find
        self._gathering = dict[str, _Batch[T]]()
        self._reading = dict[str, asyncio.Task[None]]()

    async def get(self, tenant_id: str, row_id: str) -> T | None:
        """The row, or None when the tenant has none of this id. Raises DatabaseAway, TextInvalid."""
        if "\0" in row_id:  # the others' read would fail with it
            raise db.TextInvalid
        batch = self._gathering.get(tenant_id)
        if batch is None:
            batch = self._gathering[tenant_id] = _Batch[T]()
        batch.ids.add(row_id)
        if tenant_id not in self._reading:
            self._reading[tenant_id] = asyncio.create_task(self._read(tenant_id))
        await batch.is_read.wait()
        if batch.fault:
            raise batch.fault
        return batch.found.get(row_id)

    async def _read(self, tenant_id: str) -> None:
        """Until nobody asks for any of this tenant's."""
        try:
            while tenant_id in self._gathering:
                await self._read_some(tenant_id)
        finally:
            del self._reading[tenant_id]

    async def _read_some(self, tenant_id: str) -> None:
        batch = self._gathering[tenant_id]
        try:
            async with self._database.glance() as conn:
                for _ in range(_IN_A_ROW):
                    for _ in range(_TURNS):
                        await asyncio.sleep(0)
                    batch = self._gathering.pop(tenant_id)  # who comes now comes too late for this one
                    batch.found = await self._find(conn, tenant_id, batch.ids)
                    batch.is_read.set()
                    if tenant_id not in self._gathering:
                        return
        except Exception as fault:
            if self._gathering.get(tenant_id) is batch:  # there was no connection to be had
                del self._gathering[tenant_id]
            batch.fault = fault
            batch.is_read.set()
