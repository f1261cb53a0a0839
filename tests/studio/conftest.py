"""A whole house, and windows of a real browser on its studio."""

import asyncio
import contextlib
import os
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright import sync_api

from services.cli import house, visit
from tests import homes
from tests.studio import browser

BOARD = {
    "name": "The Letter",
    "scenes": [
        {"title": "Kitchen", "subject": "A woman opens a letter at dawn", "duration": "1s"},
        {"title": "Pier", "subject": "She walks along the pier", "duration": "1s"},
        {"title": "The sea", "subject": "Waves under a grey sky", "duration": "1s"},
    ],
}


class Studio:
    """The studio of a house: its address, and REST as the owner."""

    def __init__(self, of: house.House) -> None:
        self.house, self.url, self.token = of, f"http://{of.address('studio')}", of.token.read_text().strip()
        self._client = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30)

    def close(self) -> None:
        """Nobody asks any more."""
        self._client.close()

    def rest(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """What /v1 answers; faults fail the test with what was said."""
        key = {"idempotency-key": os.urandom(8).hex()} if method == "POST" else {}
        answer = self._client.request(method, path, json=json, headers={**key, **headers})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def project(self, **told: Any) -> dict[str, Any]:
        """A new project of three short scenes, or as told."""
        made: dict[str, Any] = self.rest("POST", "/v1/storyboards", {**BOARD, **told})
        return made


def let_in(context: sync_api.BrowserContext, studio: Studio) -> None:
    """Sign in as the owner."""
    host = urllib.parse.urlsplit(studio.url).hostname or ""
    cookie = {"name": "rushes_session", "value": studio.token, "domain": host, "path": "/"}
    context.add_cookies([cookie])  # type: ignore[list-item]


@contextlib.contextmanager
def living() -> Iterator[Studio]:
    """The studio of a house of its own, whose stand-in answers at once."""
    with homes.folder("rushes-studio-") as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUSHES_SANDBOX_LATENCY", "0")
        folder = Path(made) / "home"
        try:
            with contextlib.closing(Studio(asyncio.run(visit.ensure(folder, print)))) as opened:
                yield opened
        finally:
            asyncio.run(visit.stop(folder))


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    with living() as lived_in:
        yield lived_in


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    with browser.opened() as opened:
        yield opened


@pytest.fixture
def windows(studio: Studio, chromium: sync_api.Browser) -> Iterator[Callable[..., browser.Window]]:
    """`windows()` opens another person's window, signed in as the owner; `windows(signed_in=False)` a stranger's."""
    opened: list[browser.Window] = []
    with contextlib.ExitStack() as all_of_them:

        def window(signed_in: bool = True, **options: Any) -> browser.Window:
            context = chromium.new_context(base_url=studio.url, **options)
            all_of_them.callback(context.close)
            if signed_in:
                let_in(context, studio)
            opened.append(browser.Window(context))
            return opened[-1]

        yield window
        assert [complaint for one in opened for complaint in one.complaints()] == []


@pytest.fixture
def window(windows: Callable[..., browser.Window]) -> browser.Window:
    """One window, signed in as the owner."""
    return windows()
