"""Axe finds nothing on any page: both themes, three widths, more contrast, and with whatever can lie over it."""

import itertools

import pytest

from tests.studio import browser, pages
from tests.studio.conftest import Show

THEMES = ("dark", "light")


@pytest.mark.parametrize("told", [*pages.PAGES, *pages.OTHERS, *pages.OPENED], ids=lambda told: told.name)
def test_nothing_stands_in_anybodys_way(show: Show, told: pages.Page | pages.Opened) -> None:
    page = show(told)
    for theme, size in itertools.product(THEMES, browser.SIZES):
        browser.wear(page, theme, size)
        assert browser.axe(page) == [], (theme, size)
    page.emulate_media(contrast="more")
    for theme in THEMES:
        browser.wear(page, theme, "desk")
        assert browser.axe(page, ["color-contrast-enhanced"]) == [], theme
