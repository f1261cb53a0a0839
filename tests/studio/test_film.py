"""Choosing between takes and watching the film, in a browser."""

import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser
from tests.studio.conftest import Studio

_ENDS = ("STATE_SUCCEEDED", "STATE_FAILED", "STATE_CANCELED")
_AT = "() => document.querySelector('[data-player], [data-compare]').player.videos.map((it) => it.currentTime)"
_PAST = "(least) => document.querySelector('[data-player], [data-compare]').player.time > least"
_READY = "() => [...document.querySelectorAll('.player video, .compare video')].every((it) => it.readyState >= 2)"


class Filmed:
    """A project with two takes of each scene, and its film."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        scenes = [
            {
                "title": "Kitchen",
                "subject": "A woman opens a letter",
                "duration": "2s",
                "caption": "Not for forty years.",
            },
            {"title": "Pier", "subject": "She walks along the pier", "duration": "1s"},
        ]
        self.board: dict[str, Any] = studio.project(name="The Letter", scenes=scenes)
        self.id: str = self.board["id"]
        self.film_id = film(studio, self.id, takes=2)
        self.scene: str = self.board["scenes"][0]["id"]
        self.takes = f"/p/{self.id}/scenes/{self.scene}/takes"
        self.page = f"/p/{self.id}/film"


def film(studio: Studio, storyboard_id: str, takes: int = 1) -> str:
    """Film the storyboard; the id of its film."""
    options = {"takes": takes}
    plan = studio.rest("POST", f"/v1/storyboards/{storyboard_id}:plan", {"options": options})
    wanted = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"], "options": options}
    made = studio.rest("POST", f"/v1/storyboards/{storyboard_id}/productions", wanted)
    while made["state"] not in _ENDS:
        time.sleep(0.3)
        made = studio.rest("GET", f"/v1/productions/{made['id']}")
    assert made["state"] == "STATE_SUCCEEDED", made
    film_id: str = made["film_id"]
    return film_id


@pytest.fixture(scope="module")
def filmed(studio: Studio) -> Filmed:
    return Filmed(studio)


def _sound(page: Page) -> list[str]:
    """What axe finds in either theme, on a desk and on a phone, and whether the page is wider than its window."""
    found = []
    for theme, size in (("dark", "desk"), ("light", "phone"), ("light", "desk"), ("dark", "phone")):
        browser.wear(page, theme, size)
        found += browser.axe(page)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{page.url} is wider than a {size}")
    return found


def test_a_take_is_shown_picked_and_unpicked_with_keys_and_taken_back(window: browser.Window, filmed: Filmed) -> None:
    page = window.page
    page.goto(filmed.takes)
    takes = page.locator("#takes .take")
    expect(takes).to_have_count(2)
    expect(takes.nth(0)).to_have_attribute("data-picked", "")
    assert _sound(page) == []
    page.keyboard.press("2")
    expect(page).to_have_url(re.compile(r"take=2$"))
    page.keyboard.press("p")
    expect(takes.nth(1)).to_have_attribute("data-picked", "")
    expect(takes.nth(0)).not_to_have_attribute("data-picked", "")
    expect(page.get_by_role("status").filter(has_text="Take 2 is in the film")).to_be_visible()
    assert browser.axe(page) == []
    page.get_by_role("button", name="Undo").click()
    expect(takes.nth(0)).to_have_attribute("data-picked", "")
    page.get_by_text("Why take 2?").click()
    page.get_by_label("Note on take 2").fill("The light is right.")
    page.get_by_role("button", name="Keep the note").click()
    expect(takes.nth(1).locator(".note")).to_have_text("The light is right.")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/compare$"))


def test_two_takes_show_the_same_frame(window: browser.Window, filmed: Filmed) -> None:
    page = window.page
    page.goto(filmed.takes.replace("/takes", "/compare?left=1&right=2"))
    page.wait_for_function(_READY)
    assert _sound(page) == []
    browser.wear(page, "dark", "desk")
    page.locator(".compare").focus()
    for _ in range(3):
        page.keyboard.press(".")
    expect(page.locator("[data-clock]")).to_contain_text("0:00.03")
    assert [round(at * 24 - 0.5) for at in page.evaluate(_AT)] == [3, 3]
    page.keyboard.press(" ")
    page.wait_for_function(_PAST, arg=0.6)
    page.keyboard.press("k")
    page.wait_for_function("() => !document.querySelector('.compare video').seeking")
    one, other = page.evaluate(_AT)
    assert abs(one - other) < 1 / 24
    page.get_by_label("Wipe", exact=True).check()
    expect(page.locator("[data-compare]")).to_have_attribute("data-mode", "wipe")
    assert browser.axe(page) == []
    page.get_by_label("Flip").check()
    expect(page.locator("[data-side='1'] video")).not_to_be_visible()
    page.keyboard.down("x")
    expect(page.locator("[data-side='1'] video")).to_be_visible()
    page.keyboard.up("x")
    expect(page).to_have_url(re.compile("mode=flip"))
    page.keyboard.press("Shift+Digit1")
    expect(page).to_have_url(re.compile("right=1"))


def test_the_film_is_watched_with_keys_and_by_its_chapters(window: browser.Window, filmed: Filmed) -> None:
    page = window.page
    page.goto(f"{filmed.page}?film={filmed.film_id}")
    expect(page.locator(".transport")).to_be_visible()
    expect(
        page.get_by_role("link", name="Shot list, CSV").or_(page.get_by_role("button", name="Shot list, CSV"))
    ).to_be_visible()
    assert _sound(page) == []
    browser.wear(page, "dark", "desk")
    page.get_by_role("link", name=re.compile("002 Pier")).click()
    expect(page.locator("[data-clock]")).to_contain_text("0:02.00")
    expect(page.locator(".chapters a[aria-current]")).to_contain_text("Pier")
    page.locator(".player").focus()
    page.keyboard.press(",")
    expect(page.locator("[data-clock]")).to_contain_text("0:01.23")
    page.keyboard.press("Home")
    page.keyboard.press(">")
    expect(page.get_by_label("Speed")).to_have_value("1.5")
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Captions")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(
        "() => document.querySelector('video').textTracks[0].cues?.[0]?.text === 'Not for forty years.'"
    )
    page.keyboard.press("l")
    page.wait_for_function(_PAST, arg=0.2)
    page.keyboard.press("k")
    assert page.evaluate("document.querySelector('video').paused")


def test_a_film_goes_home_whole_and_in_ranges_under_a_human_name(filmed: Filmed) -> None:
    told = filmed.studio.rest("GET", f"/v1/films/{filmed.film_id}")["video"]
    whole = httpx.get(told["url"])
    assert whole.headers["content-disposition"].endswith("The%20Letter%20-%20cut%201%20-%20720p.mp4")
    part = httpx.get(told["url"], headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_an_export_is_made_when_it_is_asked_for(window: browser.Window, filmed: Filmed) -> None:
    page = window.page
    page.goto(filmed.page)
    page.get_by_role("button", name="Timeline, EDL").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Timeline, EDL").click()
    assert taken.value.suggested_filename == "The Letter - cut 1 - 720p.edl"
    with page.expect_download() as taken:
        page.get_by_role("link", name="Film, MP4").click()
    assert taken.value.suggested_filename == "The Letter - cut 1 - 720p.mp4"
    page.goto(filmed.takes)
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download take 1").click()
    assert taken.value.suggested_filename == "The Letter - scene 001 - take 1.mp4"


def test_another_cut_is_made_and_the_same_one_is_not(window: browser.Window, filmed: Filmed) -> None:
    page = window.page
    page.goto(filmed.page)
    page.get_by_role("button", name=re.compile("Make cut")).click()
    expect(page.get_by_role("status").filter(has_text="Nothing would be different")).to_be_visible()
    page.get_by_label("Joins").select_option("Dissolve")
    page.get_by_label("Title card").fill("The Letter")
    page.get_by_role("button", name=re.compile("Make cut")).click()
    expect(page.locator(".versions li")).to_have_count(2)
    expect(page.locator(".transport")).to_be_visible(timeout=60_000)
    expect(page.locator(".chapters li")).to_have_count(3)
    expect(page.get_by_label("Joins")).to_have_value("CROSSFADE")
    expect(page.get_by_label("Title card")).to_have_value("The Letter")


def test_an_address_that_has_ended_is_asked_for_again(window: browser.Window, filmed: Filmed) -> None:
    """It fails before the player is there to hear of it, as it does where scripts come late."""
    window.allow("404")
    page = window.page
    asked: list[str] = []
    late: list[Any] = []

    def ended(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404) if len(asked) == 1 else route.continue_()

    page.route(re.compile(r"/v1/takes/[^/]+:media$"), ended)
    page.route("**/player.js", lambda route: late.append(route))
    page.goto(filmed.takes, wait_until="commit")
    page.wait_for_function("() => document.querySelector('.player video')?.error")
    assert len(asked) == 1
    late[0].continue_()
    page.wait_for_function("() => document.querySelector('.player video').readyState >= 2", timeout=120_000)
    assert len(asked) > 1


def test_the_film_page_needs_no_scripts(windows: Callable[..., browser.Window], studio: Studio, filmed: Filmed) -> None:
    page = windows(java_script_enabled=False).page
    page.goto(f"{filmed.page}?film={filmed.film_id}")
    expect(page.locator("video[controls]")).to_be_visible()
    expect(page.get_by_role("link", name="The Letter - cut 1 - 720p.mp4")).to_be_visible()
    page.goto(filmed.takes)
    page.get_by_role("button", name="Pick take 2").click()
    expect(page.get_by_role("button", name="Picked take 2")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Picked take 1")).to_be_visible()
    page.goto(f"/p/{studio.project()['id']}/film")
    expect(page.get_by_role("heading", name="No film yet")).to_be_visible()


def test_without_a_film_the_page_says_what_to_do(window: browser.Window, studio: Studio) -> None:
    page = window.page
    board = studio.project()
    page.goto(f"/p/{board['id']}/film")
    expect(page.get_by_role("link", name="See what generating costs")).to_be_visible()
    assert _sound(page) == []
    page.goto(f"/p/{board['id']}/scenes/{board['scenes'][0]['id']}/compare")
    expect(page.get_by_text("There is no take to watch.")).to_be_visible()
    assert browser.axe(page) == []
