"""Brings the databases of a house to their newest schema, all in one process: `migrations HOME SERVICE...`.

The same as `python -m libs.migrate` for each of them, at a quarter of the price; and no password in an environment.
"""

import asyncio
import sys
from pathlib import Path

from libs import migrate
from services.cli import environment, house


async def upgrade(folder: Path, *services: str) -> None:
    """Apply what is missing, one database after the other."""
    of = house.load(folder)
    for service in services:
        await migrate.upgrade(environment.database_url(of, service, f"{service}_owner"), service)


if __name__ == "__main__":
    asyncio.run(upgrade(Path(sys.argv[1]), *sys.argv[2:]))
