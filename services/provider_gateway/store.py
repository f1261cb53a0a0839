"""The tables of quotes, submissions and what claims them, and every query on them."""

import dataclasses
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
    sa.Column("last_frame_wanted", sa.Boolean, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
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

_CHANGING = (
    "state",
    "tries",
    "provider_job_id",
    "cost_micros",
    "clip",
    "fault",
    "updated_at",
    "clip_expires_at",
    "next_action_at",
)
_FIELDS = [field.name for field in dataclasses.fields(domain.Submission)]


class Change(NamedTuple):
    """A submission as it was when it was claimed, and as it has become."""

    before: domain.Submission
    after: domain.Submission


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """A submission this process may act on, and the state it was found in."""

    submission: domain.Submission
    was: domain.State


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
    await conn.execute(sa.insert(SUBMISSIONS), [_row(submission) for submission in submissions])


async def claim(
    conn: AsyncConnection, owner: str, lease_s: float, most: int, in_hand: Collection[str] = ()
) -> list[Claimed]:
    """Take what is due and nobody holds, paid clips that expire soonest first; the database's clock alone decides.

    Claiming is also the rescue: the rows of a process that is gone come up here when their lease runs out. Those
    `in_hand` are not taken: we still work on them, even if we could not renew them while the database was away. An
    intent whose cancel has been heard stays one: nothing is sent for it any more.
    """
    now = sa.func.now()
    due = (
        sa.select(SUBMISSIONS.c.id, SUBMISSIONS.c.state)
        .where(
            SUBMISSIONS.c.next_action_at <= now,
            ~db.one_of(SUBMISSIONS.c.id, in_hand),
            sa.or_(SUBMISSIONS.c.lease_until.is_(None), SUBMISSIONS.c.lease_until < now),
        )
        .order_by(SUBMISSIONS.c.clip_expires_at.nulls_last(), SUBMISSIONS.c.next_action_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    of_job = sa.and_(
        CANCELLATIONS.c.job_id == SUBMISSIONS.c.job_id, CANCELLATIONS.c.tenant_id == SUBMISSIONS.c.tenant_id
    )
    is_intent, is_cancelled = SUBMISSIONS.c.state == domain.State.INTENT, sa.exists().where(of_job)
    begins, stays = sa.and_(is_intent, ~is_cancelled), sa.and_(is_intent, is_cancelled)
    next_state = sa.case(domain.ON_CLAIM, value=SUBMISSIONS.c.state, else_=SUBMISSIONS.c.state)
    query = (
        sa.update(SUBMISSIONS)
        .where(SUBMISSIONS.c.id == due.c.id)
        .values(
            state=sa.case((stays, SUBMISSIONS.c.state), else_=next_state),
            sent_at=sa.case((begins, now), else_=SUBMISSIONS.c.sent_at),
            lease_owner=owner,
            lease_epoch=SUBMISSIONS.c.lease_epoch + 1,
            lease_until=now + sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
        .returning(SUBMISSIONS, due.c.state.label("was"))
    )
    rows = (await conn.execute(query)).mappings()
    return [Claimed(_submission(row), domain.State(row["was"])) for row in rows]


async def renew(conn: AsyncConnection, owner: str, lease_s: float, submission_ids: Collection[str]) -> None:
    """Hold on to these for another while."""
    until = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_s)
    mine = db.one_of(SUBMISSIONS.c.id, submission_ids)
    await conn.execute(sa.update(SUBMISSIONS).where(mine, SUBMISSIONS.c.lease_owner == owner).values(lease_until=until))


async def save(conn: AsyncConnection, changes: Sequence[Change]) -> dict[str, domain.Submission]:
    """Compare and set, and give the leases back; those about whom somebody else has decided since are left out."""
    rows = [_row(after) | {"lease_epoch": before.lease_epoch} for before, after in changes]
    new = db.recordset(SUBMISSIONS, (*_CHANGING, "id", "lease_epoch"), rows)
    was = db.recordset(SUBMISSIONS, ("id", "state"), [{"id": b.id, "state": b.state} for b, _ in changes])
    query = (
        sa.update(SUBMISSIONS)
        .where(
            SUBMISSIONS.c.id == new.c.id,
            SUBMISSIONS.c.lease_epoch == new.c.lease_epoch,
            SUBMISSIONS.c.id == was.c.id,
            SUBMISSIONS.c.state == was.c.state,
        )
        .values({name: new.c[name] for name in _CHANGING} | {"lease_owner": None, "lease_until": None})
        .returning(SUBMISSIONS.c.id, SUBMISSIONS.c.version)
    )
    saved = {row.id: row.version for row in await conn.execute(query)}
    return {after.id: dataclasses.replace(after, version=saved[after.id]) for _, after in changes if after.id in saved}


async def lock_unsent(conn: AsyncConnection, tenant_id: str, job_id: str) -> domain.Submission | None:
    """The job's submission if nothing has been sent for it, locked until the transaction ends."""
    query = (
        sa.select(SUBMISSIONS)
        .where(
            SUBMISSIONS.c.tenant_id == tenant_id,
            SUBMISSIONS.c.job_id == job_id,
            SUBMISSIONS.c.state == domain.State.INTENT,
        )
        .with_for_update()
    )
    row = (await conn.execute(query)).mappings().first()
    return _submission(row) if row else None


async def get_submission(conn: AsyncConnection, tenant_id: str, submission_id: str) -> domain.Submission:
    """One submission. Raises SubmissionNotFound."""
    query = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.tenant_id == tenant_id, SUBMISSIONS.c.id == submission_id)
    row = (await conn.execute(query)).mappings().first()
    if row is None:
        raise domain.SubmissionNotFound(submission_id=submission_id)
    return _submission(row)


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
    return [_submission(row) for row in rows.mappings()]


def _submission(row: sa.RowMapping) -> domain.Submission:
    values = {name: row[name] for name in _FIELDS}
    values["state"] = domain.State(row["state"])
    values["clip"] = _clip(row["clip"]) if row["clip"] else None
    values["fault"] = domain.Fault(**row["fault"]) if row["fault"] else None
    return domain.Submission(**values)


def _clip(value: dict[str, Any]) -> domain.Clip:
    last = value["last_frame"]
    media, last_frame = domain.Media(**value["media"]), domain.Media(**last) if last else None
    return domain.Clip(media, value["seconds"], value["width"], value["height"], last_frame)


def _row(submission: domain.Submission) -> dict[str, Any]:
    values = {name: getattr(submission, name) for name in _FIELDS}
    values["clip"] = dataclasses.asdict(submission.clip) if submission.clip else None
    values["fault"] = dataclasses.asdict(submission.fault) if submission.fault else None
    return values
