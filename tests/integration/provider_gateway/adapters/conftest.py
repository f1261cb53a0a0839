"""Buyers in each dialect: at the session's sandbox, whose ledger counts the wire, and at servers that misbehave."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import registry
from tests.integration.provider_gateway.adapters import buyers, dialects, rogues

KEY = "key-for-the-contract"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "capable(is_able): only for the dialects that this is true of")


Buy = Callable[..., buyers.Buyer]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`dialect` is every one; with `@pytest.mark.capable(is_able)` every one that this is true of."""
    if "dialect" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("capable")
        able = [one for one in dialects.DIALECTS if marker is None or marker.args[0](one)]
        metafunc.parametrize("dialect", able, ids=lambda one: one.name)


@pytest.fixture
async def buy(dialect: dialects.Dialect, reel: Any) -> AsyncIterator[Buy]:
    """`buy("drop_reply")`: a buyer whose key asks for that disaster."""
    async with contextlib.AsyncExitStack() as closing:

        def buyer(disasters: str = "") -> buyers.Buyer:
            key = f"key-{secrets.token_hex(8)}{'+' if disasters else ''}{disasters}"
            seller = registry.build(dialect.name, dialect.place(reel.url, key), dialect.can)
            closing.push_async_callback(seller.close)
            return buyers.Buyer(dialect, seller, reel, key)

        yield buyer


@pytest.fixture
async def build(dialect: dialects.Dialect) -> AsyncIterator[Callable[[str], providers.Provider]]:
    """`build(url)`: an adapter at a server that misbehaves."""
    async with contextlib.AsyncExitStack() as closing:

        def at(url: str) -> providers.Provider:
            seller = registry.build(dialect.name, dialect.place(url, KEY), dialect.can)
            closing.push_async_callback(seller.close)
            return seller

        yield at


@pytest.fixture
def order(dialect: dialects.Dialect) -> providers.Order:
    """An order for a server that misbehaves."""
    return buyers.order(dialect, submission_id=dialects.SUBMISSION)


Serve = Callable[[bytes | None], Any]


@pytest.fixture
async def misbehave() -> AsyncIterator[Serve]:
    """`await misbehave(answer)`: a server that says only this."""
    async with contextlib.AsyncExitStack() as closing:

        async def start(said: bytes | None) -> rogues.Server:
            server = rogues.Server(said)
            listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            closing.callback(listener.close)
            server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            return server

        yield start
