"""Makes films in a house from within this process, by the path of `rushes film`, and knows who works there."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich.console

from rushes.job.v1 import job_pb2, job_service_pb2
from services.cli import board_file, client, film, house, progress, state
from tests.e2e import boards, reel, waiting

Moment = Callable[[progress.Production], bool]
"""Whether a production has come to a certain point."""


def created(production: progress.Production) -> bool:
    """The production exists."""
    return True


def accepted(production: progress.Production) -> bool:
    """The provider has taken the first order."""
    return any(job.submission_state == "ACCEPTED" for job in production.lines()) or stored(production)


def stored(production: progress.Production) -> bool:
    """The first clip is kept."""
    return any(job.state == job_pb2.Job.STATE_SUCCEEDED for job in production.lines())


def cutting(production: progress.Production) -> bool:
    """All clips are kept, and the film is being cut."""
    return production.told.state not in (job_pb2.Production.STATE_FILMING, job_pb2.Production.STATE_UNSPECIFIED)


async def shoot(of: house.House, name: str, folder: Path, first_seed: int = 11) -> None:
    """`rushes film` of a small board; the film is decoded to its last picture."""
    wanted = film.Wanted(
        board=board_file.read(boards.write(folder, name, first_seed)),
        output=folder / f"{name}.mp4",
        home=of.folder,
        yes=False,
        max_cost_micros=None,
        keep=False,
        as_json=False,
    )
    paper = rich.console.Console(file=io.StringIO())
    await film.make(wanted, paper, paper)
    reel.check(wanted.output, name)


async def reached(of: house.House, name: str, moment: Moment) -> None:
    """Return once the production of that title has come to that moment."""
    async with client.connect(of) as services:

        async def find() -> job_pb2.Production | None:
            try:
                request = job_service_pb2.ListProductionsRequest()
                found = (await services.call(services.jobs.ListProductions, request)).productions
            except client.Refused:  # the service is away
                return None
            return next((one for one in found if one.title == name), None)

        production = await waiting.until(f"the production of {name}", find)
        seen = progress.Production()
        async for news in services.watch(production.id, lambda away: None):
            seen.hear(news)
            if moment(seen):
                return


async def healthy(of: house.House, name: str, other_than: int = 0) -> int:
    """The pid of a process of the house once it is healthy; of its next life, when that of the last is given."""

    async def pid() -> int | None:
        row = row_of(of, name)
        return row["pid"] if row["healthy"] and row["pid"] != other_than else None

    return await waiting.until(f"a healthy {name}", pid)


def row_of(of: house.House, name: str) -> Any:
    """What the supervisor says of a process of the house."""
    told = state.read(of.folder)
    assert told is not None, "the supervisor is gone"
    return next(row for row in told.processes if row["name"] == name)
