"""Gives back the room of pieces that nothing has used for long, or that are more than a tenant may keep."""

from datetime import timedelta

from libs import failpoints
from services.compiler import segment_store, segments, workshop

_AT_ONCE = 100


class Eviction:
    """A piece is kept for so long after its last use, and no more than so many bytes of each tenant."""

    def __init__(self, shop: workshop.Workshop, kept: timedelta, most_bytes: int) -> None:
        self._shop, self._kept, self._most = shop, kept, most_bytes

    async def tick(self) -> int:
        """Evict some; returns how many. None that a film needs which is not over."""
        async with self._shop.database.house() as conn:
            found = await segment_store.stale(conn, self._kept, self._most, _AT_ONCE)
        return sum([await self._evict(one) for one in found])

    async def _evict(self, one: segment_store.Stale) -> bool:
        """The row is locked while its file goes: who wants the piece meanwhile waits, and finds that there is none.

        A crash between the two leaves a row without its file, which is found when it is fetched, and made again.
        """
        async with self._shop.database.house() as conn:
            goes = await segment_store.evict(conn, one)
            if goes:
                await self._shop.files.delete(segments.key(one.tenant_id, one.address))
                failpoints.reach("evict.before_commit")
        return goes
