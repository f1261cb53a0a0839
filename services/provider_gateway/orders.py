"""Builds what is written to a provider from a submission: when it is sent, and again when it is looked for."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from services.provider_gateway import callbacks, catalogue, domain, fetch, providers, wire


class Orders:
    """Orders as the catalogue words them, with their stills and where to call back."""

    def __init__(self, offer: catalogue.Catalogue, fetcher: fetch.Fetcher, door: callbacks.Addresses) -> None:
        self._offer, self._fetcher, self._door = offer, fetcher, door

    @contextlib.asynccontextmanager
    async def to_send(
        self, submission: domain.Submission, provider: providers.Provider
    ) -> AsyncIterator[providers.Order]:
        """With its stills as files, inside the block. Raises what the store of stills raises."""
        first, last = wire.frame_keys(submission)
        async with self._fetcher.still(first) as first_frame, self._fetcher.still(last) as last_frame:
            yield self._order(submission, (first_frame, last_frame), provider)

    def sought(self, submission: domain.Submission, provider: providers.Provider) -> providers.Order:
        """As it was sent, but for what its frames show: only that there were some can be compared."""
        first, last = [Path(key) if key else None for key in wire.frame_keys(submission)]
        return self._order(submission, (first, last), provider)

    def _order(
        self, submission: domain.Submission, frames: tuple[Path | None, Path | None], provider: providers.Provider
    ) -> providers.Order:
        callback_url = self._door.of(submission) if provider.capabilities.callback else None
        return wire.order(submission, frames, self._form(submission), callback_url)

    def _form(self, submission: domain.Submission) -> Mapping[str, str]:
        """The model's own words, while the catalogue knows it."""
        known = next((model for model in self._offer.models if model.id == submission.model), None)
        return known.form_for(wire.picture(submission)) if known else {}
