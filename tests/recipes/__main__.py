"""Walks docs/recipes/vm.md as far as one can without an init system: its units, its SQL, its processes, their end."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import rpc
from services.cli import environment, house, postgres, processes, supervisor
from tests.recipes import filled

_WITHIN_S = 300.0
_HERE = re.compile(r"127\.0\.0\.1:(7\d\d\d)")
_INSTALLED = Path("/opt/rushes")
_PYTHON = _INSTALLED / ".venv" / "bin" / "python"


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def verify_units(root: Path) -> None:
    """`systemd-analyze verify` of every unit, in a root where what they run exists."""
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for path in [*filled.FOLDER.glob("*.service"), *filled.FOLDER.glob("*.target")]:
        shutil.copy(path, units)
    programs = [_PYTHON, _PYTHON.with_name("nats-server")]
    for program in [root / str(path)[1:] for path in programs]:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
    # Those of the distribution that ours name.
    for name in ("basic", "sysinit", "shutdown", "network", "network-online", "multi-user", "local-fs"):
        (units / f"{name}.target").write_text("[Unit]\n")
    (units / "postgresql.service").write_text("[Service]\nExecStart=/opt/rushes/.venv/bin/python\n")
    instances = [path.name.replace("@.", "@job.") for path in filled.FOLDER.glob("rushes*") if path.suffix]
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", *instances],
        capture_output=True,
        text=True,
        check=False,
    )
    faults = [line for line in told.stderr.splitlines() if "rushes" in line]
    if told.returncode or faults:
        sys.exit(f"systemd-analyze verify: {told.returncode}\n{told.stderr}")
    say(f"{len(instances)} units are right")


def judge_proxy(root: Path) -> None:
    """`nginx -t` of the proxy's configuration, with certificates made for the occasion."""
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed; on Debian: apt-get install nginx-light")
    certificate = (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=example.org -keyout privkey.pem -out fullchain.pem"
    )
    subprocess.run(["openssl", *certificate.split()], cwd=root, check=True, capture_output=True)
    ours = (filled.FOLDER / "nginx.conf").read_text()
    ours = ours.replace("/etc/letsencrypt/live/example.org", str(root))
    whole = f"pid {root}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{ours}}}\n"
    (root / "nginx.conf").write_text(whole)
    told = subprocess.run(["nginx", "-t", "-c", root / "nginx.conf"], capture_output=True, text=True, check=False)
    if told.returncode:
        sys.exit(told.stderr)
    say("the proxy is right")


class Machine:
    """The recipe's files on this machine: other ports, another folder, a PostgreSQL and a NATS of a house."""

    def __init__(self, of: house.House, folder: Path) -> None:
        self._of, self._folder, self._known = of, folder, filled.passwords()
        self._ports: dict[str, int] = {}

    def told(self, *names: str) -> dict[str, str]:
        """What the environment files of these names tell here."""
        found = {name: self._here(value) for name, value in filled.variables(self._known, *names).items()}
        if "RUSHES_NATS_URL" in found:
            found["RUSHES_NATS_URL"] = environment.nats_url(self._of)
        return environment.base() | found

    def log(self, service: str) -> Path:
        """Where a service's standard error goes."""
        return self._folder / f"{service}.log"

    def _here(self, value: str) -> str:
        value = _HERE.sub(lambda it: f"127.0.0.1:{self._port(it[1])}", value)
        value = value.replace("@127.0.0.1/", f"@{self._of.address('postgres')}/")
        return value.replace("/var/lib/rushes", str(self._folder))

    def _port(self, written: str) -> int:
        if written not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._ports[written] = int(free.getsockname()[1])
        return self._ports[written]

    async def make_databases(self) -> None:
        """Run databases.sql as the superuser, where nothing of a house is left."""
        connection = await postgres.connect(self._of)
        for service in house.DATABASES:
            await connection.execute(f'DROP DATABASE "{service}" WITH (FORCE)')
            await connection.execute(f'DROP ROLE "{service}"; DROP ROLE "{service}_owner"')
        await connection.close()
        script = self._folder / "databases.sql"
        script.write_text(filled.text(filled.FOLDER / "databases.sql", self._known))
        login = {"PGPASSWORD": self._of.secrets["postgres"], "PGHOST": "127.0.0.1", "PGUSER": "postgres"}
        login["PGPORT"] = str(self._of.ports["postgres"])
        await run(str(postgres.binaries() / "psql"), "--quiet", "--file", str(script), told={**os.environ, **login})
        say("databases.sql makes the databases")


def command(unit: str, instance: str) -> list[str]:
    """What a unit starts, with this machine's Python."""
    (line,) = re.findall(r"(?m)^ExecStart=(.*)$", (filled.FOLDER / unit).read_text())
    return line.replace("%i", instance).replace(str(_PYTHON), sys.executable).split()


async def run(*words: str, told: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(*words, env=told)
    if await process.wait():
        sys.exit(f"{' '.join(words)}: {process.returncode}")


@contextlib.asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[Machine]:
    """PostgreSQL and NATS alone, as a house has them."""
    of = house.prepare(house.make_folder(folder / "home"), say)
    servers = supervisor.Supervisor(of, [], say)
    try:
        await servers.start()
        yield Machine(of, folder)
    finally:
        await servers.stop()


async def serve(machine: Machine) -> None:
    """Start every service as its unit does, see it healthy, and stop it as systemd does."""
    running = {}
    for service in filled.SERVICES:
        with processes.appending(machine.log(service)) as log:
            running[service] = await asyncio.create_subprocess_exec(
                *command("rushes@.service", service), env=machine.told("common", service), stderr=log
            )
    try:
        async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as group:
            lives = [group.create_task(live(machine, service, process)) for service, process in running.items()]
            for service in filled.SERVICES[:-1]:
                await serving(machine.told("common", service)["RUSHES_LISTEN"])
            await greets(machine.told("common", "studio")["RUSHES_LISTEN"])
            for life in lives:
                life.cancel()
            say("all serve, and the studio reaches them")
    finally:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        ends = {service: await process.wait() for service, process in running.items()}
    if any(ends.values()):
        raise RuntimeError(f"not every service ended with 0: {ends}")
    say("all of them end with 0")


async def live(machine: Machine, service: str, process: asyncio.subprocess.Process) -> None:
    """Until it is cancelled; a service that ends by itself ends everything."""
    code = await process.wait()
    raise RuntimeError(f"{service} ended with {code}:\n{processes.tail(machine.log(service))}")


async def serving(address: str) -> None:
    async with rpc.connect(address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                watch.cancel()
                return


async def greets(address: str) -> None:
    transport = httpx.AsyncHTTPTransport(retries=9)
    async with httpx.AsyncClient(transport=transport) as client:
        while "✕ away" in (await client.get(f"http://{address}/")).text:  # noqa: ASYNC110, it is another process
            await asyncio.sleep(0.2)


async def walk(folder: Path) -> None:
    async with installation(folder) as machine:
        await machine.make_databases()
        for service in house.DATABASES:
            await run(*command("rushes-migrate@.service", service), told=machine.told(f"migrate-{service}"))
        await run(*command("rushes-topology.service", ""), told=machine.told("topology"))
        say("schemas and streams are there")
        await serve(machine)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rushes-recipes-") as made:
        folder = Path(made)
        verify_units(folder / "root")
        judge_proxy(folder)
        asyncio.run(walk(folder))


if __name__ == "__main__":
    main()
