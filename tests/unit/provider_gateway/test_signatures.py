import base64
import datetime
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.provider_gateway import providers
from services.provider_gateway.providers import signatures

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
SENT = str(int(NOW.timestamp()))
BODY = b'{"id": "job-1", "note": "\xc3\xa4"}'
KEY = b"a webhook secret of our own"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
SIGNER = ed25519.Ed25519PrivateKey.from_private_bytes(b"s" * 32)

Headers = dict[str, str]
Sign = Callable[..., Headers]
Verify = Callable[[Mapping[str, str], bytes, datetime.datetime], Any]


def standard(body: bytes = BODY, sent: str = SENT, key: bytes = KEY) -> Headers:
    signature = base64.b64encode(hmac.digest(key, f"msg_1.{sent}.".encode() + body, "sha256")).decode()
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": sent, "Webhook-Signature": f"v1,{signature}"}


def openrouter(body: bytes = BODY, sent: str = SENT, key: bytes = KEY) -> Headers:
    return {"X-OpenRouter-Signature": f"t={sent},v1={hmac.digest(key, f'{sent},'.encode() + body, 'sha256').hex()}"}


def fal(body: bytes = BODY, sent: str = SENT, key: bytes = KEY) -> Headers:
    signer = SIGNER if key is KEY else ed25519.Ed25519PrivateKey.generate()
    message = "\n".join(["req-1", "user-1", sent, hashlib.sha256(body).hexdigest()])
    return {
        "X-Fal-Webhook-Request-Id": "req-1",
        "X-Fal-Webhook-User-Id": "user-1",
        "X-Fal-Webhook-Timestamp": sent,
        "X-Fal-Webhook-Signature": signer.sign(message.encode()).hex(),
    }


SCHEMES: dict[str, tuple[Sign, Verify]] = {
    "standard": (standard, lambda headers, body, now: signatures.standard(headers, body, SECRET, now)),
    "openrouter": (openrouter, lambda headers, body, now: signatures.openrouter(headers, body, KEY.decode(), now)),
    "fal": (fal, lambda headers, body, now: signatures.fal(headers, body, [SIGNER.public_key()], now)),
}


@pytest.fixture(params=SCHEMES)
def scheme(request: Any) -> tuple[Sign, Verify]:
    return SCHEMES[request.param]


def test_a_callback_is_known_by_what_was_signed() -> None:
    assert signatures.standard(standard(), BODY, SECRET, NOW) == "msg_1"
    assert signatures.fal(fal(), BODY, [SIGNER.public_key()], NOW) == "req-1"


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_signed_callback_of_these_minutes_is_believed(scheme: tuple[Sign, Verify], off_s: int) -> None:
    sign, verify = scheme
    verify(sign(sent=str(int(SENT) + off_s)), BODY, NOW)
    lowered = {name.lower(): value for name, value in sign().items()}
    verify(lowered, BODY, NOW)


@pytest.mark.parametrize(
    "sent", [str(int(SENT) - 301), str(int(SENT) + 301), "", "soon", "-5", "1" * 13, "²", SENT + "000"]
)
def test_an_old_a_future_and_an_unreadable_time_are_refused(scheme: tuple[Sign, Verify], sent: str) -> None:
    sign, verify = scheme
    with pytest.raises(providers.HintInvalid):
        verify(sign(sent=sent), BODY, NOW)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"job-1", b"job-2")])
def test_a_changed_body_is_refused(scheme: tuple[Sign, Verify], body: bytes) -> None:
    sign, verify = scheme
    with pytest.raises(providers.HintInvalid) as fault:
        verify(sign(), body, NOW)
    assert "job" not in str(fault.value)


def test_another_key_is_refused(scheme: tuple[Sign, Verify]) -> None:
    sign, verify = scheme
    with pytest.raises(providers.HintInvalid):
        verify(sign(key=b"of somebody else"), BODY, NOW)


def test_no_header_may_be_missing_empty_or_changed(scheme: tuple[Sign, Verify]) -> None:
    sign, verify = scheme
    for name, value in sign().items():
        for said in (None, "", value + "1", "ä", "\udcff", "v1=,t="):
            headers = {one: text for one, text in (sign() | {name: said}).items() if text is not None}
            with pytest.raises(providers.HintInvalid):
                verify(headers, BODY, NOW)


def test_one_of_several_standard_signatures_is_enough() -> None:
    ours, theirs = standard(), standard(key=b"the key before the last")
    both = f"v1a,odd {theirs['Webhook-Signature']} {ours['Webhook-Signature']}"
    assert signatures.standard(ours | {"Webhook-Signature": both}, BODY, SECRET, NOW) == "msg_1"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä", "whsec_not base64"])
def test_without_a_secret_nothing_is_believed(secret: str) -> None:
    with pytest.raises(providers.HintInvalid):
        signatures.standard(standard(key=b""), BODY, secret, NOW)
    with pytest.raises(providers.HintInvalid):
        signatures.openrouter(openrouter(key=b""), BODY, "", NOW)
    with pytest.raises(providers.HintInvalid):
        signatures.fal(fal(), BODY, [], NOW)


def test_only_ed25519_keys_are_taken_from_a_key_set() -> None:
    public = SIGNER.public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).decode().rstrip("=")
    good = {"kty": "OKP", "crv": "Ed25519", "x": x}
    odd = [{"kty": "RSA", "n": "AQAB"}, {**good, "crv": "Ed448"}, {**good, "x": "AAAA"}, {**good, "x": "ä"}, "odd", {}]
    (key,) = signatures.ed25519_keys({"keys": [*odd, good]})
    assert key.public_bytes_raw() == public
    for nothing in ({}, [], None, {"keys": {}}, {"keys": "x"}):
        assert signatures.ed25519_keys(nothing) == []
