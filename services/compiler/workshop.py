"""What every piece of work of one replica shares: database, media store, folders, workers and limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from libs import blobs, db
from services.compiler import cutter, domain, fetching, leases, orders, recipes, segments, settings, shelf, workroom


@dataclass(frozen=True)
class Workshop:
    """One replica's. `owner` is new at each start; leases and deadlines in seconds."""

    database: db.Database
    files: blobs.Blobs
    clock: Callable[[], datetime]
    owner: str
    lease_s: float
    deadline_s: float
    room: workroom.Workroom
    shelf: shelf.Shelf
    fetching: fetching.Fetching
    cutter: cutter.Cutter
    bell: leases.Bell = field(default_factory=leases.Bell)

    async def make(
        self, recipe: recipes.Recipe, folder: Path, tell: Callable[[float], None]
    ) -> tuple[domain.Notice, ...]:
        """Have it made of what lies in the folder; `tell` hears the share done. Returns what is odd in it.

        Raises what cutter.Cutter.run does.
        """
        notices: tuple[domain.Notice, ...] = ()

        def hear(said: orders.Said) -> None:
            nonlocal notices
            match said:
                case orders.Share(done):
                    tell(done)
                case orders.Noticed(found):
                    notices = found

        await self.cutter.run(orders.Order(folder, make=(recipe,)), hear, self.deadline_s, segments.memory(recipe))
        return notices

    async def made(self, recipe: recipes.Recipe, folder: Path, tell: Callable[[float], None]) -> Path:
        """As `make`, for what is one file: where it lies. Raises OSError when the worker left something else there."""
        await self.make(recipe, folder, tell)
        return workroom.left(folder / recipes.address(recipe))

    async def close(self) -> None:
        """End the workers, and give all temporary space back."""
        await self.cutter.close()
        self.room.close()


def fitted_out(
    database: db.Database, files: blobs.Blobs, clock: Callable[[], datetime], owner: str, told: settings.Settings
) -> Workshop:
    """A workshop as it is told to be. Raises OSError when there is no room for it."""
    room = workroom.Workroom(told.work_folder, owner)
    kept = shelf.Shelf(room.shelf, told.shelf_bytes)
    fetches = fetching.Fetching(database, files, kept)
    workers = cutter.Cutter(told.compiler_workers, told.compiler_memory_bytes)
    return Workshop(database, files, clock, owner, told.lease_s, told.film_timeout_s, room, kept, fetches, workers)
