"""The sandbox to buy from, keys for it, and crews of drivers that buy there."""

import asyncio
import base64
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from libs import blobs
from services.provider_gateway import callbacks, catalogue, domain, fetch, keyring, settings, ticks, vault, works
from services.provider_gateway.providers import registry
from services.sandbox import webhooks

OFFER = catalogue.load(settings.Settings.model_fields["catalogue_path"].default)
NOWHERE = "http://127.0.0.1:1/v1"
KEY = "key-of-a-test"
SAFE = vault.Vault({"test": bytes(32)}, "test")
FINISHED = tuple(state.value for state in domain.FINAL)
PATHS = {
    "sandbox-openai": "/v1",
    "sandbox-google": "",
    "sandbox-veo": "/vertex",
    "sandbox-fal": "/fal",
    "sandbox-openrouter": "/openrouter/api/v1",
    "sandbox-runware": "/runware/v1",
    "sandbox-replicate": "/replicate/v1",
}
"""Where the sandbox speaks each dialect."""


def selling(endpoint: str, pace: Mapping[str, int] | None = None, **capabilities: Any) -> catalogue.Catalogue:
    """The offer with an endpoint that can do other things, or has limits."""
    before = OFFER.endpoints[endpoint]
    after = before.model_copy(
        update={
            "capabilities": dataclasses.replace(before.capabilities, **capabilities),
            "limits": catalogue.Pace(**pace or {}),
        }
    )
    return OFFER.model_copy(update={"endpoints": {**OFFER.endpoints, endpoint: after}})


def keyring_of(
    database: Any,
    addresses: Mapping[str, str],
    clock: Callable[[], datetime.datetime],
    offer: catalogue.Catalogue = OFFER,
    key: str = KEY,
) -> keyring.Keyring:
    """Keys of the installation for these endpoints, at these addresses."""
    told = {
        name: settings.Installed(
            base_url=url,
            key=key,
            webhook_secret=webhook_secret(name, key),
            settings={"project": "films", "location": "here", "bucket": "reels"},
        )
        for name, url in addresses.items()
    }
    return keyring.Keyring(database, offer, registry.installed(offer, told), SAFE, registry.build, clock, private=True)


def webhook_secret(endpoint: str, key: str = KEY) -> str:
    """What the sandbox signs the callbacks of a key with, as the endpoint's owner is given it."""
    secret = webhooks.secret(hashlib.sha256(key.encode()).hexdigest())
    return secret.hex() if endpoint == "sandbox-openrouter" else f"whsec_{base64.b64encode(secret).decode()}"


class Reel:
    """A sandbox process, and the ledger it keeps of what it was asked and what it charged."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home

    def lines(self, event: str, among: Iterable[str]) -> list[dict[str, Any]]:
        """What it noted about these submissions."""
        names = set(among)
        found = map(json.loads, (self.home / "ledger.jsonl").read_text().splitlines())
        return [line for line in found if line["event"] == event and line["client_ref"] in names]

    def addresses(self) -> dict[str, str]:
        """Where a gateway finds it, by endpoint."""
        return {name: self.url + path for name, path in PATHS.items()}


class Crew:
    """Drivers that work until everything has ended."""

    def __init__(
        self,
        gateway: Any,
        folder: Path,
        addresses: Mapping[str, str],
        offer: catalogue.Catalogue = OFFER,
        key: str = KEY,
        door: callbacks.Addresses | None = None,
    ) -> None:
        self.gateway, self.folder, self.addresses, self.offer = gateway, folder, addresses, offer
        self.files = blobs.open_store((folder / "blobs").as_uri())
        self.fetcher = fetch.Fetcher(self.files, 1 << 24)
        self.keys = keyring_of(gateway.database, addresses, gateway.clock, offer, key)
        self.door = door or callbacks.Addresses(None, "secret")
        self._others: list[Crew] = []

    def among(self, addresses: Mapping[str, str] | None = None, **other: Any) -> "Crew":
        """The same crew, buying elsewhere, or otherwise."""
        crew = Crew(self.gateway, self.folder, addresses or self.addresses, **{"offer": self.offer, **other})
        self._others.append(crew)
        return crew

    def works(self, owner: str = "one", lease_s: float = 20, most: int = 16) -> works.Works:
        """A process's worth of moving parts."""
        clock = self.gateway.clock
        means = works.Means(self.gateway.database, self.offer, self.keys, self.fetcher, self.door, clock)
        return works.Works(means, owner, lease_s, most)

    def driver(self, owner: str = "one", lease_s: float = 20, most: int = 16) -> ticks.Driver:
        return self.works(owner, lease_s, most).driver

    async def step(self, driver: ticks.Driver) -> int:
        """One claim, and the end of everything it began."""
        claimed = await driver.claim()
        await driver.settle()
        return claimed

    async def until(self, drivers: list[ticks.Driver], states: Iterable[str] = FINISHED, tenant: str = "acme") -> None:
        """Let them work until every submission of the tenant is in one of these states."""
        wanted = set(states)
        async with asyncio.timeout(20):
            while not all(one.state in wanted for one in await self.gateway.submissions(tenant)):
                if not sum(await asyncio.gather(*(driver.claim() for driver in drivers))):
                    await asyncio.sleep(0.02)
        for driver in drivers:
            await driver.settle()

    async def look(self, times: int = 1) -> None:
        """Let the time of everything come, so often."""
        for _ in range(times):
            await self.gateway.make_due()
            await self.step(self.driver())

    async def finish(self, states: Iterable[str] = FINISHED, tenant: str = "acme") -> None:
        """Let time pass until every submission of the tenant is in one of these states."""
        wanted = set(states)
        async with asyncio.timeout(20):
            while not all(one.state in wanted for one in await self.gateway.submissions(tenant)):
                await self.look()
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await asyncio.gather(self.fetcher.close(), self.keys.close(), *(other.close() for other in self._others))
