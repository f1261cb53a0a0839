"""Who is asking: a bearer token becomes a caller, or is refused."""

import asyncio
import contextlib
import contextvars
import hashlib
import json
import logging
import re
import time
import urllib.parse
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import jwt

from libs import errors

log = logging.getLogger(__name__)

_ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
# A tenant is also a segment of the keys of its media, and `*` is the scope of the whole house.
_TENANT = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")
ROLES = frozenset({"owner", "editor", "viewer", "operator", "service"})
"""What a token may name; other words in its claim `roles` are the issuer's own business."""
GUEST = "guest"
"""The role of those who have no token of an issuer, and so none that a token may name."""
CLIENT = "rushes-client"
"""The metadata in which a program says what it is."""
_SCOPE = "rushes:"
_CLAIMS = ["exp", "iat", "iss", "aud", "sub"]
_LEEWAY_S = 10
_REFETCH_S = 30
_FIRST_FETCH_S = 1
_FETCH_TIMEOUT_S = 5
_REMEMBERED = 4096


class TokenMissing(errors.Unauthenticated):
    """No bearer token was sent; send the metadata `authorization: Bearer <token>`."""


class TokenInvalid(errors.Unauthenticated):
    """The bearer token is not accepted ({why}); get a new one from the issuer this house trusts."""


class TokenExpired(errors.Unauthenticated):
    """The bearer token has expired; get a new one."""


class KeysUnavailable(errors.Unavailable):
    """The issuer's keys cannot be read, so no token can be checked; check RUSHES_AUTH_JWKS_URL and retry."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as the token says: everything done for them stays inside their tenant.

    `scopes` are the calls that the token is good for: None for all that the roles allow. `client` is the program they
    ask by, as that says itself: it is for people to read, and gives no right.
    """

    tenant_id: str
    subject: str
    roles: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)
    scopes: frozenset[str] | None = None
    client: str = "api"


_caller: contextvars.ContextVar[Caller] = contextvars.ContextVar("caller")


def caller() -> Caller:
    """The caller this code acts for. Raises TokenMissing when nobody was authenticated."""
    try:
        return _caller.get()
    except LookupError:
        raise TokenMissing from None


def act_as(someone: Caller) -> None:
    """Make `caller()` answer with someone from here on, in this task and in those it begins."""
    _caller.set(someone)


@contextlib.contextmanager
def acting_as(someone: Caller) -> Iterator[None]:
    """Make `caller()` answer with someone, inside the block."""
    reset = _caller.set(someone)
    try:
        yield
    finally:
        _caller.reset(reset)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the issuer calls the claims of ours: most let a claim be added under any name, some only under a URL."""

    tenant: str = "tenant"
    roles: str = "roles"


_CLAIMS_OF_OURS = Claims()


class Verifies(Protocol):
    """Knows callers by what they send."""

    async def verify(self, token: str) -> Caller:
        """The caller of this token. Raises Unauthenticated, Denied or Unavailable."""


class Verifier:
    """Checks tokens with the keys at a `file://` or `https://` address; one issuer, any of these audiences.

    Keys are kept; an unknown key id fetches them again, at most every 30 seconds; a failed fetch keeps the
    last good ones. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        jwks_url: str,
        issuer: str,
        audiences: Sequence[str],
        clock: Callable[[], float] = time.time,
        claims: Claims = _CLAIMS_OF_OURS,
    ) -> None:
        if urllib.parse.urlsplit(jwks_url).scheme not in ("file", "https"):
            raise ValueError("the address of the keys should begin with file:// or https://")
        self._url, self._issuer, self._audiences, self._clock = jwks_url, issuer, audiences, clock
        self._claims = claims
        self._keys: dict[str, jwt.PyJWK] = {}
        self._verified: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._fetching = asyncio.Lock()
        self._fetched_at = float("-inf")

    async def refresh(self) -> int:
        """Read the keys anew, and forget what the old ones vouched for; 0, so that it can be a loop's tick.

        Raises KeysUnavailable, with the last good keys kept.
        """
        try:
            keys = await asyncio.to_thread(_read_keys, self._url)
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise KeysUnavailable from error
        finally:
            self._fetched_at = self._clock()
        self._keys = keys
        self._verified.clear()
        return 0

    async def verify(self, token: str) -> Caller:
        """The caller of this token. Raises TokenMissing, TokenInvalid, TokenExpired or KeysUnavailable."""
        if not token:
            raise TokenMissing
        digest = hashlib.sha256(token.encode()).digest()
        if digest not in self._verified:
            claims = _checked(token, await self._key_of(token), self._issuer, self._audiences)
            self._remember(digest, float(claims["exp"]), _caller_of(claims, self._claims, token))
        expires_at, someone = self._verified[digest]
        self._verified.move_to_end(digest)
        if self._clock() >= expires_at + _LEEWAY_S:
            del self._verified[digest]
            raise TokenExpired
        return someone

    def _remember(self, digest: bytes, expires_at: float, someone: Caller) -> None:
        self._verified[digest] = (expires_at, someone)
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
        except jwt.PyJWTError:
            raise TokenInvalid(why="it is not a signed JWT") from None
        if key_id not in self._keys:
            await self._refetch_for(key_id)
        if key_id not in self._keys:
            raise TokenInvalid(why="no key of the issuer signed it")
        return self._keys[key_id]

    async def _refetch_for(self, key_id: str) -> None:
        pause = _REFETCH_S if self._keys else _FIRST_FETCH_S
        async with self._fetching:  # whoever waited here finds what the one before it fetched
            if key_id not in self._keys and self._clock() >= self._fetched_at + pause:
                try:
                    await self.refresh()
                except KeysUnavailable:
                    log.warning("jwks_fetch_failed", exc_info=True)
        if not self._keys:
            raise KeysUnavailable


def _read_keys(url: str) -> dict[str, jwt.PyJWK]:
    if url.startswith("file:"):
        path = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
        document = json.loads(Path(path).read_bytes())
    else:
        document = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_FETCH_TIMEOUT_S).fetch_data()
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document) if key.algorithm_name in _ALGORITHMS}
    return {key_id: key for key_id, key in keys.items() if key_id}


def _checked(token: str, key: jwt.PyJWK, issuer: str, audiences: Sequence[str]) -> dict[str, Any]:
    options: Any = {"require": _CLAIMS, "enforce_minimum_key_length": True}
    try:
        return jwt.decode(
            token, key, [key.algorithm_name], options, audience=audiences, issuer=issuer, leeway=_LEEWAY_S
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except jwt.PyJWTError as error:
        raise TokenInvalid(why=str(error)) from None


def _caller_of(claims: dict[str, Any], named: Claims, token: str) -> Caller:
    tenant, subject, roles = claims.get(named.tenant), claims["sub"], claims.get(named.roles, [])
    if not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
        raise TokenInvalid(why=f"its `{named.tenant}` should be 1 to 100 of a-z, 0-9, `_`, `-` and `.`")
    if not subject:
        raise TokenInvalid(why="its `sub` should be a non-empty text")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenInvalid(why=f"its `{named.roles}` should be a list of texts")
    return Caller(tenant, subject, ROLES.intersection(roles), token, _scopes(claims))


def _scopes(claims: dict[str, Any]) -> frozenset[str] | None:
    """Those of the claim `scope` (RFC 8693) that are ours; None when there are none, and so nothing is limited here."""
    said = claims.get("scope", "")
    words = said.split() if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TokenInvalid(why="its `scope` should be a text, or a list of texts")
    return frozenset(word for word in words if word.startswith(_SCOPE)) or None
