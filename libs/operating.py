"""OpsService: what an operator asks one process of any service, and what they may change in it while it runs."""

import asyncio
import importlib.metadata
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc.aio
from google.protobuf import duration_pb2, timestamp_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, db, errors, moments, outbox, paging, rpc, run, schema, settings
from rushes.ops.v1 import ops_service_pb2 as pb
from rushes.ops.v1 import ops_service_pb2_grpc
from rushes.type.v1 import money_pb2

log = logging.getLogger(__name__)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LONGEST = timedelta(hours=24)
_OVERDUE = timedelta(minutes=5)
_NAME = "rushes.ops.v1.OpsService"

Context = grpc.aio.ServicerContext[Any, Any]


class Item(NamedTuple):
    """Work that does not go on: since when that is due, and the micros of a currency that hang on it."""

    kind: str
    id: str
    tenant_id: str
    state: str
    why: str
    due_at: datetime
    currency: str = ""
    micros: int = 0


Stuck = Callable[[AsyncConnection, timedelta, int], Awaitable[Sequence[Item]]]
"""A service's work that is overdue for so long, longest first, at most so many."""


async def nothing(conn: AsyncConnection, overdue: timedelta, most: int) -> Sequence[Item]:
    """Of a service that owes no work."""
    return []


class Means:
    """What a service's process can be asked about."""

    def __init__(self, service: str, database: db.Database, told: settings.Service, stuck: Stuck = nothing) -> None:
        self.service, self.database, self.told, self.stuck = service, database, told, stuck
        self.schema = schema.Schema(database, service)


def servicer(means: Means) -> rpc.Servicer:
    """The service, for the process that these are of."""
    return rpc.Servicer(ops_service_pb2_grpc.add_OpsServiceServicer_to_server, OpsApi(means), _NAME)


class OpsApi(ops_service_pb2_grpc.OpsServiceServicer):
    """Answers operators for one process."""

    def __init__(self, means: Means) -> None:
        self._means, self._began = means, timestamp_pb2.Timestamp()
        self._began.GetCurrentTime()
        self._fallback: asyncio.TimerHandle | None = None

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """What is known without asking anybody but the database."""
        found = await self._means.schema.find()
        async with self._means.database.house() as conn:
            waiting = await outbox.waiting(conn)
        loops = sorted(run.freshness().items(), key=lambda loop: -loop[1])
        return pb.GetStatusResponse(
            service=self._means.service,
            host=socket.gethostname(),
            build=importlib.metadata.version("rushes"),
            start_time=self._began,
            draining=run.is_draining(),
            log_level=_level(),
            schema_revision=found.revision,
            schema_known=self._means.schema.known,
            schema_fits=self._means.schema.fits(found),
            loops=[pb.Loop(name=name, since_success=_length(seconds)) for name, seconds in loops],
            outbox_waiting=waiting.events,
            outbox_oldest_time=moments.stamp(waiting.oldest),
            dead_letters=waiting.dead_letters,
        )

    async def SetLogLevel(self, request: pb.SetLogLevelRequest, context: Context) -> pb.SetLogLevelResponse:
        """Of the root: loggers that are too chatty keep their own."""
        lifetime = request.lifetime.ToTimedelta() if request.HasField("lifetime") else None
        if faults := [*_faults_of_level(request.level), *_faults_of_lifetime(lifetime)]:
            raise errors.Invalid(faults)
        before = _level()
        self._set(request.level, f"set by {auth.caller().subject}")
        if self._fallback is not None:
            self._fallback.cancel()
            self._fallback = None
        if lifetime is not None:
            then = self._means.told.log_level
            self._fallback = asyncio.get_running_loop().call_later(
                lifetime.total_seconds(), self._set, then, "time is up"
            )
        return pb.SetLogLevelResponse(level=_level(), previous_level=before)

    async def DumpConfig(self, request: pb.DumpConfigRequest, context: Context) -> pb.DumpConfigResponse:
        """As they may be seen."""
        told = self._means.told
        lines = [
            pb.Setting(name=settings.variable(name), value=value, is_default=name not in told.model_fields_set)
            for name, value in sorted(settings.shown(told).items())
        ]
        return pb.DumpConfigResponse(settings=lines)

    async def ReplayOutbox(self, request: pb.ReplayOutboxRequest, context: Context) -> pb.ReplayOutboxResponse:
        """Marked here, published by the relay."""
        if request.WhichOneof("start") is None:
            raise errors.Invalid([errors.Violation("start", "should be from_time or from_event_id")])
        since, until = (_moment(request, name) for name in ("from_time", "to_time"))
        span = outbox.Span(since, request.from_event_id, until, request.event_type)
        async with self._means.database.house() as conn:
            events, oldest = await outbox.replay(conn, span), await outbox.oldest_kept(conn)
        log.warning("outbox_replayed", extra={"events": events, "subject": auth.caller().subject})
        return pb.ReplayOutboxResponse(events=events, oldest_kept_time=moments.stamp(oldest))

    async def ListStuck(self, request: pb.ListStuckRequest, context: Context) -> pb.ListStuckResponse:
        """Of every tenant."""
        size = paging.page_size(request.page_size)
        overdue = request.overdue.ToTimedelta() if request.HasField("overdue") else _OVERDUE
        if overdue < timedelta():
            raise errors.Invalid([errors.Violation("overdue", "should not be negative")])
        async with self._means.database.house() as conn:
            found = await self._means.stuck(conn, overdue, size + 1)
        return pb.ListStuckResponse(items=[_item(one) for one in found[:size]], has_more=len(found) > size)

    def _set(self, level: str, why: str) -> None:
        logging.getLogger().setLevel(level)
        log.warning("log_level_set", extra={"to": level, "why": why})


def _level() -> str:
    return logging.getLevelName(logging.getLogger().level)


def _faults_of_level(level: str) -> list[errors.Violation]:
    return [] if level in LEVELS else [errors.Violation("level", f"should be one of {', '.join(LEVELS)}")]


def _faults_of_lifetime(lifetime: timedelta | None) -> list[errors.Violation]:
    if lifetime is None or timedelta() < lifetime <= _LONGEST:
        return []
    return [errors.Violation("lifetime", "should be more than nothing, and at most 24 hours")]


def _moment(request: pb.ReplayOutboxRequest, field: str) -> datetime | None:
    """Raises Invalid."""
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    try:
        moment: datetime = getattr(request, field).ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise errors.Invalid([errors.Violation(field, "should be a moment between the years 1 and 9999")]) from None
    return moment


def _item(one: Item) -> pb.StuckItem:
    money = money_pb2.Money(currency=one.currency, micros=one.micros) if one.currency else None
    return pb.StuckItem(
        kind=one.kind,
        id=one.id,
        tenant_id=one.tenant_id,
        state=one.state,
        why=one.why,
        due_time=moments.stamp(one.due_at),
        at_stake=money,
    )


def _length(seconds: float) -> duration_pb2.Duration:
    length = duration_pb2.Duration()
    length.FromNanoseconds(int(seconds * 1e9))
    return length
