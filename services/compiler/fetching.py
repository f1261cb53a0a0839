"""Lays the files of an order into its folder: clips and pieces from the shelf, or from the media store."""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from libs import blobs, db, errors
from services.compiler import clip_store, segments, shelf

_AT_ONCE = 4


class FileGone(Exception):
    """The file of this digest or address is in the media store no more."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Fetching:
    """Fetches for every order of a replica, each file once."""

    def __init__(self, database: db.Database, files: blobs.Blobs, kept: shelf.Shelf) -> None:
        self._database, self._files, self._shelf = database, files, kept

    async def lay(self, tenant_id: str, needs: Sequence[str], folder: Path) -> None:
        """Put these files into the folder, under their digests and addresses. Raises FileGone, blobs.StorageFull."""
        async with self._database.tenant(tenant_id) as conn:
            clips = await clip_store.keys(conn, tenant_id, needs)
        few = asyncio.Semaphore(_AT_ONCE)

        async def lay(name: str) -> None:
            keys = clips.get(name, [segments.key(tenant_id, name)])
            async with few:
                await self._shelf.lay(tenant_id, name, folder, lambda path: self._first(name, keys, path))

        await _all(lay(name) for name in needs)

    async def take(self, tenant_id: str, keys: Sequence[str], folder: Path) -> dict[str, str]:
        """Put clips that are known by their keys alone into the folder; their digests. Raises FileGone."""
        few = asyncio.Semaphore(_AT_ONCE)

        async def take(key: str) -> str:
            async with few:
                return await self._shelf.take(tenant_id, key, folder, lambda path: self._first(key, [key], path))

        return dict(zip(keys, await _all(take(key) for key in keys), strict=True))

    async def _first(self, name: str, keys: Collection[str], path: Path) -> None:
        """The first of these that is there: the same bytes may lie under many keys."""
        for key in keys:
            try:
                return await self._files.get_file(key, path)
            except (blobs.BlobMissing, errors.Invalid):
                continue
        raise FileGone(name)


T = TypeVar("T")


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each gives; when one fails the others are ended before anybody hears of it."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
