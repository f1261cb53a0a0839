"""The rules of traffic: when an account's orders are held back for a while, and how many may go at once."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
"""The calls that are looked at."""

_ENOUGH, _RATIO, _MOST_TRUST = 5, 0.5, 1000
_OPEN_S = (15.0, 600.0)
_BURST_S = 10.0


class Breaker(enum.StrEnum):
    """Whether an account's orders are sent. Polls and downloads go on whatever it says."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class Account:
    """What replicas share of an account: `opened` counts the openings since an order was answered, `tat` is until when
    its rate is used up."""

    name: str
    breaker: Breaker = Breaker.CLOSED
    reason: str = ""
    probe_at: datetime | None = None
    opened: int = 0
    tat: datetime | None = None


def trips(well: int, badly: int, opened: int = 0) -> bool:
    """Whether so many good and bad calls in the window are too bad to go on buying.

    After an opening one bad call is enough, until an order has been answered again.
    """
    return badly >= (1 if opened else _ENOUGH) and badly >= _RATIO * (well + badly)


def at_once(trust: int, opened: int) -> int:
    """How many orders may be without an answer: twice as many as were answered lately, and a few to begin with.

    So a provider that fails from one moment to the next is not sent everything that waits.
    """
    return max(1 if opened else _ENOUGH, 2 * trust)


def trust(before: int, well: bool) -> int:
    """How many orders in a row an account has answered, more or less: each that it does not halves it."""
    return min(before + 1, _MOST_TRUST) if well else before // 2


def open_s(opened: int) -> float:
    """How long to leave a provider alone before a free call tries it, in seconds: longer each time in a row."""
    least, most = _OPEN_S
    return min(least * 2.0 ** min(opened, 10), most)


def at_the_rate(per_minute: int, tat: datetime | None, now: datetime) -> int:
    """How many orders may go now: the generic cell rate algorithm, with ten seconds' worth at once."""
    each = timedelta(minutes=1) / per_minute
    ahead = max((tat or now) - now, timedelta())
    return max(0, int((max(timedelta(seconds=_BURST_S), each) - ahead) / each))


def after(per_minute: int, tat: datetime | None, sent: int, now: datetime) -> datetime:
    """When the rate is used up to, once so many have gone."""
    return max(tat or now, now) + timedelta(minutes=1) / per_minute * sent
