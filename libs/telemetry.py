"""What a process tells its operators: JSON logs, traces, metrics."""

import asyncio
import contextlib
import functools
import json
import logging
import random
import re
import traceback
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from types import MappingProxyType

import prometheus_client
from opentelemetry import context, trace

from libs import errors

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_TRACE_ENDS = len("00-") + 32
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = ("httpx", "httpcore", "httpx2", "openai", "nats")
_LOOP_LAG = prometheus_client.Gauge(
    "rushes_event_loop_lag_seconds", "The longest the event loop kept a due timer waiting, in the last half minute."
)
_BUILD = prometheus_client.Gauge(
    "rushes_build_info", "1, for what is running here.", ["service", "version", "revision"]
)
_LEASES_LOST = prometheus_client.Counter(
    "rushes_leases_lost", "Work that somebody else took over, or called off, while it was under way.", ["kind"]
)
_LAG_PERIOD_S = 0.5
_LAG_WINDOW_S = 30  # longer than a scrape interval, so that a short stall is seen

Kind = trace.SpanKind
"""What a span is for: SERVER and CLIENT of a call, PRODUCER and CONSUMER of an event, INTERNAL."""

Attribute = str | int | float | bool


class JsonFormatter(logging.Formatter):
    """One line of JSON per record: ts, level, service, logger, action (the message), fields of `extra`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line; with `trace_id` and `span_id` inside a span, and for an exception its type as `exception` and its
        place as `stack`.

        What it says is left out where it is not of ours: a library's may quote a key, a prompt or an address.
        """
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
            line["span_id"] = trace.format_span_id(span.span_id)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__qualname__
            line["stack"] = _stack(record.exc_info[1])
        return json.dumps(line, default=str, ensure_ascii=False)


def _stack(fault: BaseException | None) -> str:
    """Where it was raised, and where what it came of was; the words only of our errors and of the system's."""
    told = list[str]()
    while fault is not None:
        words = f": {fault}" if isinstance(fault, errors.Error | OSError) else ""
        parts = [_stack(one) for one in getattr(fault, "exceptions", ())]
        told = [*traceback.format_tb(fault.__traceback__), f"{type(fault).__qualname__}{words}\n", *parts, *told]
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return "".join(told)


