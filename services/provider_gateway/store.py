"""The tables of quotes, submissions and what claims them, and every query on them."""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.provider_gateway import domain

METADATA = sa.MetaData()
_TIME = sa.DateTime(timezone=True)

QUOTES = sa.Table(
    "quotes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
)

SUBMISSIONS = sa.Table(
    "submissions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("wire_model", sa.Text, nullable=False),
    sa.Column("spec", sa.LargeBinary, nullable=False),
    sa.Column("likeness", sa.Text, nullable=False),
    sa.Column("last_frame_wanted", sa.Boolean, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("budgets", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("reserved_micros", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("provider_job_id", sa.Text),
    sa.Column("clip", pg.JSONB(none_as_null=True)),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("sent_at", _TIME),
    sa.Column("answered_at", _TIME),
    sa.Column("doubted_from", _TIME),
    sa.Column("cancel_wanted_at", _TIME),
    sa.Column("cancel_tried_at", _TIME),
    sa.Column("clip_expires_at", _TIME),
    sa.Column("next_action_at", _TIME),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False),
    sa.Column("lease_until", _TIME),
)

CANCELLATIONS = sa.Table(
    "cancellations",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("heard_at", _TIME, nullable=False),
)

SUBMISSION_LOG = sa.Table(
    "submission_log",
    METADATA,
    sa.Column("submission_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", _TIME, nullable=False),
)

_FIELDS = [field.name for field in dataclasses.fields(domain.Submission)]


async def insert_quote_once(conn: AsyncConnection, row: dict[str, Any]) -> bool:
    """Keep a quote; False when its request_id has one already."""
    inserted = await conn.execute(pg.insert(QUOTES).values(row).on_conflict_do_nothing().returning(QUOTES.c.id))
    return inserted.first() is not None


async def find_requested_quote(conn: AsyncConnection, tenant_id: str, request_id: str) -> tuple[bytes, bytes] | None:
    """The content and the request digest of the quote this request_id made before."""
    query = sa.select(QUOTES.c.content, QUOTES.c.request_digest).where(
        QUOTES.c.tenant_id == tenant_id, QUOTES.c.request_id == request_id
    )
    row = (await conn.execute(query)).first()
    return (row.content, row.request_digest) if row else None


async def get_quote(conn: AsyncConnection, tenant_id: str, quote_id: str) -> bytes:
    """A quote's content. Raises QuoteNotFound."""
    query = sa.select(QUOTES.c.content).where(QUOTES.c.tenant_id == tenant_id, QUOTES.c.id == quote_id)
    content: bytes | None = (await conn.execute(query)).scalar()
    if content is None:
        raise domain.QuoteNotFound(quote_id=quote_id)
    return content


async def quotes(conn: AsyncConnection, quote_ids: Collection[str]) -> dict[str, tuple[str, bytes]]:
    """The tenant and the content of each of these quotes that exists."""
    query = sa.select(QUOTES.c.id, QUOTES.c.tenant_id, QUOTES.c.content).where(db.one_of(QUOTES.c.id, quote_ids))
    return {row.id: (row.tenant_id, row.content) for row in await conn.execute(query)}


async def attempts(conn: AsyncConnection, job_ids: Collection[str]) -> set[tuple[str, int]]:
    """The attempts of these jobs that have their submissions already."""
    query = sa.select(SUBMISSIONS.c.job_id, SUBMISSIONS.c.attempt).where(db.one_of(SUBMISSIONS.c.job_id, job_ids))
    return {(row.job_id, row.attempt) for row in await conn.execute(query)}


async def cancelled(conn: AsyncConnection, job_ids: Collection[str]) -> set[tuple[str, str]]:
    """The tenant and the job of each of these whose cancel has been heard."""
    query = sa.select(CANCELLATIONS.c.tenant_id, CANCELLATIONS.c.job_id).where(
        db.one_of(CANCELLATIONS.c.job_id, job_ids)
    )
    return {(row.tenant_id, row.job_id) for row in await conn.execute(query)}


async def note_cancel(conn: AsyncConnection, tenant_id: str, job_id: str, now: datetime) -> None:
    """Remember that this job's cancel has been heard."""
    row = {"job_id": job_id, "tenant_id": tenant_id, "heard_at": now}
    await conn.execute(pg.insert(CANCELLATIONS).values(row).on_conflict_do_nothing())


async def insert_submissions(conn: AsyncConnection, submissions: Sequence[domain.Submission]) -> None:
    """Write the intents. The database refuses a second one for the same attempt."""
    await conn.execute(sa.insert(SUBMISSIONS), [row_of(submission) for submission in submissions])


async def want_cancel(conn: AsyncConnection, tenant_id: str, job_id: str, now: datetime) -> None:
    """Note on the job's submission, unless it is final, that it is not wanted any more; polled ones are due now."""
    polled = SUBMISSIONS.c.state == domain.State.ACCEPTED
    await conn.execute(
        sa.update(SUBMISSIONS)
        .where(
            SUBMISSIONS.c.tenant_id == tenant_id,
            SUBMISSIONS.c.job_id == job_id,
            SUBMISSIONS.c.cancel_wanted_at.is_(None),
            SUBMISSIONS.c.state.not_in(sorted(domain.FINAL)),
        )
        .values(cancel_wanted_at=now, next_action_at=sa.case((polled, now), else_=SUBMISSIONS.c.next_action_at))
    )


async def lock_unsent(conn: AsyncConnection, tenant_id: str, job_id: str) -> domain.Submission | None:
    """The job's submission if nothing has been sent for it, locked until the transaction ends."""
    unsent = SUBMISSIONS.c.state.in_([domain.State.PARKED, domain.State.INTENT])
    query = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.tenant_id == tenant_id, SUBMISSIONS.c.job_id == job_id, unsent)
    row = (await conn.execute(query.with_for_update())).mappings().first()
    return submission_of(row) if row else None


async def lock_parked(conn: AsyncConnection, most: int) -> list[domain.Submission]:
    """Those that waited until now, oldest first, locked until the transaction ends; others' are skipped."""
    query = (
        sa.select(SUBMISSIONS)
        .where(SUBMISSIONS.c.state == domain.State.PARKED, SUBMISSIONS.c.next_action_at <= sa.func.now())
        .order_by(SUBMISSIONS.c.next_action_at, SUBMISSIONS.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [submission_of(row) for row in (await conn.execute(query)).mappings()]


async def lock_submission(conn: AsyncConnection, tenant_id: str, submission_id: str) -> domain.Submission:
    """One submission, locked until the transaction ends. Raises SubmissionNotFound."""
    query = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.tenant_id == tenant_id, SUBMISSIONS.c.id == submission_id)
    row = (await conn.execute(query.with_for_update())).mappings().first()
    if row is None:
        raise domain.SubmissionNotFound(submission_id=submission_id)
    return submission_of(row)


async def in_states(
    conn: AsyncConnection, submission_ids: Collection[str], states: Collection[domain.State]
) -> list[domain.Submission]:
    """Those of these submissions that are in one of these states now."""
    query = sa.select(SUBMISSIONS).where(db.one_of(SUBMISSIONS.c.id, submission_ids), SUBMISSIONS.c.state.in_(states))
    return [submission_of(row) for row in (await conn.execute(query)).mappings()] if submission_ids else []


async def hurry(conn: AsyncConnection, submission_ids: Collection[str]) -> None:
    """Look at these now, whatever was planned; final ones stay as they are."""
    if not submission_ids:
        return
    open_ones = sa.and_(db.one_of(SUBMISSIONS.c.id, submission_ids), SUBMISSIONS.c.next_action_at.is_not(None))
    await conn.execute(sa.update(SUBMISSIONS).where(open_ones).values(next_action_at=sa.func.now()))


async def turns(conn: AsyncConnection, buyers: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The last turn taken, by account and tenant: behind its own waiting orders, and not before what was served.

    Start-time fair queueing: however many orders one tenant brings, the next of every other comes after one of its.
    """
    query = sa.text("""
        SELECT b.account, b.tenant_id, greatest(
          (SELECT max(turn) FROM submissions s WHERE s.account = b.account AND s.state NOT IN ('PARKED', 'INTENT')),
          (SELECT max(turn) FROM submissions s
           WHERE s.account = b.account AND s.tenant_id = b.tenant_id AND s.state = 'INTENT'), 0)
        FROM unnest(CAST(:accounts AS text[]), CAST(:tenants AS text[])) AS b (account, tenant_id)""")
    told = sorted(buyers)
    values = {"accounts": [account for account, _ in told], "tenants": [tenant_id for _, tenant_id in told]}
    return {(account, tenant_id): turn for account, tenant_id, turn in await conn.execute(query, values)}


async def lock_stale(conn: AsyncConnection, since: datetime, most: int) -> list[domain.Submission]:
    """Intents that wait to be sent since then, or are not wanted any more; locked until the transaction ends."""
    query = (
        sa.select(SUBMISSIONS)
        .where(
            SUBMISSIONS.c.state == domain.State.INTENT,
            sa.or_(SUBMISSIONS.c.created_at < since, SUBMISSIONS.c.cancel_wanted_at.is_not(None)),
            sa.or_(SUBMISSIONS.c.lease_until.is_(None), SUBMISSIONS.c.lease_until < sa.func.now()),
        )
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [submission_of(row) for row in (await conn.execute(query)).mappings()]


async def accounts_tried(conn: AsyncConnection, job_ids: Collection[str]) -> dict[str, set[str]]:
    """The accounts that refused earlier attempts of these jobs."""
    query = sa.select(SUBMISSIONS.c.job_id, SUBMISSIONS.c.account).where(
        db.one_of(SUBMISSIONS.c.job_id, job_ids), SUBMISSIONS.c.state == domain.State.REJECTED
    )
    found: dict[str, set[str]] = {}
    for job_id, account in await conn.execute(query):
        found.setdefault(job_id, set()).add(account)
    return found


async def get_submission(conn: AsyncConnection, tenant_id: str, submission_id: str) -> domain.Submission:
    """One submission. Raises SubmissionNotFound."""
    query = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.tenant_id == tenant_id, SUBMISSIONS.c.id == submission_id)
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.SubmissionNotFound(submission_id=submission_id)
    return submission_of(row)


async def list_submissions(
    conn: AsyncConnection, tenant_id: str, state: domain.State | None, job_id: str, below: str | None, most: int
) -> list[domain.Submission]:
    """Submissions, newest first, whose id is below the one given."""
    query = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.tenant_id == tenant_id)
    if state:
        query = query.where(SUBMISSIONS.c.state == state)
    if job_id:
        query = query.where(SUBMISSIONS.c.job_id == job_id)
    if below:
        query = query.where(SUBMISSIONS.c.id < below)
    rows = await conn.execute(query.order_by(SUBMISSIONS.c.id.desc()).limit(most))
    return [submission_of(row) for row in rows.mappings()]


def submission_of(row: sa.RowMapping) -> domain.Submission:
    """The submission in a row."""
    values = {name: row[name] for name in _FIELDS}
    values["state"], values["budgets"] = domain.State(row["state"]), tuple(row["budgets"])
    values["clip"] = _clip(row["clip"]) if row["clip"] else None
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    return domain.Submission(**values)


def _clip(value: dict[str, Any]) -> domain.Clip:
    media, last_frame, thumbnail = (_media(value.get(name)) for name in ("media", "last_frame", "thumbnail"))
    assert media is not None
    return domain.Clip(media, value["seconds"], value["width"], value["height"], last_frame, thumbnail)


def _media(value: dict[str, Any] | None) -> domain.Media | None:
    return domain.Media(**value) if value else None


def row_of(submission: domain.Submission) -> dict[str, Any]:
    """The row of a submission."""
    values = {name: getattr(submission, name) for name in _FIELDS}
    values["clip"] = dataclasses.asdict(submission.clip) if submission.clip else None
    values["fault"] = dataclasses.asdict(submission.fault) if submission.fault else None
    return values
