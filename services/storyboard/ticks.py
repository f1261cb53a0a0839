"""What time alone brings about: deleted storyboards are forgotten."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from libs import db
from services.storyboard import domain, store

log = logging.getLogger(__name__)


def forget(database: db.Database, clock: Callable[[], datetime]) -> Callable[[], Awaitable[int]]:
    """A tick that removes what was deleted 30 days ago, for all tenants; it returns how many storyboards."""

    async def tick() -> int:
        async with database.house() as conn:
            gone = await store.forget_deleted_before(conn, clock() - domain.KEPT_AFTER_DELETION)
        if gone:
            log.info("storyboards_forgotten", extra={"storyboards": gone})
        return gone

    return tick
