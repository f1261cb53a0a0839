"""Page tokens: where a list goes on, bound to the request it belongs to."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from libs import errors

_BOUND_BYTES = 9
_LONGEST = 1024
_REMEDY = "should be the next_page_token of the previous page of this same list, or empty for the first page"


class Identified(Protocol):
    """Something a list can be sorted by."""

    @property
    def id(self) -> str:
        """Sorts by time."""


T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list in the order of ids, newest first: ask the store for `most` items whose id is below `below`."""

    size: int
    below: str | None
    bound: str

    @property
    def most(self) -> int:
        """One more than the page holds: it tells whether there is another page."""
        return self.size + 1

    def cut(self, found: Sequence[T]) -> tuple[Sequence[T], str]:
        """The items of the page, and the token of the next; empty when there is none."""
        page = found[: self.size]
        return page, encode([page[-1].id], self.bound) if len(found) > self.size else ""


def by_id(requested: int, token: str, bound: str) -> Page:
    """The page that a request asks for. Raises Invalid (page_size, page_token)."""
    (below,) = decode(token, bound) if token else (None,)
    return Page(page_size(requested), below, bound)


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
