"""Credentials between protobuf and their rules; checks requests, does no I/O, and quotes no key."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs import errors, ids, moments
from rushes.provider_gateway.v1 import credential_pb2, provider_gateway_service_pb2
from services.provider_gateway import credentials, wire

EDITABLE = ("name", "base_url", "settings", "state", "per_minute", "most_at_once")

_NAME_CHARACTERS = 100
_KEY_CHARACTERS = 16384
_URL_CHARACTERS = 1000
_MOST_SETTINGS = 32
_MOST_LIMIT = 1_000_000
_STATES = (credential_pb2.Credential.STATE_ENABLED, credential_pb2.Credential.STATE_DISABLED)
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TELLING = 8  # a shorter key is found in many a word by chance

Faults = Iterator[errors.Violation]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an endpoint asks of a credential: an address, unless it has a `home` of its own, and some settings.

    `private` lets keys go to http and private addresses.
    """

    home: str
    private: bool
    needs: Sequence[str] = ()


def check_create(request: provider_gateway_service_pb2.CreateCredentialRequest, terms: Terms) -> None:
    """Raises BadRequest."""
    faults = [*_plain_faults(request, terms), *_address_faults(request.base_url, terms)]
    faults += _secret_faults(request.key, request.webhook_secret)
    try:
        uuid.UUID(request.request_id)
    except ValueError:
        faults.append(errors.Violation("request_id", "should be a UUID that you choose once for this credential"))
    shown = {"name": request.name, "base_url": request.base_url}
    shown |= {f"settings[{name}]": value for name, value in request.settings.items()}
    for field, text in shown.items():
        if len(request.key) >= _TELLING and request.key in text:
            faults.append(errors.Violation(field, "holds the key, which belongs in `key` alone: this here is shown"))
    _raise(faults)


def check_rotate(request: provider_gateway_service_pb2.RotateCredentialRequest) -> None:
    """Raises BadRequest."""
    _raise([*_secret_faults(request.key, request.webhook_secret)])


def changes(
    before: credentials.Credential,
    request: provider_gateway_service_pb2.UpdateCredentialRequest,
    terms: Terms,
) -> Mapping[str, Any]:
    """The fields that change, and what they become. Raises BadRequest."""
    paths, wanted = set(request.update_mask.paths), request.credential
    faults = [
        errors.Violation("update_mask", f"names {path!r}; what can be changed is {', '.join(EDITABLE)}")
        for path in sorted(paths - set(EDITABLE))
    ]
    if not paths:
        faults.append(errors.Violation("update_mask", f"should name what changes, of {', '.join(EDITABLE)}"))
    rules = [*_plain_faults(wanted, terms), *_address_faults(wanted.base_url, terms), *_state_faults(wanted.state)]
    for rule in rules:
        if rule.field.partition("[")[0] in paths:
            faults.append(errors.Violation(f"credential.{rule.field}", rule.description))
    home = terms.home
    if not faults and "base_url" in paths and credentials.is_moved(before.base_url or home, wanted.base_url or home):
        why = "is another server; a key is sent only to the one it was installed for: create a credential for that one"
        faults.append(errors.Violation("credential.base_url", why))
    _raise(faults)
    return {path: _value(wanted, path) for path in paths}


def new(
    request: provider_gateway_service_pb2.CreateCredentialRequest, tenant_id: str, now: datetime
) -> credentials.Credential:
    """The credential of a request, before its secrets are sealed."""
    return credentials.Credential(
        id=ids.new("cred"),
        tenant_id=tenant_id,
        endpoint=request.endpoint,
        name=request.name,
        base_url=request.base_url,
        settings=dict(request.settings),
        per_minute=request.per_minute,
        most_at_once=request.most_at_once,
        key_hint="",
        has_webhook_secret=False,
        sealed=None,
        created_at=now,
        rotated_at=now,
    )


def message(value: credentials.Credential) -> credential_pb2.Credential:
    """A credential as callers see it."""
    return credential_pb2.Credential(
        id=value.id,
        endpoint=value.endpoint,
        name=value.name,
        base_url=value.base_url,
        settings=value.settings,
        state=credential_pb2.Credential.State.Value(f"STATE_{value.state}"),
        key_version=value.key_version,
        key_hint=value.key_hint,
        has_webhook_secret=value.has_webhook_secret,
        per_minute=value.per_minute,
        most_at_once=value.most_at_once,
        etag=value.etag,
        create_time=moments.stamp(value.created_at),
        rotate_time=moments.stamp(value.rotated_at),
        verify_time=moments.stamp(value.verified_at),
        use_time=moments.stamp(value.used_at),
        refusal=value.refusal,
    )


def _plain_faults(
    of: provider_gateway_service_pb2.CreateCredentialRequest | credential_pb2.Credential, terms: Terms
) -> Faults:
    if not 1 <= len(of.name) <= _NAME_CHARACTERS or of.name.strip() != of.name or not of.name.isprintable():
        yield errors.Violation("name", f"should be one line of 1 to {_NAME_CHARACTERS} characters")
    for field in ("per_minute", "most_at_once"):
        if not 0 <= getattr(of, field) <= _MOST_LIMIT:
            yield errors.Violation(field, f"should be 0 for the endpoint's own limit, or 1 to {_MOST_LIMIT}")
    if len(of.settings) > _MOST_SETTINGS:
        yield errors.Violation("settings", f"should be {_MOST_SETTINGS} at most")
    if missing := [name for name in terms.needs if name not in of.settings]:
        yield errors.Violation("settings", f"should hold {', '.join(missing)}, which this endpoint needs")
    for name, value in of.settings.items():
        if not _SETTING.fullmatch(name):
            yield errors.Violation("settings", "should have names such as `project`: small letters, digits and `_`")
        elif not 1 <= len(value) <= _URL_CHARACTERS or not value.isprintable():
            yield errors.Violation(f"settings[{name}]", f"should be one line of 1 to {_URL_CHARACTERS} characters")


def _address_faults(base_url: str, terms: Terms) -> Faults:
    if not base_url and not terms.home:
        yield errors.Violation("base_url", "should be the address of your server; this endpoint has none of its own")
    elif len(base_url) > _URL_CHARACTERS:
        yield errors.Violation("base_url", f"should be {_URL_CHARACTERS} characters at most")
    elif base_url and (why := credentials.address_fault(base_url, terms.private)):
        yield errors.Violation("base_url", why)


def _state_faults(state: "credential_pb2.Credential.State.ValueType") -> Faults:
    if state not in _STATES:
        yield errors.Violation("state", "should be STATE_ENABLED or STATE_DISABLED")


def _secret_faults(key: str, webhook_secret: str) -> Faults:
    given = {"key": key} | ({"webhook_secret": webhook_secret} if webhook_secret else {})
    for field, text in given.items():
        if len(text) > _KEY_CHARACTERS:
            yield errors.Violation(field, f"should be {_KEY_CHARACTERS} characters at most")
        elif why := credentials.key_fault(text):
            yield errors.Violation(field, why)


def _value(wanted: credential_pb2.Credential, path: str) -> Any:
    if path == "state":
        return credentials.State(credential_pb2.Credential.State.Name(wanted.state).removeprefix("STATE_"))
    return dict(wanted.settings) if path == "settings" else getattr(wanted, path)


def _raise(faults: list[errors.Violation]) -> None:
    if faults:
        raise wire.BadRequest(faults)
