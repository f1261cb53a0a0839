"""The way in to the work: projects, new and imported ones, their history, and keys."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser
from tests.studio.conftest import Studio

expect.set_options(timeout=20_000)
FAULTY = "name: Faulty\nscenes:\n  - subject: A woman\n    seam: last frame\n"
FOUNTAIN = "Title: A Script\nCredit: Written by\n\nINT. KITCHEN - DAWN\n\nA woman opens a letter.\n"


@pytest.fixture(scope="module")
def filmed(studio: Studio) -> dict[str, Any]:
    """A project with a film, and words that were changed after it."""
    board = studio.project(name="Filmed once")
    place = f"/v1/storyboards/{board['id']}"
    quote = studio.rest("POST", f"{place}:quote", {})
    made = studio.rest("POST", f"{place}/productions", {"quote_id": quote["id"]})
    deadline = time.monotonic() + 120
    while made["state"] not in ("STATE_SUCCEEDED", "STATE_FAILED") and time.monotonic() < deadline:
        time.sleep(0.3)
        made = studio.rest("GET", f"/v1/productions/{made['id']}")
    assert made["state"] == "STATE_SUCCEEDED", made
    second = board["scenes"][1]["id"]
    studio.rest("PATCH", f"{place}/scenes/{second}", {"subject": "She runs along the pier"}, **{"if-match": "*"})
    return board


def card(page: Page, name: str) -> Any:
    return page.locator(".project").filter(has=page.get_by_role("link", name=name, exact=True))


def test_a_card_tells_how_far_its_film_is(window: browser.Window, filmed: dict[str, Any]) -> None:
    page = window.page
    page.goto("/?q=filmed")
    one = card(page, "Filmed once")
    expect(one.locator(".reel")).to_have_attribute("aria-label", "3 scenes: 2 Picked, 1 Changed")
    expect(one).to_contain_text("Film ready")
    expect(one).to_contain_text("1 changed")
    expect(one).to_contain_text(re.compile(r"0:03 · [\d.]+"))
    assert one.locator("img").evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0


def test_what_is_done_to_a_whole_project_can_be_undone(window: browser.Window, studio: Studio) -> None:
    studio.project(name="Menu of the day")
    page = window.page
    page.goto("/?q=menu+of+the+day")

    def choose(word: str, name: str = "Menu of the day") -> None:
        page.goto("/?q=menu+of+the+day")
        page.get_by_label(f"More for {name}", exact=True).click()
        card(page, name).get_by_role("button", name=word, exact=True).click()

    choose("Duplicate")
    expect(card(page, "Menu of the day (copy)")).to_be_visible()
    page.locator("#toasts").get_by_role("button", name="Delete it").click()
    expect(page.locator("#toasts")).to_contain_text("is deleted. It is kept for 30 days.")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("is back")
    choose("Archive")
    expect(page.locator("#toasts")).to_contain_text("“Menu of the day” is archived.")
    expect(card(page, "Menu of the day")).to_have_count(0)
    page.get_by_role("link", name="Archived").click()
    page.get_by_label("More for Menu of the day").click()
    card(page, "Menu of the day").get_by_role("button", name="Unarchive").click()
    expect(page.locator("#toasts")).to_contain_text("among the projects again")
    page.reload()
    expect(page.locator("#toasts")).to_be_empty()


def test_projects_are_found_sorted_and_paged(window: browser.Window, studio: Studio) -> None:
    for number in range(14):
        studio.project(name=f"Zebra {14 - number:02}", scenes=[])
    page = window.page
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("zebra")
    expect(page).to_have_url(re.compile("q=zebra"))
    expect(page.locator(".project h2").first).to_have_text("Zebra 01")
    expect(page.locator(".project")).to_have_count(12)
    page.get_by_role("link", name="More projects").click()
    expect(page.locator(".project h2")).to_have_text(["Zebra 13", "Zebra 14"])
    page.goto("/?q=zebra&sort=name")
    expect(page.locator(".project h2").first).to_have_text("Zebra 01")
    page.get_by_role("link", name="More projects").click()
    expect(page.locator(".project h2")).to_have_text(["Zebra 13", "Zebra 14"])
    page.goto("/?q=nothing+of+the+kind")
    expect(page.locator("#shelf")).to_contain_text("Nothing here is called or speaks of")


def test_a_project_begins_with_scenes_and_a_look(window: browser.Window, studio: Studio) -> None:
    window.allow("404")  # the editor is another screen
    page = window.page
    page.goto("/new")
    page.get_by_label("Name").fill("Begun")
    page.get_by_label("9:16").check()
    page.get_by_label("Establishing shot").check()
    page.get_by_label("Closing image").check()
    page.get_by_label("Film noir").check()
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url(re.compile("/p/sb_"))
    made = studio.rest("GET", f"/v1/storyboards/{page.url.rpartition('/')[2]}")
    assert (made["name"], made["preset"], made["size"]) == ("Begun", "noir", {"width": 720, "height": 1280})
    assert [it["title"] for it in made["scenes"]] == ["Establishing shot", "Closing image"]


def test_what_is_wrong_with_a_file_is_said_at_its_line(window: browser.Window, studio: Studio) -> None:
    window.allow("422", "404")
    page = window.page
    page.goto("/import")
    faulty = {"name": "letter.yaml", "mimeType": "application/yaml", "buffer": FAULTY.encode()}
    page.get_by_label("File", exact=True).set_input_files([faulty])  # type: ignore[list-item]
    expect(page.locator("#text")).to_have_value(FAULTY)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was made.")
    told = page.locator(".lines .told").filter(has_text="seam: last frame")
    expect(told).to_contain_text("scene 1, seam: is 'last frame'; did you mean last_frame?")
    assert browser.axe(page) == []
    page.get_by_role("link", name="Line 4").click()
    assert page.evaluate("getSelection().toString()") == "    seam: last frame"
    page.locator("#text").fill(FOUNTAIN)
    page.get_by_label("What it is").select_option("auto")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="1 scene")).to_be_visible()
    expect(page.locator(".lines .told").first).to_contain_text("has no place in a board")
    page.get_by_role("button", name="Import 1 scene").click()
    expect(page).to_have_url(re.compile("/p/sb_"))
    assert studio.rest("GET", f"/v1/storyboards/{page.url.rpartition('/')[2]}")["name"] == "A Script"


def test_the_past_is_compared_named_and_brought_back(window: browser.Window, studio: Studio) -> None:
    board = studio.project(name="Of the past")
    place, scene = f"/v1/storyboards/{board['id']}", board["scenes"][0]["id"]
    change = {"subject": "A woman burns a letter at dawn"}
    studio.rest("PATCH", f"{place}/scenes/{scene}", change, **{"if-match": "*"})
    page = window.page
    page.goto(f"/p/{board['id']}/history")
    expect(page.locator(".bursts h2").first).to_have_text("Words of scene 1")
    page.get_by_role("link", name="What changed").click()
    expect(page.locator(".differing del").last).to_have_text("opens")
    expect(page.locator(".differing ins").last).to_have_text("burns")
    page.get_by_text("Name it").last.click()
    page.get_by_label("Name of revision 1").fill("As it was")
    page.get_by_role("button", name="Keep").last.click()
    expect(page.locator(".bursts mark")).to_have_text("As it was")
    page.get_by_role("button", name="Restore").last.click()
    expect(page.locator("#toasts")).to_contain_text("Revision 1 is back, as revision 3. Takes stay.")
    page.keyboard.press("Control+z")
    expect(page.locator("#toasts")).to_contain_text("The words are back.")
    expect(page.locator(".now .slate")).to_have_text("4")
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("#toasts")).to_contain_text("The words are changed again.")
    expect(page.locator(".now .slate")).to_have_text("5")
    expect(page.locator(".now .said")).to_contain_text("local, in the studio")
    expect(page.locator(".bursts .said").last).to_contain_text("local, by the API")


def test_undo_leaves_takes_alone_and_says_so(window: browser.Window, filmed: dict[str, Any]) -> None:
    page = window.page
    page.goto(f"/p/{filmed['id']}/history")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("The words are back. Take 1 stays.")
    page.locator("#toasts").get_by_role("button", name="Redo").click()
    expect(page.locator("#toasts")).to_contain_text("The words are changed again. Take 1 stays.")


def test_keys_lead_everywhere_and_never_write(window: browser.Window, studio: Studio) -> None:
    studio.project(name="Quokka")
    page = window.page
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("New project")
    assert browser.axe(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page).to_have_title("New project · Rushes")
    page.wait_for_load_state()
    page.get_by_label("Name").focus()
    page.keyboard.type("g p?")
    expect(page.get_by_label("Name")).to_have_value("g p?")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page).to_have_title("Projects · Rushes")
    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    page.keyboard.type("quokka")
    expect(page.get_by_role("dialog").get_by_role("link", name="Quokka")).to_be_visible()
    assert browser.axe(page) == []
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Quokka").last).to_be_focused()
    page.keyboard.press("Escape")
    page.evaluate("localStorage.setItem('keys', 'off')")
    page.keyboard.press("?")
    page.keyboard.press("n")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_title("Projects · Rushes")


def test_without_scripts_projects_are_made_brought_and_deleted(
    windows: Callable[..., browser.Window], studio: Studio
) -> None:
    window = windows(java_script_enabled=False)
    window.allow("404", "422")
    page = window.page
    page.goto("/new")
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Make the project").click()
    page.goto("/import")
    page.get_by_label("Or the words").fill("A boat at dawn. It waits.\n\nThe tide takes it.")
    page.get_by_label("Name, if it has none").fill("Two paragraphs")
    page.get_by_role("button", name="Import", exact=True).click()
    made = studio.rest("GET", f"/v1/storyboards/{page.url.rpartition('/')[2]}")
    assert [it["title"] for it in made["scenes"]] == ["A boat at dawn", "The tide takes it"]
    page.goto("/?q=by+hand")
    page.get_by_label("More for By hand").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#toasts")).to_contain_text("“By hand” is deleted")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("“By hand” is back.")


def test_the_shot_list_prints_without_the_room_around_it(window: browser.Window, filmed: dict[str, Any]) -> None:
    page = window.page
    page.goto(f"/p/{filmed['id']}/shots")
    page.emulate_media(media="print")
    expect(page.locator("header")).to_be_hidden()
    expect(page.get_by_role("row")).to_have_count(4)
