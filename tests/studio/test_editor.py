"""The storyboard editor in a browser: words are never lost, scenes go where they are put, others' edits arrive."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.studio import browser
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]
SAVED = re.compile(r"^Saved \d")
OFFLINE = "Not saved: offline, kept in this browser"


class Desk:
    """One window on one project's editor."""

    def __init__(self, windows: Windows, board: dict[str, Any], query: str = "", **options: Any) -> None:
        self.window = windows(**options)
        self.window.allow("/takes)")  # a scene that was just taken out has none
        self.page: Page = self.window.page
        self.page.goto(f"/p/{board['id']}?{query}")
        if options.get("java_script_enabled", True):
            self._wait()

    def _wait(self) -> None:
        """Until the scripts have taken the page over: what is pressed before goes nowhere."""
        self.page.locator("[data-live] #add[data-htmx-powered]").wait_for()

    def reload(self) -> None:
        self.page.reload()
        self._wait()

    @property
    def saved(self) -> Locator:
        return self.page.locator("#saved")

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def expect_titles(self, *titles: str) -> None:
        expect(self.page.locator("#rows .lines b")).to_have_text(list(titles))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


class Held:
    """Requests of a page that are not let through: looks at scenes at first, then those of a method."""

    def __init__(self, page: Page) -> None:
        self._routes: dict[str, list[Route]] = {"GET": []}
        page.route(re.compile(r"/p/[^/]+(\?scene=|/order)"), self._asked)

    def _asked(self, route: Route) -> None:
        self._routes[route.request.method].append(route) if route.request.method in self._routes else route.continue_()

    def hold(self, method: str) -> None:
        self._routes[method] = []

    def let_go(self, method: str) -> None:
        for route in self._routes.pop(method):
            route.continue_()


@pytest.fixture
def board(studio: Studio) -> dict[str, Any]:
    return studio.project()


@pytest.fixture
def desk(windows: Windows, board: dict[str, Any]) -> Desk:
    return Desk(windows, board)


def test_words_are_saved_when_typing_stops_and_undone_after_a_reload(
    desk: Desk, studio: Studio, board: dict[str, Any]
) -> None:
    desk.field("What happens").fill("She tears it up")
    expect(desk.saved).to_have_text(SAVED)
    told = studio.rest("GET", f"/v1/storyboards/{board['id']}")
    assert told["scenes"][0]["action"] == "She tears it up"
    desk.reload()
    expect(desk.field("What happens")).to_have_value("She tears it up")
    desk.press("Control+z")
    expect(desk.field("What happens")).to_have_value("")
    desk.reload()
    desk.press("Control+Shift+Z")
    expect(desk.field("What happens")).to_have_value("She tears it up")
    desk.page.get_by_role("link", name="Prompt").click()
    expect(desk.page.locator(".parts")).to_contain_text("She tears it up")
    desk.press("Control+s")
    expect(desk.saved).to_have_attribute("data-flash", "")


def test_words_typed_offline_outlive_the_window(desk: Desk, studio: Studio, board: dict[str, Any]) -> None:
    desk.window.allow("ERR_INTERNET_DISCONNECTED")
    desk.page.context.set_offline(True)
    desk.field("What happens").fill("Nothing is lost")
    expect(desk.saved).to_have_text(OFFLINE)
    context = desk.page.context
    desk.page.close()
    context.set_offline(False)
    desk.page = context.new_page()
    desk.page.goto(f"/p/{board['id']}")
    expect(desk.field("What happens")).to_have_value("")
    desk.page.get_by_role("button", name="Bring back").click()
    expect(desk.field("What happens")).to_have_value("Nothing is lost")
    expect(desk.saved).to_have_text(SAVED)
    assert studio.rest("GET", f"/v1/storyboards/{board['id']}")["scenes"][0]["action"] == "Nothing is lost"
    desk.reload()
    expect(desk.page.locator("#kept")).to_be_hidden()


