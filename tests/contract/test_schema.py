"""The migrated database and the tables of store.py are the same."""

import importlib
from collections.abc import Iterable

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from libs import audit, db, limits, outbox
from tests.contract import rooms

SERVICES = sorted(path.parents[2].name for path in rooms.ROOT.glob("services/*/migrations/versions/0001_*.py"))
DIALECT = postgresql.dialect()
SAME = {"FLOAT": "DOUBLE PRECISION"}


def columns(tables: Iterable[sa.Table]) -> set[str]:
    """Each column as `table.name TYPE NOT NULL PRIMARY KEY`."""
    return {
        f"{column.table.name}.{column.name} {SAME.get(kind := column.type.compile(DIALECT), kind)}"
        + ("" if column.nullable else " NOT NULL")
        + (" PRIMARY KEY" if column.primary_key else "")
        for table in tables
        for column in table.columns
    }


async def reflected(url: str) -> sa.MetaData:
    owner, metadata = db.Database(url), sa.MetaData()
    async with owner.house() as conn:
        await conn.run_sync(metadata.reflect)
    await owner.close()
    return metadata


@pytest.mark.parametrize("service", SERVICES)
async def test_the_migrated_database_is_what_the_code_thinks(service, database):
    place = await database(service)
    rooms.import_all(f"services.{service}")
    store = importlib.import_module(f"services.{service}.store")
    shared = (outbox.METADATA, limits.METADATA, audit.METADATA)
    written = columns(table for known in (store.METADATA, *shared) for table in known.tables.values())
    there = (await reflected(place.owner_url)).tables
    assert columns(table for name, table in there.items() if name != "alembic_version") == written


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_tenants_is_guarded(service, database):
    place = await database(service)
    query = """
        SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relkind = 'r' AND NOT (
            c.relrowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'))
    """
    async with place.database.house() as conn:
        assert (await conn.execute(sa.text(query))).scalars().all() == []
