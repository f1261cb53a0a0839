"""Real servers for every test: PostgreSQL, NATS with JetStream, a token issuer, gRPC on a free port."""

import asyncio
import contextlib
import dataclasses
import gc
import json
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import grpc.aio
import hypothesis
import jwt
import nats
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ed25519
from grpc_health.v1 import health_pb2, health_pb2_grpc
from jwt import algorithms

from libs import auth, db, migrate, rpc, topology
from libs.rpc import gate
from services.cli import environment, house, supervisor
from services.cli import postgres as postgres_room
from tests import homes, scheduling

NOT_A_FAULT = [hypothesis.HealthCheck.too_slow]  # of the test: other tests use the same cores
hypothesis.settings.register_profile("days", deadline=None, suppress_health_check=NOT_A_FAULT)
hypothesis.settings.register_profile(  # --hypothesis-profile=nights
    "nights", hypothesis.settings.get_profile("days"), max_examples=2000, stateful_step_count=60
)
hypothesis.settings.load_profile("days")

_IN_HASTE = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")

gc.disable()  # while tests are collected: what that makes stays for good, and need not be walked through

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.Scheduling | None:
    return scheduling.Scheduling(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: scheduling.turn(item.nodeid))
    gc.freeze()
    gc.enable()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home() -> AsyncIterator[house.House]:
    """A house of PostgreSQL and NATS alone, as `rushes up` makes them, for the whole session.

    Nothing here outlives the machine, so that PostgreSQL need not wait for the disk.
    """
    with homes.folder("rushes-tests-") as folder:
        of = house.prepare(house.make_folder(Path(folder) / "home"), print)
        servers = supervisor.Supervisor(of, [], print)
        database = servers.children[0]
        database.program = dataclasses.replace(database.program, command=(*database.program.command, *_IN_HASTE))
        try:
            await servers.start()
            yield of
        finally:
            await servers.stop()


@pytest.fixture(scope="session")
def postgres(home: house.House) -> str:
    """host:port of the session's PostgreSQL, with an empty database and two roles for each service."""
    return home.address("postgres")


@pytest.fixture
async def nats_url(home: house.House) -> str:
    """The session's NATS, with the streams and consumers of the house made anew: nothing is left of other tests."""
    url = environment.nats_url(home)
    client = await nats.connect(url)
    try:
        for stream in await client.jetstream().streams_info():
            await client.jetstream().delete_stream(stream.config.name)
    finally:
        await client.close()
    await topology.apply(url, topology.load())
    return url


@dataclasses.dataclass(frozen=True)
class Place:
    """A database of one test: open as the service's role at `url`; `owner_url` may change the schema."""

    database: db.Database
    url: str
    owner_url: str


Databases = Callable[[str], Awaitable[Place]]


@pytest.fixture(scope="session")
def templates() -> set[str]:
    """The services whose own database has been migrated, to be copied for each test."""
    return set()


@pytest.fixture
async def database(home: house.House, templates: set[str]) -> AsyncIterator[Databases]:
    """`place = await database("storyboard")`: a fresh, migrated database, dropped after the test."""
    made: dict[str, Place] = {}

    async def make(service: str) -> Place:
        if service not in templates:
            await migrate.upgrade(environment.database_url(home, service, f"{service}_owner"), service)
            templates.add(service)
        name = f"{service}_{uuid.uuid4().hex[:12]}"
        await _administer(
            home, f'CREATE DATABASE "{name}" TEMPLATE "{service}" OWNER "{service}_owner" STRATEGY FILE_COPY'
        )
        url, owner_url = (
            environment.database_url(home, service, role).rpartition("/")[0] + f"/{name}"
            for role in (service, f"{service}_owner")
        )
        made[name] = Place(db.Database(url), url, owner_url)
        return made[name]

    yield make
    for name, place in made.items():
        await place.database.close()
        await _administer(home, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _administer(home: house.House, statement: str) -> None:
    connection = await postgres_room.connect(home)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class Issuer:
    """Signs tokens as anybody, with a key whose public half is in `jwks_url`."""

    name, audience = "rushes-tests", "rushes"

    def __init__(self, folder: Path) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()
        public = algorithms.OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        path = folder / "jwks.json"
        path.write_text(json.dumps({"keys": [public | {"kid": "one", "alg": "EdDSA", "use": "sig"}]}))
        self.jwks_url = path.as_uri()

    def token(self, tenant: str = "acme", subject: str = "ada", roles: Iterable[str] = ("owner",), **more: Any) -> str:
        """A token that is good for an hour; `more` are claims, in place of ours where they have the same name."""
        now = int(time.time())
        claims = {"iss": self.name, "aud": self.audience, "iat": now, "exp": now + 3600}
        claims |= {"tenant": tenant, "sub": subject, "roles": list(roles)} | more
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": "one"})

    def bearer(self, tenant: str = "acme", subject: str = "ada") -> tuple[tuple[str, str], ...]:
        """Call metadata with such a token."""
        return rpc.bearer(self.token(tenant, subject))

    def verifier(self) -> auth.Verifier:
        """What a service makes of its settings."""
        return auth.Verifier(self.jwks_url, self.name, [self.audience])


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """The issuer that every service under test trusts."""
    return Issuer(tmp_path_factory.mktemp(f"issuer-{secrets.token_hex(4)}"))


@dataclasses.dataclass
class Door:
    """A gRPC server of this process and a channel to it; `await close()` drains it."""

    server: rpc.Server
    channel: grpc.aio.Channel
    stop: asyncio.Event
    running: asyncio.Task[None]

    async def close(self) -> None:
        """Stop the server as SIGTERM does, and wait until it has drained."""
        self.stop.set()
        await self.running
        await self.channel.close()

    async def health(self, wanted: int = SERVING, service: str = "") -> None:
        """Return once the server says this about the service; our own channels do not call one that is not healthy."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.server.port}") as plain:
            watch = health_pb2_grpc.HealthStub(plain).Watch(health_pb2.HealthCheckRequest(service=service), timeout=10)
            async for answer in watch:
                if answer.status == wanted:
                    watch.cancel()
                    return


async def _always() -> bool:
    return True


Serve = Callable[..., Awaitable[Door]]


@pytest.fixture
async def serve(issuer: Issuer) -> AsyncIterator[Serve]:
    """`door = await serve("storyboard", servicer)`: the servicers behind the house's own server, healthy."""
    async with contextlib.AsyncExitStack() as doors:

        async def open_door(
            service: str,
            *servicers: rpc.Servicer,
            ready: Callable[[], Awaitable[bool]] = _always,
            verifier: auth.Verifies | None = None,
            count: gate.Count | None = None,
            drain_s: float = 0.0,
            server: rpc.Server | None = None,
        ) -> Door:
            known = verifier or issuer.verifier()
            server = server or rpc.Server("127.0.0.1:0", service, servicers, known, ready, count=count, drain_s=drain_s)
            stop = asyncio.Event()
            running = asyncio.create_task(server.run(stop))
            while not server.port and not running.done():  # noqa: ASYNC110, it is a turn or two of the loop
                await asyncio.sleep(0)
            if running.done():
                running.result()
            door = Door(server, rpc.connect(f"127.0.0.1:{server.port}"), stop, running)
            doors.push_async_callback(door.close)
            if ready is _always:
                await door.health()
            return door

        yield open_door


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have noted as `record_property("figure", …)`, in whatever process they ran."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for figure in [value for name, value in report.user_properties if name == "figure"]:
            terminalreporter.write_line(str(figure))
