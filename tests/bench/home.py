"""A house of chosen services: it is there inside the block."""

import asyncio
import contextlib
import gc
import pathlib
import tempfile
from collections.abc import AsyncIterator, Sequence

from services.cli import house, keeper, state


@contextlib.asynccontextmanager
async def running(services: Sequence[str]) -> AsyncIterator[house.House]:
    """PostgreSQL, NATS and these services in a new folder, which is deleted at the end."""
    gc.freeze()  # as the services do: to walk through all that is loaded takes 50 ms, which would pass for theirs
    with tempfile.TemporaryDirectory(prefix="rushes-bench-") as folder:
        async with kept(pathlib.Path(folder), services) as of:
            yield of


@contextlib.asynccontextmanager
async def kept(folder: pathlib.Path, services: Sequence[str]) -> AsyncIterator[house.House]:
    """PostgreSQL, NATS and these services in that folder."""
    started: asyncio.Future[house.House] = asyncio.get_running_loop().create_future()
    keeping = asyncio.create_task(keeper.keep(folder, print, started.set_result, services))
    try:
        await asyncio.wait([keeping, started], return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            await keeping
        yield started.result()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def processes(of: house.House) -> list[dict[str, object]]:
    """What runs in the house, as its supervisor knows it."""
    told = state.read(of.folder)
    assert told is not None
    return [dict(one) for one in told.processes]
