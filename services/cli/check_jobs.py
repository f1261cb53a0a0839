"""What the jobs' database promises about jobs, compared with the submissions that were made for them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg

from services.cli import check_gateway

_ENDS = ("SUCCEEDED", "FAILED", "CANCELED")
_LONG_AGO = "now() - make_interval(secs => {grace_s})"
_JOBS = f"""
    SELECT j.id, j.attempt, j.state, j.updated_at < {_LONG_AGO} AS is_settled,
      coalesce(j.fault ->> 'reason', '') AS reason, t.clip, t.last_frame
    FROM jobs j LEFT JOIN takes t ON t.job_id = j.id"""
_IDLE_PRODUCTIONS = f"""
    SELECT p.id FROM productions p WHERE p.state IN ('FILMING', 'CANCELING') AND p.updated_at < {_LONG_AGO}
      AND NOT EXISTS (SELECT FROM jobs j WHERE j.production_id = p.id AND j.ended_at IS NULL)"""


async def findings(
    connection: asyncpg.Connection, submissions: Mapping[str, check_gateway.Submission], grace_s: float
) -> list[check_gateway.Found]:
    """Every promise, and what breaks it."""
    jobs = {row["id"]: row for row in await connection.fetch(_JOBS.format(grace_s=grace_s))}
    of_job: dict[str, list[check_gateway.Submission]] = defaultdict(list)
    for one in submissions.values():
        of_job[one.job_id].append(one)
    strays = tuple(one.id for one in submissions.values() if one.is_settled and one.job_id not in jobs)
    ends = tuple(wrong for job in jobs.values() if job["is_settled"] for wrong in _ends(job, of_job[job["id"]]))
    takes = tuple(wrong for job in jobs.values() for wrong in _takes(job, of_job[job["id"]]))
    idle = await connection.fetch(_IDLE_PRODUCTIONS.format(grace_s=grace_s))
    return [
        ("every submission is for a job", len(submissions), strays),
        ("jobs end when and as their submissions do", len(jobs), ends),
        ("every stored clip is its job's take, and every take is stored", len(jobs), takes),
        ("productions end with their jobs", len(jobs), tuple(row["id"] for row in idle)),
    ]


def _ends(job: Any, made: Sequence[check_gateway.Submission]) -> Iterator[str]:
    """A job waits only for what is under way, and is over only when that is; late finds are looked for after it."""
    last = next((one for one in made if one.attempt == job["attempt"]), None)
    said = f"{job['id']} {job['state']}, {last.id} {last.state}" if last else f"{job['id']} {job['state']}"
    if job["state"] in ("RUNNING", "CANCELING"):
        if last is None:
            yield f"{said}, and no submission"
        elif last.is_settled and last.state in {*check_gateway.FINAL, "UNRESOLVED"}:
            yield said
    elif job["state"] in _ENDS and any(one.state not in check_gateway.FINAL for one in made):
        if job["reason"] != "OUTCOME_UNKNOWN":
            yield said
    if job["state"] == "SUCCEEDED" and not any(one.state == "STORED" for one in made):
        yield said


def _takes(job: Any, made: Sequence[check_gateway.Submission]) -> Iterator[str]:
    stored = next((one for one in made if one.state == "STORED" and one.clip), None)
    if stored is None or stored.clip is None:
        if job["clip"]:
            yield f"{job['id']} has a take that is not stored"
        return
    if job["clip"] is None:
        if stored.is_settled and job["is_settled"]:
            yield f"{stored.id} is stored, and {job['id']} has no take"
        return
    for name, told in (("media", job["clip"]), ("last_frame", job["last_frame"])):
        kept, took = stored.clip.get(name), json.loads(told) if told else None
        if (kept and (kept["key"], kept["sha256"])) != (took and (took["key"], took["sha256"])):
            yield f"{job['id']} has another {name} than {stored.id}"
