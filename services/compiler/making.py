"""Makes one piece of films in a folder of its own: fetches what it needs, has it made, and keeps it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import failpoints
from services.compiler import (
    cutter,
    domain,
    fetching,
    gauges,
    leases,
    recipes,
    segment_store,
    segments,
    wire,
    workshop,
)
from services.compiler.segments import Segment

_CONTENT_TYPE = "application/octet-stream"  # nobody but us reads pieces


class Pieces:
    """The pieces that films wait for, as work under leases."""

    name, title = "make", "make piece"

    def __init__(self, shop: workshop.Workshop) -> None:
        self._shop = shop

    def headers(self, one: Segment) -> Mapping[str, str]:
        """See leases.Kind."""
        return {"traceparent": one.traceparent}

    async def claim(self, conn: AsyncConnection) -> Segment | None:
        """See leases.Kind."""
        return await segment_store.claim(conn, self._shop.owner, self._shop.lease_s)

    async def work(self, one: Segment, share: leases.Share) -> Segment:
        """Make the piece."""
        if one.attempts > domain.MOST_ATTEMPTS:
            return segments.tried(one, "the compiler died with it.", self._shop.clock())
        try:
            return await self._made(one, share)
        except fetching.FileGone as gone:
            return await self._without(one, gone.name)

    async def renew(self, conn: AsyncConnection, one: Segment, share: leases.Share) -> Sequence[Message]:
        """See leases.Kind."""
        moved = await segment_store.renew(conn, one, self._shop.lease_s, share.done or 0.0)
        return _news(moved, self._shop.clock())

    async def save(self, conn: AsyncConnection, after: Segment) -> Sequence[Message]:
        """See leases.Kind."""
        moved = await segment_store.save(conn, after)
        gauges.piece_moved(conn, after)
        return _news(moved, self._shop.clock())

    def missed(self, one: Segment, fault: Exception) -> Segment:
        """See leases.Kind."""
        if isinstance(fault, cutter.SourceUnusable):
            facts = {"source": fault.source, "problem": fault.problem}
            return segments.failed(one, domain.Fault(segments.SOURCE_UNUSABLE, str(fault), facts))
        if isinstance(fault, domain.FilmNotAsPlanned):
            return segments.failed(one, domain.fault_of(fault))
        return segments.tried(one, leases.cause(fault, "making_failed", address=one.address), self._shop.clock())

    def put_off(self, one: Segment, seconds: float) -> Segment:
        """See leases.Kind."""
        return segments.put_off(one, seconds, self._shop.clock())

    async def _made(self, one: Segment, share: leases.Share) -> Segment:
        shop, recipe = self._shop, recipes.read(one.recipe)
        async with shop.room.order() as folder:
            await shop.fetching.lay(one.tenant_id, one.needs, folder)
            failpoints.reach("piece.laid")
            began = shop.clock()
            path = await shop.made(recipe, folder, share.note)
            failpoints.reach("piece.made")
            kept = await shop.files.put_file(one.key, path, _CONTENT_TYPE)
            failpoints.reach("piece.kept")
            await shop.shelf.keep(one.tenant_id, path)
        return segments.made(one, kept.size, (shop.clock() - began).total_seconds(), shop.clock())

    async def _without(self, one: Segment, name: str) -> Segment:
        """What it needs is gone: a piece of ours is made again, a clip is not."""
        async with self._shop.database.house() as conn:
            is_ours = await segment_store.lose(conn, one.tenant_id, name)
        if is_ours:
            return segments.tried(one, "a piece that it needs was gone.", self._shop.clock())
        return segments.failed(one, domain.Fault(segments.SOURCE_MISSING, f"{name} is gone", {"source": name}))


def _news(moved: Sequence[domain.Film], now: datetime) -> list[Message]:
    return [wire.film_progressed(film, film.progress or 0.0, now) for film in moved]
