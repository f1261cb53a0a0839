"""Whether this code can work with the database as it is: a schema that only adds may be ahead of it, never behind."""

import logging
import pathlib
import re
from typing import NamedTuple

import sqlalchemy as sa

from libs import db, errors

log = logging.getLogger(__name__)

_SERVICES = pathlib.Path(__file__).parent.parent / "services"
_REVISION = re.compile(r"(\d{4})_")
_SERVES = re.compile(r"serves code from (\d{4})")
_READ = sa.text("SELECT version_num, obj_description('alembic_version'::regclass, 'pg_class') FROM alembic_version")


class Found(NamedTuple):
    """The revision a database is at, and the oldest newest-known revision of code that it still serves."""

    revision: str = ""
    serves_from: str = ""


class Schema:
    """One service's schema, as its code knows it."""

    def __init__(self, database: db.Database, service: str, known: str | None = None) -> None:
        """`known` is the newest revision of the code; without it, the newest of the service's migrations."""
        self._database, self._service = database, service
        self.known = known or newest(service)
        self._fitted: bool | None = None

    async def find(self) -> Found:
        """How the database is now; empty when it was never migrated. Raises DatabaseAway."""
        try:
            async with self._database.probe() as conn:
                row = (await conn.execute(_READ)).first()
        except sa.exc.ProgrammingError:  # there is no such table yet
            return Found()
        if row is None:
            return Found()
        serves = _SERVES.search(row[1] or "")
        return Found(row[0], serves[1] if serves else "")

    def fits(self, found: Found) -> bool:
        """Whether the code can work with it: nothing it knows is missing, and nothing it needs was taken away."""
        return found.revision >= self.known >= found.serves_from

    async def ready(self) -> bool:
        """Whether the database answers and fits; for health checks. What changes is logged once."""
        if not await self._database.answers():
            return False
        try:
            found = await self.find()
        except (errors.Unavailable, sa.exc.DBAPIError):
            return False
        fits = self.fits(found)
        if fits is not self._fitted:
            facts = {"schema_revision": found.revision, "schema_known": self.known, "serves_from": found.serves_from}
            log.log(
                logging.INFO if fits else logging.ERROR, "schema_fits" if fits else "schema_does_not_fit", extra=facts
            )
            self._fitted = fits
        return fits


def newest(service: str) -> str:
    """The newest revision of a service's migrations, such as `0006`."""
    files = (_SERVICES / service / "migrations" / "versions").glob("*.py")
    return max((match[1] for path in files if (match := _REVISION.match(path.name))), default="")
