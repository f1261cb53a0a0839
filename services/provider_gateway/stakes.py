"""What hangs on an order that the gateway could not handle, by its own books."""

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import dead_letters
from rushes.provider_gateway.v1 import quote_pb2
from services.provider_gateway import store


async def of(conn: AsyncConnection, event: Message) -> dead_letters.Stake | None:
    """What the job's newest submission was charged, or may be; before there is one, what its quote allows."""
    submissions = store.SUBMISSIONS
    query = sa.select(submissions).where(submissions.c.job_id == getattr(event, "job_id", ""))
    row = (await conn.execute(query.order_by(submissions.c.id.desc()).limit(1))).mappings().first()
    if row:
        one = store.submission_of(row)
        return dead_letters.Stake(one.currency, one.reserved_micros if one.cost_micros is None else one.cost_micros)
    quote_id = getattr(event, "quote_id", "")
    found = (await store.quotes(conn, [quote_id])).get(quote_id)
    if found is None or found[0] != getattr(event, "tenant_id", ""):
        return None
    items = {item.scene_id: item.most_you_can_pay for item in quote_pb2.Quote.FromString(found[1]).items}
    price = items.get(getattr(event, "scene_id", ""))
    return dead_letters.Stake(price.currency, price.micros) if price else None
