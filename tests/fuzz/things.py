"""Things of every kind in a house, and their ids, so that strangers also try what is there."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

Known = dict[str, list[str]]
"""Ids by the name that addresses have for them."""

_FILMS = 3
_LIKELY = 0.7
_BOARD = {
    "name": "Tried",
    "size": {"width": 640, "height": 360},
    "characters": [{"name": "Ada"}],
    "locations": [{"name": "A pier"}],
    "props": [{"name": "A lantern"}],
    "scenes": [{"subject": "A boat", "duration": "1s"}, {"subject": "A wave", "duration": "1s", "model": ""}],
}
_WAITS, _POLL_S = 600, 0.2


async def make(address: str, token: str) -> Known:
    """Films with everything that belongs to one, and what stands for itself."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"{address}/v1", headers=headers, timeout=30) as rest:
        known: Known = {"number": ["1"], "header.If-Match": ["*"]}
        for told in await asyncio.gather(*(_film(rest) for _ in range(_FILMS))):
            for name, ids in told.items():
                known.setdefault(name, []).extend(ids)
        for name, path, body in _alone():
            made = await _made(rest, path, body)
            known[name] = [next(it["id"] for it in (made, *made.values()) if isinstance(it, dict) and "id" in it)]
        known["session_id"] = [one["id"] for one in (await rest.get("/sessions")).json()["sessions"]][:1]
        known["webhook_delivery_id"] = [
            (await _made(rest, f"/webhooks/{known['webhook_endpoint_id'][0]}:test", None))["id"]
        ]
    return {name: ids for name, ids in known.items() if ids}


def _alone() -> list[tuple[str, str, dict[str, Any]]]:
    nowhere = "http://127.0.0.1:1"
    key = {"endpoint": "sandbox-fal", "name": f"Tried {uuid.uuid4()}", "key": "none", "base_url": nowhere}
    stop = {"scope": "SCOPE_ENDPOINT", "target": "sandbox-veo", "reason": "Tried"}
    return [
        ("credential_id", "/credentials", key),
        ("webhook_endpoint_id", "/webhooks", {"url": f"{nowhere}/hook", "event_types": ["job.*"]}),
        ("api_token_id", "/tokens", {"name": "Tried", "role": "ROLE_VIEWER"}),
        ("spend_switch_id", "/spend_switches", stop),
    ]


async def _film(rest: httpx.AsyncClient) -> Known:
    board = await _made(rest, "/storyboards", _BOARD)
    place = f"/storyboards/{board['id']}"
    plan = await _made(rest, f"{place}:plan", {})
    terms = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"]}
    production = await _made(rest, f"{place}/productions", terms)
    production = await _ended(rest, production["id"])
    takes = (await rest.get(f"{place}/takes")).json()["takes"]
    share = (await _made(rest, f"/films/{production['film_id']}/shares", {}))["share"]
    return {
        "storyboard_id": [board["id"]],
        "scene_id": [scene["id"] for scene in board["scenes"]],
        "thing_id": [board[kind][0]["id"] for kind in ("characters", "locations", "props")],
        "quote_id": [plan["quote_id"]],
        "production_id": [production["id"]],
        "job_id": [job["id"] for job in production["jobs"]],
        "submission_id": [job["submission_id"] for job in production["jobs"]],
        "take_id": [take["id"] for take in takes],
        "film_id": [production["film_id"]],
        "share_id": [share["id"]],
    }


async def _ended(rest: httpx.AsyncClient, production_id: str) -> dict[str, Any]:
    for _ in range(_WAITS):
        production: dict[str, Any] = (await rest.get(f"/productions/{production_id}")).json()
        if production["state"] == "STATE_SUCCEEDED":
            return production
        await asyncio.sleep(_POLL_S)
    raise TimeoutError(f"{production_id} is {production['state']}")


async def _made(rest: httpx.AsyncClient, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    made = await rest.post(path, json=body, headers={"idempotency-key": str(uuid.uuid4())})
    if made.is_error:
        raise RuntimeError(f"{path}: {made.status_code} {made.text}")
    told: dict[str, Any] = made.json()
    return told


def dictionaries(known: Mapping[str, list[str]]) -> str:
    """As schemathesis has them: what is known is tried more often than not."""
    lines = ["\n[dictionaries]"]
    lines += [f"{json.dumps(name)} = {{ values = {json.dumps(ids)} }}" for name, ids in known.items()]
    lines.append("\n[parameters]")
    lines += [f"{json.dumps(name)} = {{ dictionary = {json.dumps(name)}, probability = {_LIKELY} }}" for name in known]
    return "\n".join(lines) + "\n"
