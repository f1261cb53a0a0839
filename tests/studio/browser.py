"""A real Chromium on the pages; what it complains of, and what axe finds, is a fault."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright import sync_api

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = Path(__file__).parents[2] / "services/studio/front/node_modules/axe-core/axe.min.js"
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1440, 900)}
_QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
_ELSEWHERE = "--host-resolver-rules=MAP studio.test 127.0.0.1"  # a name that is not local, as in somebody's network
_PATIENCE_MS = 20_000
"""So long is waited for what is to be seen: a busy machine is no fault of a page."""
sync_api.expect.set_options(timeout=_PATIENCE_MS)
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_LISTEN = """
window.complaints = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.complaints.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""

_SETTLED = """
() => !document.getAnimations().some(
  (it) => it.playState === "running" && it.effect.getTiming().iterations !== Infinity)
"""
_UNROLL = """
() => {
  const sheet = window.unrolled ??= new CSSStyleSheet();
  if (document.adoptedStyleSheets.includes(sheet)) return;
  sheet.replaceSync("* { content-visibility: visible !important }");
  document.adoptedStyleSheets.push(sheet);
}
"""
"""What is far below is not drawn, and keeps the colours in which it was last seen."""


@contextlib.contextmanager
def opened() -> Iterator[sync_api.Browser]:
    """Chromium, as Debian's package has it."""
    if CHROMIUM is None:
        raise SystemExit("Chromium is needed: install Debian's package chromium.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_QUIET, _ELSEWHERE])
        yield browser
        browser.close()


class Window:
    """One person's window: a page that is signed in, and everything it has complained of."""

    def __init__(self, context: sync_api.BrowserContext) -> None:
        self.faults: list[str] = []
        self.allowed: tuple[str, ...] = ()
        context.add_init_script(_LISTEN)
        self.page = context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))

    def _said(self, message: sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def allow(self, *words: str) -> None:
        """Complaints that this test provokes: those that hold one of these words."""
        self.allowed += words

    def complaints(self) -> list[str]:
        """What nobody allowed: violations of the policy, errors of the console and of scripts."""
        with contextlib.suppress(sync_api.Error):
            self.faults += self.page.evaluate("window.complaints ?? []")
        return [fault for fault in self.faults if not any(word in fault for word in self.allowed)]


def axe(page: sync_api.Page, rules: Sequence[str] = _TAGS) -> list[str]:
    """What axe finds wrong with the page as it is now: rule, place, and what to do."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: Any = page.evaluate("(rules) => axe.run({runOnly: rules})", rules)
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def wear(page: sync_api.Page, theme: str, size: str) -> None:
    """Show the page in a theme, at the size of a phone, a tablet or a desk."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    dress(page, theme)


def dress(page: sync_api.Page, theme: str) -> None:
    """Show the page in a theme, once its colours have come to rest."""
    page.evaluate(_UNROLL)
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
    page.wait_for_function(_SETTLED)
