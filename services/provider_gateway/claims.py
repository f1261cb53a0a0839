"""Who works on which submission: claiming what is due, holding on to it, and writing down what became of it."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.provider_gateway import domain, store, switches, whereabouts
from services.provider_gateway.store import CANCELLATIONS, SUBMISSIONS

_CHANGING = (
    "state",
    "tries",
    "provider_job_id",
    "cost_micros",
    "clip",
    "fault",
    "updated_at",
    "answered_at",
    "clip_expires_at",
    "next_action_at",
    "budgets",
    "turn",
)
_NEW = (*_CHANGING, "id", "lease_epoch")
_WAS = ("id", "state", "next_action_at")
_UNTIL = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.bindparam("lease_s", type_=sa.Float))
_UNHELD = {"lease_owner": None, "lease_until": None}
_UNSENT = SUBMISSIONS.c.state.in_([domain.State.PARKED, domain.State.INTENT])


def _due(*rules: sa.ColumnElement[bool]) -> sa.Select[tuple[str, str, object]]:
    now = sa.func.now()
    free = sa.or_(SUBMISSIONS.c.lease_until.is_(None), SUBMISSIONS.c.lease_until < now)
    return sa.select(SUBMISSIONS.c.id, SUBMISSIONS.c.state, SUBMISSIONS.c.cancel_tried_at).where(
        SUBMISSIONS.c.next_action_at <= now, ~db.among(SUBMISSIONS.c.id, "in_hand"), free, *rules
    )


def _first(due: sa.Select[tuple[str, str, object]]) -> sa.CTE:
    return due.limit(sa.bindparam("most", type_=sa.Integer)).with_for_update(skip_locked=True).cte("due")


def _take(due: sa.CTE, **values: object) -> sa.Update:
    lease = {"lease_owner": sa.bindparam("owner"), "lease_epoch": SUBMISSIONS.c.lease_epoch + 1, "lease_until": _UNTIL}
    return sa.update(SUBMISSIONS).where(SUBMISSIONS.c.id == due.c.id).values(values | lease)


def _claim() -> sa.UpdateBase:
    mine = _due(~_UNSENT, ~db.among(SUBMISSIONS.c.tenant_id, "crowding"))
    due = _first(mine.order_by(SUBMISSIONS.c.clip_expires_at.nulls_last(), SUBMISSIONS.c.next_action_at))
    cancels = sa.and_(
        SUBMISSIONS.c.state == domain.State.ACCEPTED,
        SUBMISSIONS.c.cancel_wanted_at.is_not(None),
        SUBMISSIONS.c.cancel_tried_at.is_(None),
    )
    tried_at = sa.case((cancels, sa.func.now()), else_=SUBMISSIONS.c.cancel_tried_at)
    state = sa.case(domain.ON_CLAIM, value=SUBMISSIONS.c.state, else_=SUBMISSIONS.c.state)
    taken = _take(due, state=state, cancel_tried_at=tried_at)
    return taken.returning(SUBMISSIONS, due.c.state.label("was"), due.c.cancel_tried_at.label("tried"))


def _begin() -> sa.UpdateBase:
    mine = sa.and_(SUBMISSIONS.c.state == domain.State.INTENT, SUBMISSIONS.c.account == sa.bindparam("of_account"))
    may_be_sent = (~switches.is_thrown(SUBMISSIONS), whereabouts.is_here())
    due = _first(_due(mine, *may_be_sent).order_by(SUBMISSIONS.c.turn))
    of_job = sa.and_(
        CANCELLATIONS.c.job_id == SUBMISSIONS.c.job_id, CANCELLATIONS.c.tenant_id == SUBMISSIONS.c.tenant_id
    )
    stays = sa.or_(SUBMISSIONS.c.cancel_wanted_at.is_not(None), sa.exists().where(of_job))
    state = sa.case((stays, domain.State.INTENT), else_=domain.State.SENDING)
    sent_at = sa.case((stays, SUBMISSIONS.c.sent_at), else_=sa.func.now())
    return _take(due, state=state, sent_at=sent_at).returning(SUBMISSIONS)


def _save() -> sa.UpdateBase:
    new = db.recordset(SUBMISSIONS, _NEW, "new")
    was = db.recordset(SUBMISSIONS, _WAS, "was")
    is_hurried = SUBMISSIONS.c.next_action_at.is_distinct_from(was.c.next_action_at)
    values: dict[str, object] = {**{name: new.c[name] for name in _CHANGING}, **_UNHELD}
    sooner = sa.func.least(SUBMISSIONS.c.next_action_at, new.c.next_action_at)
    is_sooner = sa.and_(is_hurried, new.c.next_action_at.is_not(None))
    values["next_action_at"] = sa.case((is_sooner, sooner), else_=new.c.next_action_at)
    return (
        sa.update(SUBMISSIONS)
        .where(
            SUBMISSIONS.c.id == new.c.id,
            SUBMISSIONS.c.lease_epoch == new.c.lease_epoch,
            SUBMISSIONS.c.id == was.c.id,
            SUBMISSIONS.c.state == was.c.state,
            sa.or_(new.c.state != domain.State.ABSENT, ~is_hurried),
        )
        .values(values)
        .returning(SUBMISSIONS.c.id, SUBMISSIONS.c.version, SUBMISSIONS.c.cancel_wanted_at)
    )


# Made once: to put one together costs more than to run it.
_CLAIM, _BEGIN, _SAVE = _claim(), _begin(), _save()
_RENEW = (
    sa.update(SUBMISSIONS)
    .where(db.among(SUBMISSIONS.c.id, "submission_ids"), SUBMISSIONS.c.lease_owner == sa.bindparam("owner"))
    .values(lease_until=_UNTIL)
)


class Change(NamedTuple):
    """A submission as it was, as it has become, and what was learned, which counts even if somebody else decided.

    One that `is_passing` is no news: what becomes of it comes in a moment.
    """

    before: domain.Submission
    after: domain.Submission
    learned: domain.Evidence | None = None
    is_passing: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """A submission this process may act on, the state it was found in, and whether to ask the provider to stop."""

    submission: domain.Submission
    was: domain.State
    cancels: bool = False


async def claim(
    conn: AsyncConnection,
    owner: str,
    lease_s: float,
    most: int,
    in_hand: Collection[str] = (),
    crowding: Collection[str] = (),
) -> list[Claimed]:
    """Take what was sent, is due and nobody holds, paid clips that expire soonest first; by the database's clock.

    Claiming is also the rescue: the rows of a process that is gone come up here when their lease runs out. Those
    `in_hand` are not taken: we still work on them, even if we could not renew them while the database was away. Nor is
    anything of the tenants who are `crowding` us.
    """
    asked = {"owner": owner, "lease_s": lease_s, "most": most, "in_hand": list(in_hand), "crowding": list(crowding)}
    return [
        Claimed(submission, domain.State(row["was"]), submission.cancel_tried_at is not None and row["tried"] is None)
        for row in (await conn.execute(_CLAIM, asked)).mappings()
        for submission in [store.submission_of(row)]
    ]


async def waiting_accounts(conn: AsyncConnection) -> list[str]:
    """The accounts for which orders wait to be sent; it costs a step in the index for each."""
    query = sa.text("""
        WITH RECURSIVE waiting (account) AS (
          (SELECT min(account) FROM submissions WHERE state = 'INTENT')
          UNION ALL
          SELECT (SELECT min(s.account) FROM submissions s WHERE s.state = 'INTENT' AND s.account > w.account)
          FROM waiting w WHERE w.account IS NOT NULL
        ) SELECT account FROM waiting WHERE account IS NOT NULL""")
    return list((await conn.execute(query)).scalars())


async def begin(
    conn: AsyncConnection, owner: str, lease_s: float, account: str, most: int, in_hand: Collection[str] = ()
) -> list[Claimed]:
    """Take orders of one account to send them now, in the fair order of tenants; committed before the first byte.

    None under a switch is taken, and none from a restored copy before `memory` has looked at it; and one whose cancel
    has been heard stays an intent: nothing is sent for it any more.
    """
    asked = {"owner": owner, "lease_s": lease_s, "most": most, "in_hand": list(in_hand), "of_account": account}
    rows = (await conn.execute(_BEGIN, asked)).mappings()
    return [Claimed(store.submission_of(row), domain.State.INTENT) for row in rows]


async def repeats(conn: AsyncConnection, before: domain.Submission) -> bool:
    """Note, before its first byte, that it is sent again: until that has ended nothing proves that it is absent.

    False when somebody else decides about it by now, or a switch is thrown.
    """
    mine = sa.and_(
        SUBMISSIONS.c.id == before.id,
        SUBMISSIONS.c.lease_epoch == before.lease_epoch,
        SUBMISSIONS.c.state == domain.State.UNKNOWN,
        ~switches.is_thrown(SUBMISSIONS),  # what never arrived is bought by this
    )
    noted = sa.update(SUBMISSIONS).where(mine).values(answered_at=None).returning(SUBMISSIONS.c.id)
    return (await conn.execute(noted)).first() is not None


async def renew(conn: AsyncConnection, owner: str, lease_s: float, submission_ids: Collection[str]) -> None:
    """Hold on to these for another while."""
    asked = {"owner": owner, "lease_s": lease_s, "submission_ids": list(submission_ids)}
    await conn.execute(_RENEW, asked)


async def save(conn: AsyncConnection, changes: Sequence[Change]) -> dict[str, domain.Submission]:
    """Compare and set, and give the leases back; those about whom somebody else has decided since are left out.

    Who has learned something meanwhile has hurried the submission: that is not overwritten by what was planned without
    it, and a proof of absence that does not know of it is none.
    """
    new = [store.row_of(one.after) | {"lease_epoch": one.before.lease_epoch} for one in changes]
    was = [{name: getattr(one.before, name) for name in _WAS} for one in changes]
    rows = await conn.execute(_SAVE, {"new": db.records(_NEW, new), "was": db.records(_WAS, was)})
    saved = {row.id: row for row in rows}
    await _give_back(conn, [one.before for one in changes if one.before.id not in saved])
    return {
        row.id: dataclasses.replace(one.after, version=row.version, cancel_wanted_at=row.cancel_wanted_at)
        for one in changes
        if (row := saved.get(one.after.id))
    }


async def _give_back(conn: AsyncConnection, submissions: Sequence[domain.Submission]) -> None:
    """Let go of what was not ours to decide, where nobody else has it yet."""
    for one in submissions:
        mine = sa.and_(SUBMISSIONS.c.id == one.id, SUBMISSIONS.c.lease_epoch == one.lease_epoch)
        await conn.execute(sa.update(SUBMISSIONS).where(mine).values(_UNHELD))
