"""What nobody asks for: deleted and abandoned storyboards are forgotten, old ones are filed by their words."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from libs import db
from services.storyboard import domain, session_store, store

log = logging.getLogger(__name__)

_FILED_AT_ONCE = 100


def forget(database: db.Database, clock: Callable[[], datetime]) -> Callable[[], Awaitable[int]]:
    """A tick that removes what was deleted 30 days ago, what nobody claimed, and sessions that are over, for all
    tenants; returns how many.
    """

    async def tick() -> int:
        async with database.house() as conn:
            gone = await store.forget(conn, clock() - domain.KEPT_AFTER_DELETION, clock())
            over = await session_store.forget(conn, clock() - domain.KEPT_AFTER_DELETION)
        if gone or over:
            log.info("storyboards_forgotten", extra={"storyboards": gone, "sessions": over})
        return gone + over

    return tick


def file(database: db.Database) -> Callable[[], Awaitable[int]]:
    """A tick that makes storyboards of the first release findable by their words; it returns how many."""

    async def tick() -> int:
        async with database.house() as conn:
            return await store.file_wordless(conn, _FILED_AT_ONCE)

    return tick
