import asyncio
import signal
from pathlib import Path

import httpx

from tests.integration.sandbox import conftest

HEADERS = {"authorization": "Bearer key", "idempotency-key": "sub_1"}
ASKED = {"prompt": "A boat at dawn.", "seconds": "1", "size": "320x180", "seed": "3"}


async def test_an_order_repeated_under_its_key_is_made_and_charged_once(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path)
    await process.start()
    async with httpx.AsyncClient(base_url=process.url, headers=HEADERS) as http:
        at_once = await asyncio.gather(*(http.post("/v1/videos", data=ASKED) for _ in range(5)))
        assert len({answer.json()["id"] for answer in at_once}) == 1
        await process.end(signal.SIGKILL)
        await process.start()
        again = await http.post("/v1/videos", data=ASKED)
        other = await http.post("/v1/videos", data=ASKED | {"prompt": "Another boat."})
        elsewhere = await http.post("/v1/videos", data=ASKED, headers={"authorization": "Bearer another"})
    assert again.json()["id"] == at_once[0].json()["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert elsewhere.json()["id"] != again.json()["id"]
    assert [line["event"] for line in process.ledger()].count("create") == 2
    assert await process.end(signal.SIGTERM) == 0


async def test_interactions_are_repeated_the_same_way(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path)
    await process.start()
    asked = {
        "model": "sandbox-omni-1",
        "background": True,
        "input": "a boat",
        "response_format": {"type": "video", "duration": "3s", "resolution": "360p", "delivery": "uri"},
    }
    headers = {"x-goog-api-key": "key", "idempotency-key": "sub_2"}
    async with httpx.AsyncClient(base_url=process.url, headers=headers) as http:
        first = (await http.post("/v1/interactions", json=asked)).json()
        second = (await http.post("/v1/interactions", json=asked)).json()
    assert first["id"] == second["id"]
    assert [line["event"] for line in process.ledger()].count("create") == 1
    assert await process.end(signal.SIGTERM) == 0
