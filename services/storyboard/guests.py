"""Callers without an account: each is a tenant of their own, proved by a code that nobody else can make."""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pydantic

from libs import auth, errors

KEPT = timedelta(days=30)
"""How long a guest's storyboard waits to be claimed, and how long a code is good."""

_TENANT = re.compile(r"guest_[0-9a-f]{32}")

SUBJECT = "guest"
"""The author of what a guest writes."""

_CODE = re.compile(rf"rushes_({_TENANT.pattern})_([0-9a-f]{{8}})_([0-9a-f]{{64}})")


class GuestsOff(errors.Denied):
    """This installation takes no guests; sign in."""


class ClaimCodeInvalid(errors.Denied):
    """The claim code is not one of this installation, or has expired; storyboards of guests are kept for 30 days."""


class SignInFirst(errors.Denied):
    """That is not for guests; sign in first, and claim the storyboard with its claim code."""


class WriterNeedsAccount(errors.Denied):
    """A guest cannot ask the language model, which costs money; sign in."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest with the code that proves who they are, good until then."""

    tenant_id: str
    code: str
    expires_at: datetime


class Reception:
    """Makes and reads codes; without a secret there are no guests. Nothing is kept: the code says it all."""

    def __init__(self, secret: pydantic.SecretStr | None) -> None:
        self._key = secret.get_secret_value().encode() if secret else None

    def welcome(self, chance: bytes, now: datetime) -> Guest:
        """A new guest, of 16 bytes of chance. Raises GuestsOff."""
        if self._key is None:
            raise GuestsOff
        tenant_id, expires_at = f"guest_{chance.hex()}", (now + KEPT).replace(microsecond=0)
        said = f"{tenant_id}_{int(expires_at.timestamp()):08x}"
        return Guest(tenant_id, f"rushes_{said}_{self._seal(said)}", expires_at)

    def guest(self, code: str, now: datetime) -> Guest:
        """Whose code this is. Raises GuestsOff or ClaimCodeInvalid."""
        if self._key is None:
            raise GuestsOff
        match = _CODE.fullmatch(code)
        if match is None or not hmac.compare_digest(self._seal(f"{match[1]}_{match[2]}"), match[3]):
            raise ClaimCodeInvalid
        expires_at = datetime.fromtimestamp(int(match[2], 16), UTC)
        if now >= expires_at:
            raise ClaimCodeInvalid
        return Guest(match[1], code, expires_at)

    def knowing(self, others: auth.Verifies, clock: Callable[[], datetime]) -> "Verifier":
        """A verifier that knows guests, and leaves other callers to others."""
        return Verifier(others, self, clock)

    def _seal(self, said: str) -> str:
        return hmac.new(self._key or b"", said.encode(), hashlib.sha256).hexdigest()


def is_guest(tenant_id: str) -> bool:
    """Whether this is the tenant of a guest; no token of an issuer may name one."""
    return _TENANT.fullmatch(tenant_id) is not None


class Verifier:
    """Knows guests by their code, and everybody else by the issuer's token, which makes nobody a guest."""

    def __init__(self, issuer: auth.Verifies, reception: Reception, clock: Callable[[], datetime]) -> None:
        self._issuer, self._reception, self._now = issuer, reception, clock

    async def verify(self, token: str) -> auth.Caller:
        """The caller of this token or code. Raises ClaimCodeInvalid, GuestsOff, or as the issuer's verifier."""
        if token.startswith("rushes_guest_"):
            guest = self._reception.guest(token, self._now())
            return auth.Caller(guest.tenant_id, SUBJECT, frozenset({auth.GUEST}), token)
        caller = await self._issuer.verify(token)
        if is_guest(caller.tenant_id):
            raise auth.TokenInvalid(why="its `tenant` is one that only guests have")
        return caller
