"""Who looks at a page, as its head says it: asked of the service that knows, at most every 30 seconds for each."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import grpc.aio
from google.protobuf import timestamp_pb2
from starlette import datastructures, types

from rushes.access.v1 import session_service_pb2 as pb
from rushes.type.v1 import access_pb2
from services.studio.rest import calls

_KNOWN_FOR_S, _ASKED_S = 30.0, 2.0
_REMEMBERED = 4096
_PLACE = "rushes.person"
_WITHOUT_HEAD = ("/static/", "/media/", "/s/", "/healthz", "/readyz")


class Person(NamedTuple):
    """Whoever looks; `guest_until` is when a guest's work is forgotten."""

    name: str
    roles: str
    tenant: str
    is_operator: bool
    guest_until: timestamp_pb2.Timestamp | None


class Known:
    """An application around the pages that knows who looks; a page that cannot be told says less."""

    def __init__(
        self, inside: types.ASGIApp, services: calls.Services, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inside, self._services, self._clock = inside, services, clock
        self._known: OrderedDict[bytes, tuple[float, Person]] = OrderedDict()

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """One request; parts of a page have no head."""
        headers = datastructures.Headers(scope=scope)
        told = headers.get("authorization", "")
        if told and "hx-request" not in headers and not scope["path"].startswith(_WITHOUT_HEAD):
            scope = {**scope, _PLACE: await self._person(told)}
        await self._inside(scope, receive, send)

    async def _person(self, told: str) -> Person | None:
        digest = hashlib.sha256(told.encode()).digest()
        asked_at, known = self._known.get(digest, (float("-inf"), None))
        if known is None or self._clock() >= asked_at + _KNOWN_FOR_S:
            try:
                known = await self._ask(told)
            except grpc.aio.AioRpcError:
                return None  # if it matters, the page's own questions are refused too
            self._known[digest] = (self._clock(), known)
            self._known.move_to_end(digest)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known

    async def _ask(self, told: str) -> Person:
        metadata = (("authorization", told if told.isascii() and told.isprintable() else "Bearer ?"),)
        call = self._services.stub("sessions.GetCaller")
        caller = (await call(pb.GetCallerRequest(), timeout=_ASKED_S, metadata=metadata)).caller
        roles = ["guest"] if caller.guest else [_word(role) for role in caller.roles]
        return Person(
            caller.name or caller.subject,
            ", ".join(roles).capitalize(),
            "" if caller.guest else caller.tenant_id,
            access_pb2.ROLE_OPERATOR in caller.roles,
            caller.expire_time if caller.guest else None,
        )


def looking(scope: types.Scope) -> Person | None:
    """Who looks; None for a stranger, and for whom the services cannot tell now."""
    return scope.get(_PLACE)


def _word(role: access_pb2.Role.ValueType) -> str:
    return access_pb2.Role.Name(role).removeprefix("ROLE_").lower()
