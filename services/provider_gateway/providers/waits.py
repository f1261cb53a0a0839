"""When a provider wants to be asked again, in each of the ways that providers have to say so."""

import email.utils
import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)s?\s*")
_IN_WORDS = re.compile(r"~\s*(\d+)\s*s")


def read(headers: Mapping[str, str], body: Any, said: str) -> float | None:
    """Seconds from 1 to 600, for some send a year; None when neither headers, nor body, nor its words say any."""
    ways = (
        _thousandth(headers.get("openai-poll-after-ms")),
        _number(headers.get("retry-after")),
        _until(headers.get("retry-after"), headers.get("date")),
        _thousandth(headers.get("retry-after-ms")),
        _retry_info(body),
        _in_words(said),
    )
    seconds = next((seconds for seconds in ways if seconds is not None), None)
    return None if seconds is None else min(max(seconds, 1.0), 600.0)


def _number(text: object) -> float | None:
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    return float(match[1]) if match else None


def _thousandth(text: object) -> float | None:
    ms = _number(text)
    return None if ms is None else ms / 1000


def _until(date: str | None, now: str | None) -> float | None:
    """By the provider's own clock, which it sends along."""
    try:
        then, sent = (email.utils.parsedate_to_datetime(text or "").timestamp() for text in (date, now))
    except (ValueError, OverflowError):
        return None
    return then - sent


def _retry_info(body: Any) -> float | None:
    """`google.rpc.RetryInfo`, such as `{"retryDelay": "34s"}`."""
    fault = body.get("error") if isinstance(body, dict) else None
    details = fault.get("details") if isinstance(fault, dict) else None
    delays = [one.get("retryDelay") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return next((seconds for delay in delays if (seconds := _number(delay)) is not None), None)


def _in_words(said: str) -> float | None:
    """As Replicate has it: "Your rate limit resets in ~30s."."""
    match = _IN_WORDS.search(said)
    return float(match[1]) if match else None
