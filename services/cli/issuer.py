"""The local token issuer: who the person at this machine is, signed with a key that never leaves the home."""

import datetime
import json
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt import algorithms

from services.cli import environment, house

_LIFETIME = datetime.timedelta(days=365)
_RENEWED_BEFORE_END = datetime.timedelta(days=30)


def prepare(of: house.House, now: datetime.datetime) -> None:
    """Make the key pair, jwks.json and the token, or whichever of them is missing, foreign or about to expire."""
    key = _key(of)
    public = algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    kid = str(public["x"])[:16]
    published = {"keys": [public | {"kid": kid, "alg": "EdDSA", "use": "sig"}]}
    house.write_private(of.folder / "jwks.json", json.dumps(published, indent=1))
    if fault(of, now + _RENEWED_BEFORE_END) is not None:
        house.write_private(of.token, _sign(key, kid, now))


def fault(of: house.House, now: datetime.datetime) -> str | None:
    """What is wrong with the token at that moment; None when the services would accept it."""
    try:
        published = json.loads((of.folder / "jwks.json").read_text())["keys"][0]
        claims = jwt.decode(
            of.token.read_text().strip(),
            jwt.PyJWK(published),
            algorithms=["EdDSA"],
            audience=environment.AUDIENCE,
            issuer=environment.ISSUER,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (OSError, ValueError, LookupError, jwt.InvalidTokenError, jwt.PyJWKError) as error:
        return f"the token does not fit jwks.json ({error})"
    return _out_of_time(claims["iat"], claims["exp"], now.timestamp())


def _out_of_time(issued: float, expires: float, now: float) -> str | None:
    if now >= expires:
        return "the token has expired"
    if now < issued - 60:
        return "the token was issued in the future: the clock of this machine went back"
    return None


def _key(of: house.House) -> ed25519.Ed25519PrivateKey:
    path = of.folder / "issuer.pem"
    if path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(loaded, ed25519.Ed25519PrivateKey):
            return loaded
    made = ed25519.Ed25519PrivateKey.generate()
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    house.write_private(path, pem.decode())
    return made


def _sign(key: ed25519.Ed25519PrivateKey, kid: str, now: datetime.datetime) -> str:
    claims = {
        "iss": environment.ISSUER,
        "aud": environment.AUDIENCE,
        "sub": "local",
        "tenant": "local",
        "roles": ["owner", "operator"],
        "iat": now,
        "exp": now + _LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})
