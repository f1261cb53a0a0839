"""The service as its own process: told by its environment, healthy, drained by SIGTERM."""

import asyncio
import signal
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import settings
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from rushes.storyboard.v1 import storyboard_service_pb2_grpc as pb_grpc
from services.cli import environment
from tests import ports


async def test_it_starts_serves_and_drains(database, issuer, tmp_path):
    place, address = await database("storyboard"), f"127.0.0.1:{ports.free()}"
    secret = tmp_path / "database_url"
    secret.write_text(place.url)
    told = {
        "RUSHES_LISTEN": address,
        "RUSHES_METRICS_LISTEN": f"127.0.0.1:{ports.free()}",
        "RUSHES_DATABASE_URL_FILE": str(secret),
        "RUSHES_AUTH_JWKS_URL": issuer.jwks_url,
        "RUSHES_AUTH_ISSUER": issuer.name,
    }
    command = (sys.executable, "-m", "services.storyboard")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment.base() | told, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30), grpc.aio.insecure_channel(address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            async for answer in watch:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    break
            watch.cancel()
            stub = pb_grpc.StoryboardServiceStub(channel)
            answer = await stub.ListPresets(pb.ListPresetsRequest(), metadata=issuer.bearer(), timeout=5)
            assert answer.presets
            process.send_signal(signal.SIGTERM)
            _, logs = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, logs.decode()
    actions = logs.decode()
    assert '"action": "listening"' in actions
    assert '"action": "draining"' in actions
    assert place.url not in actions


async def test_a_process_that_was_told_something_wrong_touches_nothing(issuer):
    touched = []
    async with await asyncio.start_server(lambda *_: touched.append(_), "127.0.0.1", 0) as database:
        told = {
            "RUSHES_LISTEN": f"127.0.0.1:{ports.free()}",
            "RUSHES_METRICS_LISTEN": f"127.0.0.1:{ports.free()}",
            "RUSHES_DATABASE_URL": f"postgresql+asyncpg://a:b@127.0.0.1:{database.sockets[0].getsockname()[1]}/c",
            "RUSHES_AUTH_JWKS_URL": issuer.jwks_url,
            "RUSHES_AUTH_ISSUER": issuer.name,
            "RUSHES_GUEST_SECRET": "canary",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.storyboard"),
            env=environment.base() | told,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
    assert process.returncode == settings.EX_CONFIG
    assert complaint == b"RUSHES_GUEST_SECRET: is no variable of ours; did you mean RUSHES_GUESTS_SECRET?\n"
    assert not touched


async def test_it_names_everything_it_was_not_told():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.storyboard"), env=environment.base(), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()
    assert process.returncode == settings.EX_CONFIG
    for variable in ("RUSHES_LISTEN", "RUSHES_METRICS_LISTEN", "RUSHES_DATABASE_URL", "RUSHES_AUTH_ISSUER"):
        assert variable in complaint.decode()
    assert all(line.startswith("RUSHES_") for line in complaint.decode().splitlines()), "it has begun with nothing"
