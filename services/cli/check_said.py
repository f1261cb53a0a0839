"""What services promise about what they say to each other: said, heard, and nothing given up."""

from collections.abc import Mapping

import asyncpg

from libs import topology
from services.cli import check_gateway

_UNSAID = "SELECT id FROM outbox WHERE published_at IS NULL AND created_at < now() - make_interval(secs => {grace_s})"
_SAID = """
    SELECT id FROM outbox WHERE subject = ANY($1)
      AND greatest(created_at, published_at) < now() - make_interval(secs => {grace_s})"""
_HEARD = "SELECT event_id FROM inbox UNION SELECT event_id FROM dead_letters"


async def findings(
    books: Mapping[str, asyncpg.Connection], who: topology.Topology, grace_s: float
) -> list[check_gateway.Found]:
    """Every promise, and what breaks it, for the services whose databases are given."""
    found = []
    for name, connection in books.items():
        count = await connection.fetchval("SELECT count(*) FROM outbox")
        unsaid = await connection.fetch(_UNSAID.format(grace_s=grace_s))
        found.append((f"{name} has said what it has to say", int(count), tuple(row["id"] for row in unsaid)))
        dead = await connection.fetch("SELECT event_id || ' ' || reason AS wrong FROM dead_letters")
        count = await connection.fetchval("SELECT count(*) FROM inbox")
        found.append((f"{name} has given up on no event", int(count), tuple(row["wrong"] for row in dead)))
    for stream in who.streams:
        for consumer in stream.consumers:
            if stream.name in books and consumer.name in books:
                subjects = [f"rushes.{stream.name}.v1.{event}" for event in consumer.hears]
                said = await books[stream.name].fetch(_SAID.format(grace_s=grace_s), subjects)
                heard = {row["event_id"] for row in await books[consumer.name].fetch(_HEARD)}
                missed = tuple(row["id"] for row in said if row["id"] not in heard)
                found.append((f"{consumer.name} has heard what {stream.name} said", len(said), missed))
    return found
