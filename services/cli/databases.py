"""Makes a database for each service, an owner that migrates it, and a role that may only read and write rows.

`python -m services.cli.databases HOME` does so for a house of containers, and migrates them.
"""

import asyncio
import sys
from pathlib import Path

import asyncpg

from services.cli import house, migrations


async def connect(of: house.House, role: str = "postgres", database: str = "postgres") -> asyncpg.Connection:
    """A connection as one of the house's roles; the superuser unless told otherwise."""
    host, _, port = of.address("postgres").rpartition(":")
    return await asyncpg.connect(
        host=host, port=int(port), user=role, password=of.secrets[role], database=database, timeout=2, ssl=False
    )


async def make(of: house.House) -> None:
    """Make what is missing, and give each role its password."""
    connection = await connect(of)
    try:
        await connection.execute("SET log_min_error_statement = panic")  # no password ever reaches the log
        for service in house.DATABASES:
            await _make_role(connection, f"{service}_owner", of.secrets[f"{service}_owner"])
            await _make_role(connection, service, of.secrets[service])
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", service):
                await connection.execute(f'CREATE DATABASE "{service}" OWNER "{service}_owner"')
    finally:
        await connection.close()
    await asyncio.gather(*(_grant(of, service) for service in house.DATABASES))


async def _make_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    await connection.execute(f"""{"ALTER" if exists else "CREATE"} ROLE "{role}" {rights} PASSWORD '{password}'""")


async def _grant(of: house.House, service: str) -> None:
    connection = await connect(of, database=service)
    try:
        await connection.execute(f"""
            REVOKE ALL ON DATABASE "{service}" FROM PUBLIC;
            GRANT CONNECT ON DATABASE "{service}" TO "{service}";
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO "{service}";
            ALTER DEFAULT PRIVILEGES FOR ROLE "{service}_owner" IN SCHEMA public
                GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{service}";
            ALTER DEFAULT PRIVILEGES FOR ROLE "{service}_owner" IN SCHEMA public
                GRANT USAGE, SELECT ON SEQUENCES TO "{service}";
        """)
    finally:
        await connection.close()


async def _settle(folder: Path) -> None:
    await make(house.load(folder))
    await migrations.upgrade(folder, *house.DATABASES)


if __name__ == "__main__":
    asyncio.run(_settle(Path(sys.argv[1])))
