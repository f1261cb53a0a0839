import asyncio
import concurrent.futures
import json
import logging
import queue
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from libs import errors, telemetry

PARENT = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def line(**changes: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "libs.x", "levelname": "INFO", "msg": "clip_stored", **changes})
    text = telemetry.JsonFormatter("job").format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_log_line_names_the_action_and_its_fields() -> None:
    told = line(job_id="job_1", size=3, where={"a"})
    assert told.pop("ts").endswith("+00:00")
    assert told == {
        "level": "INFO",
        "service": "job",
        "logger": "libs.x",
        "action": "clip_stored",
        "job_id": "job_1",
        "size": 3,
        "where": "{'a'}",
    }


def test_a_field_cannot_pretend_to_be_another_service() -> None:
    assert line(service="studio")["service"] == "job"


def test_a_log_line_in_a_span_carries_its_trace() -> None:
    with telemetry.span("work", {"traceparent": PARENT}):
        assert line()["trace_id"] == "ab" * 16
    assert "trace_id" not in line()


def test_an_exception_is_told_with_its_stack_in_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        told = line(exc_info=sys.exc_info())
    assert told["exception"] == "ValueError"
    assert "test_telemetry.py" in str(told["stack"])


class Lost(errors.NotFound):
    """The clip {clip_id} is lost; make it again."""


def test_what_a_library_says_of_an_exception_is_not_told() -> None:
    secret = "".join(["s3", "cret"])
    try:
        try:
            raise LookupError(secret)
        except LookupError:
            raise ExceptionGroup(secret, [RuntimeError(secret), Lost(clip_id="clip_1")]) from OSError(28, "Full")
    except ExceptionGroup:
        told = str(line(exc_info=sys.exc_info())["stack"])
    assert secret not in told
    for word in ("RuntimeError\n", "Lost: The clip clip_1 is lost", "OSError: [Errno 28] Full", "ExceptionGroup\n"):
        assert word in told, told


def test_setup_logs_json_on_stderr_and_quiets_the_chatty() -> None:
    program = """
import logging, warnings
from libs import telemetry
telemetry.setup("job", "DEBUG")
logging.getLogger("services.job").debug("clip_stored", extra={"job_id": "job_1"})
logging.getLogger("httpx").info("HTTP Request: GET https://secret")
warnings.warn("old")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = map(json.loads, ended.stderr.splitlines())
    assert (first["action"], first["job_id"], first["service"]) == ("clip_stored", "job_1", "job")
    assert second["logger"] == "py.warnings"
    assert ended.stdout == ""


def test_a_root_span_starts_a_trace_and_children_stay_in_it() -> None:
    assert telemetry.current() == {}
    with telemetry.span("outer"):
        outer = telemetry.current()["traceparent"].split("-")
        with telemetry.span("inner"):
            inner = telemetry.current()["traceparent"].split("-")
    assert outer[1] == inner[1] != "0" * 32
    assert outer[2] != inner[2]
    assert telemetry.current() == {}


def test_a_span_goes_on_with_the_trace_it_was_handed() -> None:
    with telemetry.span("outer"), telemetry.span("handler", {"traceparent": PARENT}, attributes={"attempt": 1}):
        version, trace_id, span_id, flags = telemetry.current()["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", "ab" * 16, "01")
    assert span_id != "cd" * 8


@given(st.dictionaries(st.just("traceparent"), st.text() | st.just("00-" + "0" * 32 + "-" + "0" * 16 + "-00")))
def test_headers_from_outside_never_break_a_span(headers: dict[str, str]) -> None:
    with telemetry.span("handler", headers):
        assert telemetry.current()["traceparent"].split("-")[1] != "0" * 32


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.requests: queue.Queue[trace_service_pb2.ExportTraceServiceRequest] = queue.Queue()

    def Export(self, request, context):
        self.requests.put(request)
        return trace_service_pb2.ExportTraceServiceResponse()


def test_with_an_endpoint_spans_reach_the_collector() -> None:
    collector = Collector()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    program = f"""
from libs import telemetry
telemetry.setup("job", "INFO", "http://127.0.0.1:{port}")
with telemetry.span("handler", {{"traceparent": "{PARENT}"}}, attributes={{"attempt": 2}}):
    print(telemetry.current()["traceparent"])
"""
    try:
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        (resource,) = collector.requests.get(timeout=30).resource_spans
    finally:
        server.stop(None).wait()
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("handler", "ab" * 16, "cd" * 8)
    assert ended.stdout.split("-")[1:3] == ["ab" * 16, span.span_id.hex()]
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "rushes-job"


def test_metrics_are_served_until_closed() -> None:
    server = telemetry.serve_metrics("127.0.0.1:0")
    address = f"http://127.0.0.1:{server.port}/metrics"
    asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        body = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    server.close()
    assert "process_resident_memory_bytes" in body
    assert body.endswith("# EOF\n")
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(address, timeout=10)


def test_a_taken_port_is_an_os_error() -> None:
    server = telemetry.serve_metrics("127.0.0.1:0")
    with pytest.raises(OSError, match="in use"):
        telemetry.serve_metrics(f"127.0.0.1:{server.port}")
    server.close()


def block_the_loop() -> None:
    time.sleep(0.8)


async def test_a_blocked_loop_shows_in_the_lag() -> None:
    stop = asyncio.Event()
    watching = asyncio.create_task(telemetry.watch_loop(stop))
    await asyncio.sleep(0)
    block_the_loop()
    stop.set()
    await watching
    assert (prometheus_client.REGISTRY.get_sample_value("rushes_event_loop_lag_seconds") or 0) > 0.2
