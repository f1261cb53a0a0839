"""The operator's pages, in a browser: what waits, what nobody could handle, money at stake, and their grpcurl lines."""

import json
import re
import shlex

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from playwright.sync_api import Page, expect

from services.studio.rest import routes
from tests.studio import browser, scenery
from tests.studio.conftest import Studio

TABS = ("queues", "dead-letters", "money", "providers", "services?settings=job", "webhooks", "audit?verify=1")


@pytest.fixture
def page(window: browser.Window) -> Page:
    return window.page


@pytest.fixture(scope="session")
def trouble(studio: Studio) -> str:
    """A dead letter, and a paid call whose answer is lost; the event of the letter."""
    board = studio.project(name="Lost at sea", scenes=[{"title": "Lost", "duration": "1s", **scenery.LOST}])
    scenery.film_of(studio, board["id"])
    return scenery.bury(studio)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_says_how_to_ask_it(page: Page, tab: str, trouble: str) -> None:
    page.goto(f"/ops/{tab}")
    lines = [line for text in page.locator("pre.line").all_text_contents() for line in text.splitlines()]
    assert lines
    for line in lines:
        _understand(line)


def _understand(line: str) -> None:
    """The line is one that grpcurl can send: a method of the contract, and data that fit it."""
    words = shlex.split(line)
    service, _, method = words[-1].partition("/")
    assert words[0] == "grpcurl"
    assert words[-2] in ("$STORYBOARD", "$JOB", "$GATEWAY", "$COMPILER")
    routes.find("jobs.GetJob")  # brings the contract into memory
    found = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(method)
    data = words[words.index("-d") + 1] if "-d" in words else "{}"
    json_format.Parse(data, message_factory.GetMessageClass(found.input_type)())
    assert json.loads(data) or "-d" not in words


def test_a_queue_is_held_back_and_goes_on(page: Page, trouble: str) -> None:
    page.goto("/ops")
    expect(page).to_have_url(re.compile("/ops/queues$"))
    row = page.locator("tr", has_text="sandbox/openrouter-reel")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Go on").click()
    expect(row).to_contain_text("Moves")


def test_queues_are_looked_at_again_while_somebody_sees_them(page: Page, studio: Studio, trouble: str) -> None:
    scenery.film_of(studio, studio.project(name="Done within the hour")["id"])
    page.goto("/ops/queues")
    row = page.locator("tr", has_text="sandbox/openrouter-reel")
    expect(row).to_contain_text("Moves")
    expect(page.locator("tr", has_text="sandbox/").filter(has_text="95 of 100 within")).not_to_have_count(0)
    stop = {"scope": "SCOPE_MODEL", "target": "sandbox/openrouter-reel", "reason": "held by another window"}
    switch = studio.rest("POST", "/v1/spend_switches", stop)["id"]
    expect(row).to_contain_text("held by another window", timeout=30_000)
    page.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    studio.rest("DELETE", f"/v1/spend_switches/{switch}")
    page.wait_for_timeout(6000)
    expect(row).to_contain_text("held by another window")
    page.evaluate("delete document.hidden")
    expect(row).to_contain_text("Moves", timeout=30_000)


def test_what_a_service_has_said_is_said_again(page: Page, trouble: str) -> None:
    page.goto("/ops/services")
    page.get_by_label("Replay outbox of job").click()
    page.get_by_label("Say again what it said in the last").and_(page.locator("#back-job")).select_option("hour")
    page.locator("form", has=page.locator("#back-job")).get_by_role("button", name="Replay outbox").click()
    expect(page.get_by_role("status").first).to_contain_text(re.compile(r"job says \d+ events? again"))
    expect(page.locator("pre.line", has_text="OpsService/ReplayOutbox")).to_contain_text("from_time")


def test_a_dead_letter_is_looked_at_tried_again_and_discarded(page: Page, trouble: str) -> None:
    page.goto("/ops/dead-letters")
    row = page.locator(f"tr[id={trouble}]")
    row.get_by_text("View").click()
    expect(row).to_contain_text("film_id")
    row.get_by_role("button", name="Retry").click()
    page.wait_for_url("**did=*")
    if "did=dead" in page.url:
        row.get_by_text("Discard…").click()
        row.get_by_label("Why it never counts").fill("its film is nowhere")
        row.get_by_role("button", name="Discard").click()
        page.goto("/ops/dead-letters?state=discarded")
    else:
        page.goto("/ops/dead-letters?state=handled")
    expect(row).to_have_count(1)


def test_a_question_of_money_is_asked_again_and_settled_by_a_person(page: Page, studio: Studio, trouble: str) -> None:
    page.goto("/ops/money")
    row = page.locator("tr[id^=sub_]").first
    submission = row.get_attribute("id")
    expect(row).to_contain_text("Checking with the provider")
    row.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status").first).to_contain_text("nothing is sent twice")
    row.get_by_text("Settle…").click()
    row.get_by_label("How it is known").fill("their list has no such call")
    row.get_by_role("button", name="It failed, nothing charged").click()
    expect(page.locator(f"tr[id={submission}]")).to_have_count(0)
    told = studio.rest("GET", f"/v1/submissions/{submission}")
    assert told["state"] not in ("STATE_UNKNOWN", "STATE_UNRESOLVED")
    page.goto("/ops/audit")
    expect(page.locator("tr", has_text=str(submission)).first).to_contain_text("local")


def test_the_house_stops_buying_and_goes_on(page: Page, studio: Studio) -> None:
    page.goto("/ops/providers")
    page.get_by_label("Stop buying in the whole house, because").fill("drill")
    page.get_by_role("button", name="Stop the house").click()
    expect(page.locator(".stops")).to_contain_text("drill")
    page.get_by_role("button", name="Let it go on").click()
    page.wait_for_url("**did=released")
    assert studio.rest("GET", "/v1/spend_switches")["spend_switches"] == []
