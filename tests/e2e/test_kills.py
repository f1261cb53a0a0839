"""kill -9 of every process of the house in the middle of a production, and of the gateway in the middle of an order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from services.cli import house, postgres
from tests.crash import kills
from tests.e2e import crew, oracle, waiting

_WITHIN_S = 300.0
_KILLS: tuple[kills.Kill, ...] = (
    *((crew.created, "storyboard"), (crew.created, "nats")),
    *((crew.accepted, "sandbox"), (crew.accepted, "provider_gateway"), (crew.accepted, "postgres")),
    *((crew.stored, "job"), (crew.cutting, "compiler"), (crew.cutting, "studio")),
)
"""Each process once, where it hurts most; `make crash` has every moment."""


async def test_every_film_is_made_and_no_clip_is_bought_twice(of: house.House, tmp_path: Path) -> None:
    await kills.play(of, _KILLS, tmp_path)


async def test_an_answer_that_was_not_written_down_is_asked_for_and_not_bought_again(
    of: house.House, tmp_path: Path
) -> None:
    unknown, bought = await oracle.unknown_outcomes(of), len(oracle.Books(of.folder).creates)
    gateway = await crew.healthy(of, "provider_gateway")

    async def is_bought() -> bool:
        return len(oracle.Books(of.folder).creates) > bought

    async with _orders_on_their_way(of, "The lost answer", tmp_path) as sandbox:
        connection = await postgres.connect(of, database="provider_gateway")
        async with connection.transaction():
            await connection.execute("LOCK TABLE submissions IN EXCLUSIVE MODE")
            os.kill(sandbox, signal.SIGCONT)
            await waiting.until("an order in the provider's books", is_bought)
            os.kill(gateway, signal.SIGKILL)
        await connection.close()
    assert await oracle.unknown_outcomes(of) > unknown


async def test_an_order_that_is_cut_off_is_repeated(of: house.House, tmp_path: Path) -> None:
    unknown = await oracle.unknown_outcomes(of)
    async with _orders_on_their_way(of, "The lost order", tmp_path) as sandbox:
        os.kill(sandbox, signal.SIGKILL)
    assert await oracle.unknown_outcomes(of) > unknown


async def test_an_answer_that_cannot_be_written_down_at_once_is_kept(of: house.House, tmp_path: Path) -> None:
    unknown = await oracle.unknown_outcomes(of)
    database = await crew.healthy(of, "postgres")
    async with _orders_on_their_way(of, "The kept answer", tmp_path) as sandbox:
        os.kill(database, signal.SIGKILL)
        os.kill(sandbox, signal.SIGCONT)
    assert await oracle.unknown_outcomes(of) == unknown


@contextlib.asynccontextmanager
async def _orders_on_their_way(of: house.House, name: str, folder: Path) -> AsyncIterator[int]:
    """A film whose first orders are sent and not answered: the pid of the provider, which is stopped.

    At the end the film is made, and everything is in order.
    """
    sandbox = await crew.healthy(of, "sandbox")
    os.kill(sandbox, signal.SIGSTOP)
    try:
        async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as production:
            production.create_task(crew.shoot(of, name, folder), name=name)
            await waiting.until("an order on its way", lambda: _sending(of))
            yield sandbox
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(sandbox, signal.SIGCONT)
    await oracle.check(of)


async def _sending(of: house.House) -> bool:
    return bool(await oracle.rows(of, "provider_gateway", "SELECT id FROM submissions WHERE state = 'SENDING'"))
