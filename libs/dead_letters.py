"""DeadLetterService: shows the events that a service could not handle, and has them handled again, or discarded."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import grpc.aio
import sqlalchemy as sa
from google.protobuf import descriptor, message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, bus, db, errors, moments, outbox, paging, rpc
from rushes.ops.v1 import dead_letter_service_pb2 as pb
from rushes.ops.v1 import dead_letter_service_pb2_grpc
from rushes.type.v1 import money_pb2

log = logging.getLogger(__name__)

OPERATOR = "operator"
"""The role of those who look after the whole house."""

_LETTERS = outbox.DEAD_LETTERS
_NOTE_CHARACTERS = 500
_NUMBERS = {descriptor.FieldDescriptor.CPPTYPE_INT32, descriptor.FieldDescriptor.CPPTYPE_INT64}
Context = grpc.aio.ServicerContext[Any, Any]


class DeadLetterNotFound(errors.NotFound):
    """There is no dead letter of the event {event_id} here."""


class DeadLetterDiscarded(errors.Conflict):
    """The event {event_id} was discarded, and never counts."""


class DeadLetterHandled(errors.Conflict):
    """The event {event_id} was handled, and cannot be discarded any more."""


class Stake(NamedTuple):
    """Money, in micros of a currency."""

    currency: str
    micros: int


Stakes = Callable[[AsyncConnection, message.Message], Awaitable[Stake | None]]
"""The most that hangs on an event, as a service's own books have it; None when nothing does."""


async def nothing(conn: AsyncConnection, event: message.Message) -> Stake | None:
    """The stakes of a service that spends nothing."""
    return None


class Letter(NamedTuple):
    """A row; `id` is the event's."""

    id: str
    subject: str
    payload: bytes
    headers: dict[str, str]
    reason: str
    attempts: int
    died_at: datetime
    tenant_id: str
    place: str
    state: str
    settled_at: datetime | None
    settled_by: str
    note: str

    @property
    def event(self) -> outbox.Event:
        """As it came in, or was to go out."""
        return outbox.Event(self.id, self.subject, self.payload, self.headers)


def servicer(database: db.Database, handlers: bus.Handlers, stakes: Stakes = nothing) -> rpc.Servicer:
    """The service, for the events that these handlers hear."""
    add = dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server
    return rpc.Servicer(add, DeadLetterApi(database, handlers, stakes), "rushes.ops.v1.DeadLetterService")


