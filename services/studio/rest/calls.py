"""Answers a route: one call of one service, as its caller, and what came of it as JSON."""

import hashlib
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message
from starlette import requests, responses

from libs import auth, blobs, telemetry
from services.studio.rest import binding, problems, refusals, routes, shapes

CALL_S = 15.0
_COSTLY = ("jobs.RetryJob", "jobs.ApproveProduction", "jobs.ResumeProduction")
"""What can cost money besides, and is safe to repeat by its meaning."""
_HEARD = ("idempotency-replayed", "ratelimit-policy", "ratelimit")
_ASIDES = "rushes.asides"


class Services:
    """The services behind, called as whoever sent the request."""

    def __init__(
        self, channels: Mapping[str, grpc.aio.Channel], store: blobs.Blobs, clock: Callable[[], datetime]
    ) -> None:
        self.channels, self.store, self.clock = channels, store, clock
        self._stubs: dict[str, Any] = {}
        self._with_asides: dict[str, bool] = {}

    def stub(self, name: str) -> Any:
        """The call of this name, such as "jobs.GetJob", as grpc.aio has it."""
        if name not in self._stubs:
            call = routes.find(name)
            channel = self.channels[call.channel]
            kind = call.method
            make = {
                (False, False): channel.unary_unary,
                (False, True): channel.unary_stream,
                (True, False): channel.stream_unary,
            }[kind.client_streaming, kind.server_streaming]
            self._stubs[name] = make(call.path, call.request.SerializeToString, call.response.FromString)
            self._with_asides[name] = call.is_counted or "request_id" in call.request.DESCRIPTOR.fields_by_name
        return self._stubs[name]

    async def ask(self, name: str, request: requests.Request, asked: message.Message) -> Any:
        """The answer of one call; what it says besides is kept for `asides`. Raises AioRpcError."""
        call = self.stub(name)(asked, timeout=CALL_S, metadata=bearer(request))
        if not self._with_asides[name]:
            return await call
        try:
            answered = await call
        except grpc.aio.AioRpcError as fault:
            _hear(request, fault.trailing_metadata())
            raise
        _hear(request, await call.trailing_metadata())
        return answered


class Asked:
    """A request to a route, and all that is needed to answer it."""

    __slots__ = ("body", "message", "path", "request", "route", "services")

    def __init__(
        self,
        services: Services,
        route: routes.Route,
        request: requests.Request,
        path: Mapping[str, str],
        told: message.Message,
    ) -> None:
        self.services, self.route, self.request, self.path = services, route, request, path
        self.message: Any = told
        self.body: dict[str, Any] = {}

    async def ask(self, name: str, asked: message.Message) -> Any:
        """The answer of another call. Raises AioRpcError."""
        return await self.services.ask(name, self.request, asked)


class Door:
    """One route that is open: it reads the request, asks, and answers or says what was wrong."""

    def __init__(self, services: Services, route: routes.Route) -> None:
        self._services, self.route = services, route
        self.binding = binding.Binding(route, routes.find(route.call))

    async def __call__(self, request: requests.Request, path: Mapping[str, str]) -> responses.Response:
        """The answer; never raises Refusal or AioRpcError."""
        try:
            told = await self.binding.fill(request, path)
            asked = Asked(self._services, self.route, request, path, told)
            if self.route.asks:
                asked.body = await binding.an_object(request)
            if self.route.do:
                return await self.route.do(asked)
            return answer(asked, await asked.ask(self.route.call, told))
        except grpc.aio.AioRpcError as fault:
            return self._refuse(refusals.of(fault), request, path)
        except refusals.Refusal as refused:
            return self._refuse(refused, request, path)

    def _refuse(
        self, refused: refusals.Refusal, request: requests.Request, path: Mapping[str, str]
    ) -> responses.Response:
        if refused.status == 409 and request.headers.get("if-match", "*") != "*" and _is_stale(refused):
            refused.status = 412
        body = "" if self.route.body == "*" else self.route.body or self.route.answer
        told = problems.of(refused, request, path, body, self.route.paid or self.route.call in _COSTLY)
        return problems.response(told, refused)


def answer(asked: Asked, told: message.Message) -> responses.Response:
    """What the service said, as the route has it."""
    route = asked.route
    part = getattr(told, route.answer) if route.answer else told
    headers = {"cache-control": "no-store"}
    if etag := getattr(part, "etag", ""):
        headers["etag"] = f'"{etag}"'
    if token := getattr(told, "next_page_token", ""):
        headers["link"] = f'<{_next(asked.request, token)}>; rel="next"'
    if route.location:
        headers["location"] = route.location.format_map({**asked.path, "id": getattr(part, "id", "")})
    if not told.DESCRIPTOR.fields:
        return responses.Response(status_code=204, headers=headers)
    return unless_seen(asked.request, written(part, route.status, headers))


def unless_seen(request: requests.Request, response: responses.Response) -> responses.Response:
    """The answer to a read, with an ETag; 304 when that is one of those that the reader has.

    Where nothing can be changed by its ETag, it is a weak one of the bytes, which no If-Match can mean.
    """
    if request.method not in ("GET", "HEAD") or response.status_code != 200:
        return response
    if "etag" not in response.headers:
        response.headers["etag"] = f'W/"{hashlib.blake2b(response.body, digest_size=12).hexdigest()}"'
    etag, seen = response.headers["etag"], request.headers.get("if-none-match", "")
    if seen.strip() != "*" and _plain(etag) not in map(_plain, seen.split(",")):
        return response
    kept = {name: response.headers[name] for name in ("etag", "cache-control", "link") if name in response.headers}
    return responses.Response(status_code=304, headers=kept)


def written(told: message.Message, status: int, headers: Mapping[str, str]) -> responses.Response:
    """A message as a JSON answer."""
    content = dumped(shapes.shape(told.DESCRIPTOR).write(told))
    return responses.Response(content, status, dict(headers), "application/json")


def dumped(told: Any) -> bytes:
    """JSON, as short as it can be."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def bearer(request: requests.Request) -> tuple[tuple[str, str], ...]:
    """Call metadata: the caller's own token, whoever that is, what they ask by, and the trace we are in."""
    told, client = request.headers.get("authorization", ""), request.headers.get(auth.CLIENT, "")
    named = ((auth.CLIENT, client),) * (bool(client) and _is_plain(client))
    printable = told if _is_plain(told) else "Bearer ?"
    return (("authorization", printable),) * bool(told) + named + tuple(telemetry.current().items())


def _is_plain(told: str) -> bool:
    return told.isascii() and told.isprintable()


def asides(request: requests.Request) -> Mapping[str, str]:
    """Headers that the calls behind this request had to say: it was done before; what is left of a limit."""
    told: Mapping[str, str] = request.scope.get(_ASIDES, {})
    return told


def _hear(request: requests.Request, trailers: Iterable[tuple[str, Any]]) -> None:
    request.scope.setdefault(_ASIDES, {}).update((name, said) for name, said in trailers if name in _HEARD)


def _plain(etag: str) -> str:
    return etag.strip().removeprefix("W/")


def _is_stale(refused: refusals.Refusal) -> bool:
    return refused.reason in ("STORYBOARD_CHANGED", "PERSON_CHANGED", "CREDENTIAL_STALE", "WEBHOOK_ENDPOINT_STALE")


def _next(request: requests.Request, token: str) -> str:
    given = [pair for pair in request.query_params.multi_items() if pair[0] != "page_token"]
    return f"{request.url.path}?{urllib.parse.urlencode([*given, ('page_token', token)])}"
