"""What a neighbour refuses, our caller is told in the neighbour's own words."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from services.job import planning
from services.job.api import desk

_REFUSALS = (
    desk.Code.INVALID_ARGUMENT,
    desk.Code.NOT_FOUND,
    desk.Code.FAILED_PRECONDITION,
    desk.Code.RESOURCE_EXHAUSTED,
)
_ITEM = re.compile(r"^items\[(\d+)\](\.spec)?")

Renamed = Callable[[str], str]


@contextlib.asynccontextmanager
async def passed_on(context: desk.Context, renamed: Renamed) -> AsyncIterator[None]:
    """End the call as the neighbour has ended ours; its fields are called as `renamed` says."""
    try:
        yield
    except grpc.aio.AioRpcError as fault:
        told: Any = rpc_status.from_call(fault) if fault.code() in _REFUSALS else None  # type: ignore[arg-type]
        if told is None:
            raise
        for detail in told.details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                for violation in bad.field_violations:
                    violation.field = renamed(violation.field)
                detail.Pack(bad)
        await context.abort_with_status(rpc_status.to_status(told))


def scenes_of(planned: Sequence[planning.Planned]) -> Renamed:
    """The fields of a quote's items as fields of the scenes they are for: `items[0].spec.size` is `scenes[2].size`."""
    numbers = [one.number for one in planned if one.is_made]

    def renamed(field: str) -> str:
        found = _ITEM.match(field)
        return f"scenes[{numbers[int(found[1])] - 1}]{field[found.end() :]}" if found else field

    return renamed
