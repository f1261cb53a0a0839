"""What is counted and timed of events on the bus."""

import time
from collections.abc import Iterable, Mapping

import nats.errors
import prometheus_client
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from libs import telemetry

PUBLISHED = prometheus_client.Counter("rushes_outbox_published", "Events JetStream has acknowledged.", ["subject"])
HANDLED = prometheus_client.Counter("rushes_events_handled", "Events taken from the bus.", ["subject", "result"])
_AGAIN = prometheus_client.Counter("rushes_events_redelivered", "Events that came once more.", ["subject"])
_AGE_S = prometheus_client.Histogram(
    "rushes_event_age_seconds",
    "From the publication of an event to the end of its transaction here.",
    ["subject"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 30, 120, 600, 3600),
)
_PENDING = prometheus_client.Gauge(
    "rushes_consumer_pending", "Events of the stream that wait to be delivered here.", ["stream", "consumer"]
)
_FILL = prometheus_client.Gauge(
    "rushes_stream_fill_ratio", "What a stream holds, of the bytes that it may; a full one takes no events.", ["stream"]
)
_CONNECTED = prometheus_client.Gauge("rushes_nats_connected", "1 while there is a connection to NATS.")
_RECONNECTS = prometheus_client.Counter("rushes_nats_reconnects", "Connections to NATS that were made again.")
_FAULTS = prometheus_client.Counter("rushes_nats_async_errors", "What NATS complained of.", ["kind"])

_KINDS = {
    "permissions violation": "permission",
    "authorization": "authorization",
    "authentication": "authorization",
    "maximum": "limit",
}
RESULTS = ("handled", "duplicate", "failed", "buried")


def connected(client: Client) -> None:
    """Show whether this client is connected, from now on."""
    for kind in {*_KINDS.values(), "slow_consumer", "stale", "timeout", "other"}:
        _FAULTS.labels(kind)
    _CONNECTED.set_function(lambda: client.is_connected)


def reconnected() -> None:
    """It was away, and is back."""
    _RECONNECTS.inc()


def faulted(fault: Exception) -> None:
    """NATS complained of something that no call of ours waits for."""
    _FAULTS.labels(kind_of(fault)).inc()


def kind_of(fault: Exception) -> str:
    """What a fault of the connection is about, in one of a few words."""
    if isinstance(fault, nats.errors.SlowConsumerError):
        return "slow_consumer"
    if isinstance(fault, nats.errors.StaleConnectionError):
        return "stale"
    if isinstance(fault, TimeoutError | nats.errors.TimeoutError):
        return "timeout"
    said = str(fault).lower()
    return next((kind for words, kind in _KINDS.items() if words in said), "other")


def hears(subjects: Iterable[str]) -> None:
    """Show these at zero, so that the first of each is an increase."""
    for subject in subjects:
        _AGAIN.labels(subject)
        for result in RESULTS:
            HANDLED.labels(subject, result)


def fetched(stream: str, consumer: str, messages: list[Msg]) -> None:
    """These have come: the last of them knows how many wait behind it."""
    _PENDING.labels(stream, consumer).set(messages[-1].metadata.num_pending)
    for message in messages:
        if message.metadata.num_delivered > 1:
            _AGAIN.labels(message.subject).inc()


def pending(stream: str, consumer: str, events: int) -> None:
    """Nothing came, and so many wait."""
    _PENDING.labels(stream, consumer).set(events)


def filled(stream: api.StreamInfo) -> None:
    """A stream is as full as this."""
    most = stream.config.max_bytes or 0
    _FILL.labels(stream.config.name).set(stream.state.bytes / most if most > 0 else 0.0)


def handled(messages: Iterable[Msg], results: Iterable[tuple[str, str]]) -> None:
    """The transaction of these has ended so."""
    now = time.time()
    for message in messages:
        _AGE_S.labels(message.subject).observe(max(0.0, now - message.metadata.timestamp.timestamp()))
    for labels in results:
        HANDLED.labels(*labels).inc()


def attributes(operation: str, subject: str, events: int = 1) -> Mapping[str, telemetry.Attribute]:
    """What spans tell of events, as OpenTelemetry's conventions for messaging have it."""
    told: dict[str, telemetry.Attribute] = {
        "messaging.system": "nats",
        "messaging.destination.name": subject,
        "messaging.operation.name": operation,
        "messaging.operation.type": "send" if operation == "publish" else "process",
    }
    return told | ({"messaging.batch.message_count": events} if events > 1 else {})
