"""The whole JetStream store is deleted in the middle of a production: that costs time, and nothing else."""

import asyncio
import functools
import os
import shutil
import signal
from pathlib import Path

import nats

from libs import topology
from services.cli import environment, house
from tests.e2e import crew, oracle, waiting

_WITHIN_S = 120.0


async def test_everything_is_said_again_and_nothing_is_bought_again(of: house.House, tmp_path: Path) -> None:
    name = "The lost stream"
    async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as production:
        production.create_task(crew.shoot(of, name, tmp_path), name=name)
        await crew.reached(of, name, crew.accepted)
        server = await crew.healthy(of, "nats")
        shutil.move(of.nats / "jetstream", tmp_path / "lost")
        os.kill(server, signal.SIGKILL)
    await waiting.until("every event ever said, in its stream again", functools.partial(_is_full, of))
    await oracle.check(of)


async def _is_full(of: house.House) -> bool:
    return await _held(of) == {stream.name: await _said(of, stream.name) for stream in topology.load().streams}


async def _held(of: house.House) -> dict[str, int]:
    """How many events each stream holds."""
    client = await nats.connect(environment.nats_url(of))
    try:
        return {one.config.name: one.state.messages for one in await client.jetstream().streams_info()}
    finally:
        await client.close()


async def _said(of: house.House, service: str) -> int:
    count: int = (await oracle.rows(of, service, "SELECT count(*) FROM outbox"))[0][0]
    return count
