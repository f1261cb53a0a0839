"""Exports as work under leases: text is written from the manifest, all else is made by a worker."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import blobs
from services.compiler import (
    cutter,
    domain,
    export_store,
    exports,
    fetching,
    leases,
    manifest,
    orders,
    recipes,
    store,
    timelines,
    workshop,
)
from services.compiler.exports import Export

log = logging.getLogger(__name__)


class Exports:
    """Exports that are due."""

    name, title = "export", "export film"

    def __init__(self, shop: workshop.Workshop) -> None:
        self._shop = shop

    def headers(self, one: Export) -> Mapping[str, str]:
        """See leases.Kind."""
        return {}

    async def claim(self, conn: AsyncConnection) -> Export | None:
        """See leases.Kind."""
        return await export_store.claim(conn, self._shop.owner, self._shop.lease_s)

    async def work(self, one: Export, share: leases.Share) -> Export:
        """Make the file, and keep it."""
        shop = self._shop
        if one.attempts > domain.MOST_ATTEMPTS:
            return exports.tried(one, "the compiler died with it.", shop.clock())
        async with shop.database.tenant(one.tenant_id) as conn:
            film = await store.get_film(conn, one.tenant_id, one.film_id)
        async with shop.room.order() as folder:
            path = await self._made(film, one, folder, share)
            # A key that only this worker uses: a slower one cannot exchange it later.
            name = f"{one.format.lower()}.{exports.suffix(one.format).rpartition('.')[2]}"
            key = f"t/{one.tenant_id}/films/{one.film_id}/exports/{one.lease_epoch}/{name}"
            kept = await shop.files.put_file(key, path, exports.content_type(one.format))
        media = domain.Media(key, exports.content_type(one.format), kept.size, kept.sha256 or "")
        return exports.completed(one, media, shop.clock())

    async def renew(self, conn: AsyncConnection, one: Export, share: leases.Share) -> Sequence[Message]:
        """See leases.Kind."""
        await export_store.renew(conn, one, self._shop.lease_s, share.done)
        return []

    async def save(self, conn: AsyncConnection, after: Export) -> Sequence[Message]:
        """See leases.Kind."""
        await export_store.save(conn, after)
        log.info("export_moved", extra={"film_id": after.film_id, "format": after.format, "to": after.state})
        return []

    def missed(self, one: Export, fault: Exception) -> Export:
        """See leases.Kind."""
        now = self._shop.clock()
        if isinstance(fault, fetching.FileGone | blobs.BlobMissing | cutter.SourceUnusable):
            return exports.failed(one, domain.fault_of(exports.ExportSourceMissing(film_id=one.film_id)), now)
        return exports.tried(one, leases.cause(fault, "export_failed", film_id=one.film_id), now)

    def put_off(self, one: Export, seconds: float) -> Export:
        """See leases.Kind."""
        return exports.put_off(one, seconds, self._shop.clock())

    async def _made(self, film: domain.Film, one: Export, folder: Path, share: leases.Share) -> Path:
        """Where the file lies. Raises what a worker does, FileGone and BlobMissing."""
        shop, (video, told) = self._shop, exports.files(film)
        path = folder / orders.MANIFEST
        await shop.files.get_file(told.key, path)
        text = await asyncio.to_thread(path.read_text, "utf-8")
        recipe = exports.recipe(one.format, manifest.read(text), text)
        if recipe is None:
            path = folder / one.format
            await asyncio.to_thread(path.write_bytes, timelines.FORMATS[one.format].write(manifest.read(text)).encode())
            return path
        if isinstance(recipe, recipes.Stream):
            await shop.files.get_file(video.key, folder / recipe.source)
        else:
            await shop.fetching.lay(one.tenant_id, recipes.needs(recipe), folder)
        return await shop.made(recipe, folder, share.note)
