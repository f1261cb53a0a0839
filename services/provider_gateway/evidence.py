"""What was learned about paid calls: rows that are only ever added, by whoever learned it."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, ids
from services.provider_gateway import domain
from services.provider_gateway.store import METADATA, SUBMISSIONS

EVIDENCE = sa.Table(
    "evidence",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("submission_id", sa.Text, nullable=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("provider_job_id", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)


class Piece(NamedTuple):
    """Something learned, and the submission it is about."""

    submission: domain.Submission
    learned: domain.Evidence


class Row(NamedTuple):
    """A piece of evidence with its id."""

    id: str
    learned: domain.Evidence


async def add(conn: AsyncConnection, pieces: Sequence[Piece]) -> None:
    """Write these down, whoever holds the submissions."""
    if not pieces:
        return
    rows = [
        {
            "id": ids.new("evd"),
            "submission_id": one.submission.id,
            "tenant_id": one.submission.tenant_id,
            "kind": one.learned.kind,
            "provider_job_id": one.learned.provider_job_id,
            "note": one.learned.note,
            "at": one.learned.at,
        }
        for one in pieces
    ]
    await conn.execute(sa.insert(EVIDENCE), rows)


async def about(conn: AsyncConnection, submission_id: str) -> list[Row]:
    """What is known about one submission, oldest first."""
    query = sa.select(EVIDENCE).where(EVIDENCE.c.submission_id == submission_id).order_by(EVIDENCE.c.at, EVIDENCE.c.id)
    return [
        Row(row.id, domain.Evidence(domain.Learned(row.kind), row.at, row.provider_job_id, row.note))
        for row in await conn.execute(query)
    ]


async def taken(conn: AsyncConnection, account: str, provider_job_ids: Collection[str]) -> Mapping[str, str]:
    """Which of these jobs of the provider belong to which submission already."""
    query = sa.select(SUBMISSIONS.c.provider_job_id, SUBMISSIONS.c.id).where(
        SUBMISSIONS.c.account == account, db.one_of(SUBMISSIONS.c.provider_job_id, provider_job_ids)
    )
    return {provider_job_id: submission_id for provider_job_id, submission_id in await conn.execute(query)}


async def has_rival(conn: AsyncConnection, one: domain.Submission) -> bool:
    """Whether another submission with an unknown outcome asked for the very same: what is found could be either's."""
    rival = sa.and_(
        SUBMISSIONS.c.account == one.account,
        SUBMISSIONS.c.likeness == one.likeness,
        SUBMISSIONS.c.id != one.id,
        SUBMISSIONS.c.provider_job_id.is_(None),
        SUBMISSIONS.c.state.in_(sorted(domain.UNNAMED)),
    )
    return bool((await conn.execute(sa.select(sa.exists().where(rival)))).scalar())
