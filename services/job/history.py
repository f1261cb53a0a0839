"""What happened to each job: written by a trigger, only read here."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.job import tables

LOG = sa.Table(
    "job_log",
    tables.METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("state_before", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("hold", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("submission_state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


class Change(NamedTuple):
    """A row; `id` sorts by time."""

    id: int
    job_id: str
    tenant_id: str
    version: int
    at: datetime
    state_before: str
    state: str
    hold: str
    attempt: int
    submission_state: str
    reason: str


async def of(conn: AsyncConnection, tenant_id: str, job_id: str, after: int, most: int) -> list[Change]:
    """The changes of a job after this one, oldest first."""
    query = sa.select(LOG).where(LOG.c.tenant_id == tenant_id, LOG.c.job_id == job_id, LOG.c.id > after)
    return [Change(*row) for row in await conn.execute(query.order_by(LOG.c.id).limit(most))]
