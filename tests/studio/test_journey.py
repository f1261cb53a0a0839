"""From the door to a film that a stranger watches: by keys alone, and with a finger on a phone."""

import re
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser, hands
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]
TEMPLATES = ("Establishing shot", "Close-up reaction", "Insert of an object", "Montage beat", "Closing image")
SAVED = re.compile(r"^Saved \d")
_PLAYS = "() => document.querySelector('video').currentTime > 0.3"


class Truth:
    """What the server has of the project that a page shows."""

    def __init__(self, studio: Studio, page: Page) -> None:
        self._studio, self.id = studio, urllib.parse.urlsplit(page.url).path.rpartition("/")[2]

    def board(self) -> Any:
        return self._studio.rest("GET", f"/v1/storyboards/{self.id}")

    def titles(self) -> list[str]:
        return [it["title"] for it in self.board()["scenes"]]

    def productions(self) -> Any:
        return self._studio.rest("GET", f"/v1/storyboards/{self.id}/productions")["productions"]

    def takes(self) -> Any:
        return self._studio.rest("GET", f"/v1/storyboards/{self.id}/takes")["takes"]

    def film(self, page: Page) -> Any:
        """The film that the page is about, and the links to it."""
        id = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["film"][0]
        shares = self._studio.rest("GET", f"/v1/films/{id}/shares")["shares"]
        return {**self._studio.rest("GET", f"/v1/films/{id}"), "shares": shares}


PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def look_around(finger: hands.Finger) -> None:
    """Stop where one is, with a phone in the hand."""
    hands.is_for_everybody(finger.page)
    finger.fits()


