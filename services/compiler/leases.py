"""Claims work while hands are free, and holds on to each piece of it until it is done, lost or handed back."""

import asyncio
import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import blobs, db, errors, failpoints, outbox, run, telemetry
from services.compiler import store

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
_BEAT_S = 0.5
_FULL_S = 15.0  # until a full disk is looked at again

T = TypeVar("T")


@dataclass
class Share:
    """How much of it is done, 0 to 1, and how much of that has been told; None before that is known."""

    done: float | None = None
    told: float | None = None

    def note(self, done: float) -> None:
        """So much of it is done."""
        self.done = done


class Bell:
    """Rung when something is written down that others of this replica wait for; they look by themselves as well."""

    def __init__(self) -> None:
        self._ears: weakref.WeakSet[asyncio.Event] = weakref.WeakSet()

    def ear(self) -> asyncio.Event:
        """Set by each ring, as long as somebody holds it, who clears it."""
        ear = asyncio.Event()
        self._ears.add(ear)
        return ear

    def ring(self) -> None:
        """It is written down: the transaction is over."""
        for ear in self._ears:
            ear.set()


class Kind(Protocol[T]):
    """A kind of work that lies in the database under leases."""

    name: str
    title: str
    """What spans call the work."""

    def headers(self, one: T) -> Mapping[str, str]:
        """Those of the trace that asked for it."""

    async def claim(self, conn: AsyncConnection) -> T | None:
        """Take what is due."""

    async def work(self, one: T, share: Share) -> T | None:
        """Do it; returns what became of it, or None when that is written down already."""

    async def renew(self, conn: AsyncConnection, one: T, share: Share) -> Sequence[Message]:
        """Hold on to it, and note how far it is; returns what is to be told. Raises LeaseLost."""

    async def save(self, conn: AsyncConnection, after: T) -> Sequence[Message]:
        """Write what became of it, and let go of it; returns what is to be told. Raises LeaseLost."""

    def missed(self, one: T, fault: Exception) -> T:
        """What becomes of it when its work raised this."""

    def put_off(self, one: T, seconds: float) -> T:
        """What becomes of it when it has to wait through no fault of its own."""


def cause(fault: Exception, action: str, **ids: str) -> str:
    """Say in the log that something failed that may pass; returns why, for people."""
    if isinstance(fault, errors.Error):
        log.warning(action, extra=ids | {"reason": fault.reason, "why": str(fault)})
        return str(fault)
    log.error(action, extra=ids, exc_info=fault)
    return f"{type(fault).__name__}."


class Crew(Generic[T]):
    """At most so many at work on one kind; a crash at any line is a lease that runs out.

    It looks for work at once when the bell rings, and rings it when it has done some.
    """

    def __init__(self, database: db.Database, kind: Kind[T], most: int, bell: Bell) -> None:
        self._database, self._kind, self._most = database, kind, most
        self._tasks: set[asyncio.Task[None]] = set()
        self._bell, self._wake = bell, bell.ear()

    async def run(self, stop: asyncio.Event) -> None:
        """A part that works until it is told to stop; then it hands back what it has."""
        await run.every(self._kind.name, _LOOK_EVERY_S, lambda: self.tick(stop), self._wake)(stop)
        await self.idle()

    async def tick(self, stop: asyncio.Event) -> int:
        """Claim one and begin with it; returns how many there were."""
        if len(self._tasks) >= self._most:
            return 0
        async with self._database.house() as conn:
            one = await self._kind.claim(conn)
            failpoints.reach("claim.before_commit")
        if one is None:
            return 0
        failpoints.reach("claim.committed")
        task = asyncio.create_task(self._see_through(one, stop))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return 1

    async def idle(self) -> None:
        """Return once nobody is at work."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._bell.ring()

    async def _see_through(self, one: T, stop: asyncio.Event) -> None:
        """In the trace that asked for it, what is said of it included."""
        with telemetry.span(self._kind.title, self._kind.headers(one)):
            await self._hold(one, stop)

    async def _hold(self, one: T, stop: asyncio.Event) -> None:
        """Do the work while holding on to it; whatever ends this, the worker process ends with it."""
        share = Share()
        working, stopping = asyncio.create_task(self._kind.work(one, share)), asyncio.create_task(stop.wait())
        try:
            while not working.done() and not stopping.done():
                await asyncio.wait([working, stopping], timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    await self._renew(one, share)
            await self._record(self._outcome(one, working))
        except store.LeaseLost:  # another has it, it was called off, or it was given back while it was being renewed
            telemetry.lease_lost(self._kind.name)
            log.info("lease_lost", extra={"kind": self._kind.name})
        except Exception:
            log.exception("lease_dropped", extra={"kind": self._kind.name})  # and claimed again when it runs out
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _renew(self, one: T, share: Share) -> None:
        try:
            async with self._database.house() as conn:
                await outbox.put(conn, *await self._kind.renew(conn, one, share))
                failpoints.reach("lease.renew")
        except errors.Unavailable:
            log.warning("renewal_failed", extra={"kind": self._kind.name})

    def _outcome(self, one: T, working: asyncio.Task[T | None]) -> T | None:
        if not working.done():
            return self._kind.put_off(one, 0)
        try:
            return working.result()
        except store.LeaseLost:
            raise
        except blobs.StorageFull:
            log.warning("storage_full", extra={"kind": self._kind.name})
            return self._kind.put_off(one, _FULL_S)
        except Exception as fault:
            return self._kind.missed(one, fault)

    async def _record(self, after: T | None) -> None:
        """Write down what became of it. What is made is worth waiting for a database that is away."""
        while after is not None:
            try:
                async with self._database.house() as conn:
                    await outbox.put(conn, *await self._kind.save(conn, after))
                    failpoints.reach("record.before_commit")
            except errors.Unavailable:
                log.warning("record_waits", extra={"kind": self._kind.name})
                await asyncio.sleep(_BEAT_S)
            else:
                failpoints.reach("record.committed")
                return
