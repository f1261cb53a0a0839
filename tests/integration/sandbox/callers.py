"""Callers of the dialects that have no SDK here, each with a key of its own, and a box for their callbacks."""

import asyncio
import base64
import contextlib
import io
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import av
import httpx
import PIL.Image


class Caller:
    """Speaks to a sandbox under a key that asks for disasters, such as `+filtered`."""

    scheme = "Bearer"

    def __init__(self, sandbox: Any, disasters: str = "") -> None:
        self.key, self._sandbox = secrets.token_hex(8) + disasters, sandbox
        headers = {"authorization": f"{self.scheme} {self.key}"}
        self.http = httpx.AsyncClient(base_url=sandbox.url, headers=headers)

    def lines(self) -> list[dict[str, Any]]:
        """What the ledger has about the key."""
        lines: list[dict[str, Any]] = self._sandbox.lines(self.key)
        return lines

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]


@contextlib.asynccontextmanager
async def calling(kind: Callable[[Any, str], Any], sandbox: Any) -> AsyncIterator[Callable[..., Any]]:
    """`make("+fails")` gives a caller of that kind; all are closed in the end."""
    async with contextlib.AsyncExitStack() as closing:

        def make(disasters: str = "") -> Any:
            caller = kind(sandbox, disasters)
            closing.push_async_callback(caller.http.aclose)
            return caller

        yield make


def red_png() -> bytes:
    picture = io.BytesIO()
    PIL.Image.new("RGB", (64, 36), (200, 30, 30)).save(picture, "PNG")
    return picture.getvalue()


def data_url() -> str:
    return "data:image/png;base64," + base64.b64encode(red_png()).decode()


def check_silent_red(reel: bytes) -> None:
    """The clip opens on `red_png`, and has no sound."""
    with av.open(io.BytesIO(reel)) as opened:
        assert [stream.type for stream in opened.streams] == ["video"]
        red, green, _ = next(opened.decode(video=0)).to_ndarray(format="rgb24").mean((0, 1))
    assert red > 180 > 50 > green


@dataclass(frozen=True)
class Letter:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Mailbox:
    """An HTTP server of the test's own loop that keeps what is posted to it."""

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)

    async def aclose(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    async def letter(self) -> Letter:
        """The next one, waited for."""
        async with asyncio.timeout(20):
            return await self._letters.get()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        self._letters.put_nowait(Letter(head.split()[1], headers, body))


@contextlib.asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    await box.open()
    try:
        yield box
    finally:
        await box.aclose()


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is true."""
    async with asyncio.timeout(20):
        while not (answer := await found()):  # noqa: ASYNC110, it is decided by another process
            await asyncio.sleep(0.05)
        return answer
