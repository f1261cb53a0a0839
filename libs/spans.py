"""Records spans and sends them over OTLP gRPC; a collector that is slow or away never holds anybody up."""

import contextlib
import logging
import queue
import threading
import time
import uuid

import prometheus_client
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter
from opentelemetry.sdk import resources
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export

log = logging.getLogger(__name__)

_SPANS = prometheus_client.Counter("rushes_spans", "Recorded spans, by what became of them.", ["result"])
_MOST_WAITING, _MOST_SENT = 4096, 512
_GATHER_S = 1.0
_SEND_S = 5.0
_LAST_S = 2.0  # how long the end of a process may wait for a collector


class Sender(sdk.SpanProcessor):
    """Sends spans by the hundred from a thread of its own; what comes while too many wait is dropped, and counted."""

    def __init__(self, exporter: export.SpanExporter) -> None:
        self._exporter = exporter
        self._waiting: queue.Queue[sdk.ReadableSpan | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def on_end(self, span: sdk.ReadableSpan) -> None:
        """Let it wait to be sent; called wherever a span ends, so it never waits itself."""
        if span.context and span.context.trace_flags.sampled:
            try:
                self._waiting.put_nowait(span)
            except queue.Full:
                _SPANS.labels("dropped").inc()

    def shutdown(self) -> None:
        """Send what waits, for two seconds at most."""
        with contextlib.suppress(queue.Full, queue.Empty):
            if self._waiting.full():
                self._waiting.get_nowait()
                _SPANS.labels("dropped").inc()
            self._waiting.put_nowait(None)
        self._thread.join(_LAST_S)
        self._exporter.shutdown()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._gather()
            if batch:
                _SPANS.labels("sent" if self._is_sent(batch) else "failed").inc(len(batch))

    def _is_sent(self, batch: list[sdk.ReadableSpan]) -> bool:
        try:
            return self._exporter.export(batch) is export.SpanExportResult.SUCCESS
        except Exception:
            log.exception("spans_not_sent")
            return False

    def _gather(self) -> tuple[list[sdk.ReadableSpan], bool]:
        """What has come within a second of the first, and whether nothing more will come."""
        one, batch = self._waiting.get(), list[sdk.ReadableSpan]()
        until = time.monotonic() + _GATHER_S
        while one is not None:
            batch.append(one)
            if len(batch) == _MOST_SENT:
                return batch, False
            try:
                one = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return batch, False
        return batch, True


def record(service: str, version: str, endpoint: str) -> None:
    """Record the spans of this process, as OTEL_TRACES_SAMPLER says, and send them to this endpoint."""
    for result in ("sent", "failed", "dropped"):
        _SPANS.labels(result)
    provider = sdk.TracerProvider(resource=_resource(service, version))
    exporter = trace_exporter.OTLPSpanExporter(endpoint=endpoint, timeout=_SEND_S)
    provider.add_span_processor(Sender(exporter))
    trace.set_tracer_provider(provider)


def _resource(service: str, version: str) -> resources.Resource:
    """Who is speaking; OTEL_RESOURCE_ATTRIBUTES adds where it runs, and may know better."""
    told = resources.Resource.create(
        {
            "service.namespace": "rushes",
            "service.name": f"rushes-{service}",
            "service.version": version,
            "service.instance.id": str(uuid.uuid4()),
        }
    )
    return told.merge(resources.OTELResourceDetector().detect())
