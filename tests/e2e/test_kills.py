"""kill -9 of every process of the house, at three moments of a production: every film is made, no clip bought twice."""

import asyncio
import collections
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli import house
from tests.e2e import boards, crew, oracle, waiting

_VICTIMS = ("sandbox", "provider_gateway", "storyboard", "job", "compiler", "studio", "nats", "postgres")
_AT_THE_END = ("compiler", "studio")  # they have nothing to do before the last clip is stored
_AT_ONCE = 4
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
    restarts = {victim: crew.row_of(of, victim)["restarts"] - restarts_before[victim] for victim in _VICTIMS}
    assert restarts == collections.Counter(victim for _, victim in plan), "a process died that nobody killed"


async def _work(of: house.House, left: Iterator[Kill], folder: Path) -> None:
    for moment, victim in left:
        name = f"{victim} killed when {moment.__name__}"
        async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as production:
            production.create_task(crew.shoot(of, name, folder), name=name)
            await crew.reached(of, name, moment)
            os.kill(await crew.healthy(of, victim), signal.SIGKILL)


@pytest.mark.parametrize(("victim", "is_lost"), [("provider_gateway", True), ("sandbox", True), ("postgres", False)])
async def test_a_clip_whose_order_is_on_its_way_is_bought_once(
    of: house.House, tmp_path: Path, victim: str, is_lost: bool
) -> None:
    """The provider is stopped with the orders in its hands, so that the kill hits between asking and being told.

    A process that is killed loses the answer, which is then asked for again; one that only cannot write it down
    for a moment keeps it.
    """
    name = f"{victim} killed with orders on their way"
    before = await oracle.unknown_outcomes(of)
    pids = {each: await crew.healthy(of, each) for each in ("sandbox", victim)}
    os.kill(pids["sandbox"], signal.SIGSTOP)
    async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as production:
        production.create_task(crew.shoot(of, name, tmp_path), name=name)
        await waiting.until("an order on its way", lambda: _sending(of))
        os.kill(pids[victim], signal.SIGKILL)
        os.kill(pids["sandbox"], signal.SIGCONT)
    await oracle.check(of)
    assert (await oracle.unknown_outcomes(of) > before) is is_lost


async def _sending(of: house.House) -> bool:
    return bool(await oracle.rows(of, "provider_gateway", "SELECT id FROM submissions WHERE state = 'SENDING'"))
