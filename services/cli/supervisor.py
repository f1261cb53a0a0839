"""Runs a house: PostgreSQL and NATS, then the services; all kept alive until told to stop, then drained in order."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from services.cli import environment, exits, house, nats, postgres, processes, state, status

_START_WITHIN_S = 90.0
_HOPELESS_AFTER = 3  # failures before it was ever ready
_INDEPENDENT = ("sandbox",)  # it needs neither the database nor the bus, and the processor is idle while they start
_WARDEN = str(Path(__file__).with_name("warden.py"))


class Supervisor:
    """One house while it runs; `while_used` is told to those who visit it."""

    def __init__(
        self, of: house.House, services: Sequence[str], say: Callable[[str], None], while_used: bool = False
    ) -> None:
        self._house = of
        self._while_used = while_used
        self._phase = "starting"
        self._warden: asyncio.subprocess.Process | None = None

        async def migrate() -> None:
            if owned := [name for name in house.DATABASES if name in services]:
                await _migrate(of, owned)

        async def apply_topology() -> None:
            if services:
                await _apply_topology(of)

        self._database = self._child(postgres.program(of, migrate, say))
        self._bus = self._child(nats.program(of, apply_topology))
        self._services = [self._child(_service(of, name)) for name in services]

    @property
    def children(self) -> Sequence[processes.Child]:
        """Every child, in the order in which they start."""
        return [self._database, self._bus, *self._services]

    async def start(self) -> None:
        """Start everything; returns when all is healthy, raises Ended when something will not start."""
        self._warden = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", _WARDEN, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        foundation = [self._database, self._bus]
        early = [child for child in self._services if child.program.name in _INDEPENDENT]
        for child in (*foundation, *early):
            child.start()
        await _all_ready(foundation)
        for child in self._services:
            if child not in early:
                child.start()
        await _all_ready(self._services)
        self._enter("ready")

    async def stop(self) -> None:
        """Services first, so that their last writes have a bus and a database; then the bus; the database last."""
        self._enter("stopping")
        await asyncio.gather(*(child.stop() for child in self._services))
        await self._bus.stop()
        await self._database.stop()
        warden, self._warden = self._warden, None
        if warden is not None and warden.stdin is not None:
            warden.stdin.close()
            await warden.wait()

    def _child(self, program: processes.Program) -> processes.Child:
        return processes.Child(program, self._house.log(program.name), self._changed)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._changed()

    def _changed(self) -> None:
        """Tell the warden whom to end, and the state file what runs."""
        facts = [child.facts() for child in self.children]
        with contextlib.suppress(OSError):  # a full disk, or no folder any more, must not end what runs
            state.write(self._house.folder, self._phase, self._while_used, facts)
        if self._warden is not None and self._warden.stdin is not None:
            alive = [str(child.pid) for child in self._services if child.pid is not None]
            self._warden.stdin.write(f"{' '.join(alive)}\n".encode())


async def _all_ready(children: Sequence[processes.Child]) -> None:
    try:
        async with asyncio.timeout(_START_WITHIN_S):
            while late := [child for child in children if not child.ready.is_set()]:
                if hopeless := [child for child in late if child.failures >= _HOPELESS_AFTER]:
                    raise exits.Ended("\n".join(_complaint(child) for child in hopeless))
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise exits.Ended("\n".join(_complaint(child) for child in late)) from None


def _complaint(child: processes.Child) -> str:
    return f"{child.program.name} does not start: {child.trouble or 'it is not healthy'}\nSee {child.log}"


def _service(of: house.House, name: str) -> processes.Program:
    address = of.address(name)
    speaks_http = name in house.HTTP_SERVICES
    return processes.Program(
        name=name,
        address=f"http://{address}" if speaks_http else address,
        command=(sys.executable, "-m", f"services.{name}"),
        environment=environment.of_service(of, name),
        healthy=lambda: status.probe(of, name),
    )


async def _migrate(of: house.House, services: Sequence[str]) -> None:
    command = (sys.executable, "-m", "services.cli.migrations", str(of.folder), *services)
    await processes.run("The migration", command, environment.base(), of.log("migrations"))


async def _apply_topology(of: house.House) -> None:
    command = (sys.executable, "-m", "libs.topology")
    await processes.run("The topology", command, environment.of_topology(of), of.log("topology"))
