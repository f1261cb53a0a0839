"""What the pages are made of keeps to the strict policy they are served with."""

import pathlib
import re

import pytest

from services.studio import web

ROOM = pathlib.Path(web.__file__).parent
PAGES = sorted(ROOM.glob("templates/**/*.html"))
STYLES = sorted(ROOM.glob("static/**/*.css"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_holds_no_style_and_no_script_of_its_own(page: pathlib.Path) -> None:
    text = page.read_text()
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_asks_only_this_house_and_for_what_is_there(page: pathlib.Path) -> None:
    for address in re.findall(r'(?:src|href)="([^"{]+)"', page.read_text()):
        assert address.startswith("/"), address
        if address.startswith("/static/"):
            assert (ROOM / address.removeprefix("/")).is_file(), address


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_a_style_fetches_nothing_from_elsewhere(style: pathlib.Path) -> None:
    assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", style.read_text())
