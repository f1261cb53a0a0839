"""Makes JetStream's streams and consumers what deploy/nats/topology.yaml says; services only bind to them.

`python -m libs.topology [--check] [FILE]` with RUSHES_NATS_URL; it may be run at any time and any number of times.
With `--check` it changes nothing: it prints what differs, and then ends with 1.
"""

import argparse
import asyncio
import contextlib
import pathlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import nats
import pydantic
import yaml
from nats.js import api
from nats.js.errors import NotFoundError

from libs import bus_address, settings, values

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
    async with _connected(url) as js:
        for stream in topology.streams:
            config = _stream(topology, stream)
            try:
                await js.stream_info(stream.name)
            except NotFoundError:
                await js.add_stream(config)
            else:
                await js.update_stream(config)
            for consumer in stream.consumers:
                await js.add_consumer(stream.name, _consumer(stream, consumer))


async def differences(url: str, topology: Topology) -> list[str]:
    """What is not as written, one line for each stream and consumer. What the server adds is no difference."""
    found = list[str]()
    async with _connected(url) as js:
        for stream in topology.streams:
            found += await _compared(stream.name, _stream(topology, stream), js.stream_info(stream.name))
            for consumer in stream.consumers:
                info = js.consumer_info(stream.name, consumer.name)
                found += await _compared(f"{stream.name}/{consumer.name}", _consumer(stream, consumer), info)
    return found


async def _compared(name: str, wanted: Any, asked: Any) -> list[str]:
    try:
        there = (await asked).config.as_dict()
    except NotFoundError:
        return [f"{name}: is not there"]
    told = {key: value for key, value in wanted.as_dict().items() if value is not None}
    other = [f"{key} is {there.get(key)}, not {value}" for key, value in told.items() if there.get(key) != value]
    return [f"{name}: {'; '.join(other)}"] if other else []


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    client = await nats.connect(
        url,
        connect_timeout=5,
        max_reconnect_attempts=20,
        reconnect_time_wait=0.25,
        inbox_prefix=b"_INBOX_topology",
        **bus_address.credentials(url),
    )
    try:
        yield client.jetstream(timeout=10)
    finally:
        await client.close()


def _stream(topology: Topology, stream: Stream) -> api.StreamConfig:
    return api.StreamConfig(
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
    """Apply the file named on the command line, or the house's own; or say what differs from it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", nargs="?", type=pathlib.Path, default=FILE)
    arguments.add_argument("--check", action="store_true", help="change nothing; print what differs")
    asked, told = arguments.parse_args(), settings.load(Settings)
    if not asked.check:
        return asyncio.run(apply(told.nats_url, load(asked.file)))
    found = asyncio.run(differences(told.nats_url, load(asked.file)))
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
