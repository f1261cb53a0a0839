"""Turns our errors into gRPC statuses, in the one place where that happens."""

from typing import Any, NoReturn

import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from libs import errors


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
_MOST_VIOLATIONS = 50  # trailers over 8 kB are at risk on the way


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: errors.Error, domain: str) -> NoReturn:
    """End the call with this error as google.rpc.Status: one ErrorInfo, and BadRequest or RetryInfo where they help."""
    await context.abort_with_status(rpc_status.to_status(of(error, domain)))
    raise AssertionError("abort returns never")


def of(error: errors.Error, domain: str) -> status_pb2.Status:
    """The status of an error; `domain` is `<service>.rushes`."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.facts)
    details: list[Message] = [info]
    if isinstance(error, errors.Invalid) and error.violations:
        details.append(_bad_request(error.violations[:_MOST_VIOLATIONS]))
    if isinstance(error, errors.Exhausted | errors.Unavailable):
        seconds = getattr(error, "retry_after_s", None) or _RETRY_S
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(code=CODES[error.kind], message=str(error)[:2000], details=[_packed(d) for d in details])


def _bad_request(violations: list[errors.Violation]) -> error_details_pb2.BadRequest:
    fields = [
        error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description[:300]) for v in violations
    ]
    return error_details_pb2.BadRequest(field_violations=fields)


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
