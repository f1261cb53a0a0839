"""Asks providers which of their models are still sold, where no date of retirement can be relied on."""

import logging
from collections.abc import Callable
from datetime import datetime

from libs import db
from services.provider_gateway import catalogue, credential_store, keyring, providers

log = logging.getLogger(__name__)


class Census:
    """Taken at start-up, and every hour."""

    def __init__(
        self, database: db.Database, offer: catalogue.Catalogue, keys: keyring.Keyring, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._offer, self._keys, self._clock = database, offer, keys, clock

    async def take(self) -> int:
        """Ask each provider that can be asked, with any key that there is; 0, so that it can be a loop's tick."""
        for name, endpoint in self._offer.endpoints.items():
            if endpoint.capabilities.probes and (seller := await self._seller(name)):
                for model in self._offer.models:
                    if model.endpoint == name and not model.is_retired(self._clock().date()):
                        await self._ask(seller, model)
        return 0

    async def _seller(self, endpoint: str) -> providers.Provider | None:
        async with self._database.house() as conn:
            found = await credential_store.anybody(conn, endpoint)
        account, tenant_id = found or (f"endpoint:{endpoint}", "")
        return await self._keys.provider(account, tenant_id)

    async def _ask(self, seller: providers.Provider, model: catalogue.Model) -> None:
        try:
            is_sold = await seller.probe(model.wire_model)
        except (providers.ProviderAway, NotImplementedError):
            return  # nothing is learned
        self._offer.note(model.id, is_sold)
        if not is_sold:
            log.warning("model_not_sold", extra={"model": model.id, "endpoint": model.endpoint})
