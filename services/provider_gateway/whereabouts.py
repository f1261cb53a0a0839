"""Where the database was written last: a copy that is restored is somewhere else, and nothing is sent from there.

docs/adr/0040-a-restored-database-has-forgotten.md
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import ids
from services.provider_gateway.store import METADATA

_TIME = sa.DateTime(timezone=True)

WHEREABOUTS = sa.Table(
    "whereabouts",
    METADATA,
    sa.Column("only", sa.Boolean, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("restored_at", _TIME),
)

HERE = sa.func.database_place()
"""Where it is."""


def is_here() -> sa.ColumnElement[bool]:
    """Whether the database is where it was written last, as a condition of the query that lets an order be sent."""
    elsewhere = sa.select(WHEREABOUTS.c.only).where(WHEREABOUTS.c.place != HERE)
    return ~elsewhere.exists()


async def restored_at(conn: AsyncConnection) -> datetime | None:
    """When a restore was come upon last; None when there was none."""
    moment: datetime | None = (await conn.execute(sa.select(WHEREABOUTS.c.restored_at))).scalar()
    return moment


def doubted_from(job_id: str, restored: datetime | None) -> datetime | None:
    """Since when an order of this job may have been sent by who has forgotten it; None of what is younger."""
    if restored is None:
        return None
    made = ids.made_at(job_id)
    return (made or restored) if made is None or made <= restored else None
