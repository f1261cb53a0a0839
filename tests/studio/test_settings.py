"""The owner's pages, in a browser: keys, budgets, webhooks, tokens, and what is kept in the browser."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.studio import browser, scenery
from tests.studio.conftest import Studio

NEWER = "sk-another-key-that-is-never-shown-77B1"


class Ear:
    """Everything that a page was answered."""

    def __init__(self, page: Page) -> None:
        self._answers: list[tuple[str, str]] = []
        page.route(lambda address: "/settings/" in address, lambda route: self._hear(route))

    def _hear(self, route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        self._answers.append((answer.url, answer.text()))
        route.fulfill(response=answer)

    def heard(self, text: str) -> list[str]:
        """Which answers held this text."""
        assert self._answers
        return [address for address, told in self._answers if text in told]


@pytest.fixture
def page(window: browser.Window) -> Page:
    return window.page


def test_a_key_goes_in_and_never_comes_out(page: Page) -> None:
    ear = Ear(page)
    page.goto("/settings")
    expect(page).to_have_url(re.compile("/settings/providers$"))
    form = page.locator("form", has=page.locator("[value=install]"))
    if not form.is_visible():
        page.get_by_text("Add a key").click()
    form.get_by_label("Provider").select_option("sandbox-replicate")
    form.get_by_label("Name").fill("second unit")
    form.get_by_label("Key", exact=True).fill(scenery.KEY)
    form.get_by_role("button", name="Install the key").click()
    row = page.locator("tr[id^=cred_]", has_text="second unit")
    expect(row).to_contain_text("••••4F2A")
    expect(row).to_contain_text("by local")
    row.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status").first).to_contain_text("accepts the key")
    row.get_by_text("Replace…").click()
    row.get_by_label("New key").fill(NEWER)
    row.get_by_role("button", name="Replace").click()
    expect(row).to_contain_text("••••77B1")
    row.get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    row.get_by_text("Remove…").click()
    assert browser.axe(page) == []
    row.get_by_role("button", name="Destroy this key").click()
    expect(row).to_have_count(0)
    assert ear.heard(scenery.KEY) == ear.heard(NEWER) == []


def test_what_is_refused_says_so_above_what_was_typed(window: browser.Window) -> None:
    window.allow("422")
    page, ear = window.page, Ear(window.page)
    page.goto("/settings/providers")
    form = page.locator("form", has=page.locator("[value=install]"))
    if not form.is_visible():
        page.get_by_text("Add a key").click()
    form.get_by_label("Name").fill("kept")
    form.get_by_label("Key", exact=True).fill(scenery.KEY)
    page.get_by_text("Own server, account, limits").click()
    form.get_by_label("Account, one a line").fill("no sign in it")
    form.get_by_role("button", name="Install the key").click()
    expect(page.get_by_role("alert")).to_contain_text("project=reel")
    expect(form.get_by_label("Name")).to_have_value("kept")
    assert browser.axe(page) == []
    assert ear.heard(scenery.KEY) == []


def test_a_wall_is_built_moved_taken_down_and_put_back(page: Page, studio: Studio) -> None:
    board = studio.project(name="Walled in")["id"]
    page.goto("/settings/budgets")
    form = page.locator("form.fields")
    form.get_by_label("Around").select_option(f"SCOPE_STORYBOARD {board}")
    form.get_by_label("Limit").fill("12.50")
    form.get_by_role("button", name="Build it").click()
    wall = page.locator(".wall", has_text="Walled in")
    expect(wall).to_contain_text("of $12.50")
    wall.get_by_label("Limit").fill("0")
    wall.get_by_role("button", name="Set").click()
    expect(wall).to_contain_text("Full: nothing more is bought")
    wall.get_by_role("button", name="Take it down").click()
    expect(wall).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(wall).to_contain_text("of $0.00")
    assert browser.axe(page) == []


def test_a_webhook_shows_its_secret_once_and_what_came_of_telling_it(page: Page) -> None:
    page.goto("/settings/webhooks")
    form = page.locator("form.fields")
    form.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    form.get_by_label("production.succeeded").check()
    form.get_by_role("button", name="Add it").click()
    secret = page.locator(".once code").inner_text()
    assert secret.startswith("whsec_")
    assert browser.axe(page) == []
    page.goto("/settings/webhooks")
    assert secret not in page.content()
    row = page.locator("tr", has_text="127.0.0.1:9/hook")
    row.get_by_role("button", name="Send test").click()
    expect(page.locator("#delivery")).to_contain_text("webhook.test")
    page.get_by_role("link", name="127.0.0.1:9/hook").click()
    expect(page.locator("h2", has_text="Last deliveries")).to_be_visible()
    assert browser.axe(page) == []
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("by a person")
    row.get_by_text("More…").click()
    row.get_by_role("button", name="Remove").click()
    page.wait_for_url("**did=removed")
    page.goto("/settings/webhooks")
    expect(row).to_have_count(0)


def test_a_token_is_shown_once_works_and_is_revoked(page: Page, studio: Studio) -> None:
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("Role", exact=True).select_option("ROLE_VIEWER")
    page.get_by_role("button", name="Make it").click()
    token = page.locator(".once code").first.inner_text()
    assert browser.axe(page) == []
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{studio.url}/v1/storyboards", headers=headers).status_code == 200
    page.reload()  # the browser sends the form once more: it makes no second one, and shows none
    expect(page.locator(".once")).to_have_count(0)
    row = page.locator("tr", has_text="nightly")
    expect(row).to_have_count(1)
    row.get_by_text("Revoke…").click()
    row.get_by_role("button", name="Revoke it").click()
    expect(row).to_contain_text("Revoked")


def test_a_viewer_may_look_and_is_told_what_is_not_for_viewers(
    windows: Callable[..., browser.Window], studio: Studio
) -> None:
    window = windows(signed_in=False)
    window.allow("403")
    made = studio.rest("POST", "/v1/tokens", {"name": "a viewer", "role": "ROLE_VIEWER"})
    window.page.context.add_cookies([{"name": "rushes_session", "value": made["secret"], "url": studio.url}])
    page = window.page
    page.goto("/settings/providers")
    page.get_by_label("Why").fill("I say so")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("editor")
    page.goto("/ops/queues")
    expect(page.get_by_role("heading", level=1)).to_have_text("That is not for you to see")
    assert browser.axe(page) == []


def test_choices_are_kept_in_the_browser(page: Page) -> None:
    page.goto("/settings/account")
    page.get_by_label("Light: the light table").check()
    page.get_by_label("Shortcuts of a single key").uncheck()
    page.reload()
    expect(page.get_by_label("Light: the light table")).to_be_checked()
    expect(page.get_by_label("Shortcuts of a single key")).not_to_be_checked()
    assert page.evaluate("[document.documentElement.dataset.theme, localStorage.keys]") == ["light", "off"]


def test_another_site_can_post_nothing_here(studio: Studio) -> None:
    cookies = {"rushes_session": studio.token}
    headers = {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"}
    form = {"act": "throw", "what": "SCOPE_TENANT ", "reason": "not ours"}
    answer = httpx.post(f"{studio.url}/settings/providers", data=form, cookies=cookies, headers=headers)
    assert answer.status_code == 403
    assert studio.rest("GET", "/v1/spend_switches")["spend_switches"] == []
