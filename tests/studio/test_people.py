"""People and sessions, in a browser: inviting, giving roles, removing, taking that back, ending what is elsewhere."""

import re
import urllib.parse
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.studio import browser
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]


def fit(page: Page) -> None:
    """In both themes, at a desk and on a phone."""
    for theme in ("dark", "light"):
        for size in ("desk", "phone"):
            browser.wear(page, theme, size)
            assert browser.axe(page) == [], f"{theme} {size}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def invite(page: Page, name: str, role: str) -> str:
    """The link, as the page shows it once."""
    page.goto("/settings/people")
    form = page.locator("form.fields")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Role").select_option(role)
    form.get_by_role("button", name="Make the link").click()
    return page.get_by_label("Link", exact=True).input_value()


def row(page: Page, name: str, heading: str = "here") -> Locator:
    return page.locator(f"section[aria-labelledby={heading}] tr", has=page.locator("th", has_text=name))


@pytest.fixture
def owner(windows: Windows) -> Page:
    return windows().page


def test_somebody_is_invited_comes_is_given_a_role_and_removed(owner: Page, windows: Windows, studio: Studio) -> None:
    link = invite(owner, "Bea", "ROLE_VIEWER")
    assert link.startswith(f"{studio.url}/signin#")
    fit(owner)
    owner.goto("/settings/people")
    assert link.partition("#")[2] not in owner.content()
    expect(row(owner, "Bea", "pending")).to_contain_text("Viewer")
    guest = windows(signed_in=False)
    guest.page.goto(link, wait_until="commit")
    expect(guest.page).to_have_url(f"{studio.url}/")
    other = windows(signed_in=False)
    other.allow("401")
    other.page.goto(link, wait_until="commit")
    expect(other.page.get_by_role("alert")).to_contain_text("used already")
    # A viewer sees who is here, and changes nothing.
    guest.page.goto("/settings/people")
    expect(row(guest.page, "(you)")).to_contain_text("Viewer")
    expect(row(guest.page, "local")).to_contain_text("owner")
    assert guest.page.locator("main form").count() == 0
    fit(guest.page)
    owner.goto("/settings/people")
    bea = row(owner, "Bea")
    expect(bea).to_contain_text("by invitation")
    bea.get_by_label("Role of Bea").select_option("ROLE_EDITOR")
    bea.get_by_role("button", name="Give Bea this role").click()
    expect(owner.locator(".did")).to_contain_text("counts from now on")
    expect(bea.get_by_label("Role of Bea")).to_have_value("ROLE_EDITOR")
    bea.get_by_role("button", name="Remove Bea").click()
    expect(owner.locator(".toast")).to_contain_text("Bea is removed")
    expect(bea).to_have_count(0)
    assert browser.axe(owner) == []
    owner.get_by_role("button", name="Undo").click()
    expect(owner.locator(".toast")).to_contain_text("may sign in again")
    expect(bea).to_have_count(1)
    link = _new_link(bea, owner)
    guest.page.goto("about:blank")
    guest.page.goto(link, wait_until="commit")
    expect(guest.page).to_have_url(f"{studio.url}/")


def _new_link(bea: Locator, owner: Page) -> str:
    bea.get_by_role("button", name="New link for Bea").click()
    return owner.get_by_label("Link", exact=True).input_value()


def test_without_scripts_people_are_invited_and_removed_all_the_same(windows: Windows, studio: Studio) -> None:
    page = windows(java_script_enabled=False).page
    ticket = urllib.parse.urlsplit(invite(page, "Cem", "ROLE_EDITOR")).fragment
    guest = windows(signed_in=False, java_script_enabled=False).page
    guest.goto("/signin")
    guest.get_by_label("Token").fill(ticket)
    guest.get_by_role("button", name="Sign in").click()
    expect(guest).to_have_url(f"{studio.url}/")
    page.goto("/settings/people")
    row(page, "Cem").get_by_role("button", name="Remove Cem").click()
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Cem")).to_have_count(1)
    invite(page, "Dan", "ROLE_OWNER")
    page.goto("/settings/people")
    row(page, "Dan", "pending").get_by_role("button", name="Take back").click()
    expect(row(page, "Dan", "pending")).to_have_count(0)


def test_the_last_owner_is_told_why_they_stay(windows: Windows) -> None:
    window = windows()
    window.allow("409")
    window.page.goto("/settings/people")
    row(window.page, "(you)").get_by_role("button", name="Remove").click()
    expect(window.page.get_by_role("alert")).to_contain_text("make somebody else an owner first")
    assert browser.axe(window.page) == []


def test_one_sees_where_one_is_signed_in_and_ends_it(owner: Page, windows: Windows, studio: Studio) -> None:
    link = invite(owner, "Eva", "ROLE_VIEWER")
    eva = windows(signed_in=False).page
    eva.goto(link, wait_until="commit")
    expect(eva).to_have_url(f"{studio.url}/")
    person = row(owner, "Eva")
    for _ in range(3):
        owner.goto("/settings/people")
        person.get_by_role("button", name="New link for Eva").click()
        other = windows(signed_in=False, user_agent="Mozilla/5.0 (iPhone) Version/19.0 Safari/604.1").page
        other.goto(owner.get_by_label("Link", exact=True).input_value(), wait_until="commit")
        expect(other).to_have_url(f"{studio.url}/")
    eva.goto("/settings/account")
    rows = eva.locator("section[aria-labelledby=signed-in-at] tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text(re.compile(r"Chrome on Linux\s+\(this one\)"))
    expect(rows.nth(1)).to_contain_text("Safari on iPhone")
    fit(eva)
    rows.nth(1).get_by_role("button", name="End Safari on iPhone").click()
    expect(rows).to_have_count(3)
    eva.get_by_role("button", name="End all others").click()
    expect(rows).to_have_count(1)


@pytest.mark.parametrize("place", ["/settings/people", "/settings/people/person_x/restore", "/settings/account"])
def test_another_site_s_page_changes_nobody(studio: Studio, place: str) -> None:
    headers = {"cookie": f"rushes_session={studio.token}", "sec-fetch-site": "cross-site"}
    typed = {"act": "end_others" if "account" in place else "invite", "name": "Mallory", "role": "ROLE_OWNER"}
    assert httpx.post(f"{studio.url}{place}", headers=headers, data=typed).status_code == 403
    assert "Mallory" not in [it["name"] for it in studio.rest("GET", "/v1/invitations")["invitations"]]
