"""Carries events between services over JetStream: the outbox out, the inbox in."""

import asyncio
import contextlib
import itertools
import logging
import pathlib
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import nats
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError, Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus_address, bus_measures, db, errors, failpoints, outbox, run, telemetry

log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """An event that came in, with the headers that carry its trace."""

    event: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Together:
    """A handler that takes all events of its kind that came at once, for work that is cheaper by the dozen."""

    handle: Callable[[AsyncConnection, Sequence[Heard]], Awaitable[None]]


Handler = Callable[[AsyncConnection, Any], Awaitable[None]] | Together
Handlers = Mapping[type[Message], Handler]
"""What a service does about each event it hears; runs in one transaction with the inbox rows and what it says."""

MOST_DELIVERIES = 8
_BATCH = 64
_PUBLISH_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 5.0
_RELAY_RESTS_S, _INLET_RESTS_S = 0.05, 0.02  # so that events go, and are heard, by the dozen
_AWAY_S = 1.0
_OLDEST = (2, 12, 0)  # those before take settings that they do not know, and say nothing
_AGAIN = "#"
_HOME = pathlib.Path(__file__).parent.parent


class Bus:
    """One connection to NATS; it reconnects for ever, and `closed` is set once it never will."""

    def __init__(self, client: Client, closed: asyncio.Event) -> None:
        self._client, self._closed = client, closed
        self._js = client.jetstream(timeout=_PUBLISH_TIMEOUT_S)
        self._relays = list[_Relay]()

    @classmethod
    async def connect(cls, url: str, service: str) -> "Bus":
        """Connect, waiting for the server as long as it takes; health says meanwhile that we are not ready.

        Raises RuntimeError for a server that is too old.
        """

        async def on_error(fault: Exception) -> None:
            bus_measures.faulted(fault)
            log.warning("nats_fault", extra={"fault": type(fault).__name__, "kind": bus_measures.kind_of(fault)})

        async def on_return() -> None:
            bus_measures.reconnected()
            log.info("nats_reconnected")

        closed = asyncio.Event()

        async def on_close() -> None:
            closed.set()

        client = await nats.connect(
            url,
            name=f"rushes-{service}",
            inbox_prefix=f"_INBOX_{service}".encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            connect_timeout=5,
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=on_error,
            reconnected_cb=on_return,
            closed_cb=on_close,
            **bus_address.credentials(url),
        )
        server = client.connected_server_version
        version = server.major, server.minor, server.patch
        if version < _OLDEST:
            await client.close()
            raise RuntimeError(f"NATS is {_written(version)}: should be {_written(_OLDEST)} or newer")
        log.info("nats_connected", extra={"version": _written(version)})
        bus_measures.connected(client)
        return cls(client, closed)

    async def close(self) -> None:
        """Send what is buffered and leave."""
        await self._client.close()

    def is_well(self) -> bool:
        """Whether NATS is there and JetStream answered when a relay last asked, which is every five seconds."""
        return self._client.is_connected and all(relay.is_heard for relay in self._relays)

    def relay(self, database: db.Database, service: str) -> run.Part:
        """A part that publishes the outbox to the service's own stream; at least once, in no promised order.

        Told to stop, it publishes what was said last, if the bus is there: nobody has to wait for our next start. The
        part raises ConnectionError when NATS has turned this process away for good, and so ends it: its next life may
        know another password.
        """
        relay = _Relay(self._js, database, service)
        self._relays.append(relay)
        relaying = run.every("outbox_relay", 0.5, relay.tick, database.spoken, _RELAY_RESTS_S)

        async def part(stop: asyncio.Event) -> None:
            tasks = [asyncio.ensure_future(relaying(stop)), asyncio.ensure_future(self._closed.wait())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
            if self._closed.is_set():
                raise ConnectionError("NATS closed the connection")
            with contextlib.suppress(Exception):
                await relay.tick()

        return part

    def deliver(self, database: db.Database, service: str, handlers: Handlers) -> run.Part:
        """A part that hands events to their handlers: once each, whatever JetStream does."""
        by_stream: dict[str, dict[str, tuple[type[Message], Handler]]] = defaultdict(dict)
        for event, handler in handlers.items():
            by_stream[publisher(event)][event.DESCRIPTOR.full_name] = (event, handler)

        async def part(stop: asyncio.Event) -> None:
            async with asyncio.TaskGroup() as group:
                for stream, heard in by_stream.items():
                    inlet = _Inlet(self._js, database, stream, service, heard)
                    hearing = run.every(f"deliver_{stream}", 0, inlet.tick, rest_s=_INLET_RESTS_S)
                    group.create_task(_coroutine(hearing, stop))

        return part


def _written(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def publisher(event: type[Message]) -> str:
    """The service that says this: the second segment of `rushes.<service>.v1.Name`; it is also the stream."""
    return str(event.DESCRIPTOR.full_name).split(".")[1]


async def _coroutine(part: run.Part, stop: asyncio.Event) -> None:
    await part(stop)


class _Relay:
    """Moves rows of the outbox to JetStream."""

    def __init__(self, js: Any, database: db.Database, service: str) -> None:
        self._js, self._database, self._service = js, database, service
        self._looked_at = 0.0
        self.is_heard = True

    async def tick(self) -> int:
        """Publish one batch; returns how many were acknowledged."""
        await self._look_at_stream()
        async with self._database.house() as conn:
            events = await outbox.unpublished(conn, _BATCH * 4)
            if not events:
                return 0
            results = await asyncio.gather(*map(self._publish, events), return_exceptions=True)
            failpoints.reach("outbox.published")
            published = [event.id for event, result in zip(events, results, strict=True) if result is None]
            too_large = [event for event, result in zip(events, results, strict=True) if _is_too_large(result)]
            for event in too_large:  # no later try can succeed, and those that come after would wait for it
                log.error("event_too_large", extra={"subject": event.subject, "event_id": event.id})
                await outbox.bury(conn, event, outbox.Fault("MaxPayloadError", "", 1))
            if published or too_large:
                await outbox.mark_published(conn, [*published, *(event.id for event in too_large)])
        failpoints.reach("outbox.marked")
        faults = [result for result in results if isinstance(result, Exception) and not _is_too_large(result)]
        if faults:
            self._looked_at = 0.0
            raise faults[0]
        return len(published) + len(too_large)

    async def _publish(self, event: outbox.Event) -> None:
        # Listeners go on from whoever said it, not from this span, which is as late as the relay.
        again = event.headers.get(outbox.AGAIN)
        headers = {**event.headers, "Nats-Msg-Id": f"{event.id}{_AGAIN}{again}" if again else event.id}
        told = bus_measures.attributes("publish", event.subject)
        with telemetry.span(f"publish {event.subject}", event.headers, telemetry.Kind.PRODUCER, told):
            await self._js.publish(event.subject, event.payload, headers=headers, stream=self._service)
        bus_measures.PUBLISHED.labels(event.subject).inc()

    async def _look_at_stream(self) -> None:
        """A stream that was lost and made anew is filled again from the outbox."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        try:
            stream = await self._js.stream_info(self._service)
        except Exception:
            self.is_heard = False
            raise
        self.is_heard = True
        bus_measures.filled(stream)
        async with self._database.house() as conn:
            if again := await outbox.publish_again_if_lost(conn, str(stream.created)):
                log.warning("stream_lost_publishing_again", extra={"stream": self._service, "events": again})
            await outbox.sweep(conn)
        self._looked_at = now


def _is_too_large(result: object) -> bool:
    return isinstance(result, nats.errors.MaxPayloadError)


class _Inlet:
    """Takes one stream's events to their handlers."""

    def __init__(
        self,
        js: Any,
        database: db.Database,
        stream: str,
        service: str,
        heard: Mapping[str, tuple[type[Message], Handler]],
    ) -> None:
        self._js, self._database, self._stream, self._service, self._heard = (
            js,
            database,
            stream,
            service,
            heard,
        )
        self._subscription: Any = None
        bus_measures.hears(heard)

    async def tick(self) -> int:
        """Handle what has come; returns 1 so that the next fetch follows at once."""
        if self._subscription is None:
            self._subscription = await self._js.pull_subscribe_bind(durable=self._service, stream=self._stream)
        try:
            messages = await self._subscription.fetch(_BATCH, timeout=2)
        except TimeoutError:
            # A consumer deleted under a waiting fetch looks like silence: ask whether it is still there.
            info = await self._js.consumer_info(self._stream, self._service)
            bus_measures.pending(self._stream, self._service, info.num_pending or 0)
            return 1
        except nats.js.errors.Error:
            self._subscription = None
            raise
        if messages:  # others on the same consumer may have been given them
            bus_measures.fetched(self._stream, self._service, messages)
            await self._take(self._apart(messages))
        return 1

    def _apart(self, messages: list[Msg]) -> list[list[Msg]]:
        """What is handled in one transaction: what a handler takes together, and else each event alone.

        Each locks what it needs in one order; two after each other would not, and replicas would wait in a circle.
        """
        groups: dict[str, list[Msg]] = defaultdict(list)
        for message in messages:
            _, handler = self._heard.get(message.subject, (None, None))
            groups[message.subject if isinstance(handler, Together) else _event_id(message)].append(message)
        return list(groups.values())

    async def _take(self, groups: list[list[Msg]]) -> None:
        try:
            while groups:
                await self._handle(groups.pop(0))
        finally:  # when one cannot be handled now, neither can those after it
            for message in itertools.chain(*groups):
                await message.nak(delay=_AWAY_S)

    async def _handle(self, messages: list[Msg]) -> None:
        """All in one transaction; when one of them fails, in halves, until it is alone and holds up no other."""
        try:
            await self._transact(messages)
        except errors.Unavailable:  # no event is to blame for that, and none is buried for it
            for message in messages:
                await message.nak(delay=_AWAY_S)
            raise
        except asyncio.CancelledError:  # a stop that took too long: whoever else hears them need not wait
            for message in messages:
                await message.nak()
            raise
        except Exception as fault:
            await self._part(messages, fault)
        else:
            for message in messages:
                await message.ack()

    async def _part(self, messages: list[Msg], fault: Exception) -> None:
        if len(messages) == 1:
            await self._failed(messages[0], fault)
            return
        half = len(messages) // 2
        try:
            await self._handle(messages[:half])
        finally:
            await self._handle(messages[half:])

    async def _transact(self, messages: list[Msg]) -> None:
        async with self._database.house() as conn:
            fresh = await outbox.first_times(conn, {_event_id(message) for message in messages})
            by_subject: dict[str, list[Heard]] = defaultdict(list)
            results = list[tuple[str, str]]()
            for message in messages:
                is_new = _event_id(message) in fresh
                fresh.discard(_event_id(message))
                if is_new:
                    event = self._heard[message.subject][0].FromString(message.data)
                    by_subject[message.subject].append(Heard(event, message.headers or {}))
                results.append((message.subject, "handled" if is_new else "duplicate"))
            for subject, heard in by_subject.items():
                await _handle(conn, self._heard[subject][1], subject, heard)
            failpoints.reach("inbox.before_commit")
        bus_measures.handled(messages, results)
        failpoints.reach("inbox.committed")

    async def _failed(self, message: Msg, fault: Exception) -> None:
        attempts = message.metadata.num_delivered
        facts = {"subject": message.subject, "event_id": _event_id(message), "attempts": attempts}
        if attempts < MOST_DELIVERIES and not isinstance(fault, DecodeError):
            log.warning("event_failed", extra=facts, exc_info=fault)
            bus_measures.HANDLED.labels(message.subject, "failed").inc()
            await message.nak(delay=min(2.0**attempts / 2, 60.0))
            return
        log.error("event_buried", extra=facts, exc_info=fault)
        bus_measures.HANDLED.labels(message.subject, "buried").inc()
        async with self._database.house() as conn:
            event = outbox.Event(_event_id(message), message.subject, message.data, dict(message.headers or {}))
            await outbox.bury(conn, event, outbox.Fault(type(fault).__name__, place_of(fault), attempts))
        await message.term()


async def handle_again(conn: AsyncConnection, handlers: Handlers, event: outbox.Event) -> None:
    """Handle a buried event, unless it has been handled since, or say it again when it is our own.

    Raises DecodeError, KeyError when nobody here knows it any more, and what the handler raises.
    """
    known = {kind.DESCRIPTOR.full_name: (kind, handler) for kind, handler in handlers.items()}
    if event.subject not in known and await outbox.say_again(conn, event.id):
        return
    kind, handler = known[event.subject]
    heard = Heard(kind.FromString(event.payload), event.headers)
    if await outbox.first_times(conn, [event.id]):
        await _handle(conn, handler, event.subject, [heard])


def place_of(fault: BaseException) -> str:
    """Where in our own code a fault came up, as `services/job/events.py:31 on_clips_stored`; values are not shown."""
    frames = traceback.extract_tb(fault.__traceback__)
    own = [(frame, path) for frame in frames if (path := pathlib.Path(frame.filename)).is_relative_to(_HOME)]
    frame, path = next(iter(reversed([(f, p) for f, p in own if ".venv" not in p.parts])), (None, _HOME))
    return f"{path.relative_to(_HOME)}:{frame.lineno} {frame.name}" if frame else ""


async def _handle(conn: AsyncConnection, handler: Handler, subject: str, heard: Sequence[Heard]) -> None:
    title = f"process {subject}"
    if isinstance(handler, Together):
        told = bus_measures.attributes("process", subject, len(heard))
        with telemetry.batch(title, [headers for _, headers in heard], telemetry.Kind.CONSUMER, told):
            await handler.handle(conn, heard)
        return
    for event, headers in heard:
        told = bus_measures.attributes("process", subject)
        with telemetry.span(title, headers, telemetry.Kind.CONSUMER, told):
            await handler(conn, event)


def _event_id(message: Msg) -> str:
    """The outbox's id, however often it was published; for what came past an outbox, its place in the stream."""
    place = message.metadata.sequence
    told = (message.headers or {}).get("Nats-Msg-Id")
    return str(told).partition(_AGAIN)[0] if told else f"{message.metadata.stream}:{place.stream}"