def test_two_people_merge_by_themselves_and_are_asked_where_they_cannot(
    windows: Windows, studio: Studio, board: dict[str, Any]
) -> None:
    mine, theirs = Desk(windows, board, "tab=camera"), Desk(windows, board, "tab=camera")
    mine.window.allow("ERR_INTERNET_DISCONNECTED", "412")
    mine.page.context.set_offline(True)
    mine.field("Mood").fill("Mine")
    mine.field("Light").fill("Dusk")
    expect(mine.saved).to_have_text(OFFLINE)
    theirs.field("Mood").fill("Theirs")
    theirs.field("Framing, lens, movement").fill("Wide")
    expect(theirs.saved).to_have_text(SAVED)
    mine.page.context.set_offline(False)
    sheet = mine.page.get_by_role("dialog")
    expect(sheet).to_contain_text("Theirs")
    expect(mine.saved).to_have_text("Somebody changed this too")
    assert browser.axe(mine.page) == []
    sheet.get_by_text("Both").click()
    sheet.get_by_role("button", name="Keep what is marked").click()
    expect(mine.saved).to_have_text(SAVED)
    expect(mine.field("Framing, lens, movement")).to_have_value("Wide")
    scene = studio.rest("GET", f"/v1/storyboards/{board['id']}")["scenes"][0]
    assert (scene["mood"], scene["lighting"], scene["camera"]) == ("Theirs\nMine", "Dusk", "Wide")


def test_what_others_write_arrives_and_leaves_alone_what_is_typed(
    desk: Desk, studio: Studio, board: dict[str, Any]
) -> None:
    scene = f"/v1/storyboards/{board['id']}/scenes/{board['scenes'][0]['id']}"
    desk.field("Title").focus()
    desk.press("End", "!")
    studio.rest("PATCH", scene, {"setting": "A pier in winter"}, **{"if-match": "*"})
    desk.press("!")
    expect(desk.field("Where and when")).to_have_value("A pier in winter")
    expect(desk.field("Title")).to_be_focused()
    expect(desk.field("Title")).to_have_value("Kitchen!!")
    expect(desk.saved).to_have_text(SAVED)


def test_a_menu_stays_open_and_what_stands_in_it_too_while_news_arrive(desk: Desk) -> None:
    desk.field("What happens").fill("She tears it up")
    desk.page.locator(".tools .menu summary").last.click()
    desk.field("Move to").fill("3")
    expect(desk.page.locator("#rows")).to_contain_text("She tears it up")
    expect(desk.saved).to_have_text(SAVED)
    expect(desk.field("Move to")).to_be_focused()
    expect(desk.field("Move to")).to_have_value("3")
    desk.page.get_by_role("button", name="Move", exact=True).press("Enter")
    desk.expect_titles("Pier", "The sea", "Kitchen")
    expect(desk.field("Move to")).to_be_hidden()
    expect(desk.page.get_by_role("link", name="Kitchen")).to_be_focused()


def test_who_leaves_a_drawer_or_a_field_is_where_they_came_from(desk: Desk) -> None:
    look = desk.page.get_by_role("link", name="Look")
    look.press("Enter")
    expect(desk.page.get_by_role("heading", name="Look")).to_be_focused()
    desk.page.get_by_label("Film noir").press(" ")
    expect(desk.saved).to_have_text(SAVED)
    desk.press("Escape")
    expect(look).to_be_focused()
    desk.field("Title").press("Escape")
    expect(desk.page.get_by_role("link", name="Kitchen")).to_be_focused()
    toast = desk.page.locator("#toasts").get_by_role("button", name="Undo")
    desk.press("Delete")
    desk.expect_titles("Pier", "The sea")
    toast.press("Enter")
    desk.expect_titles("Kitchen", "Pier", "The sea")
    assert desk.page.evaluate("document.activeElement !== document.body")


def test_a_field_that_is_refused_says_so_and_is_saved_once_it_is_mended(desk: Desk) -> None:
    desk.window.allow("422")
    desk.field("Who or what is seen").fill("")
    desk.field("Title").fill("A kitchen")
    expect(desk.saved).to_have_text("Not saved: a field needs you")
    expect(desk.field("Who or what is seen")).to_have_attribute("aria-invalid", "true")
    assert browser.axe(desk.page) == []
    desk.field("Who or what is seen").fill("A cat")
    expect(desk.saved).to_have_text(SAVED)


