"""What must be true of a gateway's database after every step, and what must stay true from step to step."""

import collections
import itertools
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.provider_gateway import domain
from tests.integration.provider_gateway.machine.outside import Outside

S = domain.State
RESERVED = {S.INTENT, S.SENDING, S.UNKNOWN, S.ACCEPTED}
SPENT = {S.PROVIDER_DONE, S.FETCHING, S.STORED, S.CLIP_EXPIRED, S.PROVIDER_FAILED}
ACTIVE = set(S) - domain.FINAL - {S.UNRESOLVED}
FAILED = {S.REJECTED, S.ABSENT, S.PROVIDER_FAILED, S.CANCELED_FREE, S.CLIP_EXPIRED, S.UNRESOLVED}

WALLS = """
    SELECT b.*, (SELECT coalesce(sum(l.reserved), 0) FROM ledger l JOIN submissions s ON s.id = l.submission_id
                 WHERE b.id = ANY (s.budgets)) AS r,
                (SELECT coalesce(sum(l.spent), 0) FROM ledger l JOIN submissions s ON s.id = l.submission_id
                 WHERE b.id = ANY (s.budgets)) AS p,
                (SELECT coalesce(sum(l.suspense), 0) FROM ledger l JOIN submissions s ON s.id = l.submission_id
                 WHERE b.id = ANY (s.budgets)) AS u
    FROM budgets b"""
HELD = """
    SELECT submission_id, sum(reserved) AS reserved, sum(spent) AS spent, sum(suspense) AS suspense,
           sum(available + reserved + spent + suspense) AS balance
    FROM ledger GROUP BY submission_id"""


class Laws:
    """Compares what is with what was."""

    def __init__(self, taken: set[tuple[S, S]]) -> None:
        self.rows: dict[str, Any] = {}
        self.taken = taken
        self._final: dict[str, dict[str, Any]] = {}
        self._evidence: set[str] = set()
        self._used: dict[str, int] = {}

    async def check(self, conn: AsyncConnection, outside: Outside) -> None:
        """Raises AssertionError."""
        found = (await conn.execute(sa.text("SELECT * FROM submissions ORDER BY scene_id, attempt"))).mappings()
        self.rows = {row["id"]: row for row in found}
        await self._the_log_keeps_to_the_table(conn)
        await self._money_is_where_it_should_be(conn)
        await self._nothing_learned_is_forgotten(conn)
        self._each_row_is_sound()
        self._what_is_final_stays()
        self._nothing_is_paid_twice_or_given_back(outside)

    def is_over(self) -> bool:
        """Whether nothing can change any more."""
        return all(row["state"] in domain.FINAL for row in self.rows.values())

    def check_the_end(self, outside: Outside) -> None:
        """Raises AssertionError when something that was paid for is neither kept nor accounted for."""
        for job in outside.jobs:
            row = self.rows[job.submission_id]
            is_told = (row["fault"] or {}).get("reason") == "OUTCOME_UNKNOWN"
            is_kept = row["state"] in (S.STORED, S.CLIP_EXPIRED) or is_told
            assert is_kept or job.state == "failed", f"a paid clip is lost: {row['state']}"

    def _each_row_is_sound(self) -> None:
        active = collections.Counter(row["job_id"] for row in self.rows.values() if row["state"] in ACTIVE)
        assert set(active.values()) <= {1}, "a job has two calls at once"
        for row in self.rows.values():
            assert (row["next_action_at"] is None) == (row["state"] in domain.FINAL), f"forgotten: {row['state']}"
            if row["state"] in domain.FINAL:
                assert row["lease_owner"] is None, "a lease on what is over"

    def _what_is_final_stays(self) -> None:
        for name, before in self._final.items():
            now = dict(self.rows[name])
            assert now == before or before["state"] == S.CLIP_EXPIRED, f"{before['state']} has changed"
        self._final = {name: dict(row) for name, row in self.rows.items() if row["state"] in domain.FINAL}

    async def _the_log_keeps_to_the_table(self, conn: AsyncConnection) -> None:
        query = "SELECT submission_id, version, state FROM submission_log ORDER BY submission_id, version"
        story: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
        for name, version, state in await conn.execute(sa.text(query)):
            story[name].append((version, state))
        for name, changes in story.items():
            for (earlier, before), (later, after) in itertools.pairwise(changes):
                self.taken.add((S(before), S(after)))
                assert later == earlier + 1, "a change is missing in the log"
            assert changes[-1] == (self.rows[name]["version"], self.rows[name]["state"])
        assert self.taken <= domain.TRANSITIONS
        said = collections.Counter((await conn.execute(sa.text("SELECT subject FROM outbox"))).scalars())
        stored, failed = (said[f"rushes.provider_gateway.v1.{kind}"] for kind in ("ClipStored", "SubmissionFailed"))
        told = collections.Counter(state for changes in story.values() for _, state in changes)
        assert stored == told[S.STORED]
        assert failed >= sum(told[state] for state in FAILED), "an end of which nobody hears"

    async def _money_is_where_it_should_be(self, conn: AsyncConnection) -> None:
        held = {row["submission_id"]: row for row in (await conn.execute(sa.text(HELD))).mappings()}
        for name, row in self.rows.items():
            has = held.get(name)
            assert has is None or has["balance"] == 0
            found = (has["reserved"], has["spent"], has["suspense"]) if has else (0, 0, 0)
            assert found == _expected(row), f"{row['state']} holds {found}"
        for wall in (await conn.execute(sa.text(WALLS))).mappings():
            counted = (wall["reserved_micros"], wall["spent_micros"], wall["suspense_micros"])
            assert counted == (wall["r"], wall["p"], wall["u"]), "a wall is not the sum of what is behind it"
            grew = sum(counted) > self._used.get(wall["id"], 0)
            assert not grew or sum(counted) <= wall["limit_micros"], "a wall was passed"
            self._used[wall["id"]] = sum(counted)

    async def _nothing_learned_is_forgotten(self, conn: AsyncConnection) -> None:
        now = set((await conn.execute(sa.text("SELECT id FROM evidence"))).scalars())
        assert now >= self._evidence, "evidence was taken away"
        self._evidence = now

    def _nothing_is_paid_twice_or_given_back(self, outside: Outside) -> None:
        if not outside.capabilities.idempotency_s:
            assert set(outside.posts.values()) <= {1}, "an order was sent twice"
        live = collections.Counter(
            self.rows[job.submission_id]["job_id"] for job in outside.jobs if job.state != "failed"
        )
        assert set(live.values()) <= {1}, "a job is paid for twice"
        for job in outside.jobs:
            row = self.rows[job.submission_id]
            if job.state != "failed" or job.paid:
                assert sum(_expected(row)), f"money is given back ({row['state']}) for what the provider charges"


def _expected(row: Any) -> tuple[int, int, int]:
    """What is reserved, spent and in suspense, by the state alone."""
    state = S(row["state"])
    if state in RESERVED:
        return row["reserved_micros"], 0, 0
    if state in SPENT:
        return 0, row["cost_micros"], 0
    return 0, 0, row["reserved_micros"] if state is S.UNRESOLVED else 0
