"""Gateways with the vault keys that a test gives them, on one database."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.integration.provider_gateway.credentials import keyhouse


@pytest.fixture
async def opened(database: Any, serve: Any, issuer: Any) -> AsyncIterator[keyhouse.Open]:
    """`house = await opened(keyhouse.OLD)`: the same database behind each."""
    place, houses = await database("provider_gateway"), list[keyhouse.House]()

    async def make(outer: Mapping[str, bytes], current: str = "", private: bool = True) -> keyhouse.House:
        houses.append(await keyhouse.House(place, issuer, outer, current or next(iter(outer), ""), private).open(serve))
        return houses[-1]

    yield make
    for house in houses:
        await house.keyring.close()
        assert all(shop.closed for shop in house.made)


@pytest.fixture
async def house(opened: keyhouse.Open) -> keyhouse.House:
    made: keyhouse.House = await opened(keyhouse.OLD)
    return made
