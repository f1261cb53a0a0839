"""Films as work under leases: each claim takes a film as far as it goes now."""

import logging
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from services.compiler import assembly, domain, gauges, leases, store, wire, workshop

log = logging.getLogger(__name__)

_FINAL = (
    domain.ClipUnreadable,
    domain.ClipMissing,
    domain.TrimBeyondClip,
    domain.JoinTooLong,
    domain.FilmNotAsPlanned,
)


class Films:
    """Films that are due."""

    name, title = "cut", "cut film"

    def __init__(self, shop: workshop.Workshop) -> None:
        self._shop = shop

    def headers(self, one: domain.Film) -> Mapping[str, str]:
        """See leases.Kind."""
        return {"traceparent": one.traceparent}

    async def claim(self, conn: AsyncConnection) -> domain.Film | None:
        """See leases.Kind."""
        return await store.claim(conn, self._shop.owner, self._shop.lease_s)

    async def work(self, one: domain.Film, share: leases.Share) -> domain.Film | None:
        """Take the film as far as it goes now."""
        log.info("film_claimed", extra={"film_id": one.id, "attempt": one.attempts})
        if one.attempts > domain.MOST_ATTEMPTS:
            return domain.tried(one, "the compiler died with it.", self._shop.clock())
        return await assembly.step(self._shop, one, share)

    async def renew(self, conn: AsyncConnection, one: domain.Film, share: leases.Share) -> Sequence[Message]:
        """See leases.Kind."""
        await store.renew(conn, one, self._shop.lease_s, share.done)
        if share.done is None or share.done == share.told:
            return []
        share.told = share.done
        return [wire.film_progressed(one, share.done, self._shop.clock())]

    async def save(self, conn: AsyncConnection, after: domain.Film) -> Sequence[Message]:
        """See leases.Kind."""
        await store.save(conn, after)
        gauges.film_moved(conn, after)
        log.info(
            "film_moved", extra={"film_id": after.id, "to": after.state, "fault": after.fault and after.fault.reason}
        )
        return list(filter(None, [wire.news(after)]))

    def missed(self, one: domain.Film, fault: Exception) -> domain.Film:
        """See leases.Kind."""
        now = self._shop.clock()
        if isinstance(fault, _FINAL):
            return domain.failed(one, domain.fault_of(fault), now)
        return domain.tried(one, leases.cause(fault, "cutting_failed", film_id=one.id), now)

    def put_off(self, one: domain.Film, seconds: float) -> domain.Film:
        """See leases.Kind."""
        return domain.put_off(one, seconds, self._shop.clock())
