"""The fal dialect, under `/fal`: the queue, its callbacks, and the platform's models, prices and history."""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import domain, fal_queue, fields, lab, stage, webhooks, wire

_PAGE = range(1, 101)
_OUTCOMES = ("success", "error", "user_error")
_USER = "sandbox"
_SIGNER = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"rushes sandbox fal webhooks").digest())


def routes(films: lab.Lab) -> list[BaseRoute]:
    """The routes of queue.fal.run, api.fal.ai (`/fal/v1`) and rest.fal.ai (the keys of webhooks) at one address."""
    door = stage.Stage(films, "fal", "request", _key, fal_queue.error)
    queue, platform = fal_queue.Queue(films, door), _Platform(door)
    one = f"/fal/{fal_queue.APP}/requests/{{id}}"
    return [
        Route("/fal/.well-known/jwks.json", _jwks, methods=["GET"]),
        Route("/fal/v1/models", door.asks(platform.models), methods=["GET"]),
        Route("/fal/v1/models/pricing", door.asks(platform.pricing), methods=["GET"]),
        Route("/fal/v1/models/requests/by-endpoint", door.asks(platform.history), methods=["GET"]),
        Route(one, door.asks(queue.result), methods=["GET"]),
        Route(one + "/status", door.asks(queue.status), methods=["GET"]),
        Route(one + "/cancel", door.asks(queue.cancel), methods=["PUT"]),
        Route("/fal/{endpoint:path}", door.creates(queue.submit), methods=["POST"]),
    ]


def webhook(clip: domain.Clip, now: datetime) -> webhooks.Message:
    """The callback of an ended request, signed with the key in `/fal/.well-known/jwks.json`."""
    fault = fal_queue.fault_of(clip)
    told = {
        "request_id": clip.id,
        "gateway_request_id": clip.id,
        "status": "ERROR" if fault else "OK",
        "payload": fault.body() if fault else fal_queue.output(clip, clip.order.base_url),
        "error": f"Unexpected status code: {fault.status}" if fault else None,
    }
    body, timestamp = json.dumps(told).encode(), str(int(now.timestamp()))
    signed = "\n".join((clip.id, _USER, timestamp, hashlib.sha256(body).hexdigest())).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Fal-Webhook-Request-Id": clip.id,
        "X-Fal-Webhook-User-Id": _USER,
        "X-Fal-Webhook-Timestamp": timestamp,
        "X-Fal-Webhook-Signature": _SIGNER.sign(signed).hex(),
    }
    return webhooks.Message(clip.order.callback_url or "", body, headers)


async def _jwks(request: Request) -> Response:
    public = base64.urlsafe_b64encode(_SIGNER.public_key().public_bytes_raw()).decode().rstrip("=")
    return JSONResponse({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "sandbox", "use": "sig", "x": public}]})


def _key(request: Request) -> str:
    return fields.credential(request, "key")


class _Platform:
    def __init__(self, door: stage.Stage) -> None:
        self._stage = door

    async def models(self, request: Request, key: str) -> Response:
        shown = [{"endpoint_id": one, "metadata": _metadata(one)} for one in _asked_for(request)]
        return _page("models", shown)

    async def pricing(self, request: Request, key: str) -> Response:
        price = {"unit_price": domain.MICROS_PER_SECOND / 1e6, "unit": "seconds", "currency": "USD"}
        return _page("prices", [{"endpoint_id": one, **price} for one in _asked_for(request)])

    async def history(self, request: Request, key: str) -> Response:
        query = request.query_params
        asked = _asked_for(request)
        limit = fields.whole(query.get("limit", "50"), "limit", _PAGE)
        start = fields.whole(query.get("cursor", "0"), "cursor", range(10**9))
        wanted = query.get("status") and fields.one_of(query["status"], "status", _OUTCOMES)
        since, until = (fields.time(query.get(name), name) for name in ("start", "end"))
        found = [
            clip
            for clip in fields.own(self._stage, key)
            if clip.ended_at
            and clip.order.model in asked
            and query.get("request_id", clip.id) == clip.id
            and wanted in (None, _outcome(clip))
            and (since is None or since <= clip.ended_at)
            and (until is None or clip.ended_at < until)
        ]
        found.sort(key=lambda clip: clip.ended_at or clip.created_at, reverse=True)
        payloads_at = str(request.base_url) if "payloads" in query.get("expand", "") else None
        items = [_item(clip, payloads_at) for clip in found[start : start + limit]]
        return _page("items", items, str(start + limit) if len(found) > start + limit else None)


def _page(name: str, shown: list[dict[str, Any]], cursor: str | None = None) -> Response:
    return JSONResponse({name: shown, "next_cursor": cursor, "has_more": cursor is not None})


def _asked_for(request: Request) -> list[str]:
    """The endpoints named in the query, all of them when none is. Raises Refused."""
    named = [one for value in request.query_params.getlist("endpoint_id") for one in value.split(",")]
    for one in named:
        if one not in fal_queue.ENDPOINTS:
            said = f"There is no endpoint '{one[:80]}'; there are: {', '.join(fal_queue.ENDPOINTS)}."
            raise wire.Refused(404, "not_found", said)
    return named or list(fal_queue.ENDPOINTS)


def _metadata(endpoint: str) -> dict[str, Any]:
    category = "image-to-video" if endpoint == fal_queue.FROM_PICTURE else "text-to-video"
    return {"display_name": "Sandbox reel", "category": category, "status": "active", "tags": []}


def _outcome(clip: domain.Clip) -> str:
    fault = fal_queue.fault_of(clip)
    return "success" if fault is None else "error" if fault.status >= 500 else "user_error"


def _item(clip: domain.Clip, payloads_at: str | None) -> dict[str, Any]:
    fault = fal_queue.fault_of(clip)
    shown = {
        "request_id": clip.id,
        "endpoint_id": clip.order.model,
        "started_at": fields.moment(clip.created_at),
        "sent_at": fields.moment(clip.created_at),
        "ended_at": fields.moment(clip.ended_at),
        "status_code": fault.status if fault else 200,
        "duration": fal_queue.took_s(clip),
    }
    if payloads_at is None:
        return shown
    output = fault.body() if fault else fal_queue.output(clip, payloads_at)
    return shown | {"json_input": clip.order.notes["input"], "json_output": output}
