"""The verbs about a whole house, as a person sees them: up, down, status, doctor."""

import asyncio
import dataclasses
import datetime
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import rich.console
import rich.markup

from services.cli import doctor as examination
from services.cli import environment, exits, finding, house, keeper, state, studio, visit
from services.cli import status as census


def up(folder: Path, detach: bool, while_used: bool, out: rich.console.Console, err: rich.console.Console) -> None:
    """Keep a house until told to stop, or with `detach` leave it running."""
    began = time.monotonic()

    async def ready(of: house.House) -> None:
        _show_addresses(of, out)
        how = f"`rushes down --home {of.folder}`" if detach else "Ctrl-C"
        out.print(f"Ready in {time.monotonic() - began:.1f} s. {how} stops it.", markup=False)
        if not while_used:
            out.print(f"Open the studio: {await studio.way_in(of)}", markup=False)

    def say(note: str) -> None:
        err.print(note, markup=False)

    if wrong := environment.faults():
        raise exits.Ended("\n".join(wrong), exits.Code.CONFIG)
    if not while_used and state.read(folder) is not None:
        raise exits.Ended(f"The house in {folder} is already running.", exits.Code.CONFLICT)
    if not detach:
        if err.is_terminal:  # else another command started it, and said so
            say(f"Starting a house in {folder}")
        asyncio.run(_keep(folder, say, ready, while_used))
    else:
        asyncio.run(ready(asyncio.run(visit.ensure(folder, say))))


async def _keep(
    folder: Path, say: Callable[[str], None], ready: Callable[[house.House], Awaitable[None]], while_used: bool
) -> None:
    greeting: list[asyncio.Future[None]] = []
    await keeper.keep(folder, say, lambda of: greeting.append(asyncio.ensure_future(ready(of))), while_used=while_used)
    await asyncio.gather(*greeting)


def down(folder: Path, out: rich.console.Console) -> None:
    """Stop the house of this folder."""
    stopped = asyncio.run(visit.stop(folder))
    out.print(f"The house in {folder} is stopped." if stopped else f"No house runs in {folder}.", markup=False)


def status(folder: Path, as_json: bool, out: rich.console.Console) -> None:
    """Show every process; Ended with NOT_FOUND when no house runs, with ERROR when a process is not healthy."""
    told = state.read(folder)
    if told is None:
        raise exits.Ended(f"No house runs in {folder}; `rushes up` starts it.", exits.Code.NOT_FOUND)
    rows = asyncio.run(census.rows(house.load(folder), told.processes))
    if as_json:
        document = {"home": str(folder), "pid": told.pid, "phase": told.phase}
        out.print_json(json.dumps(document | {"processes": [dataclasses.asdict(row) for row in rows]}))
    else:
        out.print(f"{folder} · {told.phase} · supervisor pid {told.pid}", markup=False)
        out.print(census.table(rows))
        for row in rows:
            if row.trouble and not row.healthy:
                out.print(f"{row.name}: {row.trouble}", markup=False)
    if not all(row.healthy for row in rows):
        raise exits.Ended("Not every process is healthy; `rushes doctor` says more.")


def doctor(folder: Path, out: rich.console.Console) -> None:
    """Show each finding as it is found; Ended when something is wrong."""
    finding.end(asyncio.run(_examine(folder, out)))


async def _examine(folder: Path, out: rich.console.Console) -> int:
    wrong = 0
    async for one in examination.examine(folder, datetime.datetime.now(datetime.UTC)):
        wrong += bool(one.wrong)
        one.show(out)
    return wrong


def _show_addresses(of: house.House, out: rich.console.Console) -> None:
    for name in ("postgres", "nats", *house.SERVICES):
        scheme = "http://" if name in house.HTTP_SERVICES else ""
        out.print(f"{name:<17} {scheme}{of.address(name)}", markup=False)
    out.print(f"{'token':<17} {of.token}", markup=False)
