"""What dialects of JSON share: the key, the checked fields of a create, its pictures, the caller's name for it."""

import asyncio
import sys
import urllib.parse
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from services.sandbox import disaster, domain, stage, wire

SECONDS = range(1, 16)
RESOLUTIONS = {"360p": 360, "480p": 480, "720p": 720, "1080p": 1080}
"""Pixels of the shorter side."""
ASPECTS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:3": (4, 3), "3:4": (3, 4)}
_MAX_PROMPT = 10_000
_SEEDS = range(2**32)
_TRUE = {"true": True, "false": False}


def credential(request: Request, scheme: str = "bearer") -> str:
    """The key in the Authorization header, behind its scheme. Raises Refused."""
    said, _, key = request.headers.get("authorization", "").partition(" ")
    if said.lower() != scheme or not key.strip():
        raise wire.Refused(401, "unauthorized", f"Send your API key as 'Authorization: {scheme.title()} KEY'.")
    return key.strip()


def is_retired(key: str) -> bool:
    """Whether the models of this key are no longer sold (`+gone`), which catalogues say as well. Raises Unknown."""
    return disaster.Mode.GONE in disaster.read(key, "")


def client_ref(request: Request, callback_url: str | None = None) -> str | None:
    """The caller's name for a create: `attempt` in the query of its callback URL, else X-Client-Request-Id."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(callback_url or "").query)
    named = query.get("attempt")
    return named[0][:200] if named else wire.header(request, "x-client-request-id")


def invalid(field: str, value: object, allowed: str) -> wire.Refused:
    """The refusal of a value, naming the field and what it may be."""
    message = f"Invalid value for {field}: {str(value)[:80]!r}. Supported values are: {allowed}."
    return wire.Refused(400, "invalid_value", message, field)


def prompt(value: object, field: str = "prompt") -> str:
    """A text that says something. Raises Refused."""
    if not isinstance(value, str) or not value.strip():
        raise wire.Refused(400, "missing_field", f"{field} should be a text that is not empty.", field)
    if len(value) > _MAX_PROMPT:
        raise invalid(field, value, f"texts of at most {_MAX_PROMPT} characters")
    return value


def whole(value: object, field: str, allowed: range) -> int:
    """A whole number, or its digits as a text. Raises Refused."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) not in allowed:
        steps = f" in steps of {allowed.step}" if allowed.step > 1 else ""
        raise invalid(field, value, f"whole numbers from {allowed[0]} to {allowed[-1]}{steps}")
    return int(text)


def seed(value: object, prompt: str, field: str = "seed") -> int:
    """The seed that was asked for, or the prompt's own. Raises Refused."""
    return domain.seed_of(prompt) if value is None else whole(value, field, _SEEDS)


def flag(value: object, field: str) -> bool:
    """True or false. Raises Refused."""
    found = _TRUE.get(str(value).lower())
    if found is None:
        raise invalid(field, value, "true, false")
    return found


def one_of(value: object, field: str, allowed: Collection[str]) -> str:
    """One of the texts that are allowed. Raises Refused."""
    if not isinstance(value, str) or value not in allowed:
        raise invalid(field, value, ", ".join(allowed))
    return value


def obj(body: dict[str, Any], field: str) -> dict[str, Any]:
    """The object in a field; an empty one when it is left out. Raises Refused."""
    value = body.get(field) or {}
    if not isinstance(value, dict):
        raise invalid(field, value, "an object")
    return value


def objects(body: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """The objects in a list; an empty one when it is left out. Raises Refused."""
    value = body.get(field) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise invalid(field, "this", "a list of objects")
    return value


def frame(
    body: dict[str, Any], resolutions: Collection[str] = RESOLUTIONS, aspects: Collection[str] = ASPECTS
) -> tuple[int, int]:
    """Width and height from `resolution` (720p when left out) and `aspect_ratio` (16:9). Raises Refused."""
    short = RESOLUTIONS[one_of(body.get("resolution", "720p"), "resolution", resolutions)]
    across, up = ASPECTS[one_of(body.get("aspect_ratio", "16:9"), "aspect_ratio", aspects)]
    scale = short / min(across, up)
    return round(across * scale / 2) * 2, round(up * scale / 2) * 2


async def picture(link: object, field: str) -> bytes | None:
    """The image of a `data:` link, None when there is no link. Raises Refused: the sandbox fetches nothing."""
    if link is None:
        return None
    if not isinstance(link, str) or not link.startswith("data:image/"):
        raise invalid(field, "this link", "'data:image/png;base64,…' (the sandbox fetches nothing)")
    decoded = await asyncio.to_thread(wire.from_base64, link, field)
    return await wire.checked_image(decoded, field)


def echo(value: Any) -> Any:
    """The body of a create as histories show it: without the bytes of its pictures."""
    if isinstance(value, dict):
        return {name: echo(one) for name, one in value.items()}
    if isinstance(value, list):
        return [echo(one) for one in value]
    return value[:32] + "…" if isinstance(value, str) and value.startswith("data:") else value


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def time(value: str | None, field: str) -> datetime | None:
    """A moment in ISO 8601, in UTC unless it says otherwise; None when there is none. Raises Refused."""
    try:
        at = datetime.fromisoformat(value) if value else None
    except ValueError:
        raise invalid(field, value, "moments such as 2026-11-21T12:00:00Z") from None
    return at.replace(tzinfo=at.tzinfo or UTC) if at else None


def own(door: stage.Stage, key: str, after: str | None = None) -> list[domain.Clip]:
    """The clips of a key behind the one called `after`, newest first, as lists show them."""
    key_sha256 = domain.digest(key)
    return [clip for clip in door.page(after, sys.maxsize, True)[0] if clip.order.key_sha256 == key_sha256]


def paid_micros(clip: domain.Clip) -> int:
    """What the clip was charged in the end: with the right disaster, failed and cancelled work costs as well."""
    plan = clip.order.plan
    charged = {
        "completed": True,
        "failed": disaster.Mode.FAILS_CHARGED in plan,
        "cancelled": disaster.Mode.CANCEL_CHARGED in plan,
    }
    return clip.order.micros if charged.get(clip.status) else 0
