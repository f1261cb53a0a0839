"""Calls the services as a client in the cluster would, with the crowd of `make rolling`, and counts."""

import asyncio
import contextlib
import urllib.request
from collections.abc import Callable

from libs import rpc
from tests.crash import rolling

UNLIMITED = tuple(f"services.{service}.settings.limit_{limit}=0" for service, limit in (("job", "generate"),))
_ADDRESS = "dns:///rushes-{}-headless.films.svc.cluster.local.:50051"
_COUNTED = "grpc_server_handled_total"
_SETTLED_S = 5.0


async def during(token: str, act: Callable[[], None]) -> str:
    """Call while it is done; what became of the calls. Raises AssertionError when one failed."""
    tally = rolling.Tally()
    async with contextlib.AsyncExitStack() as stack:
        addresses = {name: _ADDRESS.format(name.replace("_", "-")) for name in rolling.SERVICES}
        channels = {name: await stack.enter_async_context(rpc.connect(at)) for name, at in addresses.items()}
        crowd = rolling.Crowd(tally, channels, token)
        running = asyncio.create_task(crowd.run())
        try:
            await asyncio.sleep(_SETTLED_S)
            await asyncio.to_thread(act)
            await asyncio.sleep(_SETTLED_S)
        finally:
            crowd.over.set()
            await running
    assert not tally.failed, f"{tally.failed.total()} of {tally.calls.total()} calls failed: {dict(tally.failed)}"
    assert not tally.wrong, tally.wrong
    return (
        f"{tally.calls.total()} calls, none failed; {tally.films} productions; streams resumed: {dict(tally.resumed)}"
    )


def calls_at(address: str) -> float:
    """How many calls the job service at this pod has answered."""
    with urllib.request.urlopen(f"http://{address}:9090/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith(_COUNTED) and "ListProductions" in line
    )
