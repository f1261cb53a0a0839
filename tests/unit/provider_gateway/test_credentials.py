"""The rules of credentials: where keys may go, what is shown of them, what a request may say."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from google.protobuf import field_mask_pb2

from rushes.provider_gateway.v1 import credential_pb2, provider_gateway_service_pb2
from services.provider_gateway import credential_wire, credentials, vault, wire

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
HOME = "https://api.openai.com/v1"
GOOD: Mapping[str, Any] = {
    "request_id": "6f0c5c0e-6d4b-4a53-9d0e-0d8e1b1f8f11",
    "endpoint": "openai",
    "name": "main",
    "key": "sk-canary-0123456789abcdef",
}
SAFE = vault.Vault({"a": b"k" * 32}, "a")


def created(**more: Any) -> credentials.Credential:
    request = provider_gateway_service_pb2.CreateCredentialRequest(**{**GOOD, **more})
    return credential_wire.new(request, "acme", NOW)


def faults(home: str = HOME, private: bool = True, needs: Sequence[str] = (), **more: Any) -> dict[str, str]:
    """What is wrong with such a request, by field."""
    request = provider_gateway_service_pb2.CreateCredentialRequest(**{**GOOD, **more})
    try:
        credential_wire.check_create(request, credential_wire.Terms(home, private, needs))
    except wire.BadRequest as bad:
        told = {violation.field: violation.description for violation in bad.violations}
    else:
        told = {}
    assert "canary" not in str(told.values())
    return told


@pytest.mark.parametrize(
    "address",
    ["https://video.example/v1", "https://video.example:8443", "https://8.8.8.8/", "https://[2606:4700::1111]/v1"],
)
def test_a_public_address_is_good_everywhere(address: str) -> None:
    assert credentials.address_fault(address, private=False) == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://video.example/v1",
        "https://localhost/v1",
        "https://localhost./v1",
        "https://db/",
        "https://printer.local/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.0x1/",
        "https://10.1.2.3:8443/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://\uff11\uff12\uff17.0.0.1/",
    ],
)
def test_a_private_address_is_good_among_friends_only(address: str) -> None:
    assert credentials.address_fault(address, private=True) == ""
    assert "public host" in credentials.address_fault(address, private=False)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9.0xfe.0xa9.0xfe",
        "169.16689662",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.100.100.200",
        "metadata.google.internal",
        "METADATA.google.internal.",
    ],
)
def test_where_clouds_tell_their_secrets_no_key_goes(host: str) -> None:
    assert "tells its machines" in credentials.address_fault(f"http://{host}/v1", private=True)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "video.example/v1",
        "/v1",
        "ftp://video.example",
        "file:///etc/passwd",
        "https://",
        "https://user@video.example",
        "https://user:password@video.example",
        "https://video.example/?key=1",
        "https://video.example/#a",
        "https://[::1",
        "https://video.example:99999/",
    ],
)
def test_what_is_no_address_of_a_server_is_good_nowhere(address: str) -> None:
    assert credentials.address_fault(address, private=True)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("sk-0123", True),
        ('{"type": "service_account",\n "private_key": "-----BEGIN"}', True),
        ("", False),
        ("sk-0123\n", False),
        (" sk-0123", False),
        ("sk 0123", False),
        ("sk-0123\r\nX-Evil: 1", False),
        ("schlüssel", False),
        ("[1,\n2]", False),
        ("[\n" * 100_000, False),
    ],
)
def test_a_key_is_one_word_or_a_document(key: str, good: bool) -> None:
    assert (credentials.key_fault(key) == "") is good


def test_a_document_becomes_one_line_and_a_word_stays() -> None:
    account = {"type": "service_account", "private_key": "-----BEGIN\nabc\n"}
    line = credentials.one_line(json.dumps(account, indent=2))
    assert (json.loads(line), line.isprintable()) == (account, True)
    assert credentials.one_line("sk-0123") == "sk-0123"


@pytest.mark.parametrize(
    ("key", "hint"), [("a", ""), ("abc", ""), ("abcd", "d"), ("abcdefgh", "gh"), ("a" * 12 + "wxyz", "wxyz")]
)
def test_a_hint_shows_a_quarter_at_most(key: str, hint: str) -> None:
    secrets = vault.Secrets(vault.Secret(key), vault.Secret(""))
    assert credentials.sealed(created(), secrets, SAFE).key_hint == hint


def test_a_good_request() -> None:
    assert faults() == {}
    more = {"base_url": "http://127.0.0.1:8000/v1", "settings": {"project": "film"}, "webhook_secret": "whsec_1"}
    assert faults(**more, per_minute=10, most_at_once=1) == {}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"request_id": "seven"}, "request_id"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": " a"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "of sk-canary-0123456789abcdef"}, "name"),
        ({"key": ""}, "key"),
        ({"key": "canary\n"}, "key"),
        ({"key": "k" * 16385}, "key"),
        ({"webhook_secret": "canary "}, "webhook_secret"),
        ({"base_url": "nowhere"}, "base_url"),
        ({"base_url": "https://x.example/" + "a" * 1000}, "base_url"),
        ({"base_url": "https://x.example/sk-canary-0123456789abcdef"}, "base_url"),
        ({"base_url": "http://127.0.0.1", "private": False}, "base_url"),
        ({"home": ""}, "base_url"),
        ({"settings": {"Project": "x"}}, "settings"),
        ({"settings": {"project": ""}}, "settings[project]"),
        ({"settings": {"project": "sk-canary-0123456789abcdef"}}, "settings[project]"),
        ({"needs": ("project", "bucket"), "settings": {"project": "film"}}, "settings"),
        ({"settings": {f"name{number}": "x" for number in range(33)}}, "settings"),
        ({"per_minute": -1}, "per_minute"),
        ({"most_at_once": 1_000_001}, "most_at_once"),
    ],
)
def test_a_faulty_request_names_its_field(more: dict[str, Any], field: str) -> None:
    assert list(faults(**more)) == [field]


def test_every_fault_is_told_at_once() -> None:
    assert set(faults(request_id="", name="", key="", base_url="x")) == {"request_id", "name", "key", "base_url"}


def changed(paths: list[str], home: str = HOME, needs: Sequence[str] = (), **wanted: Any) -> Mapping[str, Any]:
    request = provider_gateway_service_pb2.UpdateCredentialRequest(
        credential=credential_pb2.Credential(**wanted), update_mask=field_mask_pb2.FieldMask(paths=paths)
    )
    return credential_wire.changes(created(), request, credential_wire.Terms(home, True, needs))


def test_only_what_the_mask_names_changes() -> None:
    disabled = credential_pb2.Credential.STATE_DISABLED
    assert changed(["name"], name="other", per_minute=-7) == {"name": "other"}
    assert changed(["state"], state=disabled) == {"state": credentials.State.DISABLED}
    assert changed(["settings"], settings={"project": "film"}) == {"settings": {"project": "film"}}
    assert changed(["name"], needs=("project",), name="other") == {"name": "other"}
    assert changed(["base_url"], base_url="https://api.openai.com/v2") == {"base_url": "https://api.openai.com/v2"}


@pytest.mark.parametrize(
    ("paths", "wanted", "field"),
    [
        ([], {}, "update_mask"),
        (["key_version"], {}, "update_mask"),
        (["id", "name"], {"name": "a"}, "update_mask"),
        (["name"], {}, "credential.name"),
        (["state"], {}, "credential.state"),
        (["state"], {"state": 7}, "credential.state"),
        (["settings"], {"settings": {"project": ""}}, "credential.settings[project]"),
        (["settings"], {"needs": ("project",)}, "credential.settings"),
        (["base_url"], {"base_url": "nowhere"}, "credential.base_url"),
        (["base_url"], {"base_url": "https://evil.example/v1"}, "credential.base_url"),
        (["base_url"], {"base_url": "http://api.openai.com/v1"}, "credential.base_url"),
        (["base_url"], {"base_url": "https://api.openai.com:444/v1"}, "credential.base_url"),
    ],
)
def test_a_faulty_change_names_its_field(paths: list[str], wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(wire.BadRequest) as bad:
        changed(paths, **wanted)
    assert [violation.field for violation in bad.value.violations] == [field]


def test_a_rotated_key_has_not_been_judged() -> None:
    before = credentials.sealed(created(), vault.Secrets(vault.Secret("a"), vault.Secret("")), SAFE)
    after = credentials.rotated(before, NOW + datetime.timedelta(days=1))
    assert (after.id, after.key_version, after.verified_at, after.refusal) == (before.id, 2, None, "")
    assert before.sealed
    with pytest.raises(vault.VaultTampered):
        SAFE.open(before.sealed, after.facts)


def test_a_message_has_no_place_for_a_key() -> None:
    secrets = vault.Secrets(vault.Secret(GOOD["key"]), vault.Secret("whsec_canary"))
    shown = credential_wire.message(credentials.sealed(created(), secrets, SAFE))
    assert (shown.key_hint, shown.has_webhook_secret) == ("cdef", True)
    assert "canary" not in str(shown)
