"""Examines the books of an installation against each other: the gateway's, the jobs', the files, and a sandbox's."""

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg

from libs import topology
from services.cli import (
    check_files,
    check_gateway,
    check_jobs,
    check_provider,
    check_said,
    environment,
    exits,
    house,
)

_EVERY_TENANT = {"rushes.tenant": "*", "timezone": "UTC", "statement_timeout": "120s"}


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the books are: addresses of the two databases and of the media store, and a sandbox's ledger if any."""

    gateway_url: str = dataclasses.field(repr=False)
    job_url: str = dataclasses.field(repr=False)
    blobs_url: str = dataclasses.field(repr=False)
    sandbox_ledger: Path | None = None


def of_house(folder: Path, told: Sources) -> Sources:
    """What was told, and for the rest the books of the house in this folder. Raises Ended when they are needed."""
    if told.gateway_url and told.job_url and told.blobs_url:
        return told
    of = house.load(folder)
    gateway, job = (environment.database_url(of, service, service) for service in ("provider_gateway", "job"))
    return dataclasses.replace(
        told,
        gateway_url=told.gateway_url or gateway,
        job_url=told.job_url or job,
        blobs_url=told.blobs_url or environment.blobs_url(of),
    )


class Finding(NamedTuple):
    """One promise: how many things were looked at, and which of them break it."""

    promise: str
    looked_at: int
    wrong: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found; `figures` are counts of things that are no faults, amounts in micros."""

    findings: tuple[Finding, ...]
    figures: Mapping[str, int]

    @property
    def violations(self) -> int:
        """How many things break a promise."""
        return sum(len(finding.wrong) for finding in self.findings)

    def as_json(self) -> str:
        """One document."""
        findings = [finding._asdict() for finding in self.findings]
        return json.dumps({"violations": self.violations, "findings": findings, "figures": dict(self.figures)})


async def examine(sources: Sources, grace_s: float) -> Report:
    """Look at everything, changing nothing; what is younger than `grace_s` seconds may still be under way.

    Each database is seen as it was in one moment. Raises Ended when one of them cannot be asked.
    """
    async with _reading(sources.gateway_url) as gateway, _reading(sources.job_url) as job:
        findings = [Finding(*found) for found in await check_gateway.findings(gateway, grace_s)]
        submissions, figures = await check_gateway.submissions(gateway, grace_s), await check_gateway.figures(gateway)
        findings += [Finding(*found) for found in await check_jobs.findings(job, submissions, grace_s)]
        books = {"provider_gateway": gateway, "job": job}
        findings += [Finding(*found) for found in await check_said.findings(books, topology.load(), grace_s)]
    shelf = check_files.open_shelf(sources.blobs_url)
    findings += [Finding(*found) for found in await check_files.findings(shelf, submissions, grace_s)]
    if sources.sandbox_ledger:
        ledger = check_provider.read(sources.sandbox_ledger)
        findings += [Finding(*found) for found in check_provider.findings(ledger, submissions)]
        figures |= check_provider.figures(ledger)
    return Report(tuple(findings), figures)


@contextlib.asynccontextmanager
async def _reading(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that can write nothing and sees one moment."""
    try:
        connection = await asyncpg.connect(
            url.replace("+asyncpg", "", 1), server_settings=_EVERY_TENANT, timeout=5, command_timeout=150
        )
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        why = f"A database cannot be asked: {type(fault).__name__}. Is the house up, and the address right?"
        raise exits.Ended(why) from None
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()