def setup(service: str, level: str = "INFO", otlp_endpoint: str | None = None, revision: str = "") -> None:
    """Log JSON on stderr; record spans only when there is an OTLP gRPC endpoint (`http://collector:4317`).

    `revision` is the commit that is running. What else is told of this process, and which traces are recorded, says the
    environment as OpenTelemetry has it: OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a fifth of all series, read by nobody
    version = metadata.version("rushes")
    _BUILD.labels(service, version, revision).set(1)
    if otlp_endpoint:
        from libs import spans  # here: it costs 0.2 s and 7 MB, and a house on one machine never needs it

        spans.record(service, revision or version, otlp_endpoint)


def current() -> dict[str, str]:
    """The W3C `traceparent` header of the running span, for the next process; empty outside any span."""
    return headers(trace.get_current_span())


def traceparent() -> str:
    """That header alone, to be written down; empty outside any span."""
    return current().get("traceparent", "")


def is_recorded() -> bool:
    """Whether there is a running span that somebody will see."""
    return trace.get_current_span().is_recording()


def exemplar(span: trace.Span | None = None) -> dict[str, str] | None:
    """What leads from a number to a trace: that of this span, or of the running one, where somebody will see it."""
    of = (span or trace.get_current_span()).get_span_context()
    return {"trace_id": trace.format_trace_id(of.trace_id)} if of.trace_flags.sampled and not _is_unheard() else None


def begin(name: str, kind: Kind, attributes: Mapping[str, Attribute]) -> trace.Span | None:
    """A child of the running span that its owner ends and nothing runs inside of; None where nothing is recorded."""
    if _is_unheard():
        return None
    return _tracer(trace.get_tracer_provider()).start_span(name, None, kind, attributes)


def headers(of: trace.Span) -> dict[str, str]:
    """The W3C `traceparent` header of this span; empty for none."""
    at = of.get_span_context()
    return {"traceparent": f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"} if at.is_valid else {}


def span(
    name: str,
    headers: Mapping[str, str] | None = None,
    kind: Kind = Kind.INTERNAL,
    attributes: Mapping[str, Attribute] = MappingProxyType({}),
    faults: tuple[type[Exception], ...] = (Exception,),
) -> contextlib.AbstractContextManager[trace.Span]:
    """A span around the block: a child of the one in `headers`, else of the running one, else a trace's root.

    Of the exceptions that leave the block, `faults` mark it as failed, by their class alone: what they say may hold
    what nobody should read. Without an exporter nothing is recorded, but the ids are real: they join log lines across
    processes.
    """
    parent = _carried(headers or {}) or trace.get_current_span()
    return _running(name, parent, kind, (), faults, attributes)


@contextlib.contextmanager
def beneath() -> Iterator[None]:
    """What runs in the block belongs to the running span, but its single statements are not shown.

    It is for what lasts for hours, such as watches: their traces would have no end.
    """
    here = trace.get_current_span().get_span_context()
    with trace.use_span(trace.NonRecordingSpan(here)):
        yield


def apart(
    name: str,
    origins: Sequence[Mapping[str, str]],
    kind: Kind = Kind.INTERNAL,
    attributes: Mapping[str, Attribute] = MappingProxyType({}),
) -> contextlib.AbstractContextManager[trace.Span]:
    """As span, but a short trace of its own that is linked to the spans in these headers.

    It is for what comes again and again for long, such as polls, and for what serves several traces at once. Where
    nothing is recorded, log lines stay in the first one's trace.
    """
    carried = [one for one in map(_carried, origins) if one]
    parent = carried[0] if carried and _is_unheard() else trace.INVALID_SPAN
    links = [trace.Link(one.get_span_context()) for one in carried]
    return _running(name, parent, kind, links, (Exception,), attributes)


def batch(
    name: str,
    heard: Sequence[Mapping[str, str]],
    kind: Kind = Kind.CONSUMER,
    attributes: Mapping[str, Attribute] = MappingProxyType({}),
) -> contextlib.AbstractContextManager[trace.Span]:
    """A span around what is done for several events together: in their trace where they are of one, else apart."""
    traces = {one["traceparent"][:_TRACE_ENDS] if "traceparent" in one else "" for one in heard}
    return span(name, heard[0], kind, attributes) if len(traces) == 1 else apart(name, heard, kind, attributes)


def fail(running: trace.Span, why: str) -> None:
    """Mark a span as failed; `why` is the name of a kind of fault, never a text of one."""
    running.set_attribute("error.type", why)
    running.set_status(trace.Status(trace.StatusCode.ERROR))


@contextlib.contextmanager
def _running(
    name: str,
    parent: trace.Span,
    kind: Kind,
    links: Sequence[trace.Link],
    faults: tuple[type[Exception], ...],
    attributes: Mapping[str, Attribute],
) -> Iterator[trace.Span]:
    if _is_unheard():
        running: trace.Span = _unrecorded(parent.get_span_context())
    else:
        within = trace.set_span_in_context(parent)
        running = _tracer(trace.get_tracer_provider()).start_span(name, within, kind, attributes, links)
    outside = context.attach(trace.set_span_in_context(running))
    try:
        yield running
    except faults as fault:
        fail(running, type(fault).__qualname__)
        raise
    finally:
        context.detach(outside)
        running.end()


@functools.cache
def _tracer(provider: trace.TracerProvider) -> trace.Tracer:
    return provider.get_tracer("rushes")


def _is_unheard() -> bool:
    """The default provider records nothing and makes no ids."""
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _carried(told: Mapping[str, str]) -> trace.Span | None:
    match = _TRACEPARENT.fullmatch(told.get("traceparent", ""))
    if match is None:
        return None
    flags = trace.TraceFlags(int(match[3], 16))
    return trace.NonRecordingSpan(trace.SpanContext(int(match[1], 16), int(match[2], 16), True, flags))


def _unrecorded(parent: trace.SpanContext) -> trace.Span:
    trace_id, flags = (parent.trace_id, parent.trace_flags) if parent.is_valid else (random.getrandbits(128), None)
    return trace.NonRecordingSpan(trace.SpanContext(trace_id, random.getrandbits(64), False, flags))


def lease_lost(kind: str) -> None:
    """Count a piece of work of this kind that is not ours any more."""
    _LEASES_LOST.labels(kind).inc()


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
