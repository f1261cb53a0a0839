import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.sandbox import conftest

KEY = {"authorization": "Bearer key"}


async def ended(http: httpx.AsyncClient, id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            video = (await http.get(f"/v1/videos/{id}")).json()
            if video["status"] in ("completed", "failed"):
                return dict(video)
            await asyncio.sleep(0.05)


async def test_a_killed_sandbox_finishes_what_it_had_taken(tmp_path: Path) -> None:
    asked = {"prompt": "A boat at dawn.", "seconds": "1", "size": "320x180", "seed": "3"}
    slow = conftest.Process(tmp_path / "a", RUSHES_SANDBOX_LATENCY="1.5")
    await slow.start()
    async with httpx.AsyncClient(base_url=slow.url, headers=KEY) as http:
        ids = [(await http.post("/v1/videos", data=asked)).json()["id"] for _ in range(3)]
        await slow.end(signal.SIGKILL)
        with (slow.home / "ledger.jsonl").open("a") as file:
            file.write('{"at":"2026-11-21T0')
        await slow.start()
        videos = [await ended(http, id) for id in ids]
        contents = {(await http.get(f"/v1/videos/{id}/content")).content for id in ids}
    assert [video["status"] for video in videos] == ["completed"] * 3
    assert len(contents) == 1
    assert [slow.events(id) for id in ids] == [["create", "done", "charge"]] * 3
    assert await slow.end(signal.SIGTERM) == 0

    (slow.home / "clips" / f"{ids[0]}.mp4").unlink()  # found again by rendering again, and not paid again
    await slow.start()
    async with httpx.AsyncClient(base_url=slow.url, headers=KEY) as http:
        await ended(http, ids[0])
        assert (await http.get(f"/v1/videos/{ids[0]}/content")).content in contents
        assert len((await http.get("/v1/videos")).json()["data"]) == 3
    assert slow.events(ids[0]) == ["create", "done", "charge"]
    assert await slow.end(signal.SIGTERM) == 0


async def test_a_second_sandbox_in_the_same_home_refuses_to_start(sandbox: Any, capfd: Any) -> None:
    second = conftest.Process(sandbox.home)
    with pytest.raises((AssertionError, httpx.TransportError)):
        await second.start()
    assert await second.end(signal.SIGKILL) == 1
    assert "Another sandbox is using" in capfd.readouterr().err
