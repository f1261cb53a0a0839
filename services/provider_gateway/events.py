"""What the gateway does about the facts it hears."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, outbox
from rushes.job.v1.events_pb2 import CancelRequested, ClipRequested
from services.provider_gateway import admission, store, wire


class Events:
    """The handlers."""

    def __init__(self, door: admission.Admission, clock: Callable[[], datetime]) -> None:
        self._door, self._clock = door, clock

    def handlers(self) -> bus.Handlers:
        """What to do about each event."""
        return {ClipRequested: bus.Together(self.on_clips_requested), CancelRequested: self.on_cancel_requested}

    async def on_clips_requested(self, conn: AsyncConnection, heard: Sequence[bus.Heard]) -> None:
        """Reserve the money and write the intents, in this one transaction; or say why not."""
        now = self._clock()
        refusals = await self._door.take(conn, await _unknown(conn, heard))
        said = [
            outbox.Said(wire.order_refused(one.event, error, wire.CURRENCY, now), one.headers)
            for one, error in refusals
        ]
        await outbox.put_all(conn, said)

    async def on_cancel_requested(self, conn: AsyncConnection, event: CancelRequested) -> None:
        """Cancel what has not been sent, and ask the provider to stop the rest; what is paid is finished and kept."""
        now = self._clock()
        await store.note_cancel(conn, event.tenant_id, event.job_id, now)
        await admission.withdraw(conn, event.tenant_id, event.job_id, now)


async def _unknown(conn: AsyncConnection, heard: Sequence[bus.Heard]) -> list[bus.Heard]:
    """The orders that have no submission yet, each once."""
    known = await store.attempts(conn, {event.job_id for event, _ in heard})
    attempts = {(one.event.job_id, one.event.attempt): one for one in heard}
    return [one for attempt, one in attempts.items() if attempt not in known]
