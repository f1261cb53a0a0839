"""How soon a click is seen to be heard: the first change of the page after it, and what the browser itself measures."""

import contextlib
import statistics
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from playwright import sync_api

from tests.studio import conftest

_LISTEN = """
addEventListener("click", (event) => {
  if (!event.isTrusted) return;
  const told = { acknowledged: null, interaction: null };
  window.clicked = told;
  const seen = new MutationObserver((changes) => {
    if (changes.every((one) => one.target.dataset?.since)) return;
    seen.disconnect();
    told.acknowledged = performance.now() - event.timeStamp;
  });
  seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  new PerformanceObserver((list) => {
    const its = list.getEntries().filter((one) => one.interactionId).map((one) => one.duration);
    told.interaction = Math.max(told.interaction, ...its);
  }).observe({ type: "event", durationThreshold: 16 });
}, { capture: true });
"""
_SETTLED_MS = 600
_LOOKS, _LOOK_MS = 40, 50


class Click(NamedTuple):
    """A button that starts something: where it is, what is clicked or filled in before, and how it is found."""

    name: str
    address: str
    target: str
    before: tuple[str, ...] = ()
    filled: tuple[tuple[str, str], ...] = ()


CLICKS = [
    Click("new: make the project", "/new", "button:text('Make the project')", (), (("Name", "A bench"),)),
    Click("projects: duplicate", "/", ".project button:text('Duplicate')", (".project .menu summary",)),
    Click("editor: add a scene", "/p/{tried}", "#add button"),
    Click("editor: choose a scene", "/p/{letter}", "#rows > li:nth-child(3) > a"),
    Click("editor: to another tab", "/p/{letter}", "[data-turn='tab:camera']"),
    Click("editor: undo", "/p/{tried}", "[data-post=undo]", (".tools .menu summary >> nth=1",)),
    Click("editor: open the cast", "/p/{letter}", ".scenes a:text('Cast')"),
    Click("production: see the quote", "/p/{empty}/production", "main .btn"),
    Click("quote: price it again", "/p/{tried}/quote", "[name=again]"),
    Click("quote: generate", "/p/{tried}/quote", "#pay"),
    Click("production: pause", "/p/{harbour}/production", "form[action$=pause] button"),
    Click("production: go on", "/p/{harbour}/production", "form[action$=resume] button"),
    Click("production: check now", "/p/{pier}/production", ".line form[action$=retry] button >> nth=0"),
    Click("production: open a take", "/p/{pier}/production", ".line a[data-drawer] >> nth=0"),
    Click("takes: pick", "/p/{pier}/scenes/{scene}/takes", ".take:not([data-picked]) form button"),
    Click("film: make a cut", "/p/{letter}/film", "form.settings .btn"),
    Click("film: an export", "/p/{letter}/film", "#downloads form button >> nth=0"),
    Click("links: make one", "/films/{film}/shares", "form[action$=shares] button", ("main details > summary",)),
    Click("history: restore", "/p/{tried}/history", "form[action$=restore] button >> nth=0"),
    Click("settings: test a key", "/settings/providers", "tr[id^=cred_] button:text('Test') >> nth=0"),
    Click("settings: make a token", "/settings/tokens", "button:text('Make it')", (), (("Name", "a bench"),)),
    Click("settings: send a test", "/settings/webhooks", "button:text('Send test') >> nth=0"),
    Click("ops: hold a queue back", "/ops/queues", "form.act button >> nth=0"),
    Click("ops: try a letter again", "/ops/dead-letters", "button:text('Retry') >> nth=0"),
]
"""Every kind of button that asks a server for something."""


def measured(
    chromium: sync_api.Browser, studio: conftest.Studio, told: Mapping[str, str], times: int
) -> Iterator[tuple[str, Mapping[str, float] | None]]:
    """Of each click the middle of so many, in milliseconds; None when it was not there or nothing changed."""
    with chromium.new_context(base_url=studio.url) as context:
        conftest.let_in(context, studio)
        page = listening(context)
        for click in CLICKS:
            found = [one for _ in range(times) if (one := press(page, click, told)) and one["acknowledged"] is not None]
            yield click.name, _middle(found) if found else None


def listening(context: sync_api.BrowserContext) -> sync_api.Page:
    """A page that notes what becomes of a click."""
    page = context.new_page()
    page.add_init_script(_LISTEN)
    return page


def press(page: sync_api.Page, click: Click, told: Mapping[str, str]) -> dict[str, Any] | None:
    """What is seen of it while no server answers; None where there is no such button."""
    page.goto(click.address.format_map(told))
    page.wait_for_timeout(_SETTLED_MS)
    for label, words in click.filled:
        page.get_by_label(label, exact=True).fill(words)
    target = page.locator(click.target).first
    for opens in click.before:
        if not target.is_visible():
            page.locator(opens).first.click()
    if not target.count():
        return None
    held: list[sync_api.Route] = []
    page.route("**/*", lambda route: _held(route, held))
    target.click(no_wait_after=True)
    heard: dict[str, Any] = _heard(page)
    for route in held:
        with contextlib.suppress(sync_api.Error):  # what is asked for again is no longer waited for
            route.continue_()
    page.unroute("**/*")
    page.wait_for_timeout(_SETTLED_MS)
    page.wait_for_load_state()
    return heard


def _held(route: sync_api.Route, held: list[sync_api.Route]) -> None:
    """Nothing is answered yet; what would load another page is answered so that this one stays."""
    if route.request.is_navigation_request():
        route.fulfill(status=204)
    else:
        held.append(route)


def _heard(page: sync_api.Page) -> Any:
    """What the page has noted, as soon as the browser has measured it too, or after a while."""
    for _ in range(_LOOKS):
        page.wait_for_timeout(_LOOK_MS)
        told = page.evaluate("window.clicked")
        if told["acknowledged"] is not None and told["interaction"]:
            break
    return told


def _middle(found: list[dict[str, Any]]) -> Mapping[str, float]:
    return {
        name: statistics.median(values) if (values := [one[name] for one in found if one[name] is not None]) else 0
        for name in ("acknowledged", "interaction")
    }
