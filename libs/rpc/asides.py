"""What a call says besides its answer, as trailers: that it was done before, and what is left of a limit."""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import grpc.aio

_CALL: ContextVar[grpc.aio.ServicerContext[Any, Any] | None] = ContextVar("call", default=None)


@contextlib.contextmanager
def of(context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[None]:
    """Inside of the block, what is said is said by this call."""
    token = _CALL.set(context)
    try:
        yield
    finally:
        _CALL.reset(token)


def replayed() -> None:
    """Say that the answer is that of an earlier request with the same request_id: nothing was done now."""
    say({"idempotency-replayed": "true"})


def say(trailers: Mapping[str, str]) -> None:
    """Say these, by name; outside of a call, to nobody."""
    context = _CALL.get()
    if context is not None and trailers:
        context.set_trailing_metadata((*context.trailing_metadata(), *trailers.items()))
