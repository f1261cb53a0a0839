import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.integration.sandbox import conftest

KEY = {"authorization": "Bearer key"}
JOBS = 60


async def made(http: httpx.AsyncClient, number: int) -> dict[str, Any]:
    asked = {"prompt": f"Boat {number}.", "seconds": "1", "size": "320x180"}
    job: dict[str, Any] = (await http.post("/v1/videos", data=asked)).json()
    return job


async def test_many_stock_clips_are_in_flight_and_survive_a_crash(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path, RUSHES_SANDBOX_INSTANT="true", RUSHES_SANDBOX_LATENCY="3")
    await process.start()
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(base_url=process.url, headers=KEY, limits=limits, timeout=30) as http:
        jobs = await asyncio.gather(*(made(http, number) for number in range(JOBS)))
        assert {job["status"] for job in jobs} == {"in_progress"}
        stopped = jobs[0]["id"]
        assert (await http.delete(f"/v1/videos/{stopped}")).status_code == 200
        await process.end(signal.SIGKILL)
        await process.start()
        async with asyncio.timeout(30):
            while Counter(line["event"] for line in process.ledger())["charge"] < JOBS - 1:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        told = [(await http.get(f"/v1/videos/{job['id']}")).json()["status"] for job in jobs[1:]]
        assert set(told) == {"completed"}
        assert (await http.get(f"/v1/videos/{jobs[1]['id']}/content")).headers["content-type"] == "video/mp4"
    assert Counter(line["event"] for line in process.ledger()) == {
        "create": JOBS,
        "done": JOBS - 1,
        "charge": JOBS - 1,
        "delete": 1,
    }
    assert process.events(stopped) == ["create", "delete"]
    assert await process.end(signal.SIGTERM) == 0


async def test_a_revoked_key_stays_revoked_after_a_crash(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path, RUSHES_SANDBOX_INSTANT="true")
    await process.start()
    headers = {"authorization": "Bearer key+key_revoked"}
    async with httpx.AsyncClient(base_url=process.url, headers=headers) as http:
        id = (await made(http, 1))["id"]
        await process.end(signal.SIGKILL)
        await process.start()
        assert (await http.get(f"/v1/videos/{id}")).status_code == 401
        assert (await http.get(f"/v1/videos/{id}", headers=KEY)).json()["status"] == "completed"
    assert await process.end(signal.SIGTERM) == 0
