"""Films and exports that do not go on: nobody has taken them up in time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import operating
from services.compiler import export_store, store

_WAITS = "it waits for a free worker"
_HELD = "the lease of who works on it has run out, and nobody has taken over"


async def of(conn: AsyncConnection, overdue: timedelta, most: int) -> Sequence[operating.Item]:
    """Longest overdue first."""
    found = [
        *await _late(conn, store.FILMS, store.FILMS.c.id, "film", overdue, most),
        *await _late(conn, export_store.EXPORTS, export_store.EXPORTS.c.film_id, "export", overdue, most),
    ]
    return sorted(found, key=lambda item: item.due_at)[:most]


async def _late(
    conn: AsyncConnection, table: sa.Table, id: sa.Column[Any], kind: str, overdue: timedelta, most: int
) -> list[operating.Item]:
    due_at = sa.func.greatest(table.c.next_action_at, table.c.lease_until).label("due_at")
    query = sa.select(id, table.c.tenant_id, table.c.state, table.c.lease_until, due_at).where(
        table.c.next_action_at.is_not(None), due_at < sa.func.now() - overdue
    )
    rows = await conn.execute(query.order_by(due_at).limit(most))
    return [
        operating.Item(kind, name, tenant_id, state, _HELD if lease_until else _WAITS, due)
        for name, tenant_id, state, lease_until, due in rows
    ]
