"""Moments as the contract has them."""

from datetime import UTC, datetime
from typing import overload

from google.protobuf import timestamp_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400


@overload
def stamp(value: datetime) -> timestamp_pb2.Timestamp: ...
@overload
def stamp(value: datetime | None) -> timestamp_pb2.Timestamp | None: ...
def stamp(value: datetime | None) -> timestamp_pb2.Timestamp | None:
    """A moment, wherever its clock stands; None stays None."""
    if value is None:
        return None
    since = value - _EPOCH  # `FromDatetime` takes three times as long, and a job has five of them
    return timestamp_pb2.Timestamp(seconds=since.days * _DAY_S + since.seconds, nanos=since.microseconds * 1000)
