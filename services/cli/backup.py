"""Copies a house that runs, and brings such a copy back: databases, and what only this house knows; not the media."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.cli import environment, exits, gateway, house, keeper, postgres, processes, state, supervisor

ORDER = ("storyboard", "job", "compiler", "provider_gateway")
"""In which the databases are copied: the gateway last, for what it forgets may be paid."""

_SECRETS = ("secrets.json", "vault.json", "issuer.pem", "jwks.json", "token")
_FACTS = "backup.json"

Say = Callable[[str], None]


async def take(home: Path, target: Path, say: Say) -> None:
    """Copy the house that runs there into a new folder. Raises Ended."""
    of, began = gateway.running(home), datetime.now(UTC)
    _make_folder(target)
    await dump(of, target)
    for name in _SECRETS:
        if (of.folder / name).exists():
            house.write_private(target / name, (of.folder / name).read_text(encoding="utf-8"))
    facts = {"taken_at": began.isoformat()}
    house.write_private(target / _FACTS, json.dumps(facts, indent=1))  # last: a folder without it is no copy
    say(f"The copy is in {target}. Media are not in it: copy {of.folder / 'blobs'} too.")


async def bring_back(home: Path, source: Path, say: Say) -> None:
    """Put the copy in the place of the databases of a house that does not run. Raises Ended.

    The databases that are replaced are kept under other names. The bus begins anew: it is filled from the outboxes.
    """
    facts = _facts(source)
    if state.read(home) is not None:
        raise exits.Ended(f"The house in {home} runs; `rushes down` stops it.", exits.Code.CONFLICT)
    folder = house.make_folder(home)
    _bring_secrets(folder, source)
    async with _standing(folder, say) as of:
        for service, kept in (await load(of, source)).items():
            say(f"{service}: restored; what was there is kept as {kept}")
    shutil.rmtree(of.nats, ignore_errors=True)
    say(
        f"The house is as it was at {facts['taken_at']}. Once `rushes up` starts it, it looks for what it bought since."
    )


async def dump(of: house.House, target: Path) -> None:
    """Copy every database into this folder, one after the other, each as at one moment. Raises Ended."""
    for service in ORDER:
        told = ("pg_dump", "--format=custom", f"--file={_file(target, service)}", service)
        await _run(of, f"The copy of {service}", *told)


async def load(of: house.House, source: Path) -> Mapping[str, str]:
    """Replace every database, with which nothing may work; returns what those are called now. Raises Ended."""
    kept = {}
    for service in ORDER:
        kept[service] = await _set_aside(of, service)
        told = ("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={service}")
        await _run(of, f"The restore of {service}", *told, str(_file(source, service)))
    return kept


def _file(folder: Path, service: str) -> Path:
    return folder / f"{service}.dump"


def _make_folder(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise exits.Ended(f"{target} is not empty; choose another folder.", exits.Code.CONFLICT)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)


def _facts(source: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads((source / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise exits.Ended(f"{source} is no complete copy: there is no {_FACTS} in it.", exits.Code.NOT_FOUND) from None
    return found


def _bring_secrets(folder: Path, source: Path) -> None:
    """All of them to a new house; to one that has its own, only the keys of the vault that it does not know."""
    if not house.exists(folder):
        for name in _SECRETS:
            if (source / name).exists():
                house.write_private(folder / name, (source / name).read_text(encoding="utf-8"))
        return
    known, copied = (json.loads((place / "vault.json").read_text()) for place in (folder, source))
    house.write_private(folder / "vault.json", json.dumps(known | {"keys": copied["keys"] | known["keys"]}, indent=1))


@contextlib.asynccontextmanager
async def _standing(folder: Path, say: Say) -> AsyncIterator[house.House]:
    """The house's PostgreSQL, and none of its services."""
    with state.supervising(folder) as lock:
        if lock is None:
            raise exits.Ended(f"The house in {folder} is starting or stopping.", exits.Code.CONFLICT)
        of = house.prepare(folder, say)
        keeper.rotate_logs(of)
        kept = supervisor.Supervisor(of, (), say)
        try:
            await kept.start()
            yield of
        finally:
            await kept.stop()


async def _set_aside(of: house.House, service: str) -> str:
    """Give the database another name, and put an empty one in its place; returns the name."""
    kept = f"{service}_until_{int(time.time_ns())}"
    connection = await postgres.connect(of)
    try:
        await connection.execute(f'ALTER DATABASE "{service}" RENAME TO "{kept}"')
        await connection.execute(f'CREATE DATABASE "{service}" OWNER "{service}_owner"')
    finally:
        await connection.close()
    return kept


async def _run(of: house.House, name: str, program: str, *arguments: str) -> None:
    told = environment.base() | {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(of.ports["postgres"]),
        "PGUSER": "postgres",
        "PGPASSWORD": of.secrets["postgres"],
    }
    log = of.log("backup")
    with processes.appending(log) as output:
        process = await asyncio.create_subprocess_exec(
            str(postgres.binaries() / program), *arguments, env=told, stdout=output, stderr=output
        )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise exits.Ended(f"{name} failed with exit code {code}: {processes.tail(log)}\nSee {log}")
