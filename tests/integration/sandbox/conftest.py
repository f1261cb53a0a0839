import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import ports
from tests.integration.sandbox import dialects

ROOT = Path(__file__).parents[3]
_DEADLINE_S = 20


class Process:
    """A real sandbox process on a free port."""

    def __init__(self, home: Path, **more: str) -> None:
        self.home, self._more = home, more
        self.port = ports.free()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        told = {
            "RUSHES_LISTEN": f"127.0.0.1:{self.port}",
            "RUSHES_METRICS_LISTEN": f"127.0.0.1:{ports.free()}",
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
        """What became of clips, and of money."""
        return [line for line in self._lines() if line["event"] != "post"]

    def posts(self) -> list[dict[str, Any]]:
        """What came over the wire to create something."""
        return [line for line in self._lines() if line["event"] == "post"]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.home / "ledger.jsonl").read_text().splitlines()]

    def events(self, id: str) -> list[str]:
        return [line["event"] for line in self.ledger() if line["id"] == id]


class Lent:
    """An instant sandbox that all tests of a session share: what they do there is told apart by their keys."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home

    def lines(self, key: str) -> list[dict[str, Any]]:
        """What the ledger has about a key, oldest first."""
        sha256 = hashlib.sha256(key.encode()).hexdigest()
        return [line for line in self.everything() if line["key_sha256"] == sha256]

    def everything(self) -> list[dict[str, Any]]:
        """The whole ledger."""
        return [json.loads(line) for line in (self.home / "ledger.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    home, port = tmp_path_factory.mktemp("lent"), ports.free()
    told = {
        "RUSHES_LISTEN": f"127.0.0.1:{port}",
        "RUSHES_METRICS_LISTEN": "127.0.0.1:0",
        "RUSHES_SANDBOX_HOME": str(home),
        "RUSHES_SANDBOX_LATENCY": "0",
        "RUSHES_SANDBOX_INSTANT": "true",
    }
    with subprocess.Popen([sys.executable, "-m", "services.sandbox"], cwd=ROOT, env=os.environ | told) as process:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=9)) as client:
                assert client.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
            yield Lent(f"http://127.0.0.1:{port}", home)
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def clients(lent: Lent, dialect: type[dialects.Speaker]) -> AsyncIterator[Callable[[str], dialects.Speaker]]:
    async with contextlib.AsyncExitStack() as closing:

        def client(disasters: str = "") -> dialects.Speaker:
            speaker = dialect(lent, disasters)
            closing.push_async_callback(speaker.http.aclose)
            return speaker

        yield client


@pytest.fixture(params=[dialects.OpenAI, dialects.Google], ids=["openai", "google"])
async def speak(request: pytest.FixtureRequest, lent: Lent) -> AsyncIterator[Callable[[str], dialects.Speaker]]:
    """Makes clients of each dialect whose keys ask for disasters."""
    async with clients(lent, request.param) as client:
        yield client


@pytest.fixture
async def speak_openai(lent: Lent) -> AsyncIterator[Callable[[str], dialects.Speaker]]:
    """Makes clients of the OpenAI dialect whose keys ask for disasters."""
    async with clients(lent, dialects.OpenAI) as client:
        yield client


@pytest.fixture
async def speak_google(lent: Lent) -> AsyncIterator[Callable[[str], dialects.Speaker]]:
    """Makes clients of the Gemini dialect whose keys ask for disasters."""
    async with clients(lent, dialects.Google) as client:
        yield client


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
