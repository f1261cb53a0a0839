"""A small OpenID provider over real HTTP: it signs in whoever comes, and lies on request."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import secrets
import time
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastapi
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import algorithms
from starlette import requests, responses

from libs import auth, web

CLIENT, SECRET, AUDIENCE = "studio", "s3cret of the studio", "rushes"


class OpenId:
    """`person` are claims of whoever signs in next; `id_claims`, `access_claims` and `answer` replace what is true."""

    def __init__(self, address: str, callback: str, folder: Path) -> None:
        self.issuer, self._callback, self._folder = f"http://{address}", callback, folder
        self.person: dict[str, Any] = {"sub": "ada", "name": "Ada Lovelace", "tenant": "acme", "roles": ["editor"]}
        self.id_claims: dict[str, Any] = {}
        self.access_claims: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.away = False
        self.turn_key("one")

    def turn_key(self, kid: str) -> None:
        """From now on another key signs."""
        self.key, self.kid = _key(kid), kid
        self.published = self._folder / "openid.json"
        public = algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.published.write_text(json.dumps({"keys": [public | {"kid": kid, "alg": "RS256", "use": "sig"}]}))

    def verifier(self) -> auth.Verifier:
        """What a service makes of its settings."""
        return auth.Verifier(self.published.as_uri(), self.issuer, [AUDIENCE])

    def sign(self, **claims: Any) -> str:
        """A token of ours."""
        now = int(time.time())
        told = {"iss": self.issuer, "iat": now, "exp": now + 300} | claims
        told = {name: claim for name, claim in told.items() if claim is not None}
        return jwt.encode(told, self.key, algorithm="RS256", headers={"kid": self.kid})

    def app(self) -> fastapi.FastAPI:
        """What is served."""
        app = fastapi.FastAPI()
        app.add_api_route("/.well-known/openid-configuration", self._facts)
        app.add_api_route("/authorize", self._authorize)
        app.add_api_route("/token", self._token, methods=["POST"])
        app.add_api_route("/keys", self._keys)
        return app

    def _facts(self) -> responses.Response:
        self.asked.append("facts")
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        told = {name: f"{self.issuer}/{place}" for name, place in places.items()}
        return responses.JSONResponse({"issuer": self.issuer} | told, 503 if self.away else 200)

    def _keys(self) -> responses.Response:
        self.asked.append("keys")
        return responses.Response(self.published.read_bytes(), media_type="application/json")

    def _authorize(self, request: requests.Request) -> responses.Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, self._callback)
        assert (asked["code_challenge_method"], "openid" in asked["scope"].split()) == ("S256", True)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        told = urllib.parse.urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return responses.RedirectResponse(f"{self._callback}?{told}", 303)

    async def _token(self, request: requests.Request) -> responses.Response:
        form = dict(await request.form())
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        assert (kind, base64.b64decode(told).decode()) == ("Basic", f"{CLIENT}:{urllib.parse.quote_plus(SECRET)}")
        asked = self.codes.pop(str(form["code"]), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest())
        if asked is None or asked["code_challenge"] != challenge.decode().rstrip("="):
            return responses.JSONResponse({"error": "invalid_grant"}, 400)
        access = self.sign(**self.person | {"aud": AUDIENCE} | self.access_claims)
        digest = hashlib.sha256(access.encode()).digest()[:16]
        own = {"aud": CLIENT, "nonce": asked["nonce"], "at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("=")}
        named = {name: self.person[name] for name in ("sub", "name") if name in self.person}
        answer = {"access_token": access, "token_type": "Bearer", "id_token": self.sign(**named | own | self.id_claims)}
        return responses.JSONResponse(answer | self.answer)


@functools.cache
def _key(kid: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@contextlib.asynccontextmanager
async def serving(app: Any, address: str) -> AsyncIterator[None]:
    """An application at an address, for a while."""
    stop = asyncio.Event()
    running = asyncio.create_task(web.serve(app, address)(stop))
    try:
        yield
    finally:
        stop.set()
        await running
