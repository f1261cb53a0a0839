"""Calls are counted from zero, whatever the method, and in the spelling of Go."""

import grpc
import prometheus_client
import pytest
from opentelemetry.sdk import trace as sdk
from opentelemetry.trace import StatusCode

from libs.rpc import measures
from rushes.job.v1 import job_service_pb2
from rushes.ops.v1 import dead_letter_service_pb2


def handled(method: measures.Method, code: str) -> float | None:
    labels = {"grpc_type": method.type, "grpc_service": method.service, "grpc_method": method.name, "grpc_code": code}
    return prometheus_client.REGISTRY.get_sample_value("grpc_server_handled_total", labels)


@pytest.mark.parametrize("contract", [job_service_pb2, dead_letter_service_pb2])
def test_every_method_of_a_service_is_there_from_the_start(contract) -> None:
    (service,) = contract.DESCRIPTOR.services_by_name.values()
    measures.SERVER.expect(service.full_name)
    for method in service.methods:
        kind = "server_stream" if method.server_streaming else "unary"
        assert handled(measures.Method(kind, service.full_name, method.name), "OK") is not None


def test_a_service_that_is_not_known_is_not_expected() -> None:
    measures.SERVER.expect("nobody.v1.NobodyService")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.OK, "OK"),
        (grpc.StatusCode.NOT_FOUND, "NotFound"),
        (grpc.StatusCode.CANCELLED, "Canceled"),
        (4, "DeadlineExceeded"),
    ],
)
def test_codes_are_spelled_as_go_does(code, told: str) -> None:
    method = measures.of("/spelling.v1.Spelling/Say", False, False)
    measures.SERVER.ended(method, measures.SERVER.begun(method), code, None)
    assert handled(method, told) == 1


OURS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


@pytest.mark.parametrize("code", grpc.StatusCode)
@pytest.mark.parametrize(
    ("end", "faults"), [(measures.SERVER, OURS), (measures.CLIENT, {code.name for code in grpc.StatusCode} - {"OK"})]
)
def test_a_span_tells_the_code_and_whose_fault_it_is(end, faults, code) -> None:
    """By the conventions for RPC of OpenTelemetry: a server answers for six codes, a client's call should be OK."""
    method = measures.of("/spelling.v1.Spelling/Say", False, False)
    span = sdk.TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("x", attributes=method.attributes)
    end.ended(method, end.begun(method), code, span)
    failed = code.name in faults
    assert (span.status.status_code is StatusCode.ERROR) == failed
    assert span.status.description is None
    assert dict(span.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "spelling.v1.Spelling/Say",
        "rpc.response.status_code": code.name,
    } | ({"error.type": code.name} if failed else {})
