"""SIGTERM to every service in the middle of a production: each drains, ends with 0, and is started again."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs import rpc
from services.cli import house
from tests.e2e import crew, oracle, waiting

_WITHIN_S = 120.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_every_service_drains_and_the_film_is_made(of: house.House, tmp_path: Path) -> None:
    name = "The polite end"
    unknown = await oracle.unknown_outcomes(of)
    async with asyncio.timeout(_WITHIN_S), asyncio.TaskGroup() as production:
        production.create_task(crew.shoot(of, name, tmp_path), name=name)
        await crew.reached(of, name, crew.accepted)
        for service in house.SERVICES:
            production.create_task(_drains(of, service), name=service)
    await oracle.check(of)
    assert await oracle.unknown_outcomes(of) == unknown, "a paid call was cut off"


async def _drains(of: house.House, service: str) -> None:
    pid = await crew.healthy(of, service)
    restarts, written = crew.row_of(of, service)["restarts"], of.log(service).stat().st_size
    if service in house.HTTP_SERVICES:
        os.kill(pid, signal.SIGTERM)
    else:
        await _stops_serving(of, service, pid)

    async def trouble() -> Any:
        return crew.row_of(of, service)["trouble"]

    assert await waiting.until(f"the end of {service}", trouble) == "it ended with code 0"
    with of.log(service).open() as log:
        log.seek(written)
        assert "draining" in [json.loads(line)["action"] for line in log]
    await crew.healthy(of, service, other_than=pid)
    assert crew.row_of(of, service)["restarts"] == restarts + 1


async def _stops_serving(of: house.House, service: str, pid: int) -> None:
    """End it; it must say that it does not serve any more while it still runs."""
    async with rpc.connect(of.address(service)) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=_WITHIN_S)
        assert (await watch.read()).status == _SERVING
        os.kill(pid, signal.SIGTERM)
        assert (await watch.read()).status == _NOT_SERVING
        watch.cancel()
