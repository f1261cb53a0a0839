"""deploy/nats/topology.yaml is exactly who speaks and who hears."""

import importlib
from collections import defaultdict
from types import ModuleType

from libs import bus, topology
from tests.contract import rooms


def handlers_of(events: ModuleType) -> bus.Handlers:
    """A table, or what an `Events` that needs a clock or a catalogue would answer: the events alone matter here."""
    return events.HANDLERS if hasattr(events, "HANDLERS") else object.__new__(events.Events).handlers()


def test_the_topology_is_what_the_handlers_hear():
    heard: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for path in (rooms.ROOT / "services").glob("*/events.py"):
        service = path.parent.name
        for event in handlers_of(importlib.import_module(f"services.{service}.events")):
            heard[bus.publisher(event)].setdefault(service, set()).add(event.DESCRIPTOR.name)
    written = {
        stream.name: {consumer.name: set(consumer.hears) for consumer in stream.consumers}
        for stream in topology.load().streams
    }
    assert {stream: consumers for stream, consumers in written.items() if consumers} == heard


def test_every_service_with_a_database_has_a_stream():
    with_outbox = {path.parents[1].name for path in (rooms.ROOT / "services").glob("*/migrations/versions")}
    assert {stream.name for stream in topology.load().streams} >= with_outbox