@pytest.mark.timeout(600)
def test_keys_alone_lead_from_the_door_to_a_film_that_a_stranger_watches(windows: Windows, studio: Studio) -> None:
    window = windows(
        signed_in=False, viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page, hand = window.page, hands.Keyboard(window.page)

    page.goto("/")
    expect(page.get_by_label("Token")).to_be_focused()
    hands.is_for_everybody(page)
    hand.type(studio.token)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{studio.url}/")

    hand.into()
    hand.reach(page.get_by_role("link", name="New project"), 2)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    hand.type("By keys")
    hand.reach(page.get_by_label(TEMPLATES[0]), 5)
    for name in TEMPLATES:
        if name != TEMPLATES[0]:
            hand.reach(page.get_by_label(name), 4)
        hand.press(" ")
        expect(page.get_by_label(name)).to_be_checked()
    hands.is_for_everybody(page)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/p/sb_"))
    truth = Truth(studio, page)
    assert truth.titles() == list(TEMPLATES)

    first = page.get_by_role("link", name="Establishing shot")
    hand.into()
    hand.reach(first, 12)
    hand.press("e")
    expect(page.get_by_label("What happens")).to_be_focused()
    hand.press("Control+a")
    hand.type("The tide takes the boat")
    expect(page.locator("#saved")).to_have_text(SAVED)
    hand.see()
    assert truth.board()["scenes"][0]["action"] == "The tide takes the boat"
    hands.is_for_everybody(page)
    hand.press("Escape")
    expect(first).to_be_focused()

    hand.press("Alt+ArrowDown")
    expect(page.locator("#rows b")).to_have_text([TEMPLATES[1], TEMPLATES[0], *TEMPLATES[2:]])
    expect(page.locator("#toasts")).to_contain_text("Scene 1 moved")
    hand.see()
    grip = page.get_by_role("button", name="Move scene 5")
    hand.press("End")
    expect(page.locator("#rows > li").last).to_have_attribute("data-current", "")
    hand.reach(grip, 3, "Shift+Tab")
    hand.press(" ", "ArrowUp", "ArrowUp", " ")
    moved = [TEMPLATES[one] for one in (1, 0, 4, 2, 3)]
    expect(page.locator("#rows b")).to_have_text(moved)
    expect(page.locator("#rows .slate")).to_have_text(["001", "002", "003", "004", "005"])
    hand.see()
    assert truth.titles() == moved
    summary = page.locator(".tools .menu summary").last
    hand.reach(summary, 12, "Shift+Tab")
    hand.press("Enter")
    hand.reach(page.get_by_role("button", name="Move down"), 3)
    hand.press("Enter")
    moved = [TEMPLATES[one] for one in (1, 0, 2, 4, 3)]
    expect(page.locator("#rows b")).to_have_text(moved)
    hand.see()
    assert truth.titles() == moved

    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 5 takes")

    hand.into()
    for name in moved[3:]:
        hand.reach(page.get_by_label(name), 4)
        hand.press(" ")
        expect(page.get_by_label(name)).not_to_be_checked()
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 3 takes")
    hand.see()
    hand.reach(page.get_by_label("I pick the takes"), 5)
    hand.press(" ")
    expect(page.get_by_label("I pick the takes")).to_be_checked()
    hands.is_for_everybody(page)
    assert truth.productions() == []
    hand.reach(page.get_by_role("button", name=re.compile("^Generate ·")), 4)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("production[?]production="))

    hand.into()
    expect(page.locator("#stands")).to_contain_text("Pick one of each scene", timeout=240_000)
    assert len(truth.productions()) == 1
    assert len(truth.takes()) == 3
    hands.is_for_everybody(page)
    for number in (1, 2, 3):
        row = page.locator(".line", has_text=f"{number:03}")
        hand.reach(row.get_by_role("button", name="Pick"), 12 if number == 1 else 4)
        page.keyboard.press("Enter")
        expect(row).to_contain_text("Picked")
        hand.see()
    expect(page.locator("#stands")).to_contain_text("done in", timeout=240_000)
    hand.see()
    assert [it["picked"] for it in truth.takes()] == [True] * 3

    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile("/film$"))
    hand.into()
    hand.reach(page.get_by_role("group", name="Cut 1"), 1)
    hand.press(" ")
    page.wait_for_function(_PLAYS)
    hand.press("k")
    hands.is_for_everybody(page)
    hand.reach(page.get_by_label("Title card"), 40)
    hand.type("By keys")
    hand.reach(page.get_by_role("button", name=re.compile("^Make cut 2")), 5)
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Cut 2")).to_be_visible(timeout=240_000)

    hand.reach(page.get_by_role("link", name="Share", exact=True), 12)
    hand.press("Enter")
    hand.reach(page.get_by_role("button", name="Make the link"), 6)
    page.keyboard.press("Enter")
    made = page.get_by_label("The new link")
    expect(made).to_be_focused()
    hand.see()
    hand.reach(page.get_by_role("button", name="Copy", exact=True), 1)
    hand.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Copied")
    hands.is_for_everybody(page)
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == made.input_value()
    stranger = windows(signed_in=False).page
    stranger.goto(link)
    hands.Keyboard(stranger).reach(stranger.locator("video"), 3)
    stranger.keyboard.press(" ")
    stranger.wait_for_function(_PLAYS)
    assert stranger.context.cookies() == []
    told = truth.film(page)
    assert (told["state"], [int(it["views"]) for it in told["shares"]]) == ("STATE_COMPLETED", [1])


