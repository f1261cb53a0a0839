"""A proxy between a watcher and the service that cuts the connection at random."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

_CHUNK = 512


class Scissors:
    """Passes bytes on to `port`, and cuts each connection after so many of them."""

    def __init__(self, port: int, chance: random.Random, most_bytes: int) -> None:
        self._port, self._chance, self._most_bytes = port, chance, most_bytes
        self.cuts = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """host:port to connect to instead."""
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        async with server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._most_bytes = 0
            server.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        left = self._chance.randint(self._most_bytes // 3, self._most_bytes)
        ways = [
            asyncio.create_task(self._pass(reader, upstream_writer, 1 << 30)),
            asyncio.create_task(self._pass(upstream_reader, writer, left)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, upstream_writer):
            end.transport.abort()
        self.cuts += 1

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        while left > 0 and (chunk := await reader.read(min(_CHUNK, left))):
            writer.write(chunk)
            await writer.drain()
            left -= len(chunk)
