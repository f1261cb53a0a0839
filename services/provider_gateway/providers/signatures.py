"""The signatures of callbacks: who sent these bytes, and when; pure functions over the raw body."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.provider_gateway import providers

TOLERANCE_S = 300
"""How far a callback's time may be from ours, both ways; what all three schemes recommend."""


def standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> str:
    """Verify a Standard Webhook, and return its id, which is the same when it is sent again. Raises HintInvalid.

    HMAC-SHA256 over `id.timestamp.body`; the key is what follows `whsec_`, in base64; any of several signatures may
    be ours (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). So sign
    OpenAI, Replicate and Google.
    """
    id, sent, signatures = _said(headers, "webhook-id", "webhook-timestamp", "webhook-signature")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise providers.HintInvalid("This endpoint has no webhook secret of the form whsec_….")
    signature = base64.b64encode(hmac.digest(key, f"{id}.{sent}.".encode() + body, "sha256"))
    ours = b"v1," + signature
    if not any(hmac.compare_digest(ours, one.encode()) for one in signatures.split(" ")):
        raise _forged()
    _check_time(sent, now)
    return id


def openrouter(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Verify a callback of OpenRouter: `t=TIME,v1=HEX`, HMAC-SHA256 over `TIME,body`. Raises HintInvalid.

    https://openrouter.ai/docs/cookbook/video-generation/video-generation-webhooks.md
    """
    (said,) = _said(headers, "x-openrouter-signature")
    parts = dict(part.strip().split("=", 1) for part in said.split(",") if "=" in part)
    sent = parts.get("t", "")
    if not secret:
        raise providers.HintInvalid("This endpoint has no webhook secret.")
    ours = hmac.digest(secret.encode(), f"{sent},".encode() + body, "sha256").hex()
    if not hmac.compare_digest(ours.encode(), parts.get("v1", "").encode()):
        raise _forged()
    _check_time(sent, now)


def fal(headers: Mapping[str, str], body: bytes, keys: Collection[ed25519.Ed25519PublicKey], now: datetime) -> str:
    """Verify a callback of fal against its public keys, and return its request id. Raises HintInvalid.

    Ed25519 over the lines request id, user id, timestamp and the SHA-256 of the body in hex
    (https://docs.fal.ai/model-endpoints/webhooks).
    """
    names = ("request-id", "user-id", "timestamp", "signature")
    id, user, sent, signature = _said(headers, *(f"x-fal-webhook-{name}" for name in names))
    message = "\n".join((id, user, sent, hashlib.sha256(body).hexdigest())).encode()
    if not any(_is_signed(key, signature, message) for key in keys):
        raise _forged()
    _check_time(sent, now)
    return id


def ed25519_keys(jwks: Any) -> list[ed25519.Ed25519PublicKey]:
    """The Ed25519 keys in a JSON Web Key Set (RFC 8037); whatever else is in it is left out."""
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    return [key for one in listed if (key := _key(one))] if isinstance(listed, list) else []


def _key(jwk: Any) -> ed25519.Ed25519PublicKey | None:
    if not isinstance(jwk, dict) or jwk.get("crv") != "Ed25519":
        return None
    try:
        text = str(jwk.get("x"))
        return ed25519.Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None


def _is_signed(key: ed25519.Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _said(headers: Mapping[str, str], *names: str) -> list[str]:
    lowered = {name.lower(): value for name, value in headers.items()}
    for name in names:
        if not lowered.get(name, "") or not lowered[name].isascii():
            raise providers.HintInvalid(f"Its header {name} is missing, or no ASCII.")
    return [lowered[name] for name in names]


def _forged() -> providers.HintInvalid:
    return providers.HintInvalid("Its signature is not the provider's.")


def _check_time(sent: str, now: datetime) -> None:
    seconds = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 12 else None
    if seconds is None or abs(now.timestamp() - seconds) > TOLERANCE_S:
        raise providers.HintInvalid(f"It was not signed within {TOLERANCE_S} s of now.")
