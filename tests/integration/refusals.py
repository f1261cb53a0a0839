"""What a call that must fail says, taken out of its status."""

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


async def refused(call, code):
    """The ErrorInfo of a call that must fail with this code."""
    return detail(await fault_of(call, code), error_details_pb2.ErrorInfo)


async def violations(call, code=grpc.StatusCode.INVALID_ARGUMENT):
    """What a BadRequest says, by field."""
    found = detail(await fault_of(call, code), error_details_pb2.BadRequest).field_violations
    return {one.field: one.description for one in found}


async def fault_of(call, code):
    """The error of a call that must fail with this code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code, caught.value.details()
    return caught.value


def detail(fault, kind):
    """The one detail of this kind."""
    found = kind()
    (packed,) = (it for it in rpc_status.from_call(fault).details if it.Is(kind.DESCRIPTOR))
    packed.Unpack(found)
    return found
