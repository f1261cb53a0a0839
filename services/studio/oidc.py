"""Signs people in at an OpenID provider: its authorization code flow with PKCE, state and nonce."""

import base64
import hashlib
import hmac
import json
import secrets
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jwt

from services.studio import oidc_answers
from services.studio.oidc_answers import Away, Refused

_ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
_CLAIMS = ["exp", "iat", "iss", "aud", "sub"]
_LEEWAY_S = 10
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_KNOWN_FOR_S, _REFETCH_S = 3600.0, 30.0
_NAMES = ("name", "preferred_username", "email")


class Client(NamedTuple):
    """What the provider knows of us; a client without a secret is a public one."""

    id: str
    secret: str
    scope: str
    callback: str


class Begun(NamedTuple):
    """What a browser keeps while it is away: of no use to anybody else, and good for one answer."""

    state: str
    nonce: str
    verifier: str
    next: str

    def packed(self) -> str:
        """As the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(self, ensure_ascii=False).encode()).decode().rstrip("=")


class Came(NamedTuple):
    """Who came back: the token that the services take, and how the person is called."""

    token: str
    name: str


def unpacked(kept: str) -> Begun | None:
    """What a browser brought back, if it is that."""
    try:
        told = json.loads(base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4)))
    except ValueError:
        return None
    right = isinstance(told, list) and len(told) == len(Begun._fields) and all(isinstance(one, str) for one in told)
    return Begun(*told) if right else None


class Provider:
    """One OpenID provider; what it says of itself is asked for when it is needed, and anew after an hour."""

    def __init__(self, issuer: str, client: Client, name: str, clock: Callable[[], float] = time.time) -> None:
        self.name, self._issuer, self._client, self._clock = name, issuer, client, clock
        self._facts: Mapping[str, str] = {}
        self._facts_at = self._keys_at = float("-inf")
        self._keys: Mapping[str, jwt.PyJWK] = {}

    async def begin(self, next: str) -> tuple[str, Begun]:
        """Where to send a browser, and what it is to bring back. Raises Refused."""
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), next)
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.callback,
            "scope": self._client.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _base64(hashlib.sha256(begun.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        place = (await self._discover())["authorization_endpoint"]
        return f"{place}{'&' if '?' in place else '?'}{urllib.parse.urlencode(asked)}", begun

    async def finish(self, told: Mapping[str, str], begun: Begun | None) -> Came:
        """Who came back with this query. Raises Refused with what the person can do about it."""
        if begun is None or not hmac.compare_digest(told.get("state", "").encode(), begun.state.encode()):
            raise Refused("This answer belongs to no sign-in that was begun in this browser, or it was used already.")
        if told.get("iss", self._issuer) != self._issuer:
            raise Refused("This answer is from another provider than the one that was asked.")
        if "code" not in told:
            raise Refused(f"{self.name} did not sign you in ({told.get('error', 'no code')[:100]}).")
        answer = await self._exchange(told["code"], begun)
        claims = await self._checked(answer, begun.nonce)
        names = [claims[claim] for claim in _NAMES if isinstance(claims.get(claim), str)]
        return Came(str(answer["access_token"]), next(iter(names), "")[:100])

    async def _exchange(self, code: str, begun: Begun) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.callback,
            "code_verifier": begun.verifier,
            "client_id": self._client.id,
        }
        place = (await self._discover())["token_endpoint"]
        answer = await oidc_answers.posted(place, form, (self._client.id, self._client.secret))
        if not isinstance(answer.get("id_token"), str) or not isinstance(answer.get("access_token"), str):
            raise Refused(f"{self.name} gave no token for the code; it may have been used already. Sign in again.")
        return answer

    async def _checked(self, answer: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of the ID token (OpenID Connect Core 3.1.3.7)."""
        token = answer["id_token"]
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                [key.algorithm_name],
                {"require": _CLAIMS, "enforce_minimum_key_length": True},
                audience=self._client.id,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
            )
        except jwt.PyJWTError as fault:
            raise Refused(f"What {self.name} said about you cannot be believed: {fault}.") from None
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self._client.id if len(audiences) == 1 else "") != self._client.id:
            raise Refused(f"What {self.name} said about you is meant for another program.")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Refused(f"What {self.name} said about you belongs to another sign-in.")
        if "at_hash" in claims and claims["at_hash"] != _half(answer["access_token"], key.algorithm_name):
            raise Refused(f"The two tokens of {self.name} do not belong together.")
        return claims

    async def _discover(self) -> Mapping[str, str]:
        if self._clock() >= self._facts_at + _KNOWN_FOR_S:
            told = await oidc_answers.got(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            scheme = self._issuer.partition("://")[0]
            facts = {name: str(told.get(name, "")) for name in _ENDPOINTS}
            if told.get("issuer") != self._issuer:
                raise Away(f"it calls itself {str(told.get('issuer'))[:200]}")
            if not all(url.startswith(("https://", f"{scheme}://")) for url in facts.values()):
                raise Away("its addresses are not to be trusted")
            self._facts, self._facts_at = facts, self._clock()
        return self._facts

    async def _key(self, key_id: str) -> jwt.PyJWK:
        """An unknown one makes us ask anew, at most every 30 seconds. Raises Refused."""
        if key_id not in self._keys and self._clock() >= self._keys_at + _REFETCH_S:
            document = dict(await oidc_answers.got((await self._discover())["jwks_uri"]))
            found = jwt.PyJWKSet.from_dict(document)
            self._keys = {key.key_id: key for key in found if key.key_id and key.algorithm_name in _ALGORITHMS}
            self._keys_at = self._clock()
        if key_id not in self._keys:
            raise Refused(f"No key of {self.name} signed what it said about you.")
        return self._keys[key_id]


def _half(token: str, algorithm: str) -> str:
    """`at_hash` of an access token; Ed25519 hashes with SHA-512."""
    digest = (hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256)(token.encode()).digest()
    return _base64(digest[: len(digest) // 2])


def _base64(told: bytes) -> str:
    return base64.urlsafe_b64encode(told).decode().rstrip("=")
