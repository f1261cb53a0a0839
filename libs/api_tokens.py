"""Knows callers by API tokens, which one service keeps and the others ask it about."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from libs import auth, errors, rpc
from rushes.access.v1 import token_service_pb2 as pb
from rushes.access.v1 import token_service_pb2_grpc
from rushes.type.v1 import access_pb2

PREFIX = "rushes_token_"
"""How every API token begins: scanners of leaked keys look for it, and no JWT begins so."""
KNOWN_FOR_S = 30.0
"""How long an answer counts: so late is a revocation heard of."""
_REMEMBERED = 4096
_CALL_S = 5.0

Identify = Callable[[str], Awaitable[auth.Caller]]
"""Whose an API token is. Raises Unauthenticated or Unavailable."""


class TokensUnavailable(errors.Unavailable):
    """The service that knows API tokens is out of reach; retry in a moment."""


class Verifier:
    """Asks about API tokens, at most every 30 seconds for each, and leaves all others to the issuer's verifier.

    What is refused is remembered as well: whoever tries the same wrong token again costs nothing.
    """

    def __init__(self, issuer: auth.Verifies, identify: Identify, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._identify, self._clock = issuer, identify, clock
        self._known: OrderedDict[bytes, tuple[float, auth.Caller | errors.Unauthenticated]] = OrderedDict()

    async def verify(self, token: str) -> auth.Caller:
        """The caller of this token. Raises as the issuer's verifier, or TokensUnavailable."""
        if not token.startswith(PREFIX):
            return await self._issuer.verify(token)
        digest = hashlib.sha256(token.encode()).digest()
        asked_at, found = self._known.get(digest, (float("-inf"), None))
        if found is None or self._clock() >= asked_at + KNOWN_FOR_S:
            found = await self._ask(token)
            self._remember(digest, found)
        if isinstance(found, errors.Unauthenticated):
            raise type(found)(**found.facts)
        return found

    async def _ask(self, token: str) -> auth.Caller | errors.Unauthenticated:
        try:
            return await self._identify(token)
        except errors.Unauthenticated as refusal:
            return refusal

    def _remember(self, digest: bytes, found: auth.Caller | errors.Unauthenticated) -> None:
        self._known[digest] = (self._clock(), found)
        self._known.move_to_end(digest)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def asking(address: str, encrypted: rpc.Tls | None = None) -> Identify:
    """Asks the service at `host:port`. Needs a running event loop from its first call on."""
    opened: list[token_service_pb2_grpc.TokenServiceStub] = []

    async def identify(token: str) -> auth.Caller:
        if not opened:
            opened.append(token_service_pb2_grpc.TokenServiceStub(rpc.connect(address, encrypted)))
        try:
            said = await opened[0].IdentifyApiToken(pb.IdentifyApiTokenRequest(secret=token), timeout=_CALL_S)
        except grpc.aio.AioRpcError as fault:
            if fault.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise auth.TokenInvalid(why="no API token is like it, or it was taken back, or has expired") from None
            raise TokensUnavailable from fault
        return caller(said.tenant_id, said.api_token, token)

    return identify


def caller(tenant_id: str, known: pb.ApiToken, token: str) -> auth.Caller:
    """Who calls with this API token."""
    role = access_pb2.Role.Name(known.role).removeprefix("ROLE_").lower()
    scopes = frozenset(known.scopes) or None
    return auth.Caller(tenant_id, f"token:{known.id}", frozenset({role}), token, scopes)
