"""Reads rows that many callers ask for at once in one go: a transaction costs ten times what a row does."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db

T = TypeVar("T")

Find = Callable[[AsyncConnection, str, Collection[str]], Awaitable[Mapping[str, T]]]
"""Those of a tenant's rows with these ids that exist, by id."""


class Reads(Generic[T]):
    """A tenant's rows by their ids: while a transaction is being opened, ids gather for it; nobody waits besides.

    The query begins after each of those it answers has asked: whoever has seen a change committed, reads it.
    """

    def __init__(self, database: db.Database, find: Find[T]) -> None:
        self._database, self._find = database, find
        self._gathering = dict[str, tuple[set[str], asyncio.Task[Mapping[str, T]]]]()

    async def get(self, tenant_id: str, row_id: str) -> T | None:
        """The row, or None when the tenant has none of this id. Raises DatabaseAway, TextInvalid."""
        if "\0" in row_id:  # the others' read would fail with it
            raise db.TextInvalid
        ids, reading = self._gathering.get(tenant_id) or self._begin(tenant_id)
        ids.add(row_id)
        # Shielded: one of them who leaves does not take the others' read along.
        return (await asyncio.shield(reading)).get(row_id)

    def _begin(self, tenant_id: str) -> tuple[set[str], asyncio.Task[Mapping[str, T]]]:
        ids = set[str]()
        begun = self._gathering[tenant_id] = ids, asyncio.create_task(self._read(tenant_id, ids))
        return begun

    async def _read(self, tenant_id: str, ids: Collection[str]) -> Mapping[str, T]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                conn = await stack.enter_async_context(self._database.tenant(tenant_id))
            finally:  # who comes now comes too late for this one
                del self._gathering[tenant_id]
            return await self._find(conn, tenant_id, ids)
