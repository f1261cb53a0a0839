"""Looks at a house that runs elsewhere, as containers do, with no more than the command itself."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import rich.console

from services.cli import exits, finding, house
from services.cli import status as census

_REMEDY = "see that it runs (`docker compose ps`, `kubectl get pods`), and that {file} says where it listens"


def status(folder: Path, as_json: bool, out: rich.console.Console) -> None:
    """Show every service; Ended with ERROR when one does not answer."""
    rows = _rows(house.load(folder))
    if as_json:
        processes = [dataclasses.asdict(row) for row in rows]
        out.print_json(json.dumps({"home": str(folder), "pid": None, "phase": "elsewhere", "processes": processes}))
    else:
        out.print(f"{folder} · elsewhere: its containers are started and stopped by whoever runs them", markup=False)
        out.print(census.table(rows))
    if not all(row.healthy for row in rows):
        raise exits.Ended("Not every service answers; `rushes doctor` says more.")


def doctor(folder: Path, out: rich.console.Console) -> None:
    """Show each finding; Ended when something is wrong."""
    found = list(_examined(house.load(folder)))
    for one in found:
        one.show(out)
    finding.end(sum(bool(one.wrong) for one in found))


def _examined(of: house.House) -> Iterator[finding.Finding]:
    try:
        house.bearer(of)
        yield finding.Finding("token", str(of.token))
    except exits.Ended as fault:
        yield finding.Finding("token", str(of.token), str(fault).rstrip("."), "write the token of a person into it")
    for row in _rows(of):
        if row.healthy:
            yield finding.Finding(row.name, f"healthy at {row.address}")
        else:
            remedy = _REMEDY.format(file=of.folder / "house.json")
            yield finding.Finding(row.name, row.address, "it does not answer", remedy)


def _rows(of: house.House) -> Sequence[census.Row]:
    """Every service that is said to be somewhere; what keeps it alive is not known here."""
    names = [name for name in house.SERVICES if name in of.elsewhere]
    unknown = {"pid": None, "since": 0.0, "restarts": 0, "trouble": ""}
    return asyncio.run(census.rows(of, [{"name": name, "address": of.address(name)} | unknown for name in names]))
