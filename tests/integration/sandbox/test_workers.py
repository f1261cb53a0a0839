import asyncio
import os
import signal
from typing import Any

import httpx
import psutil

KEY = {"authorization": "Bearer key"}


def workers(of: int) -> list[int]:
    children = psutil.Process(of).children()
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


async def first_worker(of: int) -> int:
    while True:
        if busy := workers(of):
            return busy[0]
        await asyncio.sleep(0.01)


async def completed(http: httpx.AsyncClient, id: str) -> None:
    while True:
        if (await http.get(f"/v1/videos/{id}")).json()["status"] == "completed":
            return
        await asyncio.sleep(0.05)


async def test_a_worker_that_dies_is_replaced_and_none_outlives_the_sandbox(sandbox: Any) -> None:
    asked = {"prompt": "Two hikers on a ridge at dawn.", "seconds": "2", "size": "640x360"}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=KEY) as http:
        id = (await http.post("/v1/videos", data=asked)).json()["id"]
        async with asyncio.timeout(20):
            os.kill(await first_worker(sandbox.pid), signal.SIGKILL)
            await completed(http, id)
    assert sandbox.events(id) == ["create", "done", "charge"]
    left = [psutil.Process(pid) for pid in workers(sandbox.pid)]
    await sandbox.end(signal.SIGKILL)
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
