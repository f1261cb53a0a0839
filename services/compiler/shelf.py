"""Keeps clips and pieces at hand on this disk under their digest or address, fetched once, within bounds."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from libs import blobs

Fetch = Callable[[Path], Awaitable[None]]
"""Brings the file to this path, whole, or raises."""

FREE_SHARE = 0.1
"""How much of the disk is left to others by what is kept only to be at hand."""
_LEAST_SHARE = 0.2
"""How much of that is left in any case: with less than this we wait rather than fill the disk."""


class Shelf:
    """A folder of at most so many bytes, and never more than leaves `free_share` of the disk free.

    What was not used for longest goes first, but never what an order uses: its folder links the same file, so that
    to remove it here would free nothing.
    """

    def __init__(self, folder: Path, most_bytes: int, free_share: float = FREE_SHARE) -> None:
        self._folder, self._most, self._free_share = folder, most_bytes, free_share
        self._arriving: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def lay(self, tenant_id: str, name: str, folder: Path, fetch: Fetch) -> None:
        """Put the file of this digest or address into an order's folder. Raises StorageFull, and what `fetch` does."""
        async with self._one_at_a_time(tenant_id, name):
            if not await asyncio.to_thread(_link, self._place(tenant_id, name), folder / name):
                await self._check_room()
                await fetch(folder / name)
                await self.keep(tenant_id, folder / name)

    async def take(self, tenant_id: str, key: str, folder: Path, fetch: Fetch) -> str:
        """Put a file that is known only by its key into an order's folder under its digest; returns the digest."""
        await self._check_room()
        arriving = folder / hashlib.sha256(key.encode()).hexdigest()[:32]
        await fetch(arriving)
        digest = await asyncio.to_thread(_digest_of, arriving)
        async with self._one_at_a_time(tenant_id, digest):  # a file that another replaces cannot be linked
            arriving.replace(folder / digest)
            await self.keep(tenant_id, folder / digest)
        return digest

    async def keep(self, tenant_id: str, path: Path) -> None:
        """Have this file, which is ours, at hand as well under its name; it changes no more."""
        await asyncio.to_thread(self._keep, path, self._place(tenant_id, path.name))

    async def drop(self, tenant_id: str, name: str) -> None:
        """Have it at hand no more: it is to be made, or fetched, anew."""
        async with self._one_at_a_time(tenant_id, name):
            await asyncio.to_thread(self._place(tenant_id, name).unlink, missing_ok=True)

    def _one_at_a_time(self, tenant_id: str, name: str) -> asyncio.Lock:
        return self._arriving.setdefault(self._place(tenant_id, name).name, asyncio.Lock())

    def _place(self, tenant_id: str, name: str) -> Path:
        """Nothing that was made for one tenant is ever laid before another, whatever a worker made of it."""
        return self._folder / f"{hashlib.sha256(tenant_id.encode()).hexdigest()[:16]}-{name}"

    def _keep(self, path: Path, place: Path) -> None:
        with contextlib.suppress(FileExistsError):
            os.link(path, place)
        self._trim()

    def _trim(self) -> None:
        found = sorted(_there(self._folder), key=lambda one: one[0].st_mtime)
        size = sum(status.st_size for status, _ in found)
        disk = shutil.disk_usage(self._folder)
        over = max(size - self._most, int(disk.total * self._free_share) - disk.free)
        for status, path in found:
            if over <= 0:
                return
            if status.st_nlink == 1:
                Path(path).unlink(missing_ok=True)
                over -= status.st_size

    async def _check_room(self) -> None:
        disk = await asyncio.to_thread(shutil.disk_usage, self._folder)
        if disk.free < disk.total * self._free_share * _LEAST_SHARE:
            await asyncio.to_thread(self._trim)
            raise blobs.StorageFull


def _there(folder: Path) -> Iterator[tuple[os.stat_result, str]]:
    """What lies in it, but for what others who make room have just removed."""
    for one in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield one.stat(), one.path


def _link(place: Path, target: Path) -> bool:
    try:
        os.link(place, target)
        os.utime(place)
    except FileNotFoundError:
        return target.exists()
    return True


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
