"""What the vault seals opens for its own row and version only."""

import base64
import copy
import dataclasses
import json

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.provider_gateway import vault

OLD, NEW = {"2026-10": b"o" * 32}, {"2026-11": b"n" * 32}
FACTS = vault.Facts("acme", "openai", "cred_1", 1)
SECRETS = vault.Secrets(vault.Secret("sk-canary-0123456789"), vault.Secret("whsec_canary"))


def texts(of: vault.Secrets) -> tuple[str, str]:
    return of.key.reveal(), of.webhook_secret.reveal()


@pytest.fixture
def safe() -> vault.Vault:
    return vault.Vault(OLD, "2026-10")


@given(key=st.text(min_size=1), webhook_secret=st.text())
@settings(max_examples=50)
def test_what_goes_in_comes_out(key: str, webhook_secret: str) -> None:
    safe, secrets = vault.Vault(OLD, "2026-10"), vault.Secrets(vault.Secret(key), vault.Secret(webhook_secret))
    assert texts(safe.open(safe.seal(secrets, FACTS), FACTS)) == (key, webhook_secret)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant_id": "evil"},
        {"endpoint": "gemini"},
        {"credential_id": "cred_2"},
        {"key_version": 2},
        {"tenant_id": "acme|openai", "endpoint": ""},
    ],
)
def test_a_row_does_not_open_as_another(safe: vault.Vault, other: dict[str, object]) -> None:
    elsewhere = dataclasses.replace(FACTS, **other)  # type: ignore[arg-type]
    with pytest.raises(vault.VaultTampered, match=elsewhere.credential_id):
        safe.open(safe.seal(SECRETS, FACTS), elsewhere)
    with pytest.raises(vault.VaultTampered):
        safe.rewrap(safe.seal(SECRETS, FACTS), elsewhere)


@pytest.mark.parametrize("part", ["wrapped_key", "ciphertext"])
def test_no_bit_can_be_flipped(safe: vault.Vault, part: str) -> None:
    sealed = safe.seal(SECRETS, FACTS)
    value = getattr(sealed, part)
    for bit in range(8 * len(value)):
        bent = bytearray(value)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(vault.VaultTampered):
            safe.open(dataclasses.replace(sealed, **{part: bytes(bent)}), FACTS)
    for length in (0, 11, 12, len(value) - 1):
        with pytest.raises(vault.VaultTampered):
            safe.open(dataclasses.replace(sealed, **{part: value[:length]}), FACTS)


def test_the_parts_of_two_rows_cannot_be_mixed(safe: vault.Vault) -> None:
    one, two = safe.seal(SECRETS, FACTS), safe.seal(SECRETS, FACTS)
    with pytest.raises(vault.VaultTampered):
        safe.open(dataclasses.replace(one, ciphertext=two.ciphertext), FACTS)


def test_nothing_is_sealed_the_same_way_twice(safe: vault.Vault) -> None:
    sealed = [safe.seal(SECRETS, FACTS) for _ in range(100)]
    assert len({one.wrapped_key[:12] for one in sealed} | {one.ciphertext[:12] for one in sealed}) == 200
    assert not any(b"canary" in one.ciphertext for one in sealed)


def test_another_outer_key_of_the_same_id_opens_nothing(safe: vault.Vault) -> None:
    with pytest.raises(vault.VaultTampered):
        vault.Vault({"2026-10": b"x" * 32}, "2026-10").open(safe.seal(SECRETS, FACTS), FACTS)


def test_after_rewrapping_the_old_key_is_not_needed(safe: vault.Vault) -> None:
    sealed = safe.seal(SECRETS, FACTS)
    moved = vault.Vault(OLD | NEW, "2026-11").rewrap(sealed, FACTS)
    assert (moved.kek_id, moved.ciphertext) == ("2026-11", sealed.ciphertext)
    assert texts(vault.Vault(NEW, "2026-11").open(moved, FACTS)) == texts(SECRETS)
    with pytest.raises(vault.VaultLocked):
        safe.open(moved, FACTS)


def test_a_vault_without_keys_is_locked() -> None:
    locked = vault.of(None)
    for attempt in (lambda: locked.seal(SECRETS, FACTS), lambda: locked.fingerprint(b"x")):
        with pytest.raises(vault.VaultLocked, match="RUSHES_VAULT_KEYS_FILE"):
            attempt()
    assert not locked.matches(":", b"x")


def test_a_fingerprint_knows_its_data_and_needs_the_key(safe: vault.Vault) -> None:
    taken = safe.fingerprint(b"request")
    assert safe.matches(taken, b"request")
    assert vault.Vault(OLD | NEW, "2026-11").matches(taken, b"request")
    assert not safe.matches(taken, b"another")
    assert not vault.Vault(NEW, "2026-11").matches(taken, b"request")
    assert not vault.Vault({"2026-10": b"x" * 32}, "2026-10").matches(taken, b"request")


def test_a_secret_shows_itself_to_nobody_who_did_not_ask(safe: vault.Vault) -> None:
    shown = [
        f"{SECRETS.key} {SECRETS.key!r} {SECRETS.key!s:>20} {SECRETS} %s" % SECRETS.key,
        json.dumps({"key": SECRETS.key}, default=str),
        repr(copy.copy(SECRETS)),
        repr(safe),
        repr(vault.Keks(current="a", keys={"a": base64.b64encode(b"k" * 32).decode()})),  # type: ignore[dict-item]
    ]
    assert not [text for text in shown if "canary" in text or "kkk" in text or "whsec" in text]
    assert "***" in shown[0]


GOOD = base64.b64encode(b"k" * 32).decode()


def test_keys_are_read_from_settings() -> None:
    keks = vault.Keks.model_validate({"current": "b", "keys": {"a": GOOD, "b": GOOD}})
    assert vault.of(keks).kek_ids == {"a", "b"}
    assert vault.of(keks).current == "b"


@pytest.mark.parametrize(
    "told",
    [
        {"current": "a", "keys": {}},
        {"current": "b", "keys": {"a": GOOD}},
        {"current": "a", "keys": {"a": GOOD[:-4]}},
        {"current": "a", "keys": {"a": "not base64 at all"}},
        {"current": "a", "keys": {"a": 7}},
        {"current": GOOD, "keys": {GOOD: "a"}},
        {"current": "a", "keys": [GOOD]},
        {"current": "a", "keys": {"a": GOOD}, "more": 1},
    ],
)
def test_keys_that_are_no_good_are_refused_without_quoting_them(told: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        vault.Keks.model_validate(told)
    assert GOOD not in str(caught.value)
    assert not any(GOOD in str(fault["loc"]) for fault in caught.value.errors())
