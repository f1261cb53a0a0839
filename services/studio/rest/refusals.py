"""What a service or we ourselves refuse, read in one place from google.rpc.Status."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

_STATUSES = {
    code_pb2.CANCELLED: 499,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.ABORTED: 409,
    code_pb2.FAILED_PRECONDITION: 409,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}
_OF_REASONS = {"BUDGET_EXCEEDED": 402, "REQUEST_ID_REUSED": 422, "WEBHOOK_ENDPOINTS_FULL": 409}
_WITHOUT_DETAILS = {
    grpc.StatusCode.UNAVAILABLE: ("SERVICE_AWAY", "A service behind this one is out of reach; retry in a moment."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        "DEADLINE_PASSED",
        "It took too long and may still have been done; repeat it with the same Idempotency-Key.",
    ),
    grpc.StatusCode.UNIMPLEMENTED: ("UNIMPLEMENTED", "The service behind this does not know that call; update it."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("TOO_LARGE", "That is more than one call can carry."),
}
_RETRYABLE = (429, 503, 504)
OWN = {
    "ROUTE_NOT_FOUND": "there is nothing at this address.",
    "METHOD_NOT_ALLOWED": "the address has no such method; the header Allow names those it has.",
    "MEDIA_TYPE_UNKNOWN": "the body is in a format that is not read here.",
    "MEDIA_MISSING": "the film or take has no such file, or not yet.",
    "TOO_LARGE": "the request carries more than can be taken at once.",
    "IF_MATCH_MISSING": "say with the header If-Match which version you saw; `*` changes whatever is there.",
    "IDEMPOTENCY_KEY_MISSING": "it can cost money: send an Idempotency-Key, so that a repeat is not paid twice.",
    "FOREIGN_REQUEST": "another site's page sent this; only our own may change something.",
    "UNSUPPORTED": "the protocol has this, and the house does not; `detail` says what to do instead.",
    "UNIMPLEMENTED": "the service behind does not know the call; update it.",
}
"""The reasons that are the studio's own, and what they mean."""


@dataclass
class Refusal(Exception):
    """A request that is not done: HTTP status, reason, a sentence; `errors` name places, `facts` are the reason's."""

    status: int
    reason: str
    detail: str
    facts: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[tuple[str, str]] = ()
    errors: Sequence[Mapping[str, str]] = ()
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later."""
        return self.status in _RETRYABLE


def of(fault: grpc.aio.AioRpcError) -> Refusal:
    """What a service said."""
    call: Any = fault
    told = rpc_status.from_call(call)
    if told is None:
        reason, detail = _WITHOUT_DETAILS.get(fault.code(), ("FAULTY", "Something went wrong behind this service."))
        status = 413 if reason == "TOO_LARGE" else _STATUSES.get(fault.code().value[0], 500)
        return Refusal(status, reason, detail, retry_after_s=1.0 if status == 503 else None)
    info, bad, retry = (
        _detail(told.details, kind)
        for kind in (error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo())
    )
    violations = [(it.field, it.description) for it in bad.field_violations]
    status = _OF_REASONS.get(info.reason) or _STATUSES.get(told.code, 500)
    if told.code == code_pb2.INVALID_ARGUMENT and violations:
        status = 422
    wait = retry.retry_delay.ToMilliseconds() / 1000 if retry.HasField("retry_delay") else None
    return Refusal(status, info.reason or "FAULTY", told.message, dict(info.metadata), violations, (), wait)


def bad_request(errors: Sequence[Mapping[str, str]], status: int = 422) -> Refusal:
    """A request that we can tell is wrong without asking anybody."""
    return Refusal(
        status, "BAD_REQUEST", "The request cannot be accepted as it is; correct these fields.", errors=errors
    )


def foreign() -> Refusal:
    """A request of another site's page, which its reader may know nothing of."""
    detail = "Another site sent this request. If it was you, do it again from here."
    return Refusal(403, "FOREIGN_REQUEST", detail)


def _detail(details: Iterable[Any], kind: Any) -> Any:
    for detail in details:
        if detail.Is(kind.DESCRIPTOR):
            detail.Unpack(kind)
            break
    return kind
