"""What a provider's SDK gets to send its orders with: our own wire."""

import httpx2

from services.provider_gateway.providers import exchange

_OF_THE_CONNECTION = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


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
