"""Jobs and productions that do not go on: who was asked for a clip or a film has said nothing for too long."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import operating
from services.job import domain
from services.job.tables import JOBS, PRODUCTIONS

_UNHEARD = "the provider gateway has not said that it has the order; look at its dead letters, or replay our outbox"
_NO_FILM = "the compiler has said nothing of the film; look at its dead letters, or replay our outbox"


async def of(conn: AsyncConnection, overdue: timedelta, most: int) -> Sequence[operating.Item]:
    """Longest silent first."""
    late = sa.func.now() - overdue
    unheard = sa.select(JOBS).where(
        JOBS.c.state.in_([domain.JobState.RUNNING, domain.JobState.CANCELING]),
        JOBS.c.submission_id == "",
        JOBS.c.updated_at < late,
    )
    jobs = (await conn.execute(unheard.order_by(JOBS.c.updated_at).limit(most))).mappings()
    found = [
        operating.Item(
            *("job", row["id"], row["tenant_id"], row["state"], _UNHEARD, row["updated_at"]),
            *(row["currency"], row["quoted_micros"]),
        )
        for row in jobs
    ]
    films = sa.select(PRODUCTIONS).where(
        PRODUCTIONS.c.state == domain.ProductionState.COMPILING, PRODUCTIONS.c.updated_at < late
    )
    rows = (await conn.execute(films.order_by(PRODUCTIONS.c.updated_at).limit(most))).mappings()
    found += [
        operating.Item("production", row["id"], row["tenant_id"], row["state"], _NO_FILM, row["updated_at"])
        for row in rows
    ]
    return sorted(found, key=lambda item: item.due_at)[:most]
