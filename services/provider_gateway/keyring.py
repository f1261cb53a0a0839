"""Hands out providers by account: a tenant's own keys, opened in memory only, or those of the installation."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import prometheus_client
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, errors, failpoints
from services.provider_gateway import catalogue, credential_store, credentials, providers, vault

log = logging.getLogger(__name__)

Build = Callable[[catalogue.Dialect, providers.Endpoint, providers.Capabilities], providers.Provider]
"""Makes a provider; `registry.build` does."""

_FRESH_S = 1.0  # for how long polls and downloads believe what was read; an order always reads anew
_PAGE = 100
_INSTALLED = "endpoint:"

_WRAPPED = prometheus_client.Gauge(
    "rushes_vault_credentials", "Credentials that a key-encryption key wraps; at 0 it can be removed.", ["kek"]
)


@dataclass(frozen=True, slots=True)
class Account:
    """Something to buy with: a credential's id, or `endpoint:` and a name for a key of the installation.

    The limits are its owner's wish; 0 is the endpoint's own limit.
    """

    name: str
    per_minute: int = 0
    most_at_once: int = 0


class Nobody(providers.Provider):
    """Stands where there is no key to use: nothing is bought, and what was bought waits."""

    def __init__(self, why: str, capabilities: providers.Capabilities) -> None:
        self.capabilities, self._why = capabilities, why

    async def create(self, order: providers.Order) -> providers.CreateOutcome:
        """Nothing is sent."""
        return providers.NotSent(self._why)

    async def poll(self, provider_job_id: str) -> providers.PollOutcome:
        """Raises ProviderAway."""
        raise providers.ProviderAway(self._why)

    async def check(self) -> None:
        """Raises ProviderAway."""
        raise providers.ProviderAway(self._why)

    async def poll_many(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """Raises ProviderAway."""
        raise providers.ProviderAway(self._why)

    async def find(self, order: providers.Order, since: datetime, until: datetime) -> Collection[str]:
        """Raises ProviderAway."""
        raise providers.ProviderAway(self._why)

    async def cancel(self, provider_job_id: str) -> None:
        """Raises ProviderAway."""
        raise providers.ProviderAway(self._why)

    async def hint(self, headers: Mapping[str, str], body: bytes, now: datetime) -> providers.Hint:
        """Raises HintInvalid."""
        raise providers.HintInvalid(self._why)

    async def close(self) -> None:
        """There is nothing to give back."""


@dataclass(slots=True)
class _Held:
    """A provider made of a version of a credential; when it was last asked for, and last compared with the database."""

    credential: credentials.Credential
    provider: providers.Provider
    asked_at: float
    read_at: float


class Keyring:
    """Who can be bought from, by account. Needs a running event loop.

    `installed` are the endpoints that the installation itself has keys for, with their addresses. `private` lets
    tenants' keys go to http and private addresses: for a house among friends. A provider is closed when nobody has
    asked for it for `idle_s`, which is longer than a call takes at most: none is cut off.
    """

    def __init__(
        self,
        database: db.Database,
        offer: catalogue.Catalogue,
        installed: Mapping[str, providers.Endpoint],
        safe: vault.Vault,
        build: Build,
        clock: Callable[[], datetime],
        private: bool,
        idle_s: float = 600.0,
    ) -> None:
        self._database, self._offer, self._installed, self.safe = database, offer, installed, safe
        self._build, self._clock, self.private, self._idle_s = build, clock, private, idle_s
        self._own = {_INSTALLED + name: self._made(place) for name, place in installed.items()}
        self._held: dict[str, _Held] = {}
        self._retired: list[_Held] = []
        self._used: dict[str, datetime] = {}
        self._above = ""

    async def accounts(self, conn: AsyncConnection, tenant_id: str, endpoint: str) -> list[Account]:
        """What this tenant can buy with there, best first; empty when nothing is.

        Its own credentials, when it has any that are enabled: then nobody else's money is spent, even if none of them
        can be used. Those that the provider refuses come in only when it refuses all. Until the transaction ends none
        of them is deleted.
        """
        found = await credential_store.enabled(conn, tenant_id, endpoint)
        if found:
            usable = [one for one in found if self._is_usable(one)]
            liked = [one for one in usable if not one.refusal]
            return [Account(one.id, one.per_minute, one.most_at_once) for one in liked or usable]
        return [Account(_INSTALLED + endpoint)] if endpoint in self._installed else []

    async def configured(self, conn: AsyncConnection, tenant_id: str) -> frozenset[str]:
        """The endpoints at which this tenant can buy."""
        found = await credential_store.enabled(conn, tenant_id)
        usable = {one.endpoint for one in found if self._is_usable(one)}
        return frozenset(usable | (self._installed.keys() - {one.endpoint for one in found}))

    async def provider(self, account: str, tenant_id: str, buying: bool = False) -> providers.Provider:
        """Who sells to this account, for one call; Nobody when its key is gone, locked or not sound.

        When `buying`, the key must be enabled at this moment. Not to be called inside a transaction.
        """
        if own := self._own.get(account):
            return own
        now, held = asyncio.get_running_loop().time(), self._held.get(account)
        if held and held.credential.tenant_id != tenant_id:
            return self._nobody("The key of this account is another's.", None)
        if held is None or buying or now - held.read_at > _FRESH_S:
            try:
                async with self._database.tenant(tenant_id) as conn:
                    found = await credential_store.find(conn, tenant_id, account)
            except errors.Unavailable as fault:
                return held.provider if held and not buying else self._nobody(str(fault), None)
            held = self._compared(account, found, now)
        if held is None or (buying and held.credential.state is not credentials.State.ENABLED):
            why = "The key of this account is disabled." if held else "The key of this account was deleted."
            return self._nobody(why, held.credential if held else None)
        held.asked_at = now
        return held.provider

    def open(self, of: credentials.Credential) -> providers.Provider:
        """A provider with the key of this credential, to be closed. Raises VaultLocked, VaultTampered."""
        if of.sealed is None or of.endpoint not in self._offer.endpoints:
            return self._nobody("The catalogue does not know this endpoint any more.", None)
        secrets = self.safe.open(of.sealed, of.facts)
        failpoints.reach("key.opened")
        return self._made(
            providers.Endpoint(
                name=of.endpoint,
                base_url=of.base_url or self.home(of.endpoint),
                key=secrets.key.reveal(),
                settings=of.settings,
                webhook_secret=secrets.webhook_secret.reveal(),
                public_only=bool(of.base_url) and not self.private,
            )
        )

    def home(self, endpoint: str) -> str:
        """An endpoint's own address, as the installation or else the catalogue names it; empty when neither does."""
        if place := self._installed.get(endpoint):
            return place.base_url
        terms = self._offer.endpoints.get(endpoint)
        return (terms.base_url if terms else None) or ""

    def is_as_of(self, account: str, then: datetime) -> bool:
        """Whether the account still has the key it had then: only so does the provider know again what was sent."""
        held = self._held.get(account)
        return account in self._own or (held is not None and held.credential.rotated_at <= then)

    async def used(self, conn: AsyncConnection, account: str) -> None:
        """Note that an order is sent with it; written once a minute."""
        minute = self._clock().replace(second=0, microsecond=0)
        if account not in self._own and self._used.get(account) != minute:
            await credential_store.note_use(conn, account, minute)
            self._used[account] = minute

    async def judged(self, conn: AsyncConnection, account: str, refusal: str = "") -> None:
        """Note what the provider said of the key that was handed out: why it refuses it, or nothing: it takes it."""
        if held := self._held.get(account):
            await credential_store.note_word(conn, held.credential, refusal, self._clock())

    async def tend(self) -> int:
        """A tick: close what nobody asks for, and wrap anew what an old outer key wraps; 0 when that is all done."""
        await self._close_idle()
        async with self._database.house() as conn:
            self._above = await credential_store.rewrap_some(conn, self.safe, self._above, _PAGE)
            counts = await credential_store.count_by_kek(conn) if not self._above else {}
        for kek_id in counts.keys() | self.safe.kek_ids:
            _WRAPPED.labels(kek_id).set(counts.get(kek_id, 0))
        return 1 if self._above else 0

    async def close(self) -> None:
        """Give all connections back."""
        held = [*self._held.values(), *self._retired]
        await asyncio.gather(*(one.close() for one in (*self._own.values(), *(one.provider for one in held))))

    def _is_usable(self, of: credentials.Credential) -> bool:
        address = of.base_url
        return (
            of.sealed is not None
            and of.sealed.kek_id in self.safe.kek_ids
            and of.endpoint in self._offer.endpoints
            and not (address and credentials.address_fault(address, self.private))
            and bool(address or self.home(of.endpoint))
        )

    def _compared(self, account: str, found: credentials.Credential | None, now: float) -> _Held | None:
        """What is held, once it is as the database says."""
        held = self._held.get(account)
        if held and found and found.version <= held.credential.version:
            held.read_at = now
            return held
        if held:
            self._retired.append(self._held.pop(account))
        if found:
            self._held[account] = _Held(found, self._opened(found), now, now)
        return self._held.get(account)

    def _opened(self, of: credentials.Credential) -> providers.Provider:
        if not self._is_usable(of):
            log.error("credential_unusable", extra={"credential_id": of.id})
            return self._nobody("The key of this account cannot be used in this installation.", of)
        try:
            return self.open(of)
        except vault.VaultTampered:
            log.error("vault_tampered", extra={"credential_id": of.id})
            return self._nobody("The key of this account is damaged; rotate it.", of)

    def _made(self, place: providers.Endpoint) -> providers.Provider:
        terms = self._offer.endpoints[place.name]
        return self._build(terms.dialect, dataclasses.replace(place, flags=terms.flags), terms.capabilities)

    def _nobody(self, why: str, of: credentials.Credential | None) -> providers.Provider:
        terms = self._offer.endpoints.get(of.endpoint) if of else None
        return Nobody(why, terms.capabilities if terms else providers.Capabilities())

    async def _close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for account, held in list(self._held.items()):
            if now - held.asked_at > self._idle_s:
                self._retired.append(self._held.pop(account))
        over = [one for one in self._retired if now - one.asked_at > self._idle_s]
        self._retired = [one for one in self._retired if now - one.asked_at <= self._idle_s]
        await asyncio.gather(*(one.provider.close() for one in over))
