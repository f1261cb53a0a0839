"""Takes single pictures of clips for callers: each is taken once, and lies under the address of its recipe."""

import asyncio
import hashlib
from pathlib import Path

from libs import blobs, errors
from services.compiler import cutter, domain, fetching, recipes, workshop

DEADLINES_S = {"ExtractStill": 60.0}
"""A still waits for a worker like all else."""


class StillSourceMissing(errors.NotFound):
    """There is no clip {key}; name one that is stored."""


class StillSourceUnreadable(errors.Conflict):
    """The clip {key} {problem}; take the picture from another."""


class Stills:
    """The stills of one replica."""

    def __init__(self, shop: workshop.Workshop) -> None:
        self._shop = shop

    async def take(self, tenant_id: str, clip_key: str, wanted: recipes.Still) -> domain.Media:
        """The picture of this clip, as it is stored. Raises StillSourceMissing and StillSourceUnreadable."""
        kind, content_type = ("jpg", "image/jpeg") if wanted.longest else ("png", "image/png")
        key = f"t/{tenant_id}/stills/{recipes.address(wanted)}.{kind}"
        async with self._shop.room.order() as folder:
            path = folder / "still"
            try:
                await self._shop.files.get_file(key, path)
            except blobs.BlobMissing:
                path = await self._made(tenant_id, clip_key, wanted, folder)
                await self._shop.files.put_file(key, path, content_type)
            return domain.Media(key, content_type, *await asyncio.to_thread(_facts, path))

    async def _made(self, tenant_id: str, clip_key: str, wanted: recipes.Still, folder: Path) -> Path:
        shop = self._shop
        try:
            found = await shop.fetching.take(tenant_id, [clip_key], folder)
        except fetching.FileGone as gone:
            raise StillSourceMissing(key=clip_key) from gone
        if found[clip_key] != wanted.source:
            raise StillSourceUnreadable(key=clip_key, problem="is not the file of that sha256")
        try:
            return await shop.made(wanted, folder, lambda done: None)
        except cutter.SourceUnusable as fault:
            raise StillSourceUnreadable(key=clip_key, problem=fault.problem) from fault


def _facts(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
