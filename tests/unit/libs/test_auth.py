import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import algorithms

from libs import auth, errors

ISSUER, AUDIENCE, AUDIENCES = "https://issuer.example", "rushes", ["rushes", "rushes-job"]
KEY = ed25519.Ed25519PrivateKey.generate()
OTHER = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, kid: str, algorithm: str = "EdDSA") -> dict[str, Any]:
    how = algorithms.get_default_algorithms()[algorithm]
    return {**json.loads(how.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def publish(jwks: Path, *keys: dict[str, Any]) -> None:
    jwks.write_text(json.dumps({"keys": keys}))


def spoil(jwks: Path) -> None:
    jwks.write_text("not json")


def token(key: Any = KEY, kid: str = "one", algorithm: str = "EdDSA", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "iat": now, "exp": now + 600}
    claims = {name: claim for name, claim in (claims | changes).items() if claim is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    publish(tmp_path / "jwks.json", public(KEY, "one"))
    return tmp_path / "jwks.json"


@pytest.fixture
def verifier(jwks: Path, clock: Clock) -> auth.Verifier:
    return auth.Verifier(jwks.as_uri(), ISSUER, AUDIENCES, clock)


async def test_a_token_becomes_a_caller(verifier: auth.Verifier) -> None:
    sent = token(roles=["operator"])
    found = await verifier.verify(sent)
    assert found == auth.Caller("acme", "ada", frozenset({"operator"}), sent)
    assert sent not in repr(found)
    assert await verifier.verify(sent) is found


async def test_an_issuer_may_name_the_claims_as_it_must(jwks: Path) -> None:
    named = auth.Claims("https://films.example/tenant", "https://films.example/roles")
    verifier = auth.Verifier(jwks.as_uri(), ISSUER, AUDIENCES, claims=named)
    found = await verifier.verify(token(**{named.tenant: "acme", named.roles: ["viewer"]}, tenant="x", roles=["owner"]))
    assert (found.tenant_id, found.roles) == ("acme", {"viewer"})
    with pytest.raises(auth.TokenInvalid, match=r"films\.example/tenant"):
        await verifier.verify(token())


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
    ],
)
async def test_other_allowed_algorithms(verifier: auth.Verifier, jwks: Path, key: Any, algorithm: str) -> None:
    publish(jwks, public(key, "two", algorithm))
    assert (await verifier.verify(token(key, "two", algorithm))).subject == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-house"},
        {"sub": None},
        {"sub": ""},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
        {"exp": None},
        {"tenant": None},
        {"tenant": ""},
        {"tenant": ["acme"]},
        {"roles": "operator"},
        {"roles": [1]},
    ],
)
async def test_a_claim_that_is_missing_or_wrong(verifier: auth.Verifier, changes: dict[str, Any]) -> None:
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(token(**changes))


def unsigned() -> str:
    return jwt.encode({"sub": "ada", "tenant": "acme"}, "", "none", headers={"kid": "one"})


def signed_with_the_public_key() -> str:
    raw = KEY.public_key().public_bytes_raw()
    return jwt.encode({"sub": "ada", "tenant": "acme"}, raw, "HS256", headers={"kid": "one"})


def tampered() -> str:
    head, _, signature = token().split(".")
    claims = base64.urlsafe_b64encode(b'{"tenant":"other"}').decode().rstrip("=")
    return f"{head}.{claims}.{signature}"


@pytest.mark.parametrize(
    "sent",
    [
        "rubbish",
        "a.b.c",
        "\u0142.\u0142.\u0142",
        token(OTHER),
        token(kid="unknown"),
        tampered(),
        unsigned(),
        signed_with_the_public_key(),
    ],
)
async def test_a_token_nobody_we_trust_has_signed(verifier: auth.Verifier, sent: str) -> None:
    with pytest.raises(auth.TokenInvalid) as refused:
        await verifier.verify(sent)
    assert refused.value.kind is errors.Unauthenticated
    assert sent not in str(refused.value)


async def test_no_token(verifier: auth.Verifier) -> None:
    with pytest.raises(auth.TokenMissing):
        await verifier.verify("")


async def test_an_expired_token_even_one_that_was_good(verifier: auth.Verifier, clock: Clock) -> None:
    now = int(time.time())
    with pytest.raises(auth.TokenExpired):
        await verifier.verify(token(iat=now - 700, exp=now - 60))
    sent = token()
    await verifier.verify(sent)
    clock.now += 611
    with pytest.raises(auth.TokenExpired):
        await verifier.verify(sent)


async def test_an_unknown_key_is_looked_up_at_most_every_thirty_seconds(
    verifier: auth.Verifier, jwks: Path, clock: Clock
) -> None:
    await verifier.verify(token())
    publish(jwks, public(KEY, "one"), public(OTHER, "two"))
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(token(OTHER, "two"))
    clock.now += 31
    assert (await verifier.verify(token(OTHER, "two"))).subject == "ada"


async def test_the_last_good_keys_are_kept(verifier: auth.Verifier, jwks: Path, clock: Clock) -> None:
    await verifier.verify(token())
    spoil(jwks)
    clock.now += 31
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(token(kid="unknown"))
    with pytest.raises(auth.KeysUnavailable):
        await verifier.refresh()
    assert (await verifier.verify(token(sub="bob"))).subject == "bob"


async def test_a_withdrawn_key_vouches_for_nobody(verifier: auth.Verifier, jwks: Path) -> None:
    sent = token()
    await verifier.verify(sent)
    publish(jwks, public(OTHER, "two"))
    assert await verifier.refresh() == 0
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(sent)


async def test_without_any_keys_nobody_is_blamed(verifier: auth.Verifier, jwks: Path, clock: Clock) -> None:
    spoil(jwks)
    for _ in range(2):
        with pytest.raises(auth.KeysUnavailable):
            await verifier.verify(token())
    publish(jwks, public(KEY, "one"))
    clock.now += 2
    assert (await verifier.verify(token())).subject == "ada"


async def test_keys_of_other_kinds_are_passed_over(verifier: auth.Verifier, jwks: Path) -> None:
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode(), "kid": "shared"}
    publish(jwks, secret, {"kty": "new"}, public(KEY, "one"))
    assert (await verifier.verify(token())).subject == "ada"
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(token(b"k" * 32, "shared", "HS256"))


@pytest.mark.parametrize("url", ["http://issuer.example/jwks", "/etc/jwks.json", "ftp://a/b"])
def test_keys_over_an_open_line_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file:// or https://"):
        auth.Verifier(url, ISSUER, AUDIENCES)


@pytest.fixture
def https_issuer(jwks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real HTTPS server with a certificate of its own, serving the folder of the keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "tls.pem").write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/jwks" else 404)
            self.end_headers()
            self.wfile.write(jwks.read_bytes())

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_keys_come_over_https(https_issuer: str) -> None:
    verifier = auth.Verifier(https_issuer + "/jwks", ISSUER, AUDIENCES)
    assert (await verifier.verify(token())).tenant_id == "acme"
    with pytest.raises(auth.KeysUnavailable):
        await auth.Verifier(https_issuer + "/nowhere", ISSUER, AUDIENCES).verify(token())


def test_code_acts_for_one_caller_at_a_time() -> None:
    ada, bob = auth.Caller("acme", "ada"), auth.Caller("acme", "bob")
    with auth.acting_as(ada):
        with auth.acting_as(bob):
            assert auth.caller() is bob
        assert auth.caller() is ada
    with pytest.raises(auth.TokenMissing):
        auth.caller()
