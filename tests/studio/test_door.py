"""Signing in and out, in a browser."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.studio import browser
from tests.studio.conftest import Studio


def test_a_token_opens_the_door_and_leads_where_one_wanted_to_go(
    windows: Callable[..., browser.Window], studio: Studio
) -> None:
    window = windows(signed_in=False)
    window.allow("401")
    page = window.page
    page.goto("/signin?next=/readyz")
    assert browser.axe(page) == []
    page.get_by_label("Token").fill("no token at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    page.get_by_label("Token").fill(studio.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/readyz$"))
    page.goto("/")
    page.get_by_text("Menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/signin$"))
    assert page.context.cookies() == []
