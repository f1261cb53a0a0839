"""Servers that misbehave: they say the same to everyone, or hang up."""

import asyncio
import contextlib
import dataclasses
import json
import re
from typing import Any


@dataclasses.dataclass
class Server:
    """Reads whole requests, and says the same to all; None hangs up."""

    answer: bytes | None
    url: str = ""
    connections: int = 0
    requests: list[str] = dataclasses.field(default_factory=list)
    asked: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                if not (first := await reader.readexactly(1)).isalpha():
                    return  # not HTTP
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body.decode())
                self.asked.set()
                writer.write(self.answer or b"")
                await writer.drain()
                if self.answer is None or b"connection: close" in self.answer:
                    return


def answer(status: str, body: Any, *headers: str) -> bytes:
    """An HTTP answer: JSON of an object, or a text that is none."""
    text = body if isinstance(body, str) else json.dumps(body)
    content_type = "application/json" if text.startswith(("{", "[")) else "text/html"
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(text)}", *headers, "", text]
    return "\r\n".join(lines).encode()
