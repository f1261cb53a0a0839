"""What a process tells its operators: JSON logs, traces, metrics."""

import asyncio
import contextlib
import json
import logging
import random
import re
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import prometheus_client
from opentelemetry import trace

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = ("httpx", "httpcore", "httpx2", "openai", "nats")
_LOOP_LAG = prometheus_client.Gauge(
    "rushes_event_loop_lag_seconds", "The longest the event loop kept a due timer waiting, in the last half minute."
)
_LAG_PERIOD_S = 0.5
_LAG_WINDOW_S = 30  # longer than a scrape interval, so that a short stall is seen


class JsonFormatter(logging.Formatter):
    """One line of JSON per record: ts, level, service, logger, action (the message), fields of `extra`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line; with `trace_id` inside a span, and `exception` and `stack` for an exception."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "action": record.getMessage(),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _OF_EVERY_RECORD and k not in line}
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__qualname__
            line["stack"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


def setup(service: str, level: str = "INFO", otlp_endpoint: str | None = None) -> None:
    """Log JSON on stderr; record spans only when there is an OTLP gRPC endpoint (`http://collector:4317`)."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if otlp_endpoint:
        _record_spans(service, otlp_endpoint)


def _record_spans(service: str, endpoint: str) -> None:
    # Imported here: they cost 0.2 s and 7 MB, and a house on one machine never needs them.
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter
    from opentelemetry.sdk import resources
    from opentelemetry.sdk import trace as sdk
    from opentelemetry.sdk.trace import export

    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": f"rushes-{service}"}))
    exporter = trace_exporter.OTLPSpanExporter(endpoint=endpoint)
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def current() -> dict[str, str]:
    """The W3C `traceparent` header of the running span, for the next process; empty outside any span."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"}


@contextlib.contextmanager
def span(
    name: str, headers: Mapping[str, str] | None = None, **attributes: str | int | float | bool
) -> Iterator[trace.Span]:
    """A span around the block: a child of the one in `headers`, else of the running one, else a trace's root.

    Without an exporter nothing is recorded, but the ids are real: they join log lines across processes.
    """
    parent = _carried(headers) or trace.get_current_span()
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):  # the default: records nothing and makes no ids
        running = _unrecorded(parent.get_span_context())
    else:
        within = trace.set_span_in_context(parent)
        running = provider.get_tracer("rushes").start_span(name, within, attributes=attributes)
    with trace.use_span(running, end_on_exit=True):
        yield running


def _carried(headers: Mapping[str, str] | None) -> trace.Span | None:
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", "")) if headers else None
    if match is None:
        return None
    flags = trace.TraceFlags(int(match[3], 16))
    return trace.NonRecordingSpan(trace.SpanContext(int(match[1], 16), int(match[2], 16), True, flags))


def _unrecorded(parent: trace.SpanContext) -> trace.Span:
    trace_id, flags = (parent.trace_id, parent.trace_flags) if parent.is_valid else (random.getrandbits(128), None)
    return trace.NonRecordingSpan(trace.SpanContext(trace_id, random.getrandbits(64), False, flags))


class MetricsServer:
    """The `/metrics` of this process, served by a daemon thread until `close()`; it listens at `port`."""

    def __init__(self, host: str, port: int) -> None:
        self._server, self._thread = prometheus_client.start_http_server(port, host)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop listening; waits at most the half second a poll takes."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(address: str) -> MetricsServer:
    """Serve every metric of this process at `host:port`. Raises OSError when the port is taken."""
    host, _, port = address.rpartition(":")
    return MetricsServer(host.strip("[]"), int(port))


async def watch_loop(stop: asyncio.Event) -> None:
    """A part that measures how late the event loop wakes up: far above zero, something blocks it."""
    loop, lags = asyncio.get_running_loop(), deque[float](maxlen=int(_LAG_WINDOW_S / _LAG_PERIOD_S))
    while not stop.is_set():
        asked = loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAG_PERIOD_S):
                await stop.wait()
        lags.append(max(0.0, loop.time() - asked - _LAG_PERIOD_S))
        _LOOP_LAG.set(max(lags))
