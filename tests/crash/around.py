"""What breaks around the gateways, or at no place in particular."""

import asyncio
import random
import signal

from tests.crash import rig as rigs


async def restart_database(rig: rigs.Rig, chance: random.Random) -> None:
    """As `pg_ctl restart -m immediate`: no checkpoint, every connection is cut."""
    rig.send("postgres", signal.SIGQUIT)


async def lose_stream(rig: rigs.Rig, chance: random.Random) -> None:
    """All of JetStream is gone."""
    rig.lose_stream()


async def stop_gateways(rig: rigs.Rig, chance: random.Random) -> None:
    """The whole gateway stands still for longer than its leases."""
    rig.send_gateways(signal.SIGSTOP)
    await asyncio.sleep(rigs.LEASE_S + 1.5)
    rig.send_gateways(signal.SIGCONT)


async def kill_gateway(rig: rigs.Rig, chance: random.Random) -> None:
    """A gateway dies at whatever line it is."""
    rig.send(chance.choice(rigs.GATEWAYS), signal.SIGKILL)


async def kill_provider(rig: rigs.Rig, chance: random.Random) -> None:
    """The provider dies, and comes back with what it had written down."""
    rig.send("sandbox", signal.SIGKILL)


async def kill_all(rig: rigs.Rig, chance: random.Random) -> None:
    """Everything of ours dies at once, and the database with it."""
    for name in (*rigs.GATEWAYS, rigs.JOBS):
        rig.send(name, signal.SIGKILL)
    rig.send("postgres", signal.SIGQUIT)


EVERY = (restart_database, lose_stream, stop_gateways, kill_gateway, kill_provider, kill_all)
