"""Access tokens of Google's cloud: the key itself, or what a service account's key is exchanged for.

https://developers.google.com/identity/protocols/oauth2/service-account
"""

import asyncio
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_URIS = {"https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token"}
_ASSERTED_S = 3600
_SPARE_S = 120


class Tokens:
    """The tokens of one key: a key in JSON is a service account's, any other is a token and sent as it is.

    A service account may name a place to exchange its key: only Google's and the endpoint's own are gone to.
    """

    def __init__(
        self, endpoint: providers.Endpoint, wire: exchange.Wire, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint, self._wire, self._clock = endpoint, wire, clock
        self._one_at_a_time = asyncio.Lock()
        self._token, self._good_until = "", 0.0

    async def headers(self) -> dict[str, str]:
        """What a call proves itself with. Raises KeyRefused, ProviderAway."""
        if not self._endpoint.key.lstrip().startswith("{"):
            return {"Authorization": f"Bearer {self._endpoint.key}"}
        async with self._one_at_a_time:
            if self._clock() >= self._good_until:
                await self._exchange()
        return {"Authorization": f"Bearer {self._token}"}

    async def _exchange(self) -> None:
        now, account = self._clock(), self._account()
        form = urllib.parse.urlencode({"grant_type": _GRANT, "assertion": assertion(account, now)})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer, told = await exchange.ask(self._wire.call("POST", account["token_uri"], headers, form.encode()))
        if answer.status in (400, 401, 403):
            raise providers.KeyRefused("Google refused the service account's key; make a new one.")
        token = told.get("access_token") if isinstance(told, dict) and answer.is_success else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            raise exchange.away(answer, None, self._endpoint.key)
        lives_s = told.get("expires_in")
        self._token = token
        self._good_until = now + (lives_s if isinstance(lives_s, int) else _ASSERTED_S) - _SPARE_S

    def _account(self) -> Mapping[str, str]:
        try:
            account = json.loads(self._endpoint.key)
        except ValueError:
            account = None
        names = ("client_email", "private_key", "token_uri")
        if not isinstance(account, dict) or not all(isinstance(account.get(name), str) for name in names):
            raise providers.KeyRefused(f"The key is no service account's: it should be JSON with {', '.join(names)}.")
        uri = exchange.address(account["token_uri"])
        if uri is None or not (uri in _TOKEN_URIS or exchange.is_at(uri, self._endpoint)):
            raise providers.KeyRefused("The token_uri of the service account's key is not Google's.")
        return account


def assertion(account: Mapping[str, Any], now: float) -> str:
    """What the service account signs to get a token. Raises KeyRefused."""
    claims = {
        "iss": account["client_email"],
        "scope": _SCOPE,
        "aud": account["token_uri"],
        "iat": int(now),
        "exp": int(now) + _ASSERTED_S,
    }
    try:
        return jwt.encode(claims, account["private_key"], algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise providers.KeyRefused("The private_key of the service account's key is not readable.") from None
