"""What an API token is: who may make which, how long it lives, and how it is told from chance."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs import errors

PREFIX = "rushes_token_"
CHANCE_BYTES = 32
LIVES = timedelta(days=90)
LIVES_AT_MOST = timedelta(days=366)
SUBJECT = "token:"
"""How the subjects of callers with one begin."""


class ApiTokenNotFound(errors.NotFound):
    """There is no API token {api_token_id}; list them to see their ids."""


class WholeTokenNeeded(errors.Denied):
    """Access is given and taken by people: use a token of the issuer that no scope limits."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret; `role` is in small letters, and no scopes are all that it allows."""

    id: str
    tenant_id: str
    name: str
    role: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


def check_maker(subject: str, is_limited: bool) -> None:
    """A token that could make tokens would outlive its revocation, and its scopes. Raises WholeTokenNeeded."""
    if is_limited or subject.startswith(SUBJECT):
        raise WholeTokenNeeded


def secret(chance: bytes) -> str:
    """The token, of 32 bytes of chance."""
    return PREFIX + base64.urlsafe_b64encode(chance).decode().rstrip("=")


def digest(token: str) -> bytes:
    """What is kept of it. It is made of chance enough to need no salt, and no slowness."""
    return hashlib.sha256(token.encode()).digest()
