"""`python -m tests.crash.kills`: kill -9 of every process of a house, at every moment of a production."""

import asyncio
import collections
import itertools
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.cli import house, visit
from tests.e2e import boards, crew, oracle

SPED_UP = {"RUSHES_SANDBOX_LATENCY": "0.2", "RUSHES_LEASE_S": "8"}
"""What the house is told: its clips take 0.2 s, and its leases are as short as they may be."""

Kill = tuple[crew.Moment, str]

_VICTIMS = ("sandbox", "provider_gateway", "storyboard", "job", "compiler", "studio", "nats", "postgres")
_AT_THE_END = ("compiler", "studio")  # they have nothing to do before the last clip is stored
_AT_ONCE = 4
_FILM_WITHIN_S, _EACH_S = 300.0, 40.0


def every() -> list[Kill]:
    """Moment by moment: a process that was killed is back long before its next turn comes."""
    return [
        (crew.cutting if moment is crew.stored and victim in _AT_THE_END else moment, victim)
        for moment, victim in itertools.product((crew.created, crew.accepted, crew.stored), _VICTIMS)
    ]


async def play(of: house.House, plan: Sequence[Kill], folder: Path) -> None:
    """A film for each kill: all are made, no clip is bought twice, and nobody else dies. Raises AssertionError."""
    bought_before = len(oracle.Books(of.folder).creates)
    restarts_before = {victim: crew.row_of(of, victim)["restarts"] for victim in _VICTIMS}
    left = iter(plan)
    async with asyncio.timeout(_EACH_S * len(plan)), asyncio.TaskGroup() as crews:
        for _ in range(_AT_ONCE):
            crews.create_task(_work(of, left, folder))
    books = await oracle.check(of)
    assert len(books.creates) - bought_before == len(plan) * boards.SCENES
    for victim in _VICTIMS:
        await crew.healthy(of, victim)
    restarts = {victim: crew.row_of(of, victim)["restarts"] - restarts_before[victim] for victim in _VICTIMS}
    killed = collections.Counter(victim for _, victim in plan)
    assert collections.Counter(restarts) == killed, "a process died that nobody killed"


async def _work(of: house.House, left: Iterator[Kill], folder: Path) -> None:
    for moment, victim in left:
        name = f"{victim} killed when {moment.__name__}"
        async with asyncio.timeout(_FILM_WITHIN_S), asyncio.TaskGroup() as production:
            production.create_task(crew.shoot(of, name, folder), name=name)
            await crew.reached(of, name, moment)
            os.kill(await crew.healthy(of, victim), signal.SIGKILL)


async def _run() -> None:
    with tempfile.TemporaryDirectory(prefix="rushes-kills-") as made:
        films = Path(made) / "films"
        films.mkdir()
        async with visit.visiting(Path(made) / "home", print) as of:
            await play(of, every(), films)


def main() -> None:
    """Play them all; ends with an AssertionError when a promise was broken."""
    os.environ |= SPED_UP
    asyncio.run(_run())
    print(f"{len(every())} kills of {len(_VICTIMS)} processes, every film made, no clip bought twice")


if __name__ == "__main__":
    main()
