"""Paying for exactly what was shown, once; and watching what comes of it."""

import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser, scenery
from tests.studio.conftest import BOARD, Studio

_LOOKS = [("dark", "desk"), ("light", "phone")]


def productions(studio: Studio, project: dict[str, Any]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = studio.rest("GET", f"/v1/storyboards/{project['id']}/productions")["productions"]
    return told


def production_of(studio: Studio, page: Page) -> dict[str, Any]:
    """The production that the page shows, as the server has it."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)
    told: dict[str, Any] = studio.rest("GET", f"/v1/productions/{query['production'][0]}")
    return told


def scenes(*subjects: str) -> list[dict[str, Any]]:
    return [{"title": f"Number {one}", "subject": said, "duration": "1s"} for one, said in enumerate(subjects, 1)]


def generate(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Generate ·")).click()
    expect(page).to_have_url(re.compile("production[?]production="))
    expect(page.get_by_role("heading", name="Production")).to_be_visible()


def line(page: Page, number: int) -> Any:
    return page.locator(".line", has_text=f"{number:03}")


def looks_right(page: Page) -> None:
    for theme, size in _LOOKS:
        browser.wear(page, theme, size)
        assert browser.axe(page) == [], f"{theme} {size}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{theme} {size} scrolls sideways"


def test_a_quote_says_the_most_one_can_pay_and_is_paid_once(window: browser.Window, studio: Studio) -> None:
    project, page = studio.project(), window.page
    page.goto(f"/p/{project['id']}/production")
    expect(page.get_by_role("heading", name="Nothing is running")).to_be_visible()
    page.get_by_role("link", name="See the quote").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Generate 3 takes")
    looks_right(page)
    browser.wear(page, "dark", "desk")
    dialog.get_by_label("The sea").uncheck()
    expect(dialog.get_by_role("heading")).to_have_text("Generate 2 takes")
    expect(dialog.get_by_label("The sea")).to_be_focused()
    dialog.get_by_label("Takes each").select_option("2")
    expect(dialog.get_by_role("heading")).to_have_text("Generate 4 takes")
    expect(dialog.locator(".most")).to_contain_text("0.40")
    form = page.evaluate("new URLSearchParams(new FormData(document.querySelector('#terms'))).toString()")
    dialog.get_by_role("button", name=re.compile("^Generate ·")).dblclick()
    expect(page).to_have_url(re.compile("production[?]production="))
    expect(page.locator(".line")).to_have_count(4)
    again = page.request.post(
        f"/p/{project['id']}/quote",
        data=form,
        headers={"content-type": "application/x-www-form-urlencoded", "origin": studio.url},
    )
    assert again.url == page.url
    (only,) = productions(studio, project)
    assert only["most_you_can_pay"]["micros"] == "400000"
    assert len(production_of(studio, page)["jobs"]) == 4


def test_a_draft_is_chosen_where_it_is_priced_and_does_not_pass_for_the_film(
    window: browser.Window, studio: Studio
) -> None:
    window.allow("422")
    project, page = studio.project(scenes=BOARD["scenes"][:1]), window.page
    page.goto(f"/p/{project['id']}/production")
    page.get_by_role("link", name="See the quote").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Provider").locator("option:checked")).to_have_text("As set: Sandbox Reel 1")
    expect(dialog.get_by_label("Quality").locator("option")).to_have_text(["As set: 720p", "360p", "1080p"])
    dialog.get_by_label("Provider").focus()
    dialog.get_by_label("Provider").select_option("Sandbox Veo 1")
    expect(dialog.get_by_role("alert")).to_contain_text("Duration of 001: 1 s; this model makes 4, 6 or 8 s")
    expect(dialog.locator("#pay")).to_have_count(0)
    expect(dialog.get_by_label("Provider")).to_be_focused()
    looks_right(page)
    browser.wear(page, "dark", "desk")
    dialog.get_by_label("Provider").select_option("")
    expect(dialog.locator("#pay")).to_be_visible()
    dialog.get_by_label("Quality").select_option("360p")
    expect(dialog.locator(".bill")).to_contain_text("1 take \u00d7 1 s · 640 \u00d7 360 · sandbox/reel-1")
    looks_right(page)
    browser.wear(page, "dark", "desk")
    generate(page)
    expect(page.get_by_role("main")).to_contain_text("at 360p")
    expect(page.locator("#stands")).to_contain_text("All 1 done", timeout=240_000)
    (job,) = production_of(studio, page)["jobs"]
    assert job["spec"]["size"] == {"width": 640, "height": 360}
    page.goto(f"/p/{project['id']}/quote")
    expect(page.locator(".picks")).to_contain_text("Its take is a picture of another size")
    page.goto(f"/p/{project['id']}/quote?resolution=360p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing has to be bought")


def test_nothing_is_sent_when_the_project_changed_between_the_quote_and_the_click(
    window: browser.Window, studio: Studio
) -> None:
    window.allow("409")
    project, page = studio.project(), window.page
    page.goto(f"/p/{project['id']}/production")
    page.get_by_role("link", name="See the quote").click()
    dialog = page.get_by_role("dialog")
    changed = [{**scene, "duration": "3s"} if number == 1 else scene for number, scene in enumerate(project["scenes"])]
    studio.rest("PATCH", f"/v1/storyboards/{project['id']}", {"scenes": changed}, **{"if-match": "*"})
    dialog.get_by_role("button", name=re.compile("^Generate ·")).click()
    stale = dialog.locator("[data-stale]")
    expect(stale).to_contain_text("The project changed. New quote?")
    expect(stale.get_by_role("listitem")).to_have_text("Scene 002 went from 1 s to 3 s")
    looks_right(page)
    assert productions(studio, project) == []
    generate(page)
    (only,) = productions(studio, project)
    assert only["most_you_can_pay"]["micros"] == "500000"


def test_a_lost_answer_is_checked_and_never_sent_twice(window: browser.Window, studio: Studio) -> None:
    project, page = studio.project(scenes=scenes("A boat at dawn [[drop_reply]] [[list_lag(20)]]")), window.page
    page.goto(f"/p/{project['id']}/quote")
    generate(page)
    row = line(page, 1)
    expect(row).to_contain_text("Checking with the provider")
    expect(row).to_contain_text("may be charged")
    row.get_by_role("link").click()
    drawer = page.get_by_role("complementary")
    expect(drawer).to_contain_text("is at stake")
    drawer.get_by_role("button", name="Check now").click()
    expect(page.locator(".toast").first).to_contain_text("Nothing is bought twice")
    assert browser.axe(page) == []
    expect(row).to_contain_text("Picked", timeout=240_000)
    expect(drawer).to_contain_text("The answer was lost; looking for it")
    (job,) = production_of(studio, page)["jobs"]
    ledger = (studio.house.folder / "sandbox" / "ledger.jsonl").read_text().splitlines()
    of_it = [one["event"] for one in map(json.loads, ledger) if one.get("client_ref") == job["submission_id"]]
    assert (of_it.count("create"), of_it.count("charge")) == (1, 1)


def test_what_went_wrong_says_what_it_cost_and_what_to_do(window: browser.Window, studio: Studio) -> None:
    scenery.film_of(studio, studio.project()["id"])  # three takes say how long one takes
    project = studio.project(scenes=scenes("A boat [[refused]]", "A boat [[slow(600)]]"))
    page = window.page
    page.goto(f"/p/{project['id']}/quote")
    generate(page)
    expect(line(page, 1)).to_contain_text("The provider refused these words or pictures")
    expect(line(page, 2)).to_contain_text("Generating")
    expect(line(page, 2).locator(".usual")).to_have_text(re.compile(r"^(usually \d|slower than usual)"))
    line(page, 2).locator("[data-slow]").evaluate("(usual) => (usual.dataset.slow = 0)")
    expect(line(page, 2).locator(".usual")).to_have_text("slower than usual")
    page.keyboard.press("5")
    expect(page).to_have_url(re.compile("show=failed"))
    expect(line(page, 2)).to_be_hidden()
    line(page, 1).get_by_role("link", name="Number 1").click()
    drawer = page.get_by_role("complementary")
    expect(drawer).to_contain_text("Nothing was charged.")
    expect(drawer.get_by_role("link", name="Edit the scene")).to_have_attribute("href", f"/p/{project['id']}?scene=1")
    looks_right(page)
    browser.wear(page, "dark", "desk")
    drawer.get_by_role("button", name=re.compile("Generate it again · up to")).click()
    expect(page.locator("#tally")).to_contain_text("Scenes done")
    page.keyboard.press("Escape")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page.locator(".line", has_text="TK2")).to_contain_text("Failed")
    page.goto(page.url.replace("show=failed", "show=all"))
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator("#stands")).to_contain_text("Stopped", timeout=240_000)
    assert production_of(studio, page)["state"] == "STATE_CANCELED"


def test_a_production_waits_for_a_yes_and_for_a_pick(window: browser.Window, studio: Studio) -> None:
    project, page = studio.project(scenes=BOARD["scenes"][:1]), window.page
    page.goto(f"/p/{project['id']}/quote")
    page.get_by_label("I pick the takes").check()
    generate(page)
    row = line(page, 1)
    expect(page.locator("#stands")).to_contain_text("Pick one of each scene", timeout=240_000)
    expect(page.locator("#tally")).to_contain_text("Needs you")
    looks_right(page)
    row.get_by_role("button", name="Pick").click()
    expect(page.locator("#stands")).to_contain_text("All 1 done", timeout=240_000)
    expect(row).to_contain_text("Picked")
    assert browser.axe(page) == []


@pytest.mark.parametrize("script", [True, False])
def test_a_quote_needs_no_script(windows: Callable[..., browser.Window], studio: Studio, script: bool) -> None:
    project, page = studio.project(), windows(java_script_enabled=script).page
    page.goto(f"/p/{project['id']}/quote")
    page.get_by_label("The sea").uncheck()
    page.get_by_label("Provider").select_option("Sandbox Reel, sold as fal sells")
    page.get_by_role("button", name="Price it again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Generate 2 takes")
    expect(page.locator(".bill")).to_contain_text("sandbox/fal-reel")
    generate(page)
    expect(page.locator(".line")).to_have_count(2)