def test_scenes_are_added_doubled_deleted_and_brought_back(desk: Desk) -> None:
    desk.press("d")
    desk.expect_titles("Kitchen", "Kitchen", "Pier", "The sea")
    desk.press("Delete")
    desk.expect_titles("Kitchen", "Pier", "The sea")
    desk.page.get_by_role("button", name="Undo").last.click()
    desk.expect_titles("Kitchen", "Kitchen", "Pier", "The sea")
    desk.page.get_by_text("From a template").click()
    desk.page.get_by_role("button", name="Insert of an object").click()
    expect(desk.page).to_have_url(re.compile("scene=scene_"))
    expect(desk.field("Who or what is seen")).to_have_value("<the object>")
    desk.press("Home", "x")
    desk.press("ArrowDown", "X")
    expect(desk.page.locator("#rows [name=scene]:checked")).to_have_count(2)
    desk.press("Delete")
    expect(desk.page.locator("#rows > li")).to_have_count(3)


def test_scenes_are_carried_by_keys(desk: Desk) -> None:
    desk.page.locator("[data-turn='tab:camera']").click()
    desk.press("Alt+ArrowDown")
    desk.expect_titles("Pier", "Kitchen", "The sea")
    expect(desk.page.locator("[data-turn='tab:camera']")).to_have_attribute("aria-current", "true")
    desk.page.get_by_role("button", name="Move scene 3").focus()
    desk.press(" ", "ArrowUp", "ArrowUp")
    expect(desk.page.locator("#moves")).to_have_text("At 1.")
    desk.press("Escape")
    desk.expect_titles("Pier", "Kitchen", "The sea")
    desk.press(" ", "ArrowUp", "ArrowUp", " ")
    expect(desk.page.locator("#rows .slate")).to_have_text(["001", "002", "003"])
    desk.reload()
    desk.expect_titles("The sea", "Pier", "Kitchen")
    for name, number in (("Pier", "002"), ("Kitchen", "003")):
        desk.page.get_by_role("link", name=name).click()
        expect(desk.page.get_by_role("heading", name=f"Scene {number}")).to_be_visible()
    desk.page.locator(".tools .menu summary").last.click()
    desk.field("Move to").fill("1")
    desk.page.get_by_role("button", name="Move", exact=True).click()
    desk.expect_titles("Kitchen", "The sea", "Pier")


def test_a_scene_that_is_chosen_is_the_one_that_is_acted_on_and_shown_while_its_page_is_on_the_way(desk: Desk) -> None:
    page, held = desk.page, Held(desk.page)
    desk.press("Home", "ArrowDown", *["Alt+ArrowUp"] * 3, *["Alt+ArrowDown"] * 2)
    desk.expect_titles("Kitchen", "The sea", "Pier")
    expect(page.get_by_role("heading", name="Scene 003")).to_be_visible()
    held.let_go("GET")
    expect(desk.field("Title")).to_have_value("Pier")
    held.hold("POST")
    desk.press("Alt+ArrowUp")
    page.get_by_role("link", name="Kitchen").click()
    expect(desk.field("Title")).to_have_value("Kitchen")
    held.let_go("POST")
    desk.expect_titles("Kitchen", "Pier", "The sea")
    expect(desk.field("Title")).to_have_value("Kitchen")
    expect(page).to_have_url(re.compile("pane=preview"))


