"""Brings a service's database to its newest schema: `python -m libs.migrate SERVICE` with RUSHES_DATABASE_URL.

The URL is the owner's, not the service's: the role a service runs as cannot change its own tables. Revisions are
hand-written SQL in services/<service>/migrations/versions; an advisory lock lets any number of replicas start at once.
"""

import asyncio
import pathlib
import sys
import zlib

import sqlalchemy as sa
from alembic import migration as alembic_migration
from alembic import op as operations
from alembic import script as alembic_script
from alembic.operations import Operations
from sqlalchemy.ext.asyncio import create_async_engine

from libs import settings, values

_SERVICES = pathlib.Path(__file__).parent.parent / "services"
_LOCK_TIMEOUT = "4s"
_STATEMENT_TIMEOUT = "30s"

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table}
  USING (tenant_id = current_setting('rushes.tenant', true) OR current_setting('rushes.tenant', true) = '*');
"""


class Settings(settings.Settings):
    """What `python -m libs.migrate` is told."""

    database_url: values.DatabaseUrl
    """postgresql+asyncpg://owner:password@host/database: the database of the service it migrates, as its owner."""


def run_sql(script: str) -> None:
    """Run several statements of a revision, as written."""
    # asyncpg prepares what SQLAlchemy sends, and a prepared statement is one only: a script goes to the driver.
    raw = operations.get_bind().connection.driver_connection
    sa.util.await_only(raw.execute(script))  # type: ignore[union-attr]


def guard_tenants(*tables: str) -> None:
    """In a revision: let each of these tables show a transaction only the rows of its tenant."""
    for table in tables:
        run_sql(POLICY.format(table=table))


def serves_from(revision: str) -> None:
    """In a revision that takes away: code that knows no newer revision than one before this cannot work any more."""
    run_sql(f"COMMENT ON TABLE alembic_version IS 'serves code from {revision}'")


async def upgrade(url: str, service: str) -> None:
    """Apply every revision that is missing, all in one transaction. Raises sqlalchemy.exc.DBAPIError."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as conn:
            await conn.run_sync(_upgrade, service)
    finally:
        await engine.dispose()


def _upgrade(conn: sa.Connection, service: str) -> None:
    conn.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    conn.execute(sa.text(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"))
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(service.encode())})
    scripts = alembic_script.ScriptDirectory(str(_SERVICES / service / "migrations"))

    def missing(revision: object, _: object) -> object:
        return scripts._upgrade_revs("head", revision)  # type: ignore[arg-type]

    context = alembic_migration.MigrationContext.configure(conn, opts={"fn": missing})
    with Operations.context(context):
        context.run_migrations()


def main() -> None:
    """Migrate the service named on the command line."""
    if len(sys.argv) != 2 or not (_SERVICES / sys.argv[1] / "migrations").is_dir():
        names = sorted(path.parent.name for path in _SERVICES.glob("*/migrations"))
        sys.exit(f"usage: python -m libs.migrate SERVICE, where SERVICE is one of {', '.join(names)}")
    asyncio.run(upgrade(settings.load(Settings).database_url, sys.argv[1]))


if __name__ == "__main__":
    main()
