"""However a call of whatever shape ends, its caller, its span, the metrics and the log say the same of it."""

import asyncio
import contextlib
import itertools
import json
import re
import sys
import urllib.request
from typing import Any, NamedTuple

import grpc
import pytest
import pytest_asyncio
from google.protobuf.wrappers_pb2 import StringValue

from services.cli import environment
from tests import collector, ports
from tests.integration.libs import shapes

ENDS = {
    "answered": grpc.StatusCode.OK,
    "refused": grpc.StatusCode.NOT_FOUND,
    "aborted": grpc.StatusCode.OUT_OF_RANGE,
    "raised": grpc.StatusCode.INTERNAL,
    "cancelled": grpc.StatusCode.CANCELLED,
    "late": grpc.StatusCode.DEADLINE_EXCEEDED,
}
SPELLED = dict(zip(ENDS, ["OK", "NotFound", "OutOfRange", "Internal", "Canceled", "DeadlineExceeded"], strict=True))
OURS = {"raised", "late"}
"""The ends that make a span a failed one."""
CASES = [case for case in itertools.product(shapes.SHAPES, ENDS) if case[0] != "Impatient" or case[1] == "late"]
LINE = re.compile(r'grpc_server_(started|handled)_total\{(?:grpc_code="(\w+)",)?grpc_method="(\w+)",.*\} (\d+)')
LATE_S = 1.0


class Told(NamedTuple):
    """What is known of all calls, by method and end, or code."""

    ended: dict[tuple[str, str], tuple[grpc.StatusCode, str]]
    spans: dict[tuple[str, str], list[collector.Span]]
    counts: dict[tuple[str, str], int]
    logged: list[dict[str, Any]]
    exemplars: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told():
    """Every case, called at once; read when the process has ended, and has sent what it recorded."""
    address, metrics = (f"127.0.0.1:{ports.free()}" for _ in range(2))
    with collector.collecting() as collected:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", shapes.__name__, address, metrics, collected.endpoint),
            env=environment.base(),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60), grpc.aio.insecure_channel(address) as channel:
            await channel.channel_ready()
            all_begun = asyncio.create_task(reached(metrics, "started", len(CASES)))
            ended = await asyncio.gather(*(end_of(channel, *case, all_begun) for case in CASES))
            await reached(metrics, "handled", len(CASES))
            counts = {(method, code): count for kind, code, method, count in shown(metrics) if kind == "handled"}
            exemplars = scraped(metrics, "application/openmetrics-text; version=1.0.0")
        _, logs = await process.communicate(b"")
    spans = {}
    for span in collected.spans():
        name = span.attributes["rpc.method"].partition("/")[2]
        spans.setdefault((name, span.attributes["rpc.response.status_code"]), []).append(span)
    logged = [json.loads(line) for line in logs.splitlines()]
    return Told(dict(zip(CASES, ended, strict=True)), spans, counts, logged, exemplars)


async def end_of(channel, method, end, all_begun):
    """The code with which the caller sees it end, and the trace that it is told."""
    asks_many, answers_many = shapes.SHAPES[method]
    kind = f"{'stream' if asks_many else 'unary'}_{'stream' if answers_many else 'unary'}"
    ask = getattr(channel, kind)(f"/{shapes.NAME}/{method}", StringValue.SerializeToString, StringValue.FromString)
    asked = StringValue(value=end)
    call = ask([asked] if asks_many else asked, timeout=LATE_S if end == "late" and method != "Impatient" else None)
    if end == "cancelled":
        await asyncio.shield(all_begun)
        call.cancel()
    with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
        if answers_many:
            async for _ in call:
                pass
    trailers = dict(await call.trailing_metadata() or ())
    return await call.code(), trailers.get("traceresponse", "").partition("-")[2].partition("-")[0]


async def reached(metrics, kind, calls):
    """Return once so many calls have begun, or ended."""
    while sum(count for one, _, _, count in await asyncio.to_thread(shown, metrics) if one == kind) < calls:  # noqa: ASYNC110, in another process
        await asyncio.sleep(0.02)


def shown(metrics):
    """The counts of the metrics that are not zero: kind, code, method, count."""
    found = LINE.findall(scraped(metrics, "text/plain"))
    return [(kind, code, method, int(count)) for kind, code, method, count in found if count != "0"]


def scraped(metrics, kind):
    """As Prometheus would get them."""
    asked = urllib.request.Request(f"http://{metrics}/metrics", headers={"Accept": kind})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(("method", "end"), CASES)
def test_an_end_is_the_same_to_all(told, method, end):
    code = ENDS[end]
    assert told.ended[method, end][0] is code
    assert told.counts[method, SPELLED[end]] == 1
    (span,) = told.spans[method, code.name]
    assert span.is_error == (end in OURS)
    assert span.attributes.get("error.type") == (code.name if end in OURS else None)
    assert span.attributes["rpc.system.name"] == "grpc"
    faults = [line["level"] for line in told.logged if line.get("trace_id") == span.trace_id]
    assert faults == (["ERROR"] if end == "raised" else [])
    if end in ("refused", "raised"):
        assert told.ended[method, end][1] == span.trace_id, "whoever is told of an error can name its trace"


@pytest.mark.parametrize(("method", "end"), CASES)
def test_a_number_leads_to_its_trace(told, method, end):
    """As an exemplar, to whoever asks for OpenMetrics."""
    (span,) = told.spans[method, ENDS[end].name]
    counted = f'grpc_server_handled_total{{grpc_code="{SPELLED[end]}",grpc_method="{method}",'
    (line,) = [line for line in told.exemplars.splitlines() if line.startswith(counted)]
    assert f'# {{trace_id="{span.trace_id}"}} 1.0' in line


def test_nothing_else_is_told(told):
    assert told.counts.keys() == {(method, SPELLED[end]) for method, end in CASES}
    assert told.spans.keys() == {(method, ENDS[end].name) for method, end in CASES}
    ours = {line["action"] for line in told.logged if not line["logger"].startswith("grpc.")}  # gRPC tells who left
    assert ours == {"call_failed", "listening", "serving"}
    assert shapes.SECRET not in str(told.spans)
