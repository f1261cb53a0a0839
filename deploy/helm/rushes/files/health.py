"""Asks every listener named on the command line whether it does its work; exits with 1 when one does not."""

import sys
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_PATIENCE_S = 30.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def trouble(address: str) -> str:
    """Why the listener at `dns:///host:port`, `host:port` or `http://…` does not do its work; empty when it does."""
    try:
        return _http(address) if address.startswith("http") else _grpc(address)
    except grpc.RpcError as fault:
        return fault.details() if isinstance(fault, grpc.Call) else str(fault)
    except OSError as fault:
        return str(fault)


def _http(url: str) -> str:
    with _DIRECT.open(url, timeout=_PATIENCE_S) as answer:
        return "" if answer.status == 200 else f"it answers {answer.status}"


def _grpc(address: str) -> str:
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        asked = health_pb2.HealthCheckRequest()
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=_PATIENCE_S, wait_for_ready=True)
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "it is not serving"


def main(addresses: list[str]) -> int:
    """Say of each how it is."""
    troubles = {address: trouble(address) for address in addresses}
    for address, why in troubles.items():
        sys.stdout.write(f"{address}: {why or 'ok'}\n")
    return int(any(troubles.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
