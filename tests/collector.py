"""An OpenTelemetry collector that keeps what it hears: a real OTLP gRPC receiver in this process."""

import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class Span:
    """One span as it came; times in nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    began: int
    ended: int
    is_error: bool
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @property
    def service(self) -> str:
        """Who recorded it."""
        return str(self.resource["service.name"])


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """What processes with RUSHES_OTLP_ENDPOINT at `endpoint` have recorded."""

    endpoint = ""

    def __init__(self) -> None:
        self._lock, self._spans = threading.Lock(), list[Span]()

    def Export(self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any) -> Any:
        """Keep them."""
        found = [
            _span(one, {it.key: _value(it.value) for it in group.resource.attributes})
            for group in request.resource_spans
            for scope in group.scope_spans
            for one in scope.spans
        ]
        with self._lock:
            self._spans += found
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self) -> list[Span]:
        """All of them, by their beginnings."""
        with self._lock:
            return sorted(self._spans, key=lambda one: one.began)

    def trace(self, trace_id: str) -> list[Span]:
        """Those of one trace, by their beginnings."""
        return [one for one in self.spans() if one.trace_id == trace_id]


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """One that listens at a port of its own."""
    collector, server = Collector(), grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def _span(one: Any, resource: dict[str, Any]) -> Span:
    return Span(
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        parent_id=one.parent_span_id.hex(),
        name=one.name,
        kind=one.kind,
        began=one.start_time_unix_nano,
        ended=one.end_time_unix_nano,
        is_error=one.status.code == 2,
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in one.links),
        attributes={it.key: _value(it.value) for it in one.attributes},
        resource=resource,
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
