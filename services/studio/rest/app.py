"""The application under /v1 and /api: finds the route, measures, and answers what no route does."""

import hashlib
import json
import logging
import pathlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette import requests, responses, types

from libs import telemetry
from services.studio.rest import calls, founding, founding_ops, problems, refusals, table, tree, videos

log = logging.getLogger(__name__)

_DOCUMENT = pathlib.Path(__file__).with_name("openapi.json")

Answers = Callable[[requests.Request, Mapping[str, str]], Awaitable[responses.Response]]


class App:
    """Everything under /v1 and /api."""

    def __init__(self, services: calls.Services) -> None:
        self._tree = tree.Tree[Answers]()
        for route in table.ROUTES:
            self._tree.add(route.method, route.path, calls.Door(services, route))
        for front in (videos.Videos(services), founding.Founding(services), founding_ops.Ops(services)):
            for method, path, answers in front.routes():
                self._tree.add(method, path, answers)
        written = _DOCUMENT.read_bytes()
        self._reasons: Mapping[str, str] = json.loads(written)["x-problems"]
        self._document, self._version = written, f'"{hashlib.sha256(written).hexdigest()[:24]}"'
        self._tree.add("GET", "/v1/openapi.json", self._show_document)
        self._tree.add("GET", "/v1/problems/{reason}", self._explain)

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """One request."""
        request = requests.Request(scope, receive)
        with telemetry.span(f"{request.method} {request.url.path.split('/')[1]}", request.headers):
            response = await self._answer(request)
        for name, said in calls.asides(request).items():
            response.headers.setdefault(name, said)
        await response(scope, receive, send)

    async def _show_document(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        headers = {"cache-control": "no-cache", "etag": self._version}
        shown = responses.Response(self._document, headers=headers, media_type="application/openapi+json")
        return calls.unless_seen(request, shown)

    async def _explain(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        reason = path["reason"]
        if reason not in self._reasons:
            return _nowhere(request, [])
        return responses.JSONResponse({"reason": reason, "meaning": self._reasons[reason]})

    async def _answer(self, request: requests.Request) -> responses.Response:
        found = self._tree.find(request.method, request.scope["raw_path"])
        if isinstance(found, list):
            return _nowhere(request, found)
        try:
            return await found.what(request, found.told)
        except Exception:
            error_id = secrets.token_hex(8)
            log.exception("request_failed", extra={"error_id": error_id})
            detail = f"Something went wrong on our side; tell the operator this error id: {error_id}."
            return _problem(refusals.Refusal(500, "FAULTY", detail, {"error_id": error_id}), request)


def _nowhere(request: requests.Request, methods: list[str]) -> responses.Response:
    if not methods:
        return _problem(refusals.Refusal(404, "ROUTE_NOT_FOUND", "There is nothing at this address."), request)
    allowed: dict[str, Any] = {"allow": ", ".join(methods)}
    refused = refusals.Refusal(405, "METHOD_NOT_ALLOWED", "This address has no such method.", headers=allowed)
    return _problem(refused, request)


def _problem(refused: refusals.Refusal, request: requests.Request) -> responses.Response:
    return problems.response(problems.of(refused, request, {}), refused)
