"""Shares between protobuf and the domain; checks requests, does no I/O."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from google.protobuf import duration_pb2, timestamp_pb2

from libs import errors, moments
from rushes.compiler.v1 import share_pb2
from rushes.compiler.v1 import share_service_pb2 as pb
from rushes.type.v1 import media_pb2
from services.compiler import domain, orders, shares, wire

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_TEXT, _LONGEST_ID = 200, 100
_LONGEST_TAKE = timedelta(hours=1) // timedelta(microseconds=1) * 1000


class Terms(NamedTuple):
    """On what terms something is shared."""

    expires_at: datetime
    passphrase: str
    allow_download: bool


def terms(request: pb.CreateShareRequest, tenant_id: str, now: datetime) -> Terms:
    """What is asked for. Raises BadRequest with every violation."""
    ends = _moment(request.expire_time) if request.HasField("expire_time") else now + shares.LIVES
    length, allowed = len(request.passphrase.strip()), shares.PASSPHRASE_CHARACTERS
    rules = {
        "request_id": (_is_uuid(request.request_id), "should be a UUID that you choose once for this share"),
        "film_id": (bool(request.film_id) != request.HasField("take"), "should name a film, or else take be there"),
        "expire_time": (
            now < ends <= now + shares.LIVES_AT_MOST,
            f"should be in the next {shares.LIVES_AT_MOST.days} days",
        ),
        "passphrase": (
            not request.passphrase or length in allowed,
            f"should be {allowed[0]} to {allowed[-1]} characters, or empty for none",
        ),
    }
    found = [errors.Violation(name, should) for name, (is_kept, should) in rules.items() if not is_kept]
    found += _of_take(request.take, tenant_id) if request.HasField("take") else []
    if found:
        raise wire.BadRequest(found)
    return Terms(ends, request.passphrase, request.allow_download)


def of_take(said: share_pb2.SharedTake, video: domain.Media, poster: domain.Media | None) -> shares.Snapshot:
    """What is seen of a take whose files were found. Raises BadRequest when they are no video and no picture."""
    found = []
    if not video.content_type.startswith("video/"):
        found.append(errors.Violation("take.clip.key", "should be that of a video"))
    if poster and not poster.content_type.startswith("image/"):
        found.append(errors.Violation("take.poster.key", "should be that of a picture"))
    if found:
        raise wire.BadRequest(found)
    return shares.Snapshot(
        title=said.title.strip(),
        duration=said.duration.ToNanoseconds(),
        video=video,
        poster=poster,
        is_generated=bool(said.model),
        models=(said.model,) if said.model else (),
    )


def to_share(value: shares.Share) -> share_pb2.Share:
    """A share as its tenant sees it."""
    return share_pb2.Share(
        id=value.id,
        film_id=value.film_id,
        take_id=value.take_id,
        title=value.snapshot.title,
        hint=value.hint,
        has_passphrase=value.seal is not None,
        allow_download=value.allow_download,
        views=value.views,
        view_time=moments.stamp(value.viewed_at),
        created_by=value.created_by,
        create_time=moments.stamp(value.created_at),
        expire_time=moments.stamp(value.expires_at),
        revoke_time=moments.stamp(value.revoked_at),
    )


def to_view(value: shares.Share) -> share_pb2.SharedView:
    """A share as whoever has the link sees it."""
    seen = value.snapshot
    return share_pb2.SharedView(
        title=seen.title,
        duration=_duration(seen.duration),
        chapters=[share_pb2.Chapter(title=one.title, start=_duration(one.start)) for one in seen.chapters],
        video=_blob(seen.video),
        poster=_blob(seen.poster) if seen.poster else None,
        captions=_blob(seen.captions) if seen.captions else None,
        captions_language=seen.language,
        is_generated=seen.is_generated,
        models=seen.models,
        allow_download=value.allow_download,
        file_name=orders.file_name(seen.file_title or seen.title, f".{seen.video.key.rpartition('.')[2]}"),
        expire_time=moments.stamp(value.expires_at),
    )


def _of_take(said: share_pb2.SharedTake, tenant_id: str) -> list[errors.Violation]:
    own = f"t/{tenant_id}/"
    rules = {
        "take_id": (1 <= len(said.take_id) <= _LONGEST_ID, f"should be 1 to {_LONGEST_ID} characters"),
        "clip.key": (said.clip.key.startswith(own), "should be the key of a clip of yours"),
        "poster.key": (
            not said.HasField("poster") or said.poster.key.startswith(own),
            "should be the key of a picture of yours",
        ),
        "title": (_is_line(said.title, least=1), f"should be 1 to {_LONGEST_TEXT} characters in a line"),
        "duration": (0 < said.duration.ToNanoseconds() <= _LONGEST_TAKE, "should be above zero, and up to an hour"),
        "model": (_is_line(said.model, least=0), f"should be up to {_LONGEST_TEXT} characters in a line"),
    }
    return [errors.Violation(f"take.{name}", should) for name, (is_kept, should) in rules.items() if not is_kept]


def _is_line(text: str, least: int) -> bool:
    return least <= len(text.strip()) <= len(text) <= _LONGEST_TEXT and not _CONTROL.search(text)


def _blob(value: domain.Media) -> media_pb2.Blob:
    return media_pb2.Blob(
        key=value.key, content_type=value.content_type, size_bytes=value.size_bytes, sha256=value.sha256
    )


def _duration(nanos: int) -> duration_pb2.Duration:
    made = duration_pb2.Duration()
    made.FromNanoseconds(nanos)
    return made


def _moment(stamp: timestamp_pb2.Timestamp) -> datetime:
    """The time; of what is none, one that has passed."""
    try:
        return stamp.ToDatetime(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
