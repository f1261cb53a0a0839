"""A house to break: database, bus, sandbox and storyboards, and under `armed` two gateways and the job service."""

import asyncio
import base64
import contextlib
import datetime
import hashlib
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import yaml
from google.protobuf import duration_pb2

from libs import migrate
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.cli import check, client, environment, health, house, issuer, postgres, processes, supervisor
from tests import ports
from tests.crash import armed, places
from tests.e2e import waiting

LEASE_S = 3.0
"""Half of the least that an operator is advised to set: a round then takes seconds."""

ONE, TWO, JOBS = "gateway-one", "gateway-two", "job"
GATEWAYS = (ONE, TWO)
OWNED = "sandbox-replicate"
"""The endpoint for which the tenant has a key of its own."""

_SERVICES = ("sandbox", "storyboard")
_WITHIN_S = 120.0
_TRANSITIONS = """
    SELECT DISTINCT coalesce(lag(l.state) OVER turn, CASE WHEN l.state <> 'INTENT' AND EXISTS (
        SELECT FROM ledger WHERE submission_id = l.submission_id) THEN 'INTENT' ELSE 'PARKED' END) AS before,
      l.state AS after
    FROM submission_log l WINDOW turn AS (PARTITION BY l.submission_id ORDER BY l.version)"""
_AWAY = (
    *(OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError),
    *(asyncpg.OperatorInterventionError, asyncpg.QueryCanceledError),
)
_MIGRATING = asyncio.Lock()
"""Migrations speak through a name of their own to the one that runs."""


class Rig:
    """One of them; `call` speaks to its services as its person."""

    def __init__(self, of: house.House, faults: armed.Faults, services: client.Client) -> None:
        self.of, self.faults, self.services = of, faults, services
        self.children: dict[str, processes.Child] = {}
        self._connections: dict[str, asyncpg.Connection] = {}

    def pid(self, name: str) -> int | None:
        """The process that is now of this name: one of ours, or of the house."""
        if name in (*GATEWAYS, JOBS):
            return self.faults.pid(name)
        return self.children[name].pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send it a signal; one that has just died needs none."""
        with contextlib.suppress(ProcessLookupError):
            if pid := self.pid(name):
                os.kill(pid, number)

    def send_gateways(self, number: signal.Signals) -> None:
        """Send it to both."""
        for name in GATEWAYS:
            self.send(name, number)

    def forgive(self) -> None:
        """Let what is restarted come back at once, however often it has died."""
        for child in self.children.values():
            child.failures = 0

    def lose_stream(self) -> None:
        """Take JetStream's store away, and the server with it."""
        lost = self.of.folder / f"lost-{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            shutil.move(self.of.nats / "jetstream", lost)
        self.send("nats", signal.SIGKILL)

    def turn_vault(self) -> None:
        """Make the other of two outer keys the current one, for processes that start from now on."""
        told = json.loads(self.of.vault.read_text())
        other = next((name for name in told["keys"] if name != told["current"]), "")
        if not other:
            other = "turned"
            told["keys"][other] = base64.b64encode(secrets.token_bytes(32)).decode()
        house.write_private(self.of.vault, json.dumps(told | {"current": other}))

    async def healthy(self) -> None:
        """Return once the gateways and the job service answer."""
        for name in (*GATEWAYS, JOBS):
            address = self.children[name].program.address
            await waiting.until(f"a healthy {name}", lambda address=address: health.serving(address), _WITHIN_S)

    async def call(self, method: Any, request: Any) -> Any:
        """One call, repeated until it is answered for good."""
        while True:
            try:
                return await self.services.call(method, request)
            except client.Refused as refused:
                if refused.is_definite:
                    raise
                await asyncio.sleep(0.2)

    async def rows(self, service: str, query: str, *values: Any) -> list[Any]:
        """What the superuser sees in a service's database; waits for one that is being restarted."""
        while True:
            try:
                if service not in self._connections:
                    self._connections[service] = await postgres.connect(self.of, database=service)
                found: list[Any] = await self._connections[service].fetch(query, *values, timeout=10)
            except _AWAY:
                if connection := self._connections.pop(service, None):
                    connection.terminate()
                await asyncio.sleep(0.1)
            else:
                return found

    async def close(self) -> None:
        """Give the connections back."""
        for connection in self._connections.values():
            await connection.close(timeout=5)

    async def forget_connections(self) -> None:
        """Give them back, and make others when they are needed: the databases are replaced meanwhile."""
        await self.close()
        self._connections.clear()

    @property
    def ledger(self) -> Path:
        """The provider's own books."""
        return self.of.folder / "sandbox" / "ledger.jsonl"

    async def transitions(self) -> set[tuple[str, str]]:
        """Every step that a submission has ever made; what has no reservation at its first was parked."""
        return {(row["before"], row["after"]) for row in await self.rows("provider_gateway", _TRANSITIONS)}

    async def checked(self) -> check.Report:
        """What the checker finds, everything being over."""
        told = check.Sources("", "", "", self.ledger)
        return await check.examine(check.of_house(self.of.folder, told), 0)


