import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]
_DEADLINE_S = 20


class Process:
    """A real sandbox process on a free port."""

    def __init__(self, home: Path, **more: str) -> None:
        self.home, self._more = home, more
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        told = {
            "RUSHES_LISTEN": f"127.0.0.1:{self.port}",
            "RUSHES_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "RUSHES_SANDBOX_HOME": str(self.home),
            "RUSHES_SANDBOX_LATENCY": "0",
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.sandbox", cwd=ROOT, env=os.environ | told | self._more
        )
        async with asyncio.timeout(_DEADLINE_S), httpx.AsyncClient() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/healthz")).status_code == 200:
                        return
                assert self._process.returncode is None
                await asyncio.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def end(self, number: signal.Signals) -> int:
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(_DEADLINE_S):
            return await self._process.wait()

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.home / "ledger.jsonl").read_text().splitlines()]

    def events(self, id: str) -> list[str]:
        return [line["event"] for line in self.ledger() if line["id"] == id]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(tmp_path)
    await process.start()
    try:
        yield process
    finally:
        await process.end(signal.SIGKILL)


@pytest.fixture
async def instant(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(tmp_path, RUSHES_SANDBOX_INSTANT="true")
    await process.start()
    try:
        yield process
    finally:
        await process.end(signal.SIGKILL)
