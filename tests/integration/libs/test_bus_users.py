"""deploy/nats/nats.conf on a real server: each user does what it must, by both forms of acknowledging, and no more."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import prometheus_client
import pytest
from nats.aio.client import Client

from libs import bus, bus_users, topology
from services.cli import house
from services.cli import nats as nats_room
from tests.contract import rooms

FILES = rooms.ROOT / "deploy" / "nats"
MAY_PUBLISH = {
    "topology": {
        "$JS.API.STREAM.INFO.job",
        "$JS.API.STREAM.CREATE.job",
        "$JS.API.STREAM.UPDATE.job",
        "$JS.API.CONSUMER.CREATE.job.x",
        "$JS.API.CONSUMER.DURABLE.CREATE.job.compiler",
    },
    "job": {
        "rushes.job.v1.ClipRequested",
        "$JS.API.STREAM.INFO.job",
        "$JS.API.CONSUMER.INFO.provider_gateway.job",
        "$JS.API.CONSUMER.MSG.NEXT.provider_gateway.job",
        "$JS.ACK.provider_gateway.job.1.1.1.1.0",
        "$JS.ACK._.hash.provider_gateway.job.1.1.1.1.0",
    },
    "provider_gateway": {
        "rushes.provider_gateway.v1.ClipStored",
        "$JS.API.CONSUMER.MSG.NEXT.job.provider_gateway",
        "$JS.ACK.job.provider_gateway.1.1.1.1.0",
    },
    "compiler": {
        "rushes.compiler.v1.FilmCompleted",
        "$JS.API.CONSUMER.MSG.NEXT.job.compiler",
        "$JS.ACK.job.compiler.1.1.1.1.0",
    },
}
NOBODY_MAY = {
    *(f"$JS.API.STREAM.{verb}.job" for verb in ("DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE")),
    *("$JS.API.CONSUMER.DELETE.job.compiler", "$JS.API.CONSUMER.PAUSE.job.compiler", "$JS.API.STREAM.LIST"),
    *("$JS.API.INFO", "$JS.API.DIRECT.GET.job", "$SYS.REQ.SERVER.PING", "rushes.studio.v1.Any", "_INBOX_job.stolen"),
}


@contextlib.asynccontextmanager
async def serving(folder: Path, more: str) -> AsyncIterator[str]:
    """The address of a server with the files as they are delivered, and `more`."""
    for name in ("nats.conf", "users.conf"):
        shutil.copy(FILES / name, folder)
    with (folder / "nats.conf").open("a") as file:
        file.write(more)
    port = house.prepare(folder / "home", print).ports["nats"]
    passwords = {bus_users.variable(user): f'"1e9-{user}"' for user in bus_users.names(topology.load())}
    server = await asyncio.create_subprocess_exec(
        *(nats_room.binary(), "-c", str(folder / "nats.conf"), "-a", "127.0.0.1", "-p", str(port), "-m", "-1"),
        *("-l", str(folder / "log")),
        env=passwords | {"NATS_SERVER_NAME": "rushes", "NATS_STORE_DIR": str(folder / "store")},
    )
    try:
        await topology.apply(f"nats://topology:1e9-topology@127.0.0.1:{port}", topology.load())
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        await server.wait()


@pytest.fixture(params=["", "feature_flags { js_ack_fc_v2: true }\n"], ids=["ack_v1", "ack_v2"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """host:port of a server that wants acknowledgements in the old form, and in the new."""
    async with serving(tmp_path, request.param) as address:
        yield address


LAST = "nobody.may.say.this"


@contextlib.asynccontextmanager
async def entered(server: str, user: str, refused: list[str]) -> AsyncIterator[Client]:
    """A connection of this user; what the server refused is in `refused` when it is left."""
    last = asyncio.Event()

    async def on_error(fault: Exception) -> None:
        if LAST in str(fault):
            last.set()
        else:
            refused.append(str(fault))

    url, inbox = f"nats://{user}:1e9-{user}@{server}", f"_INBOX_{user}".encode()
    client = await nats.connect(url, inbox_prefix=inbox, error_cb=on_error, allow_reconnect=False)
    try:
        yield client
        await client.publish(LAST, b"")  # refusals come in their order, but not before an answer to `flush`
        await asyncio.wait_for(last.wait(), 10)
    finally:
        await client.close()


async def test_a_user_may_publish_exactly_what_it_must(server):
    asked = {subject for subjects in MAY_PUBLISH.values() for subject in subjects} | NOBODY_MAY
    for user, allowed in MAY_PUBLISH.items():
        refused = list[str]()
        async with entered(server, user, refused) as client:
            for subject in sorted(asked):
                await client.publish(subject, b"")
        said = "\n".join(refused).lower()
        assert {subject for subject in asked if f'"{subject}"'.lower() not in said} == allowed, user


async def test_a_user_hears_its_own_answers_and_nothing_else(server):
    for user in MAY_PUBLISH:
        refused = list[str]()
        async with entered(server, user, refused) as client:
            others = [f"_INBOX_{other}.>" for other in MAY_PUBLISH if other != user]
            strange = [">", "_INBOX.>", "rushes.>", "rushes.job.v1.ClipRequested", "$JS.>", "$SYS.>", *others]
            for subject in [*strange, f"_INBOX_{user}.x"]:
                await client.subscribe(subject)
        assert len(refused) == len(strange), (user, refused)


async def test_what_nats_refuses_is_counted(server, database):
    """A relay that may not do its work, as when a grant is missing, shows in a metric, on which an alert stands."""

    def refused():
        return prometheus_client.REGISTRY.get_sample_value("rushes_nats_async_errors_total", {"kind": "permission"})

    connected = await bus.Bus.connect(f"nats://job:1e9-job@{server}", "job")
    relay = connected.relay((await database("storyboard")).database, "compiler")
    before, relaying = refused(), asyncio.create_task(relay(asyncio.Event()))
    try:
        async with asyncio.timeout(10):
            while refused() == before:  # noqa: ASYNC110, the server tells it when it likes
                await asyncio.sleep(0.01)
    finally:
        relaying.cancel()
        await asyncio.wait([relaying])
        await connected.close()


async def test_a_wrong_password_and_no_password_are_refused(server):
    for who in ({"user": "job", "pass": "1e9-compiler"}, {"user": "rushes", "pass": "rushes"}, {}):
        assert b"Authorization Violation" in await said_to(server, who)
    assert b"PONG" in await said_to(server, {"user": "job", "pass": "1e9-job"})


async def said_to(server: str, who: dict[str, str]) -> bytes:
    """What the server says to a client of this name, in the words of the protocol."""
    reader, writer = await asyncio.open_connection(*server.split(":"))
    try:
        await reader.readline()  # who the server is
        facts = json.dumps(who | {"verbose": False, "pedantic": False})
        writer.write(f"CONNECT {facts}\r\nPING\r\n".encode())
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_every_event_goes_from_who_says_it_to_who_hears_it(server):
    """As libs/bus.py does it, and the acknowledgement is acknowledged: one that was refused would time out."""
    for stream in topology.load().streams:
        for consumer in stream.consumers:
            refused = list[str]()
            async with entered(server, stream.name, refused) as says, entered(server, consumer.name, refused) as hears:
                subject = f"rushes.{stream.name}.v1.{consumer.hears[0]}"
                await says.jetstream().stream_info(stream.name)
                await says.jetstream().publish(subject, b"one", stream=stream.name)
                js = hears.jetstream()
                subscription = await js.pull_subscribe_bind(durable=consumer.name, stream=stream.name)
                (message,) = await subscription.fetch(1, timeout=5)
                await message.ack_sync(timeout=5)
                facts = await js.consumer_info(stream.name, consumer.name)
            assert (message.data, facts.num_ack_pending, refused) == (b"one", 0, [])
