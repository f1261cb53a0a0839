"""Exports and stills between protobuf and the domain; checks requests, does no I/O."""

import re
from datetime import datetime, timedelta
from fractions import Fraction

from google.protobuf import timestamp_pb2

from libs import errors, moments
from rushes.compiler.v1 import compiler_service_pb2, export_pb2
from rushes.type.v1 import media_pb2
from services.compiler import domain, exports, orders, recipes, wire

_SHA256 = re.compile("[0-9a-f]{64}")
_SIDES = range(16, 7681)
_NANOS = 10**9


def format_of(request: compiler_service_pb2.ExportFilmRequest) -> exports.Format:
    """What is asked for. Raises wire.BadRequest."""
    names = {number: name.removeprefix("FORMAT_") for name, number in export_pb2.Export.Format.items()}
    try:
        return exports.Format(names.get(request.format, ""))
    except ValueError:
        wanted = f"should be one of {', '.join(exports.Format)}"
        raise wire.BadRequest([errors.Violation("format", wanted)]) from None


def to_export(value: exports.Export, title: str, sign: wire.Sign, now: datetime) -> export_pb2.Export:
    """An export as callers see it; its file is saved as this title."""
    message = export_pb2.Export(
        film_id=value.film_id,
        format=export_pb2.Export.Format.Value(f"FORMAT_{value.format}"),
        state=export_pb2.Export.State.Value(f"STATE_{value.state}"),
        progress=value.progress,
        error=wire.fault(value.fault),
        create_time=moments.stamp(value.created_at),
        update_time=moments.stamp(value.updated_at),
        end_time=moments.stamp(value.ended_at),
    )
    if value.media:
        name = orders.file_name(title, exports.suffix(value.format))
        message.media.CopyFrom(wire.media(value.media, name, sign, _expiry(now)))
    return message


def still_of(request: compiler_service_pb2.ExtractStillRequest, tenant_id: str) -> recipes.Still:
    """What is asked for. Raises wire.BadRequest."""
    found = []
    if not request.clip.key.startswith(f"t/{tenant_id}/"):
        found.append(errors.Violation("clip.key", "should be the key of a clip of yours"))
    if not _SHA256.fullmatch(request.clip.sha256):
        found.append(errors.Violation("clip.sha256", "should be the digest of the clip, in lower-case hex"))
    if request.longest_side and request.longest_side not in _SIDES:
        found.append(errors.Violation("longest_side", f"should be {_SIDES[0]} to {_SIDES[-1]}, or 0"))
    if request.HasField("time") and request.time.ToNanoseconds() < 0:
        found.append(errors.Violation("time", "should not be before the clip's start"))
    if found:
        raise wire.BadRequest(found)
    seconds = Fraction(request.time.ToNanoseconds(), _NANOS) if request.HasField("time") else None
    return recipes.Still(request.clip.sha256, seconds, request.last_frame, request.longest_side)


def to_still(value: domain.Media, sign: wire.Sign, now: datetime) -> compiler_service_pb2.ExtractStillResponse:
    """A still as callers see it."""
    blob = media_pb2.Blob(
        key=value.key, content_type=value.content_type, size_bytes=value.size_bytes, sha256=value.sha256
    )
    name = f"still.{value.key.rpartition('.')[2]}"
    return compiler_service_pb2.ExtractStillResponse(still=blob, media=wire.media(value, name, sign, _expiry(now)))


def _expiry(now: datetime) -> timestamp_pb2.Timestamp | None:
    return moments.stamp(now + timedelta(seconds=wire.SIGNED_S))
