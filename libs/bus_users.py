"""Says who may do what on the bus: a user for each service, with the least that topology.yaml asks of it.

`python -m libs.bus_users` prints deploy/nats/users.conf, the accounts of a nats-server; the passwords come from its
environment.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from libs import topology

ACCOUNT = "RUSHES"
OPERATOR, TOPOLOGY = "operator", "topology"
"""The user of a person, who may do everything, and the one that makes streams and consumers."""

_API = "$JS.API"


def names(of: topology.Topology) -> Sequence[str]:
    """Every user: the services that speak to somebody or hear somebody, and the two that are none."""
    hearing = {consumer.name for stream in of.streams for consumer in stream.consumers}
    speaking = {stream.name for stream in of.streams if stream.consumers}
    return [OPERATOR, TOPOLOGY, *sorted(hearing | speaking)]


def rights(of: topology.Topology, user: str) -> Mapping[str, Any]:
    """What a user may publish and subscribe to, in the words of nats-server; no word of it means everything."""
    if user == OPERATOR:
        return {}
    publish = _making() if user == TOPOLOGY else _serving(of, user)
    # An inbox of its own: who may listen to `_INBOX.>` hears every answer on the bus.
    return {"permissions": {"publish": {"allow": publish}, "subscribe": {"allow": [f"_INBOX_{user}.>"]}}}


def accounts(of: topology.Topology, password: Callable[[str], str]) -> dict[str, Any]:
    """The `accounts` of a nats-server, with this password for each user."""
    users = [{"user": user, "password": password(user), **rights(of, user)} for user in names(of)]
    return {ACCOUNT: {"jetstream": "enabled", "users": users}}


def variable(user: str) -> str:
    """Where a nats-server finds the password of a user."""
    return f"NATS_{user.upper()}_PASSWORD"


def _making() -> list[str]:
    """Streams and consumers can be made and changed, never deleted, emptied or read."""
    streams = [f"{_API}.STREAM.{verb}.*" for verb in ("INFO", "CREATE", "UPDATE")]
    return [*streams, f"{_API}.CONSUMER.CREATE.>", f"{_API}.CONSUMER.DURABLE.CREATE.*.*"]


def _serving(of: topology.Topology, service: str) -> list[str]:
    spoken = [(f"rushes.{stream.name}.v1.>", f"{_API}.STREAM.INFO.{stream.name}") for stream in _own(of, service)]
    heard = [_hearing(stream.name, service) for stream in of.streams for one in stream.consumers if one.name == service]
    return [subject for subjects in (*spoken, *heard) for subject in subjects]


def _own(of: topology.Topology, service: str) -> Sequence[topology.Stream]:
    return [stream for stream in of.streams if stream.name == service]


def _hearing(stream: str, service: str) -> tuple[str, ...]:
    return (
        f"{_API}.CONSUMER.INFO.{stream}.{service}",
        f"{_API}.CONSUMER.MSG.NEXT.{stream}.{service}",
        f"$JS.ACK.{stream}.{service}.>",
        f"$JS.ACK.*.*.{stream}.{service}.>",  # with a domain and an account before them: what servers will ask for
    )


def main() -> None:
    """Print the file."""
    found = accounts(topology.load(), lambda user: f"${variable(user)}")
    sys.stdout.write("# Made from topology.yaml by `make nats-users`; nats.conf says where the passwords come from.\n")
    sys.stdout.write(f"accounts: {_unquoted(json.dumps(found, indent=2))}\n")


def _unquoted(text: str) -> str:
    """A variable is one where it stands without quotes."""
    for user in names(topology.load()):
        text = text.replace(f'"${variable(user)}"', f"${variable(user)}")
    return text


if __name__ == "__main__":
    main()