def test_scenes_are_carried_by_mouse_and_by_finger(windows: Windows, board: dict[str, Any]) -> None:
    desk = Desk(windows, board)
    first, last = (desk.page.get_by_role("button", name=f"Move scene {number}").bounding_box() for number in (1, 3))
    assert first
    assert last
    x = first["x"] + first["width"] / 2
    desk.page.mouse.move(x, first["y"] + 15)
    desk.page.mouse.down()
    desk.page.mouse.move(x, last["y"] + 10, steps=8)
    desk.page.mouse.move(x, last["y"] + 40, steps=4)
    desk.page.mouse.up()
    desk.expect_titles("Pier", "The sea", "Kitchen")
    expect(desk.page.locator("#rows .slate")).to_have_text(["001", "002", "003"])
    phone = Desk(windows, board, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    boxes = [phone.page.get_by_role("button", name=f"Move scene {number}").bounding_box() for number in (1, 3)]
    _drag_by_finger(phone.page, boxes)
    phone.expect_titles("The sea", "Kitchen", "Pier")
    expect(phone.page.locator("#rows .slate")).to_have_text(["001", "002", "003"])
    phone.reload()
    phone.expect_titles("The sea", "Kitchen", "Pier")


def _drag_by_finger(page: Page, boxes: list[Any]) -> None:
    touch = page.context.new_cdp_session(page)
    x, start, end = boxes[0]["x"] + 20, boxes[0]["y"] + 20, boxes[1]["y"] + 60

    def send(kind: str, y: float | None) -> None:
        points = [] if y is None else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", start)
    page.wait_for_timeout(1500)  # a finger that rests takes the scene up
    for step in range(1, 11):
        send("touchMove", start + (end - start) * step / 10)
        page.wait_for_timeout(50)
    page.wait_for_timeout(500)
    send("touchEnd", None)


def test_people_are_added_renamed_everywhere_and_seen(desk: Desk, studio: Studio, board: dict[str, Any]) -> None:
    page = desk.page
    page.get_by_role("link", name="Cast", exact=True).first.click()
    expect(page.get_by_role("heading", name="Cast")).to_be_focused()
    page.get_by_placeholder("New person").fill("Marta")
    page.get_by_placeholder("New person").press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Marta")
    page.locator(".stills input[type=file]").set_input_files(
        {"name": "marta.png", "mimeType": "image/png", "buffer": page.screenshot()}
    )
    expect(page.get_by_alt_text("Marta, still 1")).to_be_visible()
    scene = f"/v1/storyboards/{board['id']}/scenes/{board['scenes'][0]['id']}"
    studio.rest("PATCH", scene, {"cast": ["Marta"]}, **{"if-match": "*"})
    page.reload()
    expect(page.get_by_text("used in 1 scene")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Mara")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mara")
    desk.press("Escape")
    expect(page.locator("#drawer")).to_have_count(0)
    page.locator(".details").get_by_role("link", name="Cast").click()
    expect(page.get_by_label("Mara")).to_be_checked()
    page.get_by_label("Mara").uncheck()
    expect(desk.saved).to_have_text(SAVED)
    assert studio.rest("GET", f"/v1/storyboards/{board['id']}")["scenes"][0]["cast"] == []


def test_look_project_and_budget_are_set_in_their_drawers(desk: Desk, studio: Studio, board: dict[str, Any]) -> None:
    page = desk.page
    page.get_by_role("link", name="Look").click()
    page.get_by_label("Film noir").check()
    expect(desk.saved).to_have_text(SAVED)
    page.get_by_role("link", name="Project settings").click()
    desk.field("Name").fill("The Letter, again")
    page.get_by_label("Without sound").check()
    expect(desk.saved).to_have_text(SAVED)
    page.get_by_label("The most this project may cost").fill("12.50")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#price")).to_contain_text("of 12.50 play money")
    told = studio.rest("GET", f"/v1/storyboards/{board['id']}")
    assert (told["preset"], told["name"], told["silent"]) == ("noir", "The Letter, again", True)


def test_without_scripts_every_form_posts(windows: Windows, board: dict[str, Any]) -> None:
    desk = Desk(windows, board, "tab=camera", java_script_enabled=False)
    desk.field("Mood").fill("Plain")
    desk.page.locator(".details").get_by_role("button", name="Save").click()
    expect(desk.field("Mood")).to_have_value("Plain")
    desk.page.get_by_role("button", name="Scene", exact=True).click()
    expect(desk.page.locator("#rows > li")).to_have_count(4)
    desk.page.locator(".tools .menu summary").last.click()
    desk.page.get_by_role("button", name="Move up").click()
    desk.expect_titles("Untitled", "Kitchen", "Pier", "The sea")
    desk.page.get_by_role("link", name="Look").click()
    expect(desk.page.get_by_role("heading", name="Look")).to_be_visible()


def test_a_board_without_scenes_is_begun_on_a_small_phone(windows: Windows, studio: Studio) -> None:
    empty = Desk(windows, studio.project(scenes=[]), viewport={"width": 320, "height": 640})
    empty.page.get_by_role("button", name="Begin with an establishing shot").click()
    expect(empty.page.locator("#rows > li")).to_have_count(1)
