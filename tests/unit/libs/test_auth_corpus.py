"""What forgers send: each is refused, and costs the issuer next to nothing."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from libs import auth
from tests.unit.libs.test_auth import ISSUER, KEY, OTHER, Clock, public, publish, token

RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
KEYS = {"one": (KEY, "EdDSA"), "rsa": (RSA, "RS256"), "curve": (CURVE, "ES256"), "short": (SHORT, "RS256")}
NOW = int(time.time())


def claims(**changes: Any) -> dict[str, Any]:
    said = {"iss": ISSUER, "aud": "rushes", "sub": "eve", "tenant": "acme", "roles": ["owner"], "iat": NOW}
    return {name: claim for name, claim in (said | {"exp": NOW + 600} | changes).items() if claim is not None}


def packed(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned(algorithm: str) -> str:
    return f"{packed({'alg': algorithm, 'typ': 'JWT', 'kid': 'one'})}.{packed(claims())}."


def with_public_key(encoding: serialization.Encoding, form: serialization.PublicFormat, algorithm: str) -> str:
    """Signed with what everybody knows, as if it were a secret."""
    secret = RSA.public_key().public_bytes(encoding, form)
    # By hand: the library refuses to sign so.
    head = f"{packed({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{packed(claims())}"
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    mark = base64.urlsafe_b64encode(hmac.new(secret, head.encode(), digest).digest()).decode().rstrip("=")
    return f"{head}.{mark}"


def signed(key: Any = OTHER, algorithm: str = "EdDSA", kid: Any = "one", headers: dict[str, Any] | None = None) -> str:
    return jwt.encode(claims(), key, algorithm, headers={"kid": kid, **(headers or {})})


def with_short_key() -> str:
    head = f"{packed({'alg': 'RS256', 'typ': 'JWT', 'kid': 'short'})}.{packed(claims())}"
    mark = SHORT.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{head}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"


def corpus() -> Iterator[tuple[str, str]]:
    """What it tries, and the token."""
    for algorithm in ("none", "None", "NONE", "nOnE", "", "HS256"):
        yield f"no signature, alg {algorithm!r}", unsigned(algorithm)
    spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        for form in (spki, pkcs1):
            for algorithm in ("HS256", "HS512"):
                yield f"{algorithm} with the RSA key as secret", with_public_key(encoding, form, algorithm)
    stranger = {**public(OTHER, "one")}
    away = {"jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/cert.pem", "jwk": stranger}
    for name, value in away.items():
        yield f"a key of its own by {name}", signed(headers={name: value})
    yield "a header that must be understood", signed(KEY, headers={"crit": ["exp"], "exp": 1})
    yield "another's key", signed()
    yield "another's key under an RSA name", signed(kid="rsa")
    yield "another algorithm of the same key", signed(RSA, "RS512", "rsa")
    yield "another padding of the same key", signed(RSA, "PS256", "rsa")
    yield "a key that is too short", with_short_key()
    yield "a key id that is a path", signed(KEY, kid="../../dev/null")
    yield "a key id that is SQL", signed(KEY, kid="one' OR '1'='1")
    yield "no key id", jwt.encode(claims(), KEY, "EdDSA")
    for name, changes in {
        "another issuer": {"iss": "https://issuer.example.evil.example"},
        "an issuer with a slash more": {"iss": f"{ISSUER}/"},
        "no issuer": {"iss": None},
        "another service's audience": {"aud": "rushes-storyboard"},
        "a longer audience": {"aud": "rushes-job-and-more"},
        "audiences of others": {"aud": ["rushes-storyboard", "elsewhere"]},
        "no audience": {"aud": None},
        "not before tomorrow": {"nbf": NOW + 86_400},
        "issued tomorrow": {"iat": NOW + 86_400},
        "no end": {"exp": None},
        "an end that is no number": {"exp": "never"},
        "no tenant": {"tenant": None},
        "a tenant that is a pattern": {"tenant": "*"},
        "a tenant that is a path": {"tenant": "../acme"},
        "a tenant in capitals": {"tenant": "ACME"},
        "no subject": {"sub": None},
        "a subject that is a list": {"sub": ["ada"]},
        "roles that are a text": {"roles": "owner"},
    }.items():
        yield name, token(**changes)
    yield "an old one", token(iat=NOW - 7200, exp=NOW - 3600)
    whole = token()
    yield "a signature cut short", whole[:-4]
    yield "two signatures", f"{whole}.{whole.rpartition('.')[2]}"
    yield "other claims under a good signature", ".".join([whole.split(".")[0], packed(claims()), whole.split(".")[2]])
    yield "a megabyte", "a" * (1 << 20)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    publish(tmp_path / "jwks.json", *(public(key, kid, algorithm) for kid, (key, algorithm) in KEYS.items()))
    return tmp_path / "jwks.json"


class Counting(auth.Verifier):
    """Counts how often the issuer is asked."""

    fetches = 0

    async def refresh(self) -> int:
        self.fetches += 1
        return await super().refresh()


@pytest.fixture
def verifier(jwks: Path, clock: Clock) -> Counting:
    return Counting(jwks.as_uri(), ISSUER, ["rushes", "rushes-job"], clock)


FORGED = list(corpus())


@pytest.mark.parametrize("sent", [sent for _, sent in FORGED], ids=[name for name, _ in FORGED])
async def test_nothing_that_is_forged_gets_in(verifier: Counting, sent: str) -> None:
    with pytest.raises((auth.TokenInvalid, auth.TokenExpired)):
        await verifier.verify(sent)


@pytest.mark.parametrize("audience", ["rushes", "rushes-job", ["elsewhere", "rushes-job"]])
async def test_a_token_may_be_for_all_services_or_for_this_one(verifier: Counting, audience: Any) -> None:
    assert (await verifier.verify(token(aud=audience))).subject == "ada"


async def test_ten_thousand_unknown_keys_cost_the_issuer_two_questions_a_minute(
    verifier: Counting, clock: Clock
) -> None:
    begun = clock.now
    for number in range(10_000):
        clock.now = begun + 60 * number / 10_000
        head = packed({"alg": "EdDSA", "typ": "JWT", "kid": f"unknown-{number}"})
        with pytest.raises(auth.TokenInvalid):
            await verifier.verify(f"{head}.e30.c2ln")
    assert verifier.fetches == 2


async def test_a_new_key_is_believed_at_once_and_the_old_one_until_it_is_withdrawn(
    verifier: Counting, jwks: Path, clock: Clock
) -> None:
    old = token()
    await verifier.verify(old)
    clock.now += 60
    publish(jwks, public(KEY, "one"), public(OTHER, "next"))
    assert (await verifier.verify(token(OTHER, "next"))).subject == "ada"
    assert (await verifier.verify(old)).subject == "ada"
    assert verifier.fetches == 2
    publish(jwks, public(OTHER, "next"))
    await verifier.refresh()
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(old)
    assert (await verifier.verify(token(OTHER, "next"))).subject == "ada"


async def test_a_key_under_an_old_name_replaces_it(verifier: Counting, jwks: Path) -> None:
    await verifier.verify(token())
    publish(jwks, public(OTHER, "one"))
    await verifier.refresh()
    with pytest.raises(auth.TokenInvalid):
        await verifier.verify(token(sub="bo"))
    assert (await verifier.verify(token(OTHER))).subject == "ada"
