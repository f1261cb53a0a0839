"""Turns our errors into gRPC statuses, in the one place where that happens."""

from collections.abc import Sequence
from typing import Any, NoReturn

import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from libs import errors, telemetry


class DeadlinePassed(errors.Error):
    """The deadline passed; the work may still have been done: repeat it with the same request_id and more time."""


class Faulty(errors.Error):
    """Something went wrong on our side; tell the operator this error id: {error_id}."""


CODES: dict[type[errors.Error], int] = {
    errors.Invalid: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.Conflict: code_pb2.FAILED_PRECONDITION,
    errors.Stale: code_pb2.ABORTED,
    errors.Exhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.Denied: code_pb2.PERMISSION_DENIED,
    DeadlinePassed: code_pb2.DEADLINE_EXCEEDED,
    Faulty: code_pb2.INTERNAL,
}
_RETRY_S = 1.0
# A client gives up on trailers over 8 kB; base64 adds a third, and the message travels twice, percent-encoded.
_MESSAGE_BYTES, _FACT_BYTES, _VIOLATIONS_BYTES = 800, 200, 2500


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: errors.Error, domain: str) -> NoReturn:
    """End the call with this error as google.rpc.Status: one ErrorInfo, and BadRequest or RetryInfo where they help.

    The trailer `traceresponse` names the trace in which it went wrong, in the form of W3C Trace Context.
    """
    told = rpc_status.to_status(of(error, domain))
    trailers = (*context.trailing_metadata(), *told.trailing_metadata, ("traceresponse", telemetry.traceparent()))
    await context.abort(told.code, told.details, trailers)
    raise AssertionError("abort returns never")


def of(error: errors.Error, domain: str) -> status_pb2.Status:
    """The status of an error; `domain` is `<service>.rushes`."""
    facts = {name: _cut(fact, _FACT_BYTES) for name, fact in error.facts.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=facts)]
    if isinstance(error, errors.Invalid | errors.Stale) and error.violations:
        details.append(_bad_request(error.violations))
    if isinstance(error, errors.Exhausted | errors.Unavailable):
        seconds = getattr(error, "retry_after_s", None) or _RETRY_S
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    message = _cut(str(error), _MESSAGE_BYTES)
    return status_pb2.Status(code=CODES[error.kind], message=message, details=[_packed(d) for d in details])


def _bad_request(violations: Sequence[errors.Violation]) -> error_details_pb2.BadRequest:
    """As many violations as can travel; then how many more there are."""
    told = error_details_pb2.BadRequest()
    for index, violation in enumerate(violations):
        told.field_violations.add(
            field=_cut(violation.field, _FACT_BYTES), description=_cut(violation.description, 300)
        )
        if told.ByteSize() > _VIOLATIONS_BYTES:
            told.field_violations.pop()
            told.field_violations.add(description=f"and {len(violations) - index} more")
            break
    return told


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
