"""What the compiler does about the facts it hears."""

from collections.abc import Mapping

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import bus, ids, outbox, telemetry
from rushes.job.v1.events_pb2 import FilmRequested
from services.compiler import domain, edit_rules, store, wire


async def on_film_requested(conn: AsyncConnection, event: FilmRequested) -> None:
    """Write the film down, once; a list that nobody could cut has failed from the start, and its asker is told."""
    now = await store.now(conn)
    film = wire.new_film(
        event.edit_list,
        event.tenant_id,
        event.production_id,
        ids.new("film"),
        now,
        telemetry.traceparent(),
        event.storyboard_id,
    )
    if found := edit_rules.violations(event.edit_list, event.tenant_id):
        film = domain.failed(film, domain.fault_of(wire.BadRequest(found)), now)
    kept = await store.insert_film_once(conn, film, event.request_id)
    if kept.id == film.id and film.fault:
        await outbox.put(conn, *filter(None, [wire.news(film)]))


HANDLERS: Mapping[type[Message], bus.Handler] = {FilmRequested: on_film_requested}
