"""What of a page is cut off, covered or out of reach as it is now: WCAG 1.4.10 and 1.4.12, in a real browser."""

from pathlib import Path

from playwright import sync_api

_FAULTS = Path(__file__).with_name("fit.js").read_text()
_SPACING = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-block-end: 2em !important }
"""
_STYLED = """
(rules) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(rules);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
"""


def faults(page: sync_api.Page) -> list[str]:
    """What does not fit: too wide, cut off, out of reach, or one thing over another."""
    found: list[str] = page.evaluate(_FAULTS)
    return found


def spaced(page: sync_api.Page) -> None:
    """Space the text as far as readers may want it."""
    page.evaluate(_STYLED, _SPACING)
