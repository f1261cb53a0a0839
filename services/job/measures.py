"""How long clips have taken: the query on the job history that estimates are made from."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.job import domain, tables

_NEWEST = 20


async def seconds(conn: AsyncConnection, tenant_id: str, models: Collection[str]) -> dict[str, list[float]]:
    """From the provider's yes to the stored clip, of each model's newest takes."""
    found = {}
    for model in sorted(models):
        took = sa.extract("epoch", tables.JOBS.c.ended_at - tables.JOBS.c.accepted_at)
        query = (
            sa.select(took)
            .where(
                tables.JOBS.c.tenant_id == tenant_id,
                tables.JOBS.c.model == model,
                tables.JOBS.c.state == domain.JobState.SUCCEEDED,
                tables.JOBS.c.accepted_at.is_not(None),
            )
            .order_by(tables.JOBS.c.id.desc())
            .limit(_NEWEST)
        )
        found[model] = [float(one) for one in (await conn.execute(query)).scalars()]
    return found
