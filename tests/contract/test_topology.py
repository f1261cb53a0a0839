"""deploy/nats/topology.yaml is exactly who speaks and who hears."""

import importlib
from collections import defaultdict
from types import ModuleType

from libs import bus, bus_users, topology
from services.cli import house
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


def test_the_users_of_the_bus_are_those_of_the_file_and_of_a_house(capsys):
    bus_users.main()
    written = rooms.ROOT / "deploy" / "nats" / "users.conf"
    assert capsys.readouterr().out == written.read_text(), "`make nats-users` writes it anew"
    assert list(house.NATS_USERS) == bus_users.names(topology.load())
