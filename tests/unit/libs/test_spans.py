"""A collector that is slow or away holds nobody up, and what is lost is counted."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import prometheus_client
import pytest
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export

from libs import db_spans, spans

PARENT = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


class Slow(export.SpanExporter):
    """Takes what it is given, once it is let go on."""

    def __init__(self) -> None:
        self.go_on, self.taken = threading.Event(), 0

    def export(self, batch):
        self.go_on.wait(30)
        self.taken += len(batch)
        return export.SpanExportResult.SUCCESS


def count(result: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value("rushes_spans_total", {"result": result}) or 0


def test_spans_beyond_what_may_wait_are_dropped_and_counted() -> None:
    exporter, many = Slow(), 6000
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans.Sender(exporter))
    tracer, before = provider.get_tracer("test"), {result: count(result) for result in ("sent", "failed", "dropped")}
    for _ in range(many):
        tracer.start_span("work").end()
    dropped = count("dropped") - before["dropped"]
    assert many - 5000 < dropped < many - 4000
    exporter.go_on.set()
    provider.shutdown()
    dropped = count("dropped") - before["dropped"]
    assert exporter.taken == count("sent") - before["sent"] == many - dropped
    assert count("failed") == before["failed"]


@pytest.fixture(params=["refuses", "is silent"])
def collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """A collector that is not there, or one that takes connections and then says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_process_ends_though_nobody_takes_its_spans_and_numbers_lead_to_traces(collector: str) -> None:
    program = f"""
import grpc, prometheus_client, prometheus_client.openmetrics.exposition as shown
from libs import telemetry
from libs.rpc import measures
telemetry.setup("job", "CRITICAL", "{collector}", "abc123")
for _ in range(10_000):
    with telemetry.span("work"):
        pass
with telemetry.span("call", {{"traceparent": "{PARENT}"}}) as span:
    measures.SERVER.ended(measures.of("/a.B/C", False, False), 0.0, grpc.StatusCode.OK, span)
print(shown.generate_latest(prometheus_client.REGISTRY).decode())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert 'trace_id="' + "ab" * 16 in ended.stdout
    assert 'revision="abc123"' in ended.stdout
    (dropped,) = re.findall(r'rushes_spans_total\{result="dropped"\} (\S+)', ended.stdout)
    assert float(dropped) > 10_000 - 4096 - 1024, "what may wait is bounded"
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT jobs.id FROM jobs WHERE jobs.id = $1", "SELECT jobs"),
        ("\n INSERT INTO inbox (event_id) SELECT unnest($1)", "INSERT inbox"),
        ("UPDATE jobs SET a = new.a FROM jsonb_to_recordset($1) AS new", "UPDATE jobs"),
        ("DELETE FROM inbox WHERE x", "DELETE inbox"),
        ("WITH due AS (SELECT a FROM segments WHERE (x)) UPDATE segments SET a = 1", "UPDATE segments"),
        ("SELECT set_config('rushes.tenant', $1, true)", "SELECT"),
        ("", ""),
    ],
)
def test_a_statement_is_told_by_what_it_does_to_what(statement: str, told: str) -> None:
    assert db_spans.summary(statement) == told
