"""A provider's list as it was a moment ago, so that a long one is not read again for every few jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from services.provider_gateway import providers

Page = Callable[[str], Awaitable[tuple[Mapping[str, providers.PollOutcome], str]]]
"""What the page behind that place says of its jobs, newest first; and the place it ends at, empty at the end."""

_SHARE = 10
_OLDEST_S = 5.0


class Listing:
    """The head of the list, as far as it was read. It is believed for ten times as long as the reading took."""

    def __init__(self, page: Page) -> None:
        self._page, self._reading = page, asyncio.Lock()
        self._known: dict[str, providers.PollOutcome] = {}
        self._after, self._is_over = "", False
        self._began = self._took_s = 0.0

    async def tell(self, provider_job_ids: Collection[str]) -> Mapping[str, providers.PollOutcome]:
        """What it says of these: read on as long as that is cheaper than asking for each. Raises ProviderAway."""
        async with self._reading:
            self._forget_the_old()
            missing, in_vain = set(provider_job_ids) - self._known.keys(), 0
            while in_vain < len(missing) and not self._is_over:
                found = await self._read_on()
                in_vain += missing.isdisjoint(found)
                missing -= found.keys()
            return {id: self._known[id] for id in provider_job_ids if id in self._known}

    def _forget_the_old(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._began > min(self._took_s * _SHARE, _OLDEST_S):
            self._known, self._after, self._is_over = {}, "", False
            self._began, self._took_s = now, 0.0

    async def _read_on(self) -> Mapping[str, providers.PollOutcome]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        found, self._after = await self._page(self._after)
        self._took_s += loop.time() - began
        self._known |= found
        self._is_over = not self._after
        return found
