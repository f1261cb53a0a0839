"""The job service as its own process, and a NATS server that turns it away."""

import asyncio
import json
import signal
import sys

import grpc

from libs import topology
from rushes.ops.v1 import ops_service_pb2, ops_service_pb2_grpc
from services.cli import environment
from services.cli import nats as nats_room
from tests import ports

CONF = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}/store" }}
authorization {{ users = [ {{user: topology, password: t}}, {{user: job, password: {password}}} ] }}
"""


async def test_a_process_that_nats_turned_away_ends_and_is_no_zombie(database, issuer, tmp_path):
    """As its password is changed on the server, which is told to read its file again."""
    conf, port, place = tmp_path / "nats.conf", ports.free(), await database("job")
    conf.write_text(CONF.format(port=port, folder=tmp_path, password="old"))
    server = await asyncio.create_subprocess_exec(nats_room.binary(), "-c", str(conf), "-l", str(tmp_path / "nats.log"))
    started = [server]
    try:
        await topology.apply(f"nats://topology:t@127.0.0.1:{port}", topology.load())
        service, address = await begun(place, issuer, f"nats://job:old@127.0.0.1:{port}")
        started.append(service)
        async with grpc.aio.insecure_channel(address) as channel:
            await works(channel, issuer)
        assert service.returncode is None
        conf.write_text(CONF.format(port=port, folder=tmp_path, password="new"))
        server.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            _, logged = await service.communicate()
    finally:
        for process in [one for one in started if one.returncode is None]:
            process.kill()
            await process.communicate()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert service.returncode == 1, logged.decode()
    assert [(one["part"], one["exception"]) for one in lines if one["action"] == "part_failed"] == [
        ("relay", "ConnectionError")
    ]
    assert "draining" in [one["action"] for one in lines]


async def begun(place, issuer, nats_url):
    """The process, and where it listens."""
    address = f"127.0.0.1:{ports.free()}"
    told = {
        "RUSHES_LISTEN": address,
        "RUSHES_METRICS_LISTEN": f"127.0.0.1:{ports.free()}",
        "RUSHES_DRAIN_S": "0",
        "RUSHES_DATABASE_URL": place.url,
        "RUSHES_NATS_URL": nats_url,
        "RUSHES_AUTH_JWKS_URL": issuer.jwks_url,
        "RUSHES_AUTH_ISSUER": issuer.name,
        "RUSHES_STORYBOARD_ADDRESS": "127.0.0.1:1",
        "RUSHES_PROVIDER_GATEWAY_ADDRESS": "127.0.0.1:1",
    }
    command = (sys.executable, "-m", "services.job")
    env = environment.base() | told
    return await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE), address


async def works(channel, issuer):
    """Return once its relay has done its work at least once."""
    stub = ops_service_pb2_grpc.OpsServiceStub(channel)
    metadata = (("authorization", f"Bearer {issuer.token(roles=['operator'])}"),)
    async with asyncio.timeout(60):
        while True:
            told = await stub.GetStatus(
                ops_service_pb2.GetStatusRequest(), metadata=metadata, timeout=60, wait_for_ready=True
            )
            if "outbox_relay" in {loop.name for loop in told.loops}:
                return
            await asyncio.sleep(0.05)
