"""Page tokens: where a list goes on, bound to the request it belongs to."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs import errors

_BOUND_BYTES = 9
_LONGEST = 1024
_REMEDY = "should be the next_page_token of the previous page of this same list, or empty for the first page"


@dataclass(frozen=True, slots=True)
class Page:
    """What a caller asked for: at most `size` items, from where `token` points; empty for the start."""

    size: int
    token: str = ""


def page_size(requested: int, default: int = 50, most: int = 200) -> int:
    """The size to use: 0 means the default, too much is clamped. Raises Invalid (page_size) when negative."""
    if requested < 0:
        raise errors.Invalid([errors.Violation("page_size", f"should be 0 for the default, or 1 to {most}")])
    return min(requested or default, most)


def encode(key: Sequence[Any], bound: bytes | str) -> str:
    """An opaque URL-safe token for a place in a list: `key` of JSON scalars, `bound` the request's filter."""
    place = json.dumps(list(key), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_hash(bound) + place).rstrip(b"=").decode()


def decode(token: str, bound: bytes | str) -> tuple[Any, ...]:
    """The key in a token. Raises Invalid (page_token) when it is malformed or belongs to another request."""
    try:
        raw = base64.b64decode(token[:_LONGEST] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        key = json.loads(raw[_BOUND_BYTES:])
    except ValueError:
        key = None
    if not isinstance(key, list) or raw[:_BOUND_BYTES] != _hash(bound):
        raise errors.Invalid([errors.Violation("page_token", _REMEDY)])
    return tuple(key)


def _hash(bound: bytes | str) -> bytes:
    return hashlib.sha256(bound.encode() if isinstance(bound, str) else bound).digest()[:_BOUND_BYTES]
