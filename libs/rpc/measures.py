"""What is counted, timed and traced of calls, alike at both ends."""

import functools
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
import prometheus_client
from google.protobuf import descriptor_pool
from opentelemetry import trace

from libs import telemetry

_LABELS = ["grpc_type", "grpc_service", "grpc_method"]
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OURS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The codes that make a server's span a failed one; the others are the caller's doing (OpenTelemetry, RPC 1.44)."""


class Method(NamedTuple):
    """One method, as metrics name it."""

    type: str
    service: str
    name: str

    @property
    def path(self) -> str:
        """As gRPC names it."""
        return f"/{self.service}/{self.name}"

    @property
    def title(self) -> str:
        """As spans name it."""
        return f"{self.service}/{self.name}"

    @property
    def attributes(self) -> Mapping[str, str]:
        """What its spans tell, as OpenTelemetry's conventions for RPC have it."""
        return {"rpc.system.name": "grpc", "rpc.method": self.title}


class End:
    """One end of calls, named and spelled as go-grpc-middleware does: dashboards made for Go fleets work on ours."""

    def __init__(self, end: str) -> None:
        self._is_client = end == "client"
        self._started = prometheus_client.Counter(f"grpc_{end}_started", "Calls begun.", _LABELS)
        self._handled = prometheus_client.Counter(f"grpc_{end}_handled", "Calls ended.", [*_LABELS, "grpc_code"])
        self._seconds = prometheus_client.Histogram(
            f"grpc_{end}_handling_seconds", "From the beginning of a call to its end.", _LABELS, buckets=_BUCKETS
        )

    def expect(self, service: str) -> None:
        """Show every method of this service at zero, so that the first error of each is an increase."""
        for method in _methods(service):
            self._started.labels(*method)
            self._handled.labels(*method, "OK")
            self._seconds.labels(*method)

    def begun(self, method: Method) -> float:
        """Count a call that begins; returns when it did."""
        _child(self._started, *method).inc()
        return time.monotonic()

    def ended(self, method: Method, begun: float, code: grpc.StatusCode | int, span: trace.Span | None) -> None:
        """Count a call that has ended, and say in its span how."""
        known = code if isinstance(code, grpc.StatusCode) else _BY_NUMBER[code]
        example = telemetry.exemplar(span) if span else None
        _child(self._handled, *method, _go_spelling(known)).inc(exemplar=example)
        _child(self._seconds, *method).observe(time.monotonic() - begun, example)
        if span:
            span.set_attribute("rpc.response.status_code", known.name)
        if span and (known in _OURS or (self._is_client and known is not grpc.StatusCode.OK)):
            telemetry.fail(span, known.name)


def of(path: str, asks_many: bool, answers_many: bool) -> Method:
    """The method of this path, `/package.Service/Name`."""
    _, service, name = path.split("/")
    return Method(_TYPES[asks_many, answers_many], service, name)


def _methods(service: str) -> list[Method]:
    """All of a service; none where this process does not know its contract."""
    try:
        known = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return []
    return [of(f"/{service}/{one.name}", one.client_streaming, one.server_streaming) for one in known.methods]


_TYPES = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}
SERVER, CLIENT = End("server"), End("client")

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


@functools.cache
def _child(metric: Any, *labels: str) -> Any:
    """What `labels` answers, without its lock."""
    return metric.labels(*labels)


@functools.cache
def _go_spelling(code: grpc.StatusCode) -> str:
    return "OK" if code is grpc.StatusCode.OK else code.name.title().replace("_", "").replace("Cancelled", "Canceled")
