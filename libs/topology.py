"""Makes JetStream's streams and consumers what deploy/nats/topology.yaml says; services only bind to them.

`python -m libs.topology [FILE]` with RUSHES_NATS_URL; it may be run at any time and any number of times.
"""

import asyncio
import pathlib
import sys
from typing import Any

import nats
import pydantic
import yaml
from nats.js import api
from nats.js.errors import NotFoundError

from libs import settings, values

FILE = pathlib.Path(__file__).parent.parent / "deploy" / "nats" / "topology.yaml"
_ACK_WAIT_S = 10.0  # what a killed process held is delivered again after this; one that was only slow loses nothing
_MOST_DELIVERIES = -1  # without end: it is the handler that buries, never the server in silence


class Consumer(pydantic.BaseModel, extra="forbid"):
    """Who hears which events of a stream."""

    name: str
    hears: list[str]


class Stream(pydantic.BaseModel, extra="forbid"):
    """One service's events."""

    name: str
    consumers: list[Consumer] = []


class Topology(pydantic.BaseModel, extra="forbid"):
    """All streams, and how they are kept."""

    replicas: int = 1
    max_age_days: int = 14
    max_bytes: int = 1 << 30
    streams: list[Stream]


class Settings(settings.Settings):
    """What `python -m libs.topology` is told."""

    nats_url: values.NatsUrl
    """nats://user:password@host of the JetStream server, as a user who may make streams."""


def load(path: pathlib.Path = FILE) -> Topology:
    """The topology as written. Raises pydantic.ValidationError."""
    return Topology.model_validate(yaml.safe_load(path.read_text()))


async def apply(url: str, topology: Topology) -> None:
    """Create or update every stream and consumer."""
    client = await nats.connect(
        url, connect_timeout=5, max_reconnect_attempts=20, reconnect_time_wait=0.25, inbox_prefix=b"_INBOX_topology"
    )
    try:
        js = client.jetstream(timeout=10)
        for stream in topology.streams:
            await _stream(js, topology, stream)
            for consumer in stream.consumers:
                await js.add_consumer(stream.name, _consumer(stream, consumer))
    finally:
        await client.close()


async def _stream(js: Any, topology: Topology, stream: Stream) -> None:
    config = api.StreamConfig(
        name=stream.name,
        subjects=[f"rushes.{stream.name}.v1.>"],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,  # a full stream refuses, and the outbox keeps the row
        num_replicas=topology.replicas,
        max_age=topology.max_age_days * 86400,
        max_bytes=topology.max_bytes,
        duplicate_window=600,
    )
    try:
        await js.stream_info(stream.name)
    except NotFoundError:
        await js.add_stream(config)
    else:
        await js.update_stream(config)


def _consumer(stream: Stream, consumer: Consumer) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        durable_name=consumer.name,
        filter_subjects=[f"rushes.{stream.name}.v1.{event}" for event in consumer.hears],
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_S,
        max_deliver=_MOST_DELIVERIES,
        max_ack_pending=1024,
    )


def main() -> None:
    """Apply the file named on the command line, or the house's own."""
    told = settings.load(Settings)
    topology = load(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else load()
    asyncio.run(apply(told.nats_url, topology))


if __name__ == "__main__":
    main()