@pytest.mark.timeout(600)
def test_a_finger_leads_from_the_door_to_a_film_that_a_stranger_watches(windows: Windows, studio: Studio) -> None:
    window = windows(signed_in=False, **PHONE)
    page, finger = window.page, hands.Finger(window.page)

    command = (sys.executable, "-m", "services.cli", "studio", "--home", str(studio.house.folder))
    address = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    page.goto(address, wait_until="commit")
    expect(page).to_have_url(f"{studio.url}/")
    look_around(finger)

    finger.tap(page.get_by_role("link", name="New project"))
    finger.write(page.get_by_label("Name"), "By finger")
    for name in TEMPLATES:
        finger.tap(page.locator("label", has_text=name))
    look_around(finger)
    finger.tap(page.get_by_role("button", name="Make the project"))
    expect(page).to_have_url(re.compile("/p/sb_"))
    truth = Truth(studio, page)
    assert truth.titles() == list(TEMPLATES)

    look_around(finger)
    finger.tap(page.get_by_role("link", name=TEMPLATES[0]))
    expect(page.get_by_text("No take yet").first).to_be_visible()
    look_around(finger)
    foot = page.get_by_role("navigation", name="Parts of the editor")
    finger.tap(foot.get_by_role("link", name="Details"))
    finger.write(page.get_by_label("What happens"), "The tide takes the boat")
    expect(page.locator("#saved")).to_have_text(SAVED)
    assert truth.board()["scenes"][0]["action"] == "The tide takes the boat"
    look_around(finger)

    finger.tap(foot.get_by_role("link", name="Scenes"))
    more = page.locator(".tools .menu summary").last
    finger.tap(more)
    look_around(finger)
    finger.tap(page.get_by_role("button", name="Move down"))
    moved = [TEMPLATES[one] for one in (1, 0, 2, 3, 4)]
    expect(page.locator("#rows b")).to_have_text(moved)
    finger.tap(more)
    finger.write(page.get_by_label("Move to"), "5")
    finger.tap(page.get_by_role("button", name="Move", exact=True))
    moved = [TEMPLATES[one] for one in (1, 2, 3, 4, 0)]
    expect(page.locator("#rows b")).to_have_text(moved)
    assert truth.titles() == moved

    finger.tap(page.get_by_role("link", name=re.compile("^Generate 5 scenes ·")))
    for name in moved[3:]:
        finger.tap(page.locator("label", has_text=name))
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 3 takes")
    finger.tap(page.get_by_text("I pick the takes"))
    expect(page.get_by_label("I pick the takes")).to_be_checked()
    look_around(finger)
    assert truth.productions() == []
    finger.tap(page.get_by_role("button", name=re.compile("^Generate ·")))
    expect(page).to_have_url(re.compile("production[?]production="))
    expect(page.locator("#stands")).to_contain_text("Pick one of each scene", timeout=240_000)
    assert len(truth.takes()) == 3
    finger.tap(page.get_by_role("link", name=moved[0]))
    expect(page.get_by_role("complementary").locator("video")).to_be_visible()
    look_around(finger)
    finger.tap(page.get_by_role("link", name="Close", exact=True))
    for number in (1, 2, 3):
        row = page.locator(".line", has_text=f"{number:03}")
        finger.tap(row.get_by_role("button", name="Pick"))
        expect(row).to_contain_text("Picked")
    expect(page.locator("#stands")).to_contain_text("done in", timeout=240_000)
    look_around(finger)

    finger.tap(page.get_by_role("link", name="Storyboard"))
    finger.tap(page.get_by_role("link", name=moved[0]))
    finger.tap(page.get_by_role("button", name="Picked take 1"))
    expect(page.get_by_role("button", name="Pick take 1")).to_be_visible()
    assert [it["picked"] for it in truth.takes()].count(True) == 2
    look_around(finger)
    finger.tap(page.get_by_role("button", name="Pick take 1"))
    expect(page.get_by_role("button", name="Picked take 1")).to_be_visible()
    assert [it["picked"] for it in truth.takes()].count(True) == 3

    finger.tap(page.get_by_role("link", name="Film", exact=True))
    finger.write(page.get_by_label("Title card"), "By finger")
    finger.tap(page.get_by_role("button", name=re.compile("^Make cut 2")))
    expect(page.get_by_role("group", name="Cut 2")).to_be_visible(timeout=240_000)
    finger.tap(page.get_by_role("button", name="Play"))
    page.wait_for_function(_PLAYS)
    look_around(finger)
    finger.tap(page.get_by_role("link", name="Share", exact=True))
    finger.tap(page.get_by_role("button", name="Make the link"))
    link = page.get_by_label("The new link").input_value()
    look_around(finger)
    stranger = windows(signed_in=False, **PHONE).page
    stranger.goto(link)
    look_around(hands.Finger(stranger))
    _, high = hands.extent(stranger.locator("video"))
    stranger.tap("video", position={"x": 28, "y": high - 50})  # where a browser's own controls have the button
    stranger.wait_for_function(_PLAYS)
    assert stranger.context.cookies() == []
    told = truth.film(page)
    assert (told["state"], [int(it["views"]) for it in told["shares"]]) == ("STATE_COMPLETED", [1])