@contextlib.asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Rig]:
    """A rig in this folder, which other users must be able to pass through, with everything healthy."""
    of = house.prepare(house.make_folder(folder / "home"), _quiet)
    issuer.prepare(of, datetime.datetime.now(datetime.UTC))
    _tell_secrets(of)
    faults = armed.Faults(folder / "faults")
    faults.make()
    kept = supervisor.Supervisor(of, _SERVICES, _quiet)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kept.stop)
        await kept.start()
        async with _MIGRATING:
            for service in places.ARMED:
                await migrate.upgrade(environment.database_url(of, service, f"{service}_owner"), service)
        rig = Rig(of, faults, await stack.enter_async_context(client.connect(of)))
        stack.push_async_callback(rig.close)
        rig.children = {child.program.name: child for child in kept.children}
        for program in _programs(of, folder):
            rig.children[program.name] = child = processes.Child(program, of.log(program.name), _noted)
            stack.push_async_callback(child.stop)
            child.start()
        await rig.healthy()
        await _give_key(rig)
        yield rig


def _programs(of: house.House, folder: Path) -> list[processes.Program]:
    gateway = environment.of_service(of, "provider_gateway") | _overrides(of)
    address, metrics = (f"127.0.0.1:{ports.free()}" for _ in range(2))
    other = {**gateway, "RUSHES_LISTEN": address, "RUSHES_METRICS_LISTEN": metrics}
    del other["RUSHES_CALLBACKS_LISTEN"]  # every order names the first one's
    return [
        _program(ONE, "provider_gateway", folder, gateway),
        _program(TWO, "provider_gateway", folder, other),
        _program(JOBS, "job", folder, environment.of_service(of, "job")),
    ]


def _program(name: str, service: str, folder: Path, told: Mapping[str, str]) -> processes.Program:
    address = told["RUSHES_LISTEN"]
    return processes.Program(
        name=name,
        address=address,
        command=(sys.executable, "-m", "tests.crash.armed", service, str(folder / "faults"), name),
        environment={**told, "RUSHES_LEASE_S": str(LEASE_S), "RUSHES_LOG_LEVEL": "INFO"},
        healthy=lambda: health.serving(address),
        stops=((signal.SIGKILL, 5.0),),
    )


def _overrides(of: house.House) -> dict[str, str]:
    """The sandbox's lists are complete at once: that an answer is settled is a matter of a query, not of a minute."""
    path = Path(__file__).parents[2] / "services" / "provider_gateway" / "offer" / "sandbox.yaml"
    told = yaml.safe_load(path.read_text())
    for endpoint in told["endpoints"].values():
        if "list_lag_s" in endpoint["capabilities"]:
            endpoint["capabilities"]["list_lag_s"] = 0
    written = of.folder / "overrides.yaml"
    written.write_text(yaml.safe_dump({"endpoints": told["endpoints"]}))
    return {"RUSHES_CATALOGUE_OVERRIDES_PATH": str(written)}


def _tell_secrets(of: house.House) -> None:
    """Let the callbacks of the sandbox be believed: its secrets are derived from its keys."""
    told = json.loads(of.endpoints.read_text())
    for name, endpoint in told.items():
        secret = _webhook_secret(endpoint["key"])
        is_hex = name == "sandbox-openrouter"
        endpoint["webhook_secret"] = secret.hex() if is_hex else _standard(secret)
    house.write_private(of.endpoints, json.dumps(told))


def _webhook_secret(key: str) -> bytes:
    """As docs/sandbox.md says."""
    name = hashlib.sha256(key.encode()).hexdigest()
    return hashlib.sha256(f"rushes sandbox webhook {name}".encode()).digest()


def _standard(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"


async def _give_key(rig: Rig) -> None:
    """One endpoint is bought from with a key of the tenant's own, out of the vault."""
    key = secrets.token_hex(24)
    request = gateway_pb2.CreateCredentialRequest(
        request_id="00000000-0000-4000-8000-000000000001",
        endpoint=OWNED,
        name="own",
        key=key,
        webhook_secret=_standard(_webhook_secret(key)),
    )
    await rig.call(rig.services.gateway.CreateCredential, request)


def seconds(number: int) -> duration_pb2.Duration:
    """A length as messages have it."""
    return duration_pb2.Duration(seconds=number)


def _quiet(note: str) -> None:
    pass


def _noted() -> None:
    pass