@dataclass(frozen=True)
class DeadLetterApi(dead_letter_service_pb2_grpc.DeadLetterServiceServicer):
    """Answers callers for one service."""

    database: db.Database
    handlers: bus.Handlers
    stakes: Stakes = nothing

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        """Newest event first."""
        page = paging.by_id(request.page_size, request.page_token, f"letters {request.state} {request.event_type}")
        state = pb.DeadLetter.State.Name(request.state or pb.DeadLetter.STATE_DEAD).removeprefix("STATE_")
        query = sa.select(_LETTERS).where(_LETTERS.c.state == state, _own())
        if request.event_type:
            query = query.where(_LETTERS.c.subject == request.event_type)
        if page.below:
            query = query.where(_LETTERS.c.event_id < page.below)
        async with self.database.house() as conn:
            rows = await conn.execute(query.order_by(_LETTERS.c.event_id.desc()).limit(page.most))
            shown, more = page.cut([Letter(*row) for row in rows])
            found = [await self._message(conn, letter) for letter in shown]
        return pb.ListDeadLettersResponse(dead_letters=found, next_page_token=more)

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Context) -> pb.GetDeadLetterResponse:
        """One letter."""
        return pb.GetDeadLetterResponse(dead_letter=await self._shown(request.event_id))

    async def RetryDeadLetter(self, request: pb.RetryDeadLetterRequest, context: Context) -> pb.RetryDeadLetterResponse:
        """The handler, the inbox and the letter in one transaction; what fails is written down in another."""
        try:
            async with self.database.house() as conn:
                letter = await _locked(conn, request.event_id)
                if letter.state == "DISCARDED":
                    raise DeadLetterDiscarded(event_id=letter.id)
                if letter.state == "DEAD":
                    await bus.handle_again(conn, self.handlers, letter.event)
                    await _settle(conn, letter, "HANDLED", "")
        except (DeadLetterNotFound, DeadLetterDiscarded, errors.Unavailable):
            raise
        except Exception as fault:
            await self._failed(request.event_id, fault)
        else:
            log.info("dead_letter_handled", extra={"event_id": request.event_id, "subject": auth.caller().subject})
        return pb.RetryDeadLetterResponse(dead_letter=await self._shown(request.event_id))

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        """Its id counts as handled from now on."""
        if not 1 <= len(request.note.strip()) <= _NOTE_CHARACTERS:
            raise errors.Invalid([errors.Violation("note", "should say why, in 1 to 500 characters")])
        async with self.database.house() as conn:
            letter = await _locked(conn, request.event_id)
            if letter.state == "HANDLED":
                raise DeadLetterHandled(event_id=letter.id)
            if letter.state == "DEAD":
                await outbox.first_times(conn, [letter.id])
                await _settle(conn, letter, "DISCARDED", request.note)
                log.warning("dead_letter_discarded", extra={"event_id": letter.id, "subject": auth.caller().subject})
        return pb.DiscardDeadLetterResponse(dead_letter=await self._shown(request.event_id))

    async def _failed(self, event_id: str, fault: Exception) -> None:
        log.warning("dead_letter_failed_again", extra={"event_id": event_id}, exc_info=fault)
        async with self.database.house() as conn:
            values = {"attempts": _LETTERS.c.attempts + 1, "reason": type(fault).__name__, "place": bus.place_of(fault)}
            mine = sa.and_(_LETTERS.c.event_id == event_id, _LETTERS.c.state == "DEAD")
            await conn.execute(sa.update(_LETTERS).where(mine).values(values))

    async def _shown(self, event_id: str) -> pb.DeadLetter:
        async with self.database.house() as conn:
            return await self._message(conn, await _get(conn, event_id))

    async def _message(self, conn: AsyncConnection, letter: Letter) -> pb.DeadLetter:
        event = outbox.read(letter.event)
        stake = await self.stakes(conn, event) if event is not None else None
        return pb.DeadLetter(
            event_id=letter.id,
            event_type=letter.subject,
            tenant_id=letter.tenant_id,
            state=pb.DeadLetter.State.Value(f"STATE_{letter.state}"),
            reason=letter.reason,
            place=letter.place,
            attempts=letter.attempts,
            facts=_facts(event) if event is not None else {},
            size_bytes=len(letter.payload),
            sha256=hashlib.sha256(letter.payload).hexdigest(),
            at_stake=money_pb2.Money(currency=stake.currency, micros=stake.micros) if stake else None,
            create_time=moments.stamp(letter.died_at),
            settle_time=moments.stamp(letter.settled_at),
            settled_by=letter.settled_by,
            note=letter.note,
        )


def _own() -> sa.ColumnElement[bool]:
    """What the caller may see: row-level security knows no operators, so it is asked for in the query."""
    someone = auth.caller()
    return sa.true() if OPERATOR in someone.roles else _LETTERS.c.tenant_id == someone.tenant_id


async def _get(conn: AsyncConnection, event_id: str, lock: bool = False) -> Letter:
    query = sa.select(_LETTERS).where(_LETTERS.c.event_id == event_id, _own())
    row = (await conn.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise DeadLetterNotFound(event_id=event_id)
    return Letter(*row)


async def _locked(conn: AsyncConnection, event_id: str) -> Letter:
    return await _get(conn, event_id, lock=True)


async def _settle(conn: AsyncConnection, letter: Letter, state: str, note: str) -> None:
    values = {"state": state, "settled_at": sa.func.now(), "settled_by": auth.caller().subject, "note": note}
    await conn.execute(sa.update(_LETTERS).where(_LETTERS.c.event_id == letter.id).values(values))
    await audit.note(conn, letter.tenant_id, f"dead_letter_{state.lower()}", letter.id, event_type=letter.subject)


def _facts(event: message.Message) -> dict[str, str]:
    """The ids and numbers at the top of an event: no prompts, no addresses, nothing that people have written."""
    return {
        field.name: str(value)
        for field, value in event.ListFields()
        if not field.is_repeated and (field.name.endswith("_id") or field.cpp_type in _NUMBERS)
    }
