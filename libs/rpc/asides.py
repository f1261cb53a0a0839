"""What a call says besides its answer, as trailers: that it was done before, and what is left of a limit."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import grpc.aio

_CALL: ContextVar[grpc.aio.ServicerContext[Any, Any] | None] = ContextVar("call", default=None)


def begin(context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """What is said from here on, in the task of this call and in those it begins, is said by it."""
    _CALL.set(context)


def replayed() -> None:
    """Say that the answer is that of an earlier request with the same request_id: nothing was done now."""
    say({"idempotency-replayed": "true"})


def say(trailers: Mapping[str, str]) -> None:
    """Say these, by name; outside of a call, to nobody."""
    context = _CALL.get()
    if context is not None and trailers:
        context.set_trailing_metadata((*context.trailing_metadata(), *trailers.items()))
