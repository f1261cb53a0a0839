"""What the compiler does as time passes: films are brought forward, pieces and exports made, and old pieces evicted."""

import asyncio
from datetime import timedelta

from libs import backlog, run
from services.compiler import domain, eviction, exporting, exports, filming, gauges, leases, making, segments, workshop

_EVICT_EVERY_S, _MEASURE_EVERY_S = 60.0, 15.0


class Compiling:
    """The work of one replica, at most so many films and so many pieces at once."""

    def __init__(self, shop: workshop.Workshop, most: int, kept: timedelta, most_bytes: int) -> None:
        self.shop = shop
        self.films = leases.Crew[domain.Film](shop.database, filming.Films(shop), most, shop.bell)
        self.pieces = leases.Crew[segments.Segment](shop.database, making.Pieces(shop), most, shop.bell)
        self.exports = leases.Crew[exports.Export](shop.database, exporting.Exports(shop), most, shop.bell)
        self._eviction = eviction.Eviction(shop, kept, most_bytes)
        self._gauges = gauges.Gauges(shop.database)

    async def run(self, stop: asyncio.Event) -> None:
        """A part that works until it is told to stop; then it hands back what it has, and ends its workers."""
        parts = [
            self.films.run,
            self.pieces.run,
            self.exports.run,
            run.every("evict", _EVICT_EVERY_S, self.evict),
            run.every("measure", _MEASURE_EVERY_S, self._gauges.look),
            backlog.watch(self.shop.database),
        ]
        try:
            await self.shop.cutter.begin()
            await asyncio.gather(*(part(stop) for part in parts))
        finally:
            await self.shop.close()

    async def evict(self) -> int:
        """Evict some pieces; returns how many."""
        return await self._eviction.tick()
