"""Paid calls that do not go on: nobody has taken their next step in time, or nobody knows what became of them."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import operating
from services.provider_gateway import domain
from services.provider_gateway.store import SUBMISSIONS

_UNKNOWN = (domain.State.UNKNOWN, domain.State.UNRESOLVED)
_PAID = (domain.State.PROVIDER_DONE, domain.State.FETCHING)
_LATE_CLIP = "the clip is paid, and cannot be downloaded"
_LOST = "its answer was lost: it may be charged; reconcile or settle it"
_NOBODY = "its next step is overdue: no process takes it"
_HELD = "the lease of who works on it has run out, and nobody has taken over"


async def of(conn: AsyncConnection, overdue: timedelta, most: int) -> Sequence[operating.Item]:
    """What is overdue for so long, and every outcome that has been unknown for as long."""
    row = SUBMISSIONS.c
    begun = sa.func.coalesce(row.answered_at, row.sent_at, row.created_at)
    is_unknown, is_paid = row.state.in_(_UNKNOWN), row.state.in_(_PAID)
    is_tried = sa.and_(is_paid, row.fault.is_not(None))
    due_at = sa.case(
        (is_unknown, begun), (is_tried, row.updated_at), else_=sa.func.greatest(row.next_action_at, row.lease_until)
    )
    late = due_at < sa.func.now() - overdue
    query = sa.select(SUBMISSIONS, due_at.label("due_at")).where(row.next_action_at.is_not(None), late)
    rows = (await conn.execute(query.order_by("due_at", row.id).limit(most))).mappings()
    return [_item(one) for one in rows]


def _item(row: sa.RowMapping) -> operating.Item:
    micros = row["reserved_micros"] if row["cost_micros"] is None else row["cost_micros"]
    return operating.Item(
        "submission", row["id"], row["tenant_id"], row["state"], _why(row), row["due_at"], row["currency"], micros
    )


def _why(row: sa.RowMapping) -> str:
    if row["state"] in _UNKNOWN:
        return _LOST
    if row["state"] in _PAID and row["fault"]:
        return _LATE_CLIP
    return _HELD if row["lease_until"] else _NOBODY
