"""Encrypts providers' keys: each version under a data key of its own, which a key from outside the database wraps."""

import base64
import hmac
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import cryptography.exceptions
import pydantic
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs import errors

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FINGERPRINTS = b"rushes fingerprints"
_KEK_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class VaultLocked(errors.Conflict):
    """The vault is locked: what opens it is not here; the operator gives it with RUSHES_VAULT_KEYS_FILE."""


class VaultTampered(Exception):
    """What lies in a row was not sealed for it; the message names the row."""


class Secret:
    """A text that only `reveal` shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one version of a credential keeps; no webhook secret is an empty one."""

    key: Secret
    webhook_secret: Secret


@dataclass(frozen=True, slots=True)
class Facts:
    """Whose secrets they are: sealed for one row and version, they open for no other."""

    tenant_id: str
    endpoint: str
    credential_id: str
    key_version: int

    def bound(self) -> bytes:
        """The additional authenticated data. No tenant and no id holds the separator, so no two rows have the same."""
        return f"v1|{self.tenant_id}|{self.endpoint}|{self.credential_id}|{self.key_version}".encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """As it lies in the database: which outer key wraps the data key, that, and what it encrypts; nonces in front."""

    kek_id: str
    wrapped_key: bytes
    ciphertext: bytes


def _keys(given: object) -> Mapping[str, bytes]:
    """All or none, and no fault quotes anything: who mixes up ids and keys must not read them in a log."""
    try:
        found = {str(name): base64.b64decode(key, validate=True) for name, key in dict(given).items()}  # type: ignore[call-overload]
    except (TypeError, ValueError):
        found = {}
    if not found or any(len(key) != _KEY_BYTES or not _KEK_ID.fullmatch(name) for name, key in found.items()):
        raise ValueError(
            "should map ids of at most 64 letters, digits, `.`, `_` and `-` to 32 random bytes in base64, "
            "as `openssl rand -base64 32` prints them"
        )
    return found


class Keks(pydantic.BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True):
    """The key-encryption keys by id: `current` seals, the others only open until everything is wrapped anew."""

    current: str
    keys: Annotated[Mapping[str, bytes], pydantic.PlainValidator(_keys)] = pydantic.Field(repr=False)

    @pydantic.model_validator(mode="after")
    def _has_current(self) -> Self:
        if self.current not in self.keys:
            raise ValueError("`current` should be the id of one of the keys")
        return self


class Vault:
    """Seals and opens with the key-encryption keys it is given; without any it is locked.

    AES-256-GCM with random 96-bit nonces: a data key encrypts once in its life, and an outer key may wrap 2**32 of
    them (NIST SP 800-38D, 8.3).
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._keys, self.current = dict(keys), current

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._keys)})"

    @property
    def kek_ids(self) -> frozenset[str]:
        """The outer keys that are here."""
        return frozenset(self._keys)

    def seal(self, secrets: Secrets, facts: Facts) -> Sealed:
        """Encrypt under a new data key. Raises VaultLocked."""
        data_key = AESGCM.generate_key(_KEY_BYTES * 8)
        plain = json.dumps([secrets.key.reveal(), secrets.webhook_secret.reveal()]).encode()
        return Sealed(self.current, _closed(self._kek(self.current), data_key, facts), _closed(data_key, plain, facts))

    def open(self, sealed: Sealed, facts: Facts) -> Secrets:
        """The secrets. Raises VaultLocked when the outer key is not here, VaultTampered."""
        plain = _opened(self._unwrapped(sealed, facts), sealed.ciphertext, facts)
        key, webhook_secret = json.loads(plain)
        return Secrets(Secret(key), Secret(webhook_secret))

    def rewrap(self, sealed: Sealed, facts: Facts) -> Sealed:
        """The same ciphertext, its data key wrapped by the current outer key. Raises VaultLocked, VaultTampered."""
        data_key = self._unwrapped(sealed, facts)
        return Sealed(self.current, _closed(self._kek(self.current), data_key, facts), sealed.ciphertext)

    def fingerprint(self, data: bytes) -> str:
        """By which `matches` knows the same data again, and nobody without the outer key. Raises VaultLocked."""
        return f"{self.current}:{_fingerprint(self._kek(self.current), data)}"

    def matches(self, fingerprint: str, data: bytes) -> bool:
        """Whether it was taken of this data; never, once its outer key is gone."""
        kek_id, _, digest = fingerprint.rpartition(":")
        kek = self._keys.get(kek_id)
        return kek is not None and hmac.compare_digest(digest, _fingerprint(kek, data))

    def _unwrapped(self, sealed: Sealed, facts: Facts) -> bytes:
        return _opened(self._kek(sealed.kek_id), sealed.wrapped_key, facts)

    def _kek(self, kek_id: str) -> bytes:
        if kek_id not in self._keys:
            raise VaultLocked
        return self._keys[kek_id]


def of(keks: Keks | None) -> Vault:
    """The vault that these settings open."""
    return Vault(keks.keys, keks.current) if keks else Vault({}, "")


def _closed(key: bytes, plain: bytes, facts: Facts) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, facts.bound())


def _opened(key: bytes, closed: bytes, facts: Facts) -> bytes:
    try:
        return AESGCM(key).decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], facts.bound())
    except (cryptography.exceptions.InvalidTag, ValueError):
        raise VaultTampered(f"{facts.credential_id}, key version {facts.key_version}") from None


def _fingerprint(kek: bytes, data: bytes) -> str:
    return hmac.digest(hmac.digest(kek, _FINGERPRINTS, "sha256"), data, "sha256").hex()
