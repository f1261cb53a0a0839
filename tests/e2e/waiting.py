"""Waits for what can only be seen by looking again: with a deadline, and saying what never came."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Seen = TypeVar("Seen")

_LOOK_EVERY_S = 0.02


async def until(what: str, look: Callable[[], Awaitable[Seen]], within_s: float = 60.0) -> Seen:
    """The first thing seen that is true. Fails the test when that takes too long."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not (seen := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"never came: {what}"
        await asyncio.sleep(_LOOK_EVERY_S)
    return seen


async def is_waited_for(conn: AsyncConnection) -> None:
    """Return once another connection waits for a lock of this one."""
    query = sa.text("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))")

    async def waits() -> int:
        return int((await conn.execute(query)).scalar_one())

    await until("somebody who waits", waits)
