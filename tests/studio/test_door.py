"""Signing in and out, in a browser."""

import re
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser, scenery
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]
_TURN = """(away) => {
  Object.defineProperty(document, "hidden", {value: away, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_token_opens_the_door_and_leads_where_one_wanted_to_go(windows: Windows, studio: Studio) -> None:
    window = windows(signed_in=False)
    window.allow("401")
    page = window.page
    page.goto("/signin?next=/signin/done")
    assert browser.axe(page) == []
    page.get_by_label("Token").fill("no token at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    assert browser.axe(page) == []
    page.get_by_label("Token").fill(studio.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/signin/done$"))
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert cookie["value"].startswith("rushes_session_"), "it can be ended, unlike the token"
    page.goto("/")
    page.locator(".person summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/signin$"))
    assert page.context.cookies() == []


def test_the_address_that_the_command_prints_lets_one_browser_in(windows: Windows, studio: Studio) -> None:
    command = (sys.executable, "-m", "services.cli", "studio", "--home", str(studio.house.folder))
    address = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    window = windows(signed_in=False)
    requests: list[str] = []
    window.page.on("request", lambda request: requests.append(f"{request.url} {request.headers}"))
    window.page.goto(address, wait_until="commit")
    expect(window.page).to_have_url(f"{studio.url}/")
    ticket = address.partition("#")[2]
    assert not any(ticket in request for request in requests), "neither an address nor a header held it"
    window.page.go_back()
    assert ticket not in window.page.url, "history does not keep it"
    other = windows(signed_in=False)
    other.allow("401")
    other.page.goto(address, wait_until="commit")
    expect(other.page.get_by_role("alert")).to_contain_text("rushes studio")
    window.page.goto(address, wait_until="commit")
    expect(window.page).to_have_url(f"{studio.url}/")


@pytest.mark.parametrize("size", browser.SIZES)
def test_the_menu_says_who_one_is(windows: Windows, size: str) -> None:
    page = windows().page
    page.goto("/")
    for theme in ("dark", "light"):
        browser.wear(page, theme, size)
        page.locator(".person summary").press("Enter")
        expect(page.locator(".whose")).to_contain_text("Operator, owner · local")
        expect(page.get_by_role("link", name="Ops")).to_be_visible()
        assert browser.axe(page) == []
        page.keyboard.press("Escape")
        expect(page.locator(".person summary")).to_be_focused()


def test_old_browsers_sign_in_over_plain_http(windows: Windows, studio: Studio) -> None:
    """At a name that is not local, Chromium says nothing of sites without TLS, as older browsers never do."""
    window = windows(signed_in=False)
    window.allow("Cross-Origin-Opener-Policy")  # without TLS it is ignored, and that is said
    page, told = window.page, []
    page.on("request", lambda request: told.append(request) if request.method == "POST" else None)
    page.goto(f"{studio.url.replace('127.0.0.1', 'studio.test')}/signin?next=/signin/done")
    page.get_by_label("Token").fill(studio.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("studio.test.*/signin/done$"))
    sent = told[0].all_headers()
    assert "sec-fetch-site" not in sent
    assert sent["origin"].startswith("http://studio.test:")


def test_words_orders_and_choices_outlive_the_session_of_a_page_at_work(windows: Windows, studio: Studio) -> None:
    window, board = windows(signed_in=False), studio.project()
    window.allow("401")
    page = window.page
    page.goto(f"/p/{board['id']}")
    sign_in(page, studio)
    end_session(page, studio)
    words, saved = page.get_by_label("What happens"), page.locator("#saved")
    words.fill("She burns")
    expect(saved).to_have_text("Not saved: you were signed out")
    expect(words).to_be_focused()
    page.keyboard.type(" it")
    assert browser.axe(page) == []
    saved.get_by_role("button").click()
    come_back(page, studio)
    expect(saved).to_have_text(re.compile("^Saved"))
    assert studio.rest("GET", f"/v1/storyboards/{board['id']}")["scenes"][0]["action"] == "She burns it"

    end_session(page, studio)
    add = page.get_by_role("button", name="Scene", exact=True)
    add.click()
    come_back(page, studio)
    expect(add).to_be_focused()
    expect(page.locator("#rows > li")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(page.locator("#rows > li")).to_have_count(4)

    page.get_by_role("link", name=re.compile("^Generate")).click()
    page.get_by_label("The sea").uncheck()
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 3 takes")
    end_session(page, studio)
    pay = page.get_by_role("button", name=re.compile("^Generate ·"))
    pay.click()
    come_back(page, studio)
    expect(pay).to_be_focused()
    productions = f"/v1/storyboards/{board['id']}/productions"
    assert studio.rest("GET", productions)["productions"] == []
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("production[?]production="))
    assert len(studio.rest("GET", productions)["productions"]) == 1


def test_news_come_again_once_one_is_signed_in_again(windows: Windows, studio: Studio) -> None:
    window = windows(signed_in=False)
    window.allow("401", "htmx:sse:error")
    page, board = window.page, studio.project(scenes=[{"subject": "A boat [[slow(900)]]", "duration": "1s"}])
    production = scenery.begin(studio, board["id"])["id"]
    page.goto(f"/p/{board['id']}/production")
    sign_in(page, studio)
    expect(page.locator("#feed")).to_have_attribute("data-live", "on")
    end_session(page, studio)
    page.evaluate(_TURN, True)  # to another tab, and back: the stream ends, and begins again
    page.evaluate(_TURN, False)
    come_back(page, studio)
    expect(page.locator("#away")).to_be_empty()
    studio.rest("POST", f"/v1/productions/{production}:pause")
    expect(page.locator("#stands")).to_contain_text("Paused")
    studio.rest("POST", f"/v1/productions/{production}:cancel")


def sign_in(page: Page, studio: Studio) -> None:
    page.get_by_label("Token").fill(studio.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Token")).to_have_count(0)


def end_session(page: Page, studio: Studio) -> None:
    """At another place, until every service knows of it; the page does not."""
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "rushes_session"]
    told = {"origin": studio.url, "cookie": f"{cookie['name']}={cookie['value']}"}
    with httpx.Client(base_url=studio.url, headers=told) as elsewhere:
        elsewhere.post("/signout")
        scenery.until(lambda: elsewhere.get("/v1/storyboards").status_code == 401)


def come_back(page: Page, studio: Studio) -> None:
    """Sign in in another tab, as the dialog says, and close it."""
    dialog = page.get_by_role("dialog", name="You were signed out")
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in").click()
    sign_in(opened.value, studio)
    expect(opened.value.get_by_role("heading")).to_have_text("You are signed in")
    opened.value.close()
    expect(dialog).to_be_hidden()
