"""A whole house, and windows of a real browser on its studio."""

import asyncio
import contextlib
import os
import urllib.parse
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright import sync_api

from services.cli import house, visit
from tests import homes
from tests.studio import browser, pages

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


_T = TypeVar("_T")
Furnished = tuple[Studio, Mapping[str, str]]
_LATER_MS = 400
"""So long after a page come the parts that it asks for by itself."""
Show = Callable[..., sync_api.Page]


def let_in(context: sync_api.BrowserContext, studio: Studio) -> None:
    """Sign in as the owner."""
    host = urllib.parse.urlsplit(studio.url).hostname or ""
    cookie = {"name": "rushes_session", "value": studio.token, "domain": host, "path": "/"}
    context.add_cookies([cookie])  # type: ignore[list-item]


def aside(work: Coroutine[Any, Any, _T]) -> _T:
    """In a thread of its own: in this one the browser's loop may run."""
    with futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@contextlib.contextmanager
def living(**settings: str) -> Iterator[Studio]:
    """The studio of a house of its own, whose stand-in answers at once unless the settings say otherwise."""
    with homes.folder("rushes-studio-") as made, pytest.MonkeyPatch.context() as patch:
        for name, value in {"RUSHES_SANDBOX_LATENCY": "0", **settings}.items():
            patch.setenv(name, value)
        folder = Path(made) / "home"
        try:
            with contextlib.closing(Studio(aside(visit.ensure(folder, print)))) as opened:
                yield opened
        finally:
            aside(visit.stop(folder))


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    with living() as lived_in:
        yield lived_in


@pytest.fixture(scope="session")
def furnished() -> Iterator[Furnished]:
    """A house of its own that is filled with whatever a page can show, and the ids that pages are about."""
    from tests.studio import scenery  # which fills what is made here

    with living() as lived_in:
        yield lived_in, scenery.furnish(lived_in)


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    with browser.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def readers(furnished: Furnished, chromium: sync_api.Browser) -> Iterator[Mapping[bool, sync_api.BrowserContext]]:
    """Whoever is signed in to the furnished house, and a stranger; both keep what they have fetched."""
    studio, _ = furnished
    with contextlib.ExitStack() as both:
        found = {known: both.enter_context(chromium.new_context(base_url=studio.url)) for known in (True, False)}
        let_in(found[True], studio)
        yield found


@pytest.fixture
def show(furnished: Furnished, readers: Mapping[bool, sync_api.BrowserContext]) -> Iterator[Show]:
    """`show(one of pages)` shows it in a window of this size."""
    opened: list[browser.Window] = []

    def shown(told: pages.Page | pages.Opened, size: tuple[int, int] = browser.SIZES["desk"]) -> sync_api.Page:
        window = browser.Window(readers[not isinstance(told, pages.Page) or told.signed_in])
        window.allow(*("404",) if told.name in pages.REFUSED else ())
        opened.append(window)
        window.page.set_viewport_size({"width": size[0], "height": size[1]})
        window.page.goto(told.address.format_map(furnished[1]))
        if isinstance(told, pages.Opened):
            told.open(window.page)
        window.page.wait_for_timeout(_LATER_MS)
        return window.page

    yield shown
    complaints = [complaint for one in opened for complaint in one.complaints()]
    for one in opened:
        one.page.close()
    assert complaints == []


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
