"""`python -m tests.studio.paint`: how soon a browser that has never been here shows each page, and what it fetches."""

import argparse
import statistics
import sys
from collections.abc import Mapping
from typing import Any

from playwright import sync_api

from tests.studio import browser, conftest, pictures, scenery, test_weights

_MEASURE = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  answered: performance.getEntriesByType("navigation")[0].responseEnd,
  files: performance.getEntriesByType("resource").length,
})"""


def main() -> None:
    """Measure each page several times, each time in a browser that has kept nothing."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=5)
    asked = arguments.parse_args()
    say = sys.stdout.write
    say(f"JavaScript {_kilobytes('*.js')} kB ours, {_kilobytes('vendor/*.js')} kB of packages; ")
    say(f"styles {_kilobytes('*.css')} kB; all packed\n")
    with conftest.living() as studio, browser.opened() as chromium:
        told = scenery.furnish(studio)
        say(f"{'page':<22}{'answered':>10}{'first paint':>13}{'files':>7}\n")
        for page in pictures.PAGES:
            if found := [one for _ in range(asked.times) if (one := _visit(chromium, studio, page, told))]:
                middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
                say(f"{page.name:<22}{middle['answered']:>7.0f} ms{middle['paint']:>10.0f} ms{middle['files']:>7.0f}\n")


def _visit(
    chromium: sync_api.Browser, studio: conftest.Studio, page: pictures.Page, told: Mapping[str, str]
) -> dict[str, Any] | None:
    """One cold visit; None when the page is not there."""
    with chromium.new_context(base_url=studio.url) as context:
        if page.signed_in:
            conftest.let_in(context, studio)
        shown = context.new_page()
        answer = shown.goto(page.address.format_map(told))
        shown.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        measured: dict[str, Any] = shown.evaluate(_MEASURE)
        return measured if answer and answer.ok else None


def _kilobytes(pattern: str) -> str:
    return f"{test_weights.packed(test_weights.STATIC.glob(pattern)) / 1000:.1f}"


if __name__ == "__main__":
    main()
