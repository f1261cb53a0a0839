"""What runs in a house: the supervisor's word on each process, and each one's own answer this moment."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import rich.table

from services.cli import health, house


@dataclasses.dataclass(frozen=True)
class Row:
    """One process; `healthy` is its own answer, `uptime_s` counts from its last start."""

    name: str
    pid: int | None
    address: str
    healthy: bool
    uptime_s: float
    restarts: int
    trouble: str


async def probe(of: house.House, name: str) -> bool:
    """Ask one process of the house whether it is healthy."""
    if name in house.HTTP_SERVICES:
        return await health.answers(f"http://{of.address(name)}/healthz")
    if name in house.SERVICES:
        return await health.serving(of.address(name))
    # Here, for where the command is alone neither can be loaded, nor is either there.
    from services.cli import nats, postgres

    if name == "nats":
        return await nats.healthy(of)
    return await postgres.healthy(of)


async def rows(of: house.House, processes: Sequence[Mapping[str, Any]]) -> Sequence[Row]:
    """Every process of a house that runs, as `state.State` has them."""
    answers = await asyncio.gather(*(probe(of, process["name"]) for process in processes))
    return [
        Row(
            name=process["name"],
            pid=process["pid"],
            address=process["address"],
            healthy=answer,
            uptime_s=time.time() - process["since"] if process["pid"] else 0.0,
            restarts=process["restarts"],
            trouble=process["trouble"],
        )
        for process, answer in zip(processes, answers, strict=True)
    ]


def table(of: Sequence[Row]) -> rich.table.Table:
    """For a person."""
    drawn = rich.table.Table(box=None, pad_edge=False)
    for title in ("process", "pid", "address", "health", "uptime", "restarts"):
        drawn.add_column(title, justify="right" if title in ("pid", "uptime", "restarts") else "left", no_wrap=True)
    for row in of:
        healthy = "healthy" if row.healthy else "not healthy"
        drawn.add_row(row.name, str(row.pid or "-"), row.address, healthy, _lasting(row.uptime_s), str(row.restarts))
    return drawn


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
