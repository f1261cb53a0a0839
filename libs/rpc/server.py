"""Runs a service's gRPC server: not serving until ready, not serving while it drains."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from libs import auth, errors
from libs.rpc import access, client, gate, measures, tls

log = logging.getLogger(__name__)

_READY_EVERY_S = 1.0
_STRIKES = 3
_GRACE_S = 15.0
OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not silently take half the calls
    ("grpc.max_receive_message_length", client.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", client.MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 1000),
    # A client looks for new replicas when a connection ends; a call that is under way then has time to end itself.
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.max_connection_age_grace_ms", 90_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_time_ms", 120_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
_LIVENESS, _BUS = "liveness", "bus"


class ServerDraining(errors.Unavailable):
    """This server is going away; call again, and where there is one, with the last resume_token."""


class Servicer(NamedTuple):
    """One gRPC service: the generated `add_…_to_server`, our implementation, the full name, and the seconds of the
    methods that may take longer than others.
    """

    add: Callable[[Any, Any], None]
    api: Any
    name: str
    deadlines: Mapping[str, float] = MappingProxyType({})


class Server:
    """One process's gRPC server; `port` is where it listens once `run` has begun, and `health_port` where health alone
    is served as well, without encryption. `bus` tells whether the bus is there: health says so under the name `bus`
    alone, for calls are answered without it; probes ask other names, so that no pod is restarted or left out for it.

    `ready` is asked every second whether the process can do its work; three refusals in a row make it not serving.
    Told to stop, it says so for `drain_s` seconds while it still answers: clients turn to others meanwhile. Raises
    ValueError when a method does not say who may call it, or a deadline is of none.
    """

    def __init__(
        self,
        listen: str,
        service: str,
        servicers: Sequence[Servicer],
        verifier: auth.Verifies,
        ready: Callable[[], Awaitable[bool]],
        reflect: bool = True,
        count: gate.Count | None = None,
        drain_s: float = 0.0,
        encrypted: tls.Tls | None = None,
        health_listen: str | None = None,
        bus: Callable[[], bool] | None = None,
    ) -> None:
        self._encrypted, self._health_listen, self._bus = encrypted, health_listen, bus
        self._listen, self._servicers, self._ready, self._reflect = listen, servicers, ready, reflect
        self._drain_s = drain_s
        rules = access.of_services(servicer.name for servicer in servicers)
        deadlines = {f"/{it.name}/{method}": most for it in servicers for method, most in it.deadlines.items()}
        if strange := deadlines.keys() - rules.keys():
            raise ValueError(f"deadlines of methods that are not there: {', '.join(sorted(strange))}")
        for servicer in servicers:
            measures.SERVER.expect(servicer.name)
        self._gate = gate.Gate(verifier, f"{service}.rushes", rules, deadlines, count)
        self.draining = asyncio.Event()
        self.port = self.health_port = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; then say that we go, end the streams, take no more, and let calls finish."""
        server = grpc.aio.server(interceptors=[self._gate], options=OPTIONS)
        names = [servicer.name for servicer in self._servicers]
        for servicer in self._servicers:
            servicer.add(servicer.api, server)
        checks = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
        if self._reflect:
            reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        await self._say(checks, ["", *names], serving=False)
        await self._say(checks, [_LIVENESS], serving=True)
        self.port = (
            server.add_secure_port(self._listen, self._encrypted.of_server())
            if self._encrypted
            else server.add_insecure_port(self._listen)
        )
        await server.start()
        probed = await self._serve_health(checks)
        log.info("listening", extra={"address": self._listen})
        await self._follow_readiness(checks, ["", *names], stop)
        await self._say(checks, ["", *names], serving=False)
        await asyncio.sleep(self._drain_s)
        self.draining.set()
        await server.stop(_GRACE_S)
        if probed:
            await probed.stop(None)

    async def _serve_health(self, checks: Any) -> grpc.aio.Server | None:
        """Probes know no TLS (KEP-4939), and there is nothing to hide in an answer to them."""
        if self._health_listen is None:
            return None
        server = grpc.aio.server(options=OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
        self.health_port = server.add_insecure_port(self._health_listen)
        await server.start()
        return server

    async def _follow_readiness(self, checks: Any, names: list[str], stop: asyncio.Event) -> None:
        refusals, serving = _STRIKES, False
        while not stop.is_set():
            refusals = 0 if await self._ready() else refusals + 1
            if self._bus:
                await self._say(checks, [_BUS], self._bus())
            if serving != (refusals < _STRIKES):
                serving = not serving
                log.info("serving" if serving else "not_serving")
                await self._say(checks, names, serving)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READY_EVERY_S if serving else _READY_EVERY_S / 10):
                    await stop.wait()

    @staticmethod
    async def _say(checks: Any, names: list[str], serving: bool) -> None:
        statuses = health_pb2.HealthCheckResponse
        for name in names:
            await checks.set(name, statuses.SERVING if serving else statuses.NOT_SERVING)
