"""What every verb of the job service has at hand."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
import grpc.aio
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, db, errors
from rushes.job.v1 import job_pb2
from services.job import domain, estimate, follow, lifecycle, measures, store, takes, wire

CALL_S = 10.0
"""How long a neighbour may take to answer."""

log = logging.getLogger(__name__)

Code = grpc.StatusCode
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Desk:
    """Where callers are answered; `storyboards` and `gateway` are the stubs of the neighbours.

    Productions that can cost more than `approve_above_micros` wait for approval; None lets all begin. `draining` ends
    the watches of a server that is going away.
    """

    database: db.Database
    storyboards: Any
    gateway: Any
    clock: Callable[[], datetime]
    approve_above_micros: int | None = None
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    async def snapshot(self, production_id: str) -> tuple[job_pb2.Production, int]:
        """A production with all that is in it, and its version."""
        tenant_id = auth.caller().tenant_id
        # Else a job could change in between, and be told again with the version it changed in.
        async with self.database.tenant(tenant_id, frozen=True) as conn:
            production = await store.get_production(conn, tenant_id, production_id)
            message = await self.whole(conn, production)
        return message, production.version

    async def whole(self, conn: AsyncConnection, production: domain.Production) -> job_pb2.Production:
        """The message of a production with all that is in it."""
        jobs = await store.jobs_of(conn, production)
        slots = (await takes.slots(conn, [production.id])).values()
        cost, now = sum(job.cost_micros or 0 for job in jobs), self.clock()
        measured = await measures.seconds(conn, production.tenant_id, {job.model for job in jobs if not job.ended_at})
        lines = [] if lifecycle.is_held(production) else estimate.lines_of(jobs)
        message = wire.production(production, cost, [wire.job(job, now) for job in jobs], slots)
        message.paces.extend(map(wire.pace, estimate.paces(measured)))
        if found := estimate.left(lines, measured, now):
            message.time_left.CopyFrom(wire.time_left(found))
        return message

    async def time_left(
        self, conn: AsyncConnection, tenant_id: str, lines: Sequence[estimate.Line], now: datetime
    ) -> job_pb2.TimeLeft | None:
        """How long these lines take, as measured before; None while that is not known."""
        models = {step.model for line in lines for step in line}
        found = estimate.left(lines, await measures.seconds(conn, tenant_id, models), now)
        return wire.time_left(found) if found else None

    @contextlib.asynccontextmanager
    async def holding(self, production_id: str) -> AsyncIterator[tuple[AsyncConnection, follow.Held]]:
        """A transaction that holds the production's lock. Raises ProductionNotFound."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            production = await store.lock_production(conn, tenant_id, production_id)
            yield conn, follow.Held(production, self.clock())


def note(action: str, **what: str) -> None:
    """Who did what, for whoever asks at night."""
    someone = auth.caller()
    log.info(action, extra={"tenant_id": someone.tenant_id, "by": someone.subject, **what})


@contextlib.contextmanager
def meaning(told: Mapping[grpc.StatusCode, errors.Error]) -> Iterator[None]:
    """What our caller is told when a neighbour answers with one of these codes."""
    try:
        yield
    except grpc.aio.AioRpcError as fault:
        if error := told.get(fault.code()):
            raise error from fault
        raise
