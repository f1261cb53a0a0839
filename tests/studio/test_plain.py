"""The whole way without a script: forms that post, links that lead, and pages that are asked for again."""

import re
import time
from collections.abc import Callable

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.studio import browser
from tests.studio.conftest import Studio

_PATIENCE_S = 240


def refreshed(page: Page, there: Locator) -> None:
    """Ask for the page again until it shows this."""
    deadline = time.monotonic() + _PATIENCE_S
    while not there.count():
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(500)
        page.reload()


def test_a_film_is_written_paid_picked_cut_and_shared_without_a_script(
    windows: Callable[..., browser.Window], studio: Studio
) -> None:
    page = windows(signed_in=False, java_script_enabled=False).page
    _comes_in(page, studio)
    _writes(page)
    _pays_and_picks(page)
    place = _cuts_and_shares(page)
    stranger = windows(signed_in=False, java_script_enabled=False).page
    stranger.goto(place)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("By hand")
    source = stranger.locator("video[controls]").get_attribute("src")
    part = httpx.get(f"{studio.url}{source}", headers={"range": "bytes=0-99"}, follow_redirects=True)
    assert (part.status_code, len(part.content)) == (206, 100)
    _settles(page)
    page.locator(".person summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/signin$"))


def _comes_in(page: Page, studio: Studio) -> None:
    page.goto("/new")
    expect(page).to_have_url(re.compile("/signin"))
    page.get_by_label("Token").fill(studio.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/new$"))


def _writes(page: Page) -> None:
    """A project of three scenes becomes one of two others, one of them in other words."""
    page.get_by_label("Name").fill("By hand")
    for template in ("Establishing shot", "Close-up reaction", "Closing image"):
        page.get_by_label(template).check()
    page.get_by_role("button", name="Make the project").click()
    titles = page.locator("#rows .lines b")
    expect(titles).to_have_count(3)
    page.get_by_label("Title", exact=True).fill("The pier")
    page.get_by_label("Who or what is seen").fill("A pier in the fog")
    page.get_by_label("Length").select_option("1")
    page.locator(".details").get_by_role("button", name="Save").click()
    expect(titles.first).to_have_text("The pier")
    page.get_by_role("button", name="Scene", exact=True).click()
    expect(titles).to_have_count(4)
    _does(page, "Move up")
    expect(titles).to_have_text(["Untitled", "The pier", "Close-up reaction", "Closing image"])
    _does(page, "Delete")
    page.get_by_label("Mark scene 2").check()
    page.get_by_label("Mark scene 3").check()
    _does(page, "Delete")
    expect(titles).to_have_text(["The pier"])


def _does(page: Page, what: str) -> None:
    page.locator(".tools .menu summary").last.click()
    page.get_by_role("button", name=what).click()


def _pays_and_picks(page: Page) -> None:
    page.get_by_role("link", name="Generate…").click()
    page.get_by_label("Takes each").select_option("2")
    page.get_by_label("I pick the takes").check()
    page.get_by_role("button", name="Price it again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 2 takes")
    page.get_by_role("button", name=re.compile("^Generate ·")).click()
    expect(page.locator(".line")).to_have_count(2)
    refreshed(page, page.locator("#stands").get_by_text("Pick one of each scene"))
    page.locator(".line").last.get_by_role("button", name="Pick").click()
    refreshed(page, page.locator("#stands").get_by_text("All 1 done"))
    expect(page.locator(".line").last).to_contain_text("Picked")


def _cuts_and_shares(page: Page) -> str:
    """The address of a link to the second cut."""
    page.locator("#acts").get_by_role("link", name="Watch the film").click()
    expect(page.locator("video[controls]")).to_be_visible()
    page.get_by_label("Title card").fill("By hand")
    page.get_by_role("button", name=re.compile("Make cut 2")).click()
    refreshed(page, page.locator(".chapters li").nth(1))
    page.get_by_role("link", name="All files").click()
    page.get_by_role("button", name="Timeline, EDL").click()
    refreshed(page, page.get_by_role("link", name="Timeline, EDL"))
    with page.expect_download() as taken:
        page.get_by_role("link", name="Film, MP4").click()
    assert taken.value.suggested_filename == "By hand - cut 2 - 720p.mp4"
    page.get_by_role("link", name="Back to the film").click()
    page.get_by_role("link", name="Share links of this cut").click()
    page.get_by_role("button", name="Make the link").click()
    return page.get_by_label("The new link").input_value()


def _settles(page: Page) -> None:
    """The forms of the owner's pages."""
    page.goto("/settings/budgets")
    page.locator("form.fields").get_by_label("Limit").fill("31.00")
    page.locator("form.fields").get_by_role("button", name="Build it").click()
    wall = page.locator(".wall", has_text="of $31.00")
    expect(wall).to_be_visible()
    wall.get_by_role("button", name="Take it down").click()
    expect(wall).to_have_count(0)
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("by hand")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".once code").first).to_contain_text("rushes_")
    row = page.locator("tr", has_text="by hand")
    row.get_by_text("Revoke…").click()
    row.get_by_role("button", name="Revoke it").click()
    expect(row).to_contain_text("Revoked")
