"""What the pages are made of keeps to the strict policy they are served with."""

import datetime
import pathlib
import re

import pytest

from libs import blobs
from services.studio import assets, door, web
from services.studio.pages import site
from services.studio.rest import calls

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
        assert address.startswith(("/", "#", "?")), address
        if address.startswith("/static/"):
            assert (ROOM / address.removeprefix("/")).is_file(), address


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_a_style_fetches_nothing_from_elsewhere(style: pathlib.Path) -> None:
    assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", style.read_text())


@pytest.mark.parametrize("where", [{}, {"pointer": "/take/title"}, {"parameter": "page_size"}, {"header": "If-Match"}])
def test_every_refusal_can_be_shown(where: dict[str, str], tmp_path: pathlib.Path) -> None:
    store = blobs.open_store(tmp_path.as_uri())
    of = site.Site(calls.Services({}, store, lambda: datetime.datetime.now(datetime.UTC)), assets.Assets(), door.Door())
    told = {"title": "Too large", "reason": "TOO_LARGE", "detail": "It is too large.", "request_id": "1"}
    told |= {"charged": {"state": "none"}, "errors": [where | {"detail": "should be less"}]}
    shown = of.render("parts/problem.html", {"problem": told})
    assert "should be less" in shown
    assert all(word.strip("/").split("/")[0].split("_")[0] in shown for word in where.values())
