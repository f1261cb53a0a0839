"""Examines a house, running or not: each finding is fine, or says what is wrong and the remedy."""

import asyncio
import datetime
import json
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import asyncpg
import psutil

from services.cli import exits, house, issuer, keeper, nats, postgres, state, status
from services.cli.finding import Finding

_PYTHON = (3, 11)
_CODECS = ("libx264", "aac", "mjpeg")


async def examine(
    folder: Path, now: datetime.datetime, enough_disk_bytes: int = keeper.ENOUGH_DISK_BYTES
) -> AsyncIterator[Finding]:
    """Everything, in the order in which a house needs it."""
    yield _python()
    yield await asyncio.to_thread(_codecs)
    yield _writable(folder)
    yield _disk(folder, enough_disk_bytes)
    yield _binary("postgres program", lambda: str(postgres.binaries() / "postgres"))
    yield _binary("nats program", nats.binary)
    if not house.exists(folder):
        yield Finding("house", "none yet; `rushes up` starts one")
        return
    try:
        of = house.load(folder)
    except exits.Ended as fault:
        yield Finding("house", str(folder), str(fault), "run `rushes up`, or move the folder away")
        return
    for finding in (*_secrets(of), *_data_folder(of), _endpoints(of), _clock(of, now)):
        yield finding
    told = state.read(folder)
    for finding in [row async for row in _processes(of, told)] if told else _ports(of):
        yield finding
    if told:
        yield await _roles(of)


def _python() -> Finding:
    detail = sys.version.split()[0]
    if sys.version_info < _PYTHON:
        return Finding("python", detail, "Python 3.11 or newer is needed", "install it, and Rushes into it")
    return Finding("python", detail)


def _codecs() -> Finding:
    remedy = "`pip install --force-reinstall --only-binary :all: av`"
    try:
        import av

        for codec in _CODECS:
            av.Codec(codec, "w")
    except ImportError as error:
        return Finding("video", str(error), "PyAV, which brings FFmpeg, cannot be loaded", remedy)
    except ValueError:
        return Finding("video", codec, f"PyAV cannot encode {codec}", remedy)
    return Finding("video", f"PyAV {av.__version__} with {', '.join(_CODECS)}")


def _writable(folder: Path) -> Finding:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("home", str(folder), f"{nearest} cannot be written", "choose another with --home or RUSHES_HOME")
    return Finding("home", str(folder))


def _disk(folder: Path, enough: int) -> Finding:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    detail = f"{free / 1e9:.1f} GB free"
    if free < enough:
        wrong = f"a house needs {enough / 1e9:.1f} GB"
        return Finding("disk", detail, wrong, f"free some where {nearest} is, or choose another disk with --home")
    return Finding("disk", detail)


def _binary(name: str, find: Callable[[], str]) -> Finding:
    try:
        path = find()
    except exits.Ended as fault:
        return Finding(name, "missing", str(fault), "install the missing wheel")
    if not os.access(path, os.X_OK):
        return Finding(name, path, "it may not be executed", f"`chmod a+rx {path}`")
    return Finding(name, path)


def _secrets(of: house.House) -> Iterator[Finding]:
    for name in ("secrets.json", "issuer.pem", "token", "endpoints.json", "vault.json"):
        path = of.folder / name
        if not path.exists():
            made_again = "`rushes down && rushes up` makes it again"
            lost = "restore it, or start afresh and give each key again with `rushes credentials rotate`"
            yield Finding(name, "missing", "it was removed", lost if path == of.vault else made_again)
        elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(name, str(path), "other users of this machine may read it", f"`chmod 600 {path}`")
        else:
            yield Finding(name, "only you can read it")


def _data_folder(of: house.House) -> Iterator[Finding]:
    """PostgreSQL does not start in a folder that others may enter, or that its group may write."""
    if of.postgres.exists() and of.postgres.stat().st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        wrong = "PostgreSQL refuses a folder that is open to others"
        yield Finding("postgres data", str(of.postgres), wrong, f"`chmod 700 {of.postgres}`")


def _endpoints(of: house.House) -> Finding:
    try:
        told = json.loads(of.endpoints.read_text(encoding="utf-8"))
        lacking = [name for name, endpoint in told.items() if not _is_endpoint(endpoint)]
    except (OSError, ValueError, AttributeError):
        return Finding("endpoints", str(of.endpoints), "it is not readable JSON", "`rushes down && rushes up`")
    if lacking:
        wrong = f"no base_url or key for {', '.join(lacking)}"
        remedy = "`rushes down && rushes up` writes the file anew; `rushes credentials add` installs keys of your own"
        return Finding("endpoints", str(of.endpoints), wrong, remedy)
    return Finding("endpoints", ", ".join(told))


def _is_endpoint(told: Mapping[str, str]) -> bool:
    return str(told.get("base_url", "")).startswith(("http://", "https://")) and bool(told.get("key"))


def _clock(of: house.House, now: datetime.datetime) -> Finding:
    detail = now.isoformat(timespec="seconds")
    if fault := issuer.fault(of, now):
        return Finding(
            "token and clock", detail, fault, "set the clock of this machine, then `rushes down && rushes up`"
        )
    return Finding("token and clock", detail)


def _ports(of: house.House) -> Iterator[Finding]:
    taken = {name: port for name, port in of.ports.items() if not house.is_free(port)}
    for name, port in taken.items():
        remedy = f"end {_listener(port)}, or run `rushes up`, which moves {name} to another port"
        yield Finding(f"port of {name}", str(port), "another program listens there", remedy)
    if not taken:
        yield Finding("ports", f"all {len(of.ports)} are free; the house is down")


def _listener(port: int) -> str:
    try:
        pids = {
            c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr and c.laddr.port == port
        }
        names = [f"{psutil.Process(pid).name()} (pid {pid})" for pid in pids if pid]
    except psutil.Error:
        names = []
    return " and ".join(names) or "that program"


async def _processes(of: house.House, told: state.State) -> AsyncIterator[Finding]:
    for row in await status.rows(of, told.processes):
        if row.healthy:
            yield Finding(row.name, f"healthy at {row.address}")
        else:
            remedy = f"read {of.log(row.name)}; `rushes down && rushes up` starts it afresh"
            yield Finding(row.name, row.address, row.trouble or "it does not answer", remedy)


async def _roles(of: house.House) -> Finding:
    """A service's role must not be able to pass the walls between tenants."""
    try:
        connection = await postgres.connect(of)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        remedy = f"read {of.log('postgres')}; `rushes down && rushes up` starts it afresh"
        return Finding("database roles", str(error), "PostgreSQL cannot be asked", remedy)
    try:
        mighty = await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND (rolsuper OR rolbypassrls)", list(house.DATABASES)
        )
    finally:
        await connection.close()
    if mighty:
        names = ", ".join(row["rolname"] for row in mighty)
        return Finding("database roles", names, "they may do more than a service needs", "`rushes down && rushes up`")
    return Finding("database roles", "each service may only read and write its own rows")
