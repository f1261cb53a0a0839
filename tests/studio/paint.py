"""`python -m tests.studio.paint`: how soon a browser that has never been here shows each page, and hears a click."""

import argparse
import statistics
import sys
from collections.abc import Mapping
from typing import Any

from playwright import sync_api

from tests.studio import browser, clicks, conftest, pages, scenery, test_weights

_MEASURE = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  answered: performance.getEntriesByType("navigation")[0].responseEnd,
  files: performance.getEntriesByType("resource").length,
})"""
_BARE = pages.Page("a line of text", "/healthz", signed_in=False)
_PAINT_MS, _CLICK_MS = 1000, 100
"""What a page and a click may take."""


def main() -> int:
    """Measure each page and each click several times; 1 when one of them takes longer than it may."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=5)
    asked = arguments.parse_args()
    say = sys.stdout.write
    say(f"JavaScript {_kilobytes('*.js')} kB ours, {_kilobytes('vendor/*.js')} kB of packages; ")
    say(f"styles {_kilobytes('*.css')} kB; all packed\n")
    with conftest.living() as studio, browser.opened() as chromium:
        told = scenery.furnish(studio)
        slow = _paints(chromium, studio, told, asked.times) + _clicks(chromium, studio, told, asked.times)
    say(f"{slow} over the budget\n")
    return slow > 0


def _paints(chromium: sync_api.Browser, studio: conftest.Studio, told: Mapping[str, str], times: int) -> int:
    """Print a line for each page, each time visited by a browser that has kept nothing; how many are too slow."""
    bare, slow = 0.0, 0
    sys.stdout.write(f"{'page':<28}{'answered':>10}{'first paint':>13}{'of bare':>9}{'files':>7}\n")
    for page in [_BARE, *pages.PAGES]:
        if found := [one for _ in range(times) if (one := _visit(chromium, studio, page, told))]:
            middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
            bare = bare or middle["paint"]
            slow += middle["paint"] > _PAINT_MS
            line = f"{page.name:<28}{middle['answered']:>7.0f} ms{middle['paint']:>10.0f} ms"
            sys.stdout.write(f"{line}{middle['paint'] / bare:>8.1f}x{middle['files']:>7.0f}\n")
    return slow


def _clicks(chromium: sync_api.Browser, studio: conftest.Studio, told: Mapping[str, str], times: int) -> int:
    """Print a line for each button that starts something; how many are heard too late, or not at all."""
    slow = 0
    sys.stdout.write(f"{'click':<28}{'acknowledged':>15}{'interaction':>15}\n")
    for name, found in clicks.measured(chromium, studio, told, times):
        slow += found is None or found["acknowledged"] > _CLICK_MS
        line = f"{found['acknowledged']:>12.0f} ms{found['interaction']:>12.0f} ms" if found else f"{'never':>15}"
        sys.stdout.write(f"{name:<28}{line}\n")
    return slow


def _visit(
    chromium: sync_api.Browser, studio: conftest.Studio, page: pages.Page, told: Mapping[str, str]
) -> dict[str, Any] | None:
    """One cold visit; None when the page is not there."""
    with chromium.new_context(base_url=studio.url) as context:
        if page.signed_in:
            conftest.let_in(context, studio)
        shown = context.new_page()
        answer = shown.goto(page.address.format_map(told))
        shown.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        measured: dict[str, Any] = shown.evaluate(_MEASURE)
        return measured if answer and (answer.ok or page.name in pages.REFUSED) else None


def _kilobytes(pattern: str) -> str:
    names = [path.relative_to(test_weights.STATIC).as_posix() for path in test_weights.STATIC.glob(pattern)]
    return f"{test_weights.packed(names, pattern.rpartition('.')[2]) / 1000:.1f}"


if __name__ == "__main__":
    sys.exit(main())
