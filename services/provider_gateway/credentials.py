"""The rules of credentials: what one is, what each change does to it, and where its key may be sent."""

import dataclasses
import enum
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import yarl

from libs import egress, errors
from services.provider_gateway import vault

_HINT = 4
_WHOLE_HINT_FROM = 16
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
_TELLING = "metadata.google.internal"  # https://cloud.google.com/compute/docs/metadata/overview
_NUMERIC = re.compile(
    r".*:.*|(.*\.)?(\d+|0x[0-9a-f]*)"
)  # what resolvers take for a number: https://url.spec.whatwg.org


class CredentialNotFound(errors.NotFound):
    """There is no credential {credential_id}."""


class CredentialStale(errors.Stale):
    """Credential {credential_id} has changed since it was read; read it again and repeat the change."""


class CredentialInUse(errors.Conflict):
    """Credential {credential_id} still finishes what it has bought ({under_way}); disable it now, delete it then."""


class CredentialNameTaken(errors.Conflict):
    """The endpoint {endpoint} has a credential named {name} already; choose another name, or rotate that one."""


class EndpointNotFound(errors.NotFound):
    """The catalogue has no endpoint named "{endpoint}"; it knows {known}."""


class ProviderUnreachable(errors.Conflict):
    """The provider cannot be asked about the key of {credential_id} now ({why}); try again, or correct the base_url."""


class State(enum.StrEnum):
    """Whether it is used: a disabled one finishes what it has bought, a deleted one has no key any more."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Credential:
    """A tenant's key for an endpoint; `sealed` is None once it is deleted.

    `version` counts the changes that people make; what a provider says of the key, and its use, are no such change.
    """

    id: str
    tenant_id: str
    endpoint: str
    name: str
    base_url: str
    settings: Mapping[str, str]
    per_minute: int
    most_at_once: int
    key_hint: str
    has_webhook_secret: bool
    sealed: vault.Sealed | None
    created_at: datetime
    rotated_at: datetime
    state: State = State.ENABLED
    version: int = 1
    key_version: int = 1
    deleted_at: datetime | None = None
    verified_at: datetime | None = None
    used_at: datetime | None = None
    refused_at: datetime | None = None
    refusal: str = ""

    @property
    def etag(self) -> str:
        """Changes with every change that people make."""
        return str(self.version)

    @property
    def facts(self) -> vault.Facts:
        """What its secrets are bound to."""
        return vault.Facts(self.tenant_id, self.endpoint, self.id, self.key_version)


def check_etag(before: Credential, etag: str) -> None:
    """Raises CredentialStale when it is another; an empty one fits all."""
    if etag and etag != before.etag:
        raise CredentialStale(credential_id=before.id)


def sealed(before: Credential, secrets: vault.Secrets, safe: vault.Vault) -> Credential:
    """With these secrets. Raises VaultLocked."""
    key, webhook_secret = secrets.key.reveal(), secrets.webhook_secret
    return dataclasses.replace(
        before,
        sealed=safe.seal(secrets, before.facts),
        key_hint=key[-_HINT:] if len(key) >= _WHOLE_HINT_FROM else key[len(key) - len(key) // _HINT :],
        has_webhook_secret=bool(webhook_secret),
    )


def rotated(before: Credential, now: datetime) -> Credential:
    """The next version, before its secrets are sealed: nobody has judged it yet."""
    return dataclasses.replace(
        before, key_version=before.key_version + 1, rotated_at=now, verified_at=None, refused_at=None, refusal=""
    )


def deleted(before: Credential, now: datetime) -> Credential:
    """Without secrets; the rest stays for reports."""
    return dataclasses.replace(before, state=State.DELETED, sealed=None, deleted_at=now)


def key_fault(key: str) -> str:
    """What a key should be: it travels in a header, or it is a document such as a service account's. Empty: it is."""
    if not key or key.strip() != key:
        return "should be the key alone, with no space or line break around it"
    if not (key.isascii() and key.isprintable() and " " not in key) and not _is_document(key):
        return "should be one word of visible ASCII characters, or a JSON document"
    return ""


def one_line(key: str) -> str:
    """The key; a document without its line breaks, which no header takes."""
    return json.dumps(json.loads(key)) if _is_document(key) else key


def _is_document(key: str) -> bool:
    try:
        return isinstance(json.loads(key), dict)
    except (ValueError, RecursionError):
        return False


def address_fault(text: str, private: bool) -> str:
    """Why a key is not sent to this address; empty when it may be. `private` allows http and our own neighbourhood.

    What a name leads to is seen only when it is connected to.
    """
    try:
        url = yarl.URL(text)
    except ValueError:
        return "should be an address such as https://video.example/v1"
    if url.scheme not in ("http", "https") or not url.raw_host:
        return "should be an address such as https://video.example/v1"
    if url.raw_user is not None or url.raw_password is not None or url.raw_query_string or url.raw_fragment:
        return "should be an address without a user, a query and a fragment"
    if _tells_secrets(url.raw_host):
        return "should be a server that sells videos, and not where a cloud tells its machines their secrets"
    if not private and (url.scheme != "https" or _is_near(url.raw_host)):
        return "should be https and a public host; this installation sends no keys to private ones"
    return ""


def _tells_secrets(host: str) -> bool:
    """Whether clouds answer there with the secrets of their machines; in any spelling that resolvers take."""
    name = host.rstrip(".").lower()
    try:
        return egress.is_metadata(name if ":" in name else socket.inet_ntoa(socket.inet_aton(name)))
    except OSError:
        return name == _TELLING


def _is_near(host: str) -> bool:
    name = host.rstrip(".").lower()
    if _NUMERIC.fullmatch(name):
        return not egress.is_public(name)
    return "." not in name or name.endswith(_LOCAL_NAMES)


def is_moved(before: str, after: str) -> bool:
    """Whether another server would get the key. It must not: pointing a credential elsewhere would read the key."""
    return egress.origin(yarl.URL(before)) != egress.origin(yarl.URL(after))
