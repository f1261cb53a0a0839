"""Signing in and out, in a browser."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.studio import browser
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]


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


def test_a_session_that_ends_at_work_loses_nothing(windows: Windows, studio: Studio) -> None:
    window = windows()
    window.allow("401")
    page = window.page
    page.goto("/")
    page.evaluate("""() => {
        document.getElementById("main").innerHTML +=
            '<form hx-post="/work"><label>Words <textarea name="words"></textarea></label><button>Keep</button></form>';
        htmx.process(document.getElementById("main"));
    }""")
    # What every page answers to a part of it whose session has ended: tests/integration/studio/test_signing.py.
    page.route("**/work", lambda it: it.fulfill(status=401, headers={"hx-trigger": "signed-out", "hx-reswap": "none"}))
    page.get_by_label("Words").fill("She turns")
    page.context.clear_cookies()
    page.get_by_role("button", name="Keep").click()
    dialog = page.get_by_role("dialog", name="You were signed out")
    expect(dialog).to_be_visible()
    assert browser.axe(page) == []
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in").click()
    other = opened.value
    other.get_by_label("Token").fill(studio.token)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading")).to_have_text("You are signed in")
    expect(dialog).to_be_hidden()
    expect(page.locator("#toasts")).to_contain_text("signed in again")
    expect(page.get_by_label("Words")).to_have_value("She turns")
