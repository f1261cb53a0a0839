"""Speaks to a sandbox as a client of each dialect, without an SDK that would hide what came over the wire."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from typing import Any

import httpx


class Speaker(ABC):
    """One client with a key of its own, so that its lines in the ledger can be told from those of others."""

    def __init__(self, sandbox: Any, disasters: str = "") -> None:
        self.key = secrets.token_hex(8) + disasters
        self.sandbox = sandbox
        self.http = httpx.AsyncClient(base_url=sandbox.url, headers=self.headers(self.key))

    @abstractmethod
    def headers(self, key: str) -> dict[str, str]: ...

    @abstractmethod
    async def create(self, prompt: str = "A boat.", ref: str = "sub_1", callback: str = "") -> httpx.Response: ...

    @abstractmethod
    async def poll(self, id: str) -> httpx.Response: ...

    @abstractmethod
    async def cancel(self, id: str) -> httpx.Response: ...

    @abstractmethod
    def download_path(self, id: str) -> str: ...

    async def download(self, id: str) -> httpx.Response:
        return await self.http.get(self.download_path(id))

    async def ended(self, id: str) -> dict[str, Any]:
        """The job, once it is no longer going."""
        async with asyncio.timeout(20):
            while True:
                job: dict[str, Any] = (await self.poll(id)).json()
                if job["status"] not in ("queued", "in_progress"):
                    return job
                await asyncio.sleep(0.05)

    def events(self) -> list[str]:
        """What the ledger has about this key."""
        return [line["event"] for line in self.lines()]

    def lines(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.sandbox.lines(self.key)
        return lines

    async def until(self, event: str) -> None:
        """Wait for a line of the ledger that no answer announces."""
        async with asyncio.timeout(20):
            while event not in self.events():  # noqa: ASYNC110, it is written by another process
                await asyncio.sleep(0.05)


class OpenAI(Speaker):
    def headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"}

    async def create(self, prompt: str = "A boat.", ref: str = "sub_1", callback: str = "") -> httpx.Response:
        asked = {"prompt": prompt, "seconds": "1", "size": "320x180", "callback_url": callback}
        return await self.http.post("/v1/videos", data=asked, headers={"x-client-request-id": ref})

    async def poll(self, id: str) -> httpx.Response:
        return await self.http.get(f"/v1/videos/{id}")

    async def cancel(self, id: str) -> httpx.Response:
        return await self.http.delete(f"/v1/videos/{id}")

    def download_path(self, id: str) -> str:
        return f"/v1/videos/{id}/content"


class Google(Speaker):
    def headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key}

    async def create(self, prompt: str = "A boat.", ref: str = "sub_1", callback: str = "") -> httpx.Response:
        asked = {
            "model": "sandbox-omni-1",
            "background": True,
            "input": prompt,
            "labels": {"submission": ref},
            "response_format": {"type": "video", "duration": "3s", "resolution": "360p", "delivery": "uri"},
            "webhook_config": {"uris": [callback]},
        }
        return await self.http.post("/v1/interactions", json=asked)

    async def poll(self, id: str) -> httpx.Response:
        return await self.http.get(f"/v1/interactions/{id}")

    async def cancel(self, id: str) -> httpx.Response:
        return await self.http.post(f"/v1/interactions/{id}/cancel")

    def download_path(self, id: str) -> str:
        return f"/v1beta/files/{id.removeprefix('v1_')}:download?alt=media"
