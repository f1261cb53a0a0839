"""A hundred scenes live, eight windows, and every service killed: the page says so, and ends as the server has it."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import crew
from tests.studio import browser, conftest
from tests.studio.conftest import Studio
from tests.studio.test_production import generate, production_of

_LONG_US = 50_000
_PLAY = """(video) => {
  window.stops = [];
  for (const name of ["pause", "emptied", "ended"]) video.addEventListener(name, () => window.stops.push(name));
  Object.assign(video, {muted: true, loop: true});
  return video.play();
}"""


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """A house of its own, for things are killed in it; its clips are all the same, and take a second."""
    with conftest.living(RUSHES_SANDBOX_INSTANT="true", RUSHES_SANDBOX_LATENCY="1", RUSHES_LEASE_S="8") as found:
        yield found


def film(studio: Studio, page: Page, count: int) -> None:
    """Begin a production of so many scenes, whose takes a person picks, and look at it."""
    scenes = [
        {"title": f"Number {one}", "subject": f"The sea, picture {one}", "duration": "1s"} for one in range(count)
    ]
    project = studio.project(scenes=scenes)
    page.goto(f"/p/{project['id']}/quote")
    page.get_by_label("I pick the takes").check()
    generate(page)


def is_as_the_server_has_it(studio: Studio, page: Page) -> None:
    """Every take is there, and what the page counts is what the server counts."""
    expect(page.locator("#stands")).to_contain_text("Pick one of each scene", timeout=240_000)
    told = production_of(studio, page)
    done = [job for job in told["jobs"] if job["state"] == "STATE_SUCCEEDED"]
    assert len(done) == len(told["jobs"])
    expect(page.locator(".line [data-state=done]")).to_have_count(len(done))
    expect(page.locator("#filters [data-show=done]")).to_have_text(f"Done {len(done)}")
    expect(page.locator("#tally")).to_contain_text(f"{len(done)} of {len(done)}")
    expect(page.locator("#tally")).to_contain_text(f"{int(told['cost']['micros']) / 1e6:,.2f}")
    versions = page.locator(".line").evaluate_all(
        "(all) => Object.fromEntries(all.map((one) => [one.id, one.dataset.version]))"
    )
    assert versions == {job["id"]: job["version"] for job in told["jobs"]}


def long_tasks(trace: bytes) -> list[float]:
    """Milliseconds of the processor's own time, so that a busy machine is not mistaken for a slow page."""
    events = json.loads(trace)["traceEvents"]
    threads = {(one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"}
    tasks = [one for one in events if one["name"].endswith("RunTask") and (one["pid"], one["tid"]) in threads]
    assert tasks, "the trace has no tasks"
    return [one["tdur"] / 1000 for one in tasks if one.get("tdur", 0) > _LONG_US]


def test_a_hundred_scenes_are_followed_without_a_stutter(
    window: browser.Window, studio: Studio, chromium: Browser
) -> None:
    page = window.page
    film(studio, page, 100)
    first = page.locator(".line", has=page.locator("[data-state=done]")).first
    first.get_by_role("link").click()
    expect(page.locator("#drawer")).to_be_focused()
    video = page.get_by_role("complementary").locator("video")
    video.evaluate(_PLAY)
    last = page.locator(".line").last.get_by_role("link")
    last.focus()
    page.evaluate("window.kept = document.activeElement")
    chromium.start_tracing(page=page, categories=["toplevel", "__metadata"])
    is_as_the_server_has_it(studio, page)
    assert len(long_tasks(chromium.stop_tracing())) <= 1
    assert page.evaluate("window.kept === document.activeElement && window.kept.isConnected")
    assert (page.evaluate("window.stops"), video.evaluate("(one) => one.paused")) == ([], False)
    assert browser.axe(page) == []


def test_eight_windows_are_open_and_none_hangs(window: browser.Window, studio: Studio) -> None:
    film(studio, window.page, 1)
    pages = [window.page, *(window.page.context.new_page() for _ in range(7))]
    expect(window.page.locator("#stands")).to_contain_text("Pick one of each scene", timeout=240_000)
    for page in pages[1:]:
        page.goto(window.page.url)
        expect(page.locator(".line")).to_have_count(1)
    for page in pages:
        expect(page.locator("#feed")).to_have_attribute("data-live", re.compile("on|paused"))
    kept = pages[-1]
    expect(kept.locator("#feed")).to_contain_text("Live updates paused in this window")
    kept.get_by_role("button", name="Use this window").click()
    expect(kept.locator("#feed")).to_have_attribute("data-live", "on")
    expect(pages[0].locator("#feed")).to_have_attribute("data-live", "paused")
    kept.get_by_role("button", name="Pick").click()
    for page in pages:
        expect(page.locator(".line")).to_contain_text("Picked", timeout=240_000)


@pytest.mark.parametrize(
    ("victim", "said"),
    [("studio", "The studio is away"), ("job", "The job service is away"), ("nats", "progress may be late")],
)
def test_whatever_is_killed_comes_back_and_nothing_is_lost(
    windows: Callable[..., browser.Window], studio: Studio, victim: str, said: str
) -> None:
    window = windows()
    window.allow("net::ERR", "Failed to load resource", "htmx:sse:error")
    film(studio, window.page, 20)
    expect(window.page.locator("#feed")).to_have_attribute("data-live", "on")
    pid = _pid(studio, victim)
    os.kill(pid, signal.SIGSTOP if victim == "nats" else signal.SIGKILL)  # a dead one would be back before it is missed
    expect(window.page.locator("#away")).to_contain_text(said, timeout=60_000)
    expect(window.page.locator(".line")).to_have_count(20)
    if victim == "nats":
        os.kill(pid, signal.SIGKILL)
    expect(window.page.locator("#away")).to_be_empty(timeout=240_000)
    is_as_the_server_has_it(studio, window.page)


def _pid(studio: Studio, name: str) -> int:
    row: Any = crew.row_of(studio.house, name)
    return int(row["pid"])
