"""Refusals as problem details (RFC 9457), in the one place where that happens."""

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any

from starlette import requests, responses

from libs import telemetry
from services.studio.rest import refusals, remedies

_SPELLED = {
    "request_id": {"header": "Idempotency-Key"},
    "etag": {"header": "If-Match"},
}


def of(
    refused: refusals.Refusal,
    request: requests.Request,
    path: Mapping[str, str],
    body: str = "",
    costs: bool = False,
) -> dict[str, Any]:
    """The document; `path` is what the address says, `body` the field of the call that the body stands for, and `costs`
    whether the request can cost money.
    """
    errors = list(refused.errors) or [_error(it, path, body, request) for it in refused.violations]
    told: dict[str, Any] = {
        "type": f"/v1/problems/{refused.reason}",
        "title": refused.reason.replace("_", " ").capitalize(),
        "status": refused.status,
        "detail": refused.detail,
        "instance": request.scope["raw_path"].partition(b"?")[0].decode("ascii", errors="replace"),
        "reason": refused.reason,
        "retryable": refused.retryable,
        "charged": {"state": charged(refused, costs)},
        "errors": errors,
        "remedies": remedies.of(refused, path),
        "request_id": secrets.token_hex(8),
    }
    if refused.facts:
        told["facts"] = dict(refused.facts)
    if parent := telemetry.current().get("traceparent"):
        told["trace_id"] = parent.split("-")[1]
    return told


def response(told: dict[str, Any], refused: refusals.Refusal) -> responses.Response:
    """The document as an answer with the headers that belong to its status."""
    headers = {"cache-control": "no-store", **refused.headers}
    if refused.status == 401:
        headers["www-authenticate"] = 'Bearer realm="rushes"'
    headers |= waits(refused)
    content = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return responses.Response(content, refused.status, headers, "application/problem+json")


def waits(refused: refusals.Refusal) -> dict[str, str]:
    """How long to wait; and where a limit is used up, which (draft-ietf-httpapi-ratelimit-headers)."""
    if refused.retry_after_s is None:
        return {}
    seconds = max(1, math.ceil(refused.retry_after_s))
    told = {"retry-after": str(seconds)}
    if most := refused.facts.get("per_minute"):
        limit = refused.facts.get("limit", "calls")
        told |= {"ratelimit-policy": f'"{limit}";q={most};w=60', "ratelimit": f'"{limit}";r=0;t={seconds}'}
    return told


def charged(refused: refusals.Refusal, costs: bool) -> str:
    """Whether the refused request has cost anything: none, or unknown when nobody can tell whether it was done."""
    told = refused.facts.get("charged")
    if told:
        return {"no": "none", "yes": "amount"}.get(told, "unknown")
    return "unknown" if costs and refused.status >= 500 else "none"


def _error(violation: tuple[str, str], path: Mapping[str, str], body: str, request: requests.Request) -> dict[str, str]:
    """Where the caller wrote what a service finds wrong in its own message."""
    field, detail = violation
    own = field.removeprefix(f"{body}.") if body else field
    last = own.rpartition(".")[2]
    if last in _SPELLED and own.count(".") <= 1 and "[" not in own:
        return {**_SPELLED[last], "detail": detail}
    if own in path or own in request.query_params:
        return {"parameter": own, "detail": detail}
    return {"pointer": pointer(own) if own != "update_mask" else "", "detail": detail}


def pointer(field: str) -> str:
    """`scenes[2].duration` as `/scenes/2/duration` (RFC 6901)."""
    steps = field.replace("]", "").replace("[", ".").split(".")
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps if step)
