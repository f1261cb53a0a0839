"""Ids: a prefix that tells the noun, and a ULID that sorts by time."""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATTERN = re.compile(r"([a-z][a-z0-9_]*)_[0-7][0-9a-hjkmnp-tv-z]{25}")


def new(prefix: str) -> str:
    """A new id, such as `job_01jd8x…`: milliseconds (48 bits), nanoseconds (20), chance (60), in Crockford's base 32.

    What one process makes sorts as it was made, also within a millisecond (RFC 9562, 6.2, method 3).
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    return _written(prefix, milliseconds << 80 | nanoseconds << 60 | secrets.randbits(60))


def of(prefix: str, digest: bytes) -> str:
    """An id in the shape of the others that is the same whenever the first 16 bytes are: for what may be repeated."""
    return _written(prefix, int.from_bytes(digest[:16]))


def nth(prefix: str, of: str, number: int) -> str:
    """The id of the n-th thing that is made for another, for what must be known again by who has forgotten it.

    It sorts as that other does, then by its number. Of what is no id of ours nothing can be derived: it is new.
    """
    if not PATTERN.fullmatch(of):
        return new(prefix)
    return _written(prefix, _number(of) & ~0xFFFF | number & 0xFFFF)


def made_at(id: str) -> datetime | None:
    """When an id of ours was made, to the millisecond; None of what is none."""
    if not PATTERN.fullmatch(id):
        return None
    return _EPOCH + timedelta(milliseconds=_number(id) >> 80)


def valid(id: str, prefix: str) -> bool:
    """Whether this has the shape of an id with this prefix."""
    match = PATTERN.fullmatch(id)
    return match is not None and match[1] == prefix


def _number(id: str) -> int:
    number = 0
    for letter in id.rpartition("_")[2]:
        number = number << 5 | _ALPHABET.index(letter)
    return number


def _written(prefix: str, number: int) -> str:
    return prefix + "_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
