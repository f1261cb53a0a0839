"""What a service refuses ends the command with the exit code that scripts know."""

import grpc
import pytest
from grpc_status import rpc_status

from libs import errors, limits
from libs.rpc import status
from services.cli import client, exits


class BudgetExceeded(errors.Exhausted):
    """The budget does not hold that."""


def refused(error: errors.Error) -> client.Refused:
    """As it arrives."""
    told = rpc_status.to_status(status.of(error, "test.rushes"))
    trailers = grpc.aio.Metadata(*told.trailing_metadata)
    return client.Refused(grpc.aio.AioRpcError(told.code, grpc.aio.Metadata(), trailers, told.details))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (limits.CallsExhausted(limit="generate", per_minute=10), exits.Code.LATER),
        (BudgetExceeded(), exits.Code.MONEY),
        (errors.NotFound(), exits.Code.NOT_FOUND),
        (errors.Denied(), exits.Code.DENIED),
        (errors.Stale(), exits.Code.CONFLICT),
        (status.Faulty(error_id="1"), exits.Code.ERROR),
    ],
)
def test_a_refusal_has_its_exit_code(error: errors.Error, code: exits.Code) -> None:
    told = refused(error)
    assert (told.code, told.reason, str(told)) == (code, error.reason, str(error))
