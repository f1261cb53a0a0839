"""kill -9 of every process of the house, at three moments of a production: every film is made, no clip bought twice."""

import asyncio
import collections
import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from services.cli import house
from tests.e2e import boards, crew, oracle

_VICTIMS = ("sandbox", "provider_gateway", "storyboard", "job", "compiler", "studio", "nats", "postgres")
_AT_THE_END = ("compiler", "studio")  # they have nothing to do before the last clip is stored
_AT_ONCE = 3
_WITHIN_S = 300.0

Kill = tuple[crew.Moment, str]


async def test_every_film_is_made_and_no_clip_is_bought_twice(of: house.House, tmp_path: Path) -> None:
    bought_before = len(oracle.Books(of.folder).creates)
    restarts_before = {victim: crew.row_of(of, victim)["restarts"] for victim in _VICTIMS}
    # Moment by moment: a process that was killed is back long before its next turn comes.
    moments = (crew.created, crew.accepted, crew.stored)
    plan = [
        (crew.cutting if moment is crew.stored and victim in _AT_THE_END else moment, victim)
        for moment, victim in itertools.product(moments, _VICTIMS)
    ]
    left = iter(plan)
    async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as crews:
        for _ in range(_AT_ONCE):
            crews.create_task(_work(of, left, tmp_path))
    books = await oracle.check(of)
    assert len(books.creates) - bought_before == len(plan) * boards.SCENES
    for service, query in (
        ("provider_gateway", "select state, count(*) from submission_log group by 1"),
        ("provider_gateway", "select count(*) from submissions where lease_epoch > 4"),
        ("compiler", "select attempts,count(*) from films group by 1"),
    ):
        print(await oracle.rows(of, service, query))
    import shutil

    shutil.copytree(of.folder / "logs", "/tmp/x/logs", dirs_exist_ok=True)
    restarts = {victim: crew.row_of(of, victim)["restarts"] - restarts_before[victim] for victim in _VICTIMS}
    assert restarts == collections.Counter(victim for _, victim in plan), "a process died that nobody killed"


async def _work(of: house.House, left: Iterator[Kill], folder: Path) -> None:
    for moment, victim in left:
        name = f"{victim} killed when {moment.__name__}"
        async with asyncio.TaskGroup() as production:
            production.create_task(crew.shoot(of, name, folder), name=name)
            await crew.reached(of, name, moment)
            await crew.signalled(of, victim, signal.SIGKILL)
            print(f"{time.monotonic():.1f} {name}")
        print(f"{time.monotonic():.1f} done {name}")
