"""The gateway's moving parts, put together: what buys, what lets in, and what keeps watch."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from libs import backlog, bus, db, dead_letters, operating, rpc, run, settings
from services.provider_gateway import (
    admission,
    callbacks,
    catalogue,
    census,
    fetch,
    gauges,
    keyring,
    memory,
    rescue,
    stakes,
    steps,
    stuck,
    ticks,
    traffic,
)

_ADMIT_EVERY_S, _SHARE_EVERY_S, _PROBE_EVERY_S, _TEND_EVERY_S, _RESCUE_EVERY_S = 1.0, 1.0, 1.0, 60.0, 15.0
_LOOK_BACK_EVERY_S, _MEASURE_EVERY_S = 1.0, 15.0
_CENSUS_EVERY_S = _SWEEP_EVERY_S = 3600.0


def operated(database: db.Database, told: settings.Service) -> operating.Means:
    """What operators may ask of this process."""
    return operating.Means("provider_gateway", database, told, stuck.of)


@dataclass(frozen=True)
class Means:
    """What the parts work with."""

    database: db.Database
    offer: catalogue.Catalogue
    keys: keyring.Keyring
    fetcher: fetch.Fetcher
    addresses: callbacks.Addresses
    clock: Callable[[], datetime]


class Works:
    """The parts; `owner` is a name that no process, not even this one's next life, shares."""

    def __init__(self, means: Means, owner: str, lease_s: float, most: int) -> None:
        self._means = means
        self.gates = traffic.Traffic(means.database, means.offer, means.keys, means.clock)
        self.admission = admission.Admission(means.offer, means.keys, means.clock)
        taking = steps.Steps(
            means.database, means.offer, means.keys, means.fetcher, means.addresses, self.gates, means.clock
        )
        self.census = census.Census(means.database, means.offer, means.keys, means.clock)
        self.rescue = rescue.Watch(means.database, means.clock)
        self.gauges = gauges.Gauges(means.database, means.offer)
        self.driver = ticks.Driver(means.database, taking, means.keys, self.gates, means.clock, owner, lease_s, most)

    def letters(self, heard: bus.Handlers) -> rpc.Servicer:
        """What these handlers could not handle, seen from outside."""
        return dead_letters.servicer(self._means.database, heard, stakes.of)

    def parts(self) -> Mapping[str, run.Part]:
        """Everything that time moves."""
        return {
            "drive": self.driver.run,
            "memory": run.every("memory", _LOOK_BACK_EVERY_S, memory.Memory(self._means.database).look),
            "admit": run.every("admit", _ADMIT_EVERY_S, self.admit),
            "share": run.every("share", _SHARE_EVERY_S, self.gates.share),
            "probe": run.every("probe", _PROBE_EVERY_S, self.gates.probe),
            "credentials": run.every("credentials", _TEND_EVERY_S, self._means.keys.tend),
            "census": run.every("census", _CENSUS_EVERY_S, self.census.take),
            "rescue": run.every("rescue", _RESCUE_EVERY_S, self.rescue.look),
            "measure": run.every("measure", _MEASURE_EVERY_S, self.gauges.look),
            "backlog": backlog.watch(self._means.database),
            "sweep": run.every("sweep", _SWEEP_EVERY_S, self.sweep),
        }

    async def admit(self) -> int:
        """Let in what has waited for money or a switch."""
        admitted = await self.admission.let_in(self._means.database)
        if admitted:
            self.driver.due.set()
        return admitted

    async def sweep(self) -> int:
        """Forget what nobody needs any more; 0, so that it can be a loop's tick."""
        async with self._means.database.house() as conn:
            await callbacks.sweep(conn, self._means.clock())
        return 0

    async def close(self) -> None:
        """Give connections and scratch space back."""
        await asyncio.gather(self._means.keys.close(), self._means.fetcher.close(), self._means.database.close())
