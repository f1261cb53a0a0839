"""A list that is read page by page, and believed for a while."""

import asyncio

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import listing

PENDING, GONE = providers.Pending(), providers.Failed("No.")


class Pages:
    """A list of ten jobs, two on a page, newest first; it takes its time."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.read, self.says = takes_s, list[str](), PENDING

    async def __call__(self, after: str) -> tuple[dict[str, providers.PollOutcome], str]:
        self.read.append(after)
        await asyncio.sleep(self.takes_s)
        last = int(after or 10) - 2
        return dict.fromkeys((str(last + 1), str(last)), self.says), str(last) if last else ""


@pytest.fixture
def pages() -> Pages:
    """Slow enough to be believed for long."""
    return Pages(0.1)


async def test_what_was_read_is_not_read_again(pages: Pages) -> None:
    head = listing.Listing(pages)
    assert await head.tell(["9", "6"]) == {"9": PENDING, "6": PENDING}
    assert pages.read == ["", "8"]
    assert await head.tell(["7", "8"]) == {"7": PENDING, "8": PENDING}
    assert pages.read == ["", "8"]
    assert await head.tell(["4"]) == {"4": PENDING}
    assert pages.read == ["", "8", "6"], "it is read on"


async def test_many_who_ask_at_once_read_once(pages: Pages) -> None:
    head = listing.Listing(pages)
    everyone = dict.fromkeys(map(str, range(10)), PENDING)
    assert await asyncio.gather(*(head.tell(everyone.keys()) for _ in range(5))) == [everyone] * 5
    assert pages.read == ["", "8", "6", "4", "2"]


async def test_it_ends(pages: Pages) -> None:
    head = listing.Listing(pages)
    assert await head.tell(["0", "a", "b", "c", "d", "e", "f"]) == {"0": PENDING}
    assert await head.tell(["a"]) == {}
    assert pages.read == ["", "8", "6", "4", "2"]


async def test_what_is_old_is_not_believed() -> None:
    pages = Pages(0.0)
    head = listing.Listing(pages)
    assert await head.tell(["9"]) == {"9": PENDING}
    pages.says = GONE
    await asyncio.sleep(0.2)
    assert await head.tell(["9"]) == {"9": GONE}


async def test_a_page_that_does_not_come_leaves_what_is_known(pages: Pages) -> None:
    async def broken(after: str) -> tuple[dict[str, providers.PollOutcome], str]:
        if after:
            raise providers.ProviderAway("No.")
        return await pages(after)

    head = listing.Listing(broken)
    with pytest.raises(providers.ProviderAway):
        await head.tell(["1", "0"])
    assert await head.tell(["9"]) == {"9": PENDING}
    assert pages.read == [""]
