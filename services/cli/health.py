"""Asks a listener whether it is healthy; never raises, never waits longer than two seconds.

`python -m services.cli.health ADDRESS` ends with 0 when it is, else with 1: host:port of a gRPC server, or an http URL.
"""

import asyncio
import http.client
import sys
import urllib.request

import grpc.aio
from grpc_health.v1 import health_pb2

_PATIENCE_S = 2.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def serving(address: str) -> bool:
    """Whether a gRPC server says SERVING for the whole of itself."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_S)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def answers(url: str) -> bool:
    """Whether a GET of this URL says 200."""
    return await asyncio.to_thread(_get, url)


def _get(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=_PATIENCE_S) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def main(address: str) -> int:
    """The exit code for containers."""
    return int(not asyncio.run(answers(address) if address.startswith("http://") else serving(address)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
