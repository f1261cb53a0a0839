"""The errors that a create can ask for: moderation, sunset, overload, and a 429 in each of its forms."""

import email.utils
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.sandbox import disaster, wire

_WAIT_S = 2
_YEAR_S = 31_536_000
FirstTimes = Callable[[disaster.Mode, float], bool]
"""Whether this is among the first n times that a submission meets a mode."""


def of(plan: disaster.Plan, model: str, first: FirstTimes, now: datetime) -> wire.Refused | None:
    """What a create with this plan is refused with now, before anything is created."""
    if disaster.Mode.REFUSED in plan:
        return wire.Refused(400, "moderation_blocked", "Your request was blocked by our moderation system.", "prompt")
    if disaster.Mode.GONE in plan:
        status = int(plan.number(disaster.Mode.GONE))
        return wire.Refused(status, "model_not_found", f"The model {model} is no longer available.", "model")
    if disaster.Mode.BUSY in plan and first(disaster.Mode.BUSY, plan.number(disaster.Mode.BUSY)):
        return wire.Refused(503, "overloaded", "The server is overloaded, the queue is full. Try again later.")
    if disaster.Mode.THROTTLED in plan:
        form, count = plan.throttle()
        if first(disaster.Mode.THROTTLED, count):
            return _throttled(form, now)
    return None


def _throttled(form: str, now: datetime) -> wire.Refused:
    headers: Mapping[str, str] = {
        "seconds": {"retry-after": str(_WAIT_S)},
        "date": {"retry-after": email.utils.format_datetime(now + timedelta(seconds=_WAIT_S), usegmt=True)},
        "ms": {"retry-after-ms": str(_WAIT_S * 1000)},
        "absurd": {"retry-after": str(_YEAR_S)},
    }.get(form, {})
    details: list[dict[str, Any]] = []
    if form == "google":
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{_WAIT_S}s"}]
    resets = f" Your rate limit resets in ~{_WAIT_S}s." if form == "text" else ""
    return wire.Refused(429, "rate_limit_exceeded", f"Request was throttled.{resets}", None, headers, details)
