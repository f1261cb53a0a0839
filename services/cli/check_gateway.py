"""What the gateway's database promises about submissions and their money: each promise is a query for its breaches."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

Found = tuple[str, int, tuple[str, ...]]

FINAL = frozenset({"STORED", "CLIP_EXPIRED", "REJECTED", "ABSENT", "PROVIDER_FAILED", "CANCELED_FREE"})
FREE_ENDS = frozenset({"REJECTED", "ABSENT", "CANCELED_FREE"})
RESERVED = frozenset({"INTENT", "SENDING", "UNKNOWN", "ACCEPTED"})
TRANSITIONS: Mapping[str, Sequence[str]] = {
    "PARKED": ("INTENT", "REJECTED", "CANCELED_FREE"),
    "INTENT": ("SENDING", "REJECTED", "CANCELED_FREE"),
    "SENDING": ("INTENT", "ACCEPTED", "REJECTED", "UNKNOWN"),
    "UNKNOWN": ("ACCEPTED", "REJECTED", "ABSENT", "UNRESOLVED", "PROVIDER_FAILED"),
    "UNRESOLVED": ("ACCEPTED", "ABSENT", "PROVIDER_FAILED"),
    "ACCEPTED": ("PROVIDER_DONE", "PROVIDER_FAILED", "UNKNOWN"),
    "PROVIDER_DONE": ("FETCHING",),
    "FETCHING": ("PROVIDER_DONE", "STORED", "CLIP_EXPIRED"),
    "CLIP_EXPIRED": ("PROVIDER_DONE",),
}
"""What may follow what; docs/lifecycles.md draws it."""


class Rule(NamedTuple):
    """A promise about the rows of a table; `breaches` selects one text for each of them that breaks it."""

    promise: str
    table: str
    breaches: str


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """A paid call as the other books are compared with it; money in micros, as the ledger has it."""

    id: str
    job_id: str
    attempt: int
    state: str
    cost: int | None
    spent: int
    reserved: int
    suspense: int
    reason: str
    clip: Mapping[str, Any] | None
    is_settled: bool
    """Whether it has been as it is for longer than the grace."""


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


_STEPS = ", ".join(f"('{before}', '{after}')" for before, some in TRANSITIONS.items() for after in some)
_FIRST = _texts({*TRANSITIONS["PARKED"], *TRANSITIONS["INTENT"]})
_LONG_AGO = "now() - make_interval(secs => {grace_s})"

RULES = (
    Rule(
        "each line of the ledger adds up to zero",
        "ledger",
        "SELECT id FROM ledger WHERE available + reserved + spent + suspense <> 0",
    ),
    Rule(
        "every wall is what the ledger says of the submissions behind it",
        "budgets",
        """
        WITH behind AS (
          SELECT unnest(s.budgets) AS wall, sum(l.reserved) AS reserved, sum(l.spent) AS spent,
            sum(l.suspense) AS suspense
          FROM submissions s JOIN ledger l ON l.submission_id = s.id GROUP BY 1
        ) SELECT b.id FROM budgets b LEFT JOIN behind ON behind.wall = b.id
        WHERE (b.reserved_micros, b.spent_micros, b.suspense_micros) IS DISTINCT FROM
          (coalesce(behind.reserved, 0), coalesce(behind.spent, 0), coalesce(behind.suspense, 0))""",
    ),
    Rule(
        "every submission holds the money of its state",
        "submissions",
        f"""
        WITH held AS (
          SELECT submission_id, sum(reserved) AS reserved, sum(spent) AS spent, sum(suspense) AS suspense
          FROM ledger GROUP BY 1
        ) SELECT s.id || ' ' || s.state FROM submissions s LEFT JOIN held ON held.submission_id = s.id
        WHERE (coalesce(held.reserved, 0), coalesce(held.spent, 0), coalesce(held.suspense, 0)) IS DISTINCT FROM (
          CASE WHEN s.state IN ({_texts(RESERVED)}) THEN s.reserved_micros ELSE 0 END,
          CASE WHEN s.state IN ({_texts(RESERVED | {"PARKED", "UNRESOLVED"})}) THEN 0
            ELSE coalesce(s.cost_micros, 0) END,
          CASE WHEN s.state = 'UNRESOLVED' THEN s.reserved_micros ELSE 0 END)""",
    ),
    Rule(
        "no job is paid for twice",
        "submissions",
        """
        SELECT job_id FROM submissions
        WHERE state IN ('SENDING', 'UNKNOWN', 'ACCEPTED', 'PROVIDER_DONE', 'FETCHING', 'STORED', 'CLIP_EXPIRED')
        GROUP BY job_id HAVING count(*) > 1""",
    ),
    Rule(
        "states follow the table",
        "submission_log",
        f"""
        SELECT submission_id || ' ' || coalesce(before, 'the beginning') || ' to ' || state FROM (
          SELECT submission_id, version, state, lag(state) OVER turn AS before, lag(version) OVER turn AS was
          FROM submission_log WINDOW turn AS (PARTITION BY submission_id ORDER BY version)
        ) AS steps
        WHERE version <> was + 1 OR (before, state) NOT IN ({_STEPS})
          OR (before IS NULL AND state NOT IN ({_FIRST}))""",
    ),
    Rule(
        "the log ends where the submission is",
        "submissions",
        """
        SELECT s.id FROM submissions s LEFT JOIN submission_log l ON l.submission_id = s.id AND l.version = s.version
        WHERE s.version > 1 AND s.state <> 'PARKED' AND l.state IS DISTINCT FROM s.state""",
    ),
    Rule(
        "what is open has a date, and what is parked a reason",
        "submissions",
        f"""
        SELECT id || ' ' || state FROM submissions
        WHERE (state NOT IN ({_texts(FINAL)}) AND next_action_at IS NULL) OR (state = 'PARKED' AND fault IS NULL)""",
    ),
    Rule(
        "nothing is forgotten",
        "submissions",
        f"""
        SELECT id || ' ' || state FROM submissions WHERE state NOT IN ('INTENT', {_texts(FINAL)})
          AND greatest(next_action_at, lease_until) < {_LONG_AGO}""",
    ),
    Rule(
        "unknown outcomes are given up in time",
        "submissions",
        f"SELECT id FROM submissions WHERE state = 'UNKNOWN' AND sent_at + interval '1 day' < {_LONG_AGO}",
    ),
    Rule(
        "nobody holds what is over",
        "submissions",
        f"SELECT id FROM submissions WHERE state IN ({_texts(FINAL)}) AND num_nonnulls(lease_owner, lease_until) > 0",
    ),
    Rule(
        "evidence does not contradict itself",
        "evidence",
        """
        SELECT e.submission_id FROM evidence e JOIN submissions s ON s.id = e.submission_id
        WHERE e.provider_job_id <> '' AND e.kind <> 'AMBIGUOUS' AND NOT EXISTS (
          SELECT FROM evidence word WHERE word.submission_id = s.id AND word.kind = 'PERSON')
        GROUP BY e.submission_id, s.provider_job_id
        HAVING count(DISTINCT e.provider_job_id) > 1 OR min(e.provider_job_id) <> s.provider_job_id""",
    ),
    Rule(
        "nothing that ended as free has a job at its provider",
        "submissions",
        f"""
        SELECT s.id || ' ' || s.state FROM submissions s WHERE s.state IN ({_texts(FREE_ENDS)}) AND (
          s.provider_job_id IS NOT NULL OR EXISTS (
            SELECT FROM evidence e WHERE e.submission_id = s.id AND e.provider_job_id <> '' AND e.kind <> 'AMBIGUOUS'))
        """,
    ),
)

_SUBMISSIONS = f"""
    WITH held AS (
      SELECT submission_id, sum(reserved) AS reserved, sum(spent) AS spent, sum(suspense) AS suspense
      FROM ledger GROUP BY 1
    ) SELECT s.id, s.job_id, s.attempt, s.state, s.cost_micros AS cost, coalesce(held.spent, 0)::bigint AS spent,
      coalesce(held.reserved, 0)::bigint AS reserved, coalesce(held.suspense, 0)::bigint AS suspense,
      coalesce(s.fault ->> 'reason', '') AS reason, s.clip, s.updated_at < {_LONG_AGO} AS is_settled
    FROM submissions s LEFT JOIN held ON held.submission_id = s.id"""

_FIGURES = """
    SELECT 'submissions ' || lower(state) AS name, count(*) AS figure FROM submissions GROUP BY state
    UNION ALL SELECT 'at stake in unknown outcomes ' || currency, sum(reserved_micros) FROM submissions
      WHERE state = 'UNKNOWN' GROUP BY currency
    UNION ALL SELECT unnest(ARRAY['reserved ', 'spent ', 'in suspense ']) || currency,
      unnest(ARRAY[sum(reserved), sum(spent), sum(suspense)]) FROM ledger GROUP BY currency
    UNION ALL SELECT 'beyond a limit ' || currency,
      sum(greatest(0, reserved_micros + spent_micros + suspense_micros - limit_micros)) FROM budgets GROUP BY currency
    UNION ALL SELECT 'evidence ' || lower(kind), count(*) FROM evidence GROUP BY kind
    UNION ALL SELECT 'leases', count(*) FROM submissions WHERE lease_until > now()
    UNION ALL SELECT 'outcomes that were unknown', count(DISTINCT submission_id) FROM submission_log
      WHERE state = 'UNKNOWN'"""


async def findings(connection: asyncpg.Connection, grace_s: float) -> list[Found]:
    """Every promise, and what breaks it."""
    found = []
    for rule in RULES:
        count = await connection.fetchval(f"SELECT count(*) FROM {rule.table}")
        rows = await connection.fetch(rule.breaches.format(grace_s=grace_s))
        found.append((rule.promise, int(count), tuple(str(row[0]) for row in rows)))
    return found


async def submissions(connection: asyncpg.Connection, grace_s: float) -> dict[str, Submission]:
    """All of them by id, for the other books to be compared with."""
    rows = await connection.fetch(_SUBMISSIONS.format(grace_s=grace_s))
    return {row["id"]: Submission(**dict(row) | {"clip": _clip(row["clip"])}) for row in rows}


async def figures(connection: asyncpg.Connection) -> dict[str, int]:
    """Counts, and amounts in micros."""
    return {row["name"]: int(row["figure"] or 0) for row in await connection.fetch(_FIGURES)}


def _clip(text: str | None) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = json.loads(text) if text else None
    return found
