"""Knows callers by API tokens and sessions, which one service keeps and the others ask it about."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from libs import auth, errors, rpc
from rushes.access.v1 import session_service_pb2, session_service_pb2_grpc, token_service_pb2_grpc
from rushes.access.v1 import token_service_pb2 as pb
from rushes.type.v1 import access_pb2

PREFIX = "rushes_token_"
"""How every API token begins: scanners of leaked keys look for it, and no JWT begins so."""
SESSION = "rushes_session_"
"""How the secret of every session begins."""
KNOWN_FOR_S = 30.0
"""How long an answer counts: so late is a revocation heard of."""
_REMEMBERED = 4096
_CALL_S = 5.0

Identify = Callable[[str], Awaitable[auth.Caller]]
"""Whose such a token is. Raises Unauthenticated or Unavailable."""


class TokensUnavailable(errors.Unavailable):
    """The service that knows API tokens and sessions is out of reach; retry in a moment."""


class Verifier:
    """Asks about tokens by how they begin, at most every 30 seconds for each, and leaves all others to the issuer's.

    What is refused is remembered as well: whoever tries the same wrong token again costs nothing.
    """

    def __init__(
        self, issuer: auth.Verifies, identify: Mapping[str, Identify], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer, self._identify, self._clock = issuer, identify, clock
        self._known: OrderedDict[bytes, tuple[float, auth.Caller | errors.Unauthenticated]] = OrderedDict()

    async def verify(self, token: str) -> auth.Caller:
        """The caller of this token. Raises as the issuer's verifier, or TokensUnavailable."""
        identify = next((ask for prefix, ask in self._identify.items() if token.startswith(prefix)), None)
        if identify is None:
            return await self._issuer.verify(token)
        digest = hashlib.sha256(token.encode()).digest()
        asked_at, found = self._known.get(digest, (float("-inf"), None))
        if found is None or self._clock() >= asked_at + KNOWN_FOR_S:
            found = await _asked(identify, token)
            self._remember(digest, found)
        if isinstance(found, errors.Unauthenticated):
            raise type(found)(**found.facts)
        return found

    def _remember(self, digest: bytes, found: auth.Caller | errors.Unauthenticated) -> None:
        self._known[digest] = (self._clock(), found)
        self._known.move_to_end(digest)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def asking(address: str, encrypted: rpc.Tls | None = None) -> Mapping[str, Identify]:
    """Asks the service at `host:port`. Needs a running event loop from its first call on."""
    opened: list[grpc.aio.Channel] = []

    def channel() -> grpc.aio.Channel:
        if not opened:
            opened.append(rpc.connect(address, encrypted))
        return opened[0]

    async def token(secret: str) -> auth.Caller:
        stub, request = token_service_pb2_grpc.TokenServiceStub(channel()), pb.IdentifyApiTokenRequest(secret=secret)
        said = await _heard(stub.IdentifyApiToken(request, timeout=_CALL_S))
        return caller(said.tenant_id, said.api_token, secret)

    async def session(secret: str) -> auth.Caller:
        stub = session_service_pb2_grpc.SessionServiceStub(channel())
        request = session_service_pb2.IdentifySessionRequest(secret=secret)
        said = await _heard(stub.IdentifySession(request, timeout=_CALL_S))
        return person(said.tenant_id, said.session, secret)

    return {PREFIX: token, SESSION: session}


def caller(tenant_id: str, known: pb.ApiToken, token: str) -> auth.Caller:
    """Who calls with this API token."""
    role = access_pb2.Role.Name(known.role).removeprefix("ROLE_").lower()
    scopes = frozenset(known.scopes) or None
    return auth.Caller(tenant_id, f"token:{known.id}", frozenset({role}), token, scopes)


def person(tenant_id: str, known: session_service_pb2.Session, token: str) -> auth.Caller:
    """Who is signed in with this session."""
    roles = frozenset(access_pb2.Role.Name(role).removeprefix("ROLE_").lower() for role in known.roles)
    return auth.Caller(tenant_id, known.subject, roles, token)


async def _asked(identify: Identify, token: str) -> auth.Caller | errors.Unauthenticated:
    try:
        return await identify(token)
    except errors.Unauthenticated as refusal:
        return refusal


async def _heard(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except grpc.aio.AioRpcError as fault:
        if fault.code() is grpc.StatusCode.UNAUTHENTICATED:
            raise auth.TokenInvalid(why="none that is known is like it, or it was taken back, or has expired") from None
        raise TokensUnavailable from fault
