"""What a provider's SDK gets to send its orders with: our own wire."""

import asyncio
import importlib

import httpx2

from services.provider_gateway.providers import exchange

_OF_THE_CONNECTION = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}

_loaded = set[str]()


async def load(name: str) -> None:
    """Load an SDK, before the first order that needs it: half a second that is neither the start's nor the loop's."""
    if name not in _loaded:
        await asyncio.to_thread(importlib.import_module, name)
        _loaded.add(name)


def client(wire: exchange.Wire) -> httpx2.AsyncClient:
    """An HTTP client of the SDKs' kind; nothing that an SDK asks for can change how `wire` sends an order."""
    return httpx2.AsyncClient(transport=_Transport(wire), follow_redirects=False, trust_env=False)


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, wire: exchange.Wire) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it as an order, whatever limits and retries the SDK had in mind."""
        headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_CONNECTION}
        answer = await self._wire.order(request.method, str(request.url), headers, await request.aread())
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.content)
