"""`python -m tests.crash.quorum`: three NATS servers keep each event; each is killed in turn while films are made.

A server that is killed stays away until the films are made. Ends with an error when a film was not made, a clip was
bought twice, or an event was lost.
"""

import asyncio
import dataclasses
import datetime
import functools
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import nats as client

from libs import bus_users, topology
from services.cli import environment, health, house, issuer, nats, processes, supervisor
from tests import ports
from tests.contract import rooms
from tests.crash import kills
from tests.e2e import crew, oracle, waiting

_SERVERS, _FILMS = 3, 2
_CONFIGURATION = rooms.ROOT / "deploy" / "nats" / "nats.conf"
_WITHIN_S = 300.0


class Trio:
    """Servers of one cluster, configured as in production; the first is the house's own, which services are told of."""

    def __init__(self, of: house.House, own: processes.Child) -> None:
        self.of, self._wanted = of, topology.load().model_copy(update={"replicas": _SERVERS})
        self._routes = [f"nats://127.0.0.1:{ports.free()}" for _ in range(_SERVERS)]
        self._monitors = [of.address("nats_monitor"), *(f"127.0.0.1:{ports.free()}" for _ in range(1, _SERVERS))]
        own.program = dataclasses.replace(self._program(0, of.address("nats")), settle=self._settle)
        others = [self._program(number, f"127.0.0.1:{ports.free()}") for number in range(1, _SERVERS)]
        self.children = [own, *(processes.Child(one, of.log(one.name), _noted) for one in others)]

    def start(self) -> None:
        """Start the two that are not the house's."""
        for child in self.children[1:]:
            child.start()

    async def stop(self) -> None:
        """End the two."""
        await asyncio.gather(*(child.stop() for child in self.children[1:]))

    async def kill(self, number: int) -> None:
        """kill -9; it stays away until it is started again."""
        child = self.children[number]
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        await child.stop()

    async def whole(self) -> None:
        """Return once each has all that the others have."""
        for monitor in self._monitors:
            look = functools.partial(health.answers, f"http://{monitor}/healthz")
            await waiting.until(f"all events at {monitor}", look, _WITHIN_S)

    async def check(self) -> None:
        """What is acknowledged is on the disk, and streams and consumers are as wanted. Raises AssertionError."""
        async with aiohttp.ClientSession() as session:
            for monitor in self._monitors:
                async with session.get(f"http://{monitor}/jsz") as answer:
                    assert (await answer.json())["config"]["sync_always"], f"{monitor} may lose what it acknowledged"
        assert await topology.differences(environment.nats_url(self.of), self._wanted) == []

    async def _settle(self) -> None:
        await self.whole()
        await topology.apply(environment.nats_url(self.of, "topology"), self._wanted)

    def _program(self, number: int, address: str) -> processes.Program:
        name, monitor = f"nats-{number}", self._monitors[number]
        told = {bus_users.variable(user): f'"{self.of.secrets[f"nats_{user}"]}"' for user in house.NATS_USERS}
        told |= {"NATS_SERVER_NAME": name, "NATS_STORE_DIR": str(self.of.folder / name)}
        (host, port), monitors = address.split(":"), monitor.split(":")[1]
        flags = ("--config", str(_CONFIGURATION), "--addr", host, "--port", port, "--http_port", monitors)
        flags += ("--cluster_name", "rushes", "--cluster", self._routes[number], "--routes", ",".join(self._routes))
        healthy = functools.partial(health.answers, f"http://{monitor}/healthz?js-enabled-only=true")
        return processes.Program(name, address, (nats.binary(), *flags), environment.base() | told, healthy)


async def play(of: house.House, folder: Path) -> int:
    """Films for each server that is killed; how many events were said in all. Raises AssertionError."""
    servers = supervisor.Supervisor(of, house.SERVICES, print)
    trio = Trio(of, servers.children[1])
    trio.start()
    try:
        await servers.start()
        await trio.check()
        for number, moment in enumerate((crew.created, crew.accepted, crew.stored)):
            await _round(trio, number, moment, folder)
        await trio.check()
        await oracle.check(of)
        return await _said_and_heard(of)
    finally:
        await servers.stop()
        await trio.stop()


async def _round(trio: Trio, number: int, moment: crew.Moment, folder: Path) -> None:
    names = [f"nats-{number} killed, {turn}" for turn in range(_FILMS)]
    async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as films:
        for turn, name in enumerate(names):
            films.create_task(crew.shoot(trio.of, name, folder, first_seed=100 * number + 10 * turn))
        await crew.reached(trio.of, names[0], moment)
        await trio.kill(number)
    print(f"nats-{number} killed when {moment.__name__}: {_FILMS} films made without it", flush=True)
    trio.children[number].start()
    await trio.whole()


async def _said_and_heard(of: house.House) -> int:
    """Every event that services wrote down is in its stream, and none waits for anybody."""
    said = {one.name: await _said(of, one.name) for one in topology.load().streams}
    bus = await client.connect(environment.nats_url(of))
    try:
        streams: Sequence[Any] = await bus.jetstream().streams_info()
        heard = [one for stream in said for one in await bus.jetstream().consumers_info(stream)]
    finally:
        await bus.close()
    held: Mapping[str, int] = {one.config.name: one.state.messages for one in streams}
    assert held == said, f"of {said} events, {held} are kept"
    waits = {
        one.name: (one.num_pending, one.num_ack_pending) for one in heard if one.num_pending or one.num_ack_pending
    }
    assert not waits, f"{waits} wait"
    return sum(said.values())


async def _said(of: house.House, service: str) -> int:
    count: int = (await oracle.rows(of, service, "SELECT count(*) FROM outbox"))[0][0]
    return count


def _noted() -> None:
    pass


async def _run() -> None:
    with tempfile.TemporaryDirectory(prefix="rushes-quorum-") as made:
        films = Path(made) / "films"
        films.mkdir()
        of = house.prepare(house.make_folder(Path(made) / "home"), print)
        issuer.prepare(of, datetime.datetime.now(datetime.UTC))
        said = await play(of, films)
    print(f"{_SERVERS} servers killed, {_SERVERS * _FILMS} films made, {said} events, none lost")


def main() -> None:
    """Play it."""
    os.environ |= kills.SPED_UP
    asyncio.run(_run())


if __name__ == "__main__":
    main()
