"""Links: strangers watch what is shared, until it ends; owners make links, and take them back."""

import datetime
import html
import re
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.studio import browser
from tests.studio.conftest import Studio

Windows = Callable[..., browser.Window]
WORDS = "rain on the pier"
THE_TIME = "document.querySelector('video').currentTime"


@pytest.fixture(scope="module")
def film(studio: Studio) -> Any:
    """A finished film of three scenes, with captions."""
    scenes = [
        {"title": title, "subject": "A kite over the dunes", "duration": "1s", "caption": f"{title}."}
        for title in ("Kitchen", "Pier", "The sea")
    ]
    board = studio.project(scenes=scenes, size={"width": 640, "height": 360})
    place = f"/v1/storyboards/{board['id']}"
    plan = studio.rest("POST", f"{place}:plan")
    wanted = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"]}
    production = studio.rest("POST", f"{place}/productions", wanted)
    until = time.monotonic() + 240
    while time.monotonic() < until:
        production = studio.rest("GET", f"/v1/productions/{production['id']}")
        if production["state"] == "STATE_SUCCEEDED":
            return studio.rest("GET", f"/v1/films/{production['film_id']}")
        time.sleep(0.2)
    raise AssertionError(production["state"])


_LEAVING = """
addEventListener("pagehide", () => {
  sessionStorage.busy = document.querySelector("[aria-busy=true]")?.textContent ?? "nothing";
})
"""
"""What is busy as the page is left."""


def shared(studio: Studio, film: Any, **terms: Any) -> tuple[str, Any]:
    """The address of a new link, and the link."""
    made = studio.rest("POST", f"/v1/films/{film['id']}/shares", terms)
    return f"/s/{made['secret']}", made["share"]


def views(studio: Studio, share: Any) -> int:
    return int(studio.rest("GET", f"/v1/shares/{share['id']}")["views"])


def until(page: Page, told: str) -> None:
    """Return once that is so; Playwright's own way would need a policy that lets pages evaluate texts."""
    last = time.monotonic() + 15
    while not page.evaluate(told):
        assert time.monotonic() < last, told
        page.wait_for_timeout(50)


def plays(page: Page) -> None:
    """Have it play until it has moved on."""
    was = page.evaluate(THE_TIME)
    page.evaluate("document.querySelector('video').muted = true")
    page.evaluate("document.querySelector('video').play()")
    until(page, f"{THE_TIME} > {was} + 0.2")


def paused(page: Page) -> None:
    page.evaluate("document.querySelector('video').pause()")


def files(page: str) -> dict[str, str]:
    """By their names, the addresses of a page's files."""
    found = [html.unescape(it) for it in re.findall(r'(?:src|href|poster)="(/s/[^"]+)"', page)]
    return {it.partition("?")[0].rpartition("/")[2]: it for it in found}


def test_a_stranger_watches_a_film_by_its_link(windows: Windows, studio: Studio, film: Any) -> None:
    place, share = shared(studio, film)
    window = windows(signed_in=False)
    page = window.page
    answer = page.goto(place)
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (answer.headers["x-robots-tag"], answer.headers["referrer-policy"]) == ("noindex, nofollow", "no-referrer")
    assert "set-cookie" not in answer.headers
    expect(page.get_by_role("heading", level=1)).to_have_text("The Letter")
    expect(page).to_have_title("The Letter")
    expect(page.get_by_text("Made with AI: pictures by sandbox/reel-1.")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_count(0)
    plays(page)
    page.get_by_role("link", name="The sea").click()
    until(page, f"{THE_TIME} >= 2")
    expect(page.get_by_role("link", name="The sea")).to_have_attribute("aria-current", "true")
    paused(page)
    page.evaluate("document.querySelector('video').textTracks[0].mode = 'showing'")
    until(page, "document.querySelector('video').textTracks[0].cues?.length === 3")
    assert page.context.cookies() == []
    assert views(studio, share) == 1, "what the player fetches is no view"


def test_nothing_of_the_tenant_is_told(studio: Studio, film: Any) -> None:
    place, share = shared(studio, film)
    page = httpx.get(studio.url + place).text
    for word in ("local", share["id"], film["id"], film["production_id"], "take_", "A kite over the dunes", "$"):
        assert word not in page


def test_media_are_read_in_ranges_for_ten_minutes_and_without_a_cookie(studio: Studio, film: Any) -> None:
    place, _ = shared(studio, film)
    with httpx.Client(base_url=studio.url) as stranger:
        there = files(stranger.get(place).text)
        assert set(there) >= {"video", "poster", "captions"}
        led = stranger.get(there["video"])
        assert (led.status_code, "no-store" in led.headers["cache-control"]) == (307, True)
        signed = urllib.parse.parse_qs(urllib.parse.urlsplit(led.headers["location"]).query)
        assert 0 < int(signed["expires"][0]) - time.time() <= 600
        part = stranger.get(there["video"], headers={"range": "bytes=100-199"}, follow_redirects=True)
        assert (part.status_code, len(part.content)) == (206, 100)
        assert part.headers["content-range"] == f"bytes 100-199/{film['video']['size_bytes']}"
        assert "content-disposition" not in part.headers
        poster = stranger.get(there["poster"], follow_redirects=True)
        assert poster.headers["content-type"] == "image/jpeg"
        captions = stranger.get(there["captions"])
        assert (captions.headers["content-type"].startswith("text/vtt"), "Pier." in captions.text) == (True, True)
        assert stranger.get(f"{place}/video").status_code == 403, "only who has opened the page"
        assert stranger.get(there["video"].replace("/video?", "/download?")).status_code == 404
        assert stranger.get(there["video"].replace("/video?", "/manifest?")).status_code == 404


def test_the_file_may_be_kept_where_that_is_allowed(windows: Windows, studio: Studio, film: Any) -> None:
    place, _ = shared(studio, film, allow_download=True)
    page = windows(signed_in=False, accept_downloads=True).page
    page.goto(place)
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download").click()
    assert coming.value.suggested_filename == "The Letter - cut 1 - 360p.mp4"
    assert coming.value.path().stat().st_size == int(film["video"]["size_bytes"])


def test_a_passphrase_is_asked_for_and_a_wrong_one_says_only_that(windows: Windows, studio: Studio, film: Any) -> None:
    place, share = shared(studio, film, passphrase=WORDS)
    window = windows(signed_in=False)
    window.allow("403")
    page = window.page
    page.goto(place)
    expect(page.get_by_label("Passphrase")).to_be_focused()
    assert "The Letter" not in page.content()
    page.keyboard.type("rain on the beach")
    with page.expect_response(lambda answer: answer.request.method == "POST") as wrong:
        page.keyboard.press("Enter")
    assert wrong.value.status == 403
    expect(page.get_by_role("alert")).to_have_text("That is not the passphrase.")
    assert "The Letter" not in page.content()
    assert views(studio, share) == 0
    page.evaluate(_LEAVING)
    page.get_by_label("Passphrase").fill(WORDS)
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The Letter")
    assert page.evaluate("sessionStorage.busy") == "Watch"
    plays(page)
    paused(page)
    assert (page.context.cookies(), views(studio, share)) == ([], 1)


def test_a_passphrase_is_not_guessed_here_either(studio: Studio, film: Any) -> None:
    place, _ = shared(studio, film, passphrase=WORDS)
    with httpx.Client(base_url=studio.url, timeout=30) as stranger:
        told = [stranger.post(place, data={"passphrase": "a guess"})]
        while told[-1].status_code == 403 and len(told) < 100:
            told.append(stranger.post(place, data={"passphrase": f"another guess, no. {len(told)}"}))
        assert told[-1].status_code == 429
        assert int(told[-1].headers["retry-after"]) >= 1
        assert "Too many tries" in told[-1].text
        assert stranger.post(place, data={"passphrase": "x" * 5000}).status_code == 413


def test_a_link_that_was_taken_back_has_ended(windows: Windows, studio: Studio, film: Any) -> None:
    place, share = shared(studio, film)
    window = windows(signed_in=False)
    window.allow("410")
    page = window.page
    page.goto(place)
    video = files(page.content())["video"]
    studio.rest("DELETE", f"/v1/shares/{share['id']}")
    answer = page.goto(place)
    assert answer is not None
    assert answer.status == 410
    today = datetime.datetime.now(datetime.UTC)
    expect(page.get_by_role("heading")).to_have_text(f"This link ended on {today.day} {today:%b %Y}.")
    assert "The Letter" not in page.content()
    assert browser.axe(page) == []
    assert httpx.get(studio.url + video).status_code == 410


def test_a_link_ends_by_itself(studio: Studio, film: Any) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5)
    place, share = shared(studio, film, expire_time=soon.isoformat())
    until = time.monotonic() + 60
    while (answer := httpx.get(studio.url + place)).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert (answer.status_code, "This link ended on" in answer.text) == (410, True)
    seen = views(studio, share)
    httpx.get(studio.url + place)
    assert views(studio, share) == seen


def test_a_program_that_only_looks_is_told_the_same_and_counts_as_no_view(studio: Studio, film: Any) -> None:
    place, share = shared(studio, film)
    locked, _ = shared(studio, film, passphrase=WORDS)
    for link, status in ((place, 200), (locked, 200), ("/s/nothing", 404)):
        answer = httpx.head(studio.url + link)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert views(studio, share) == 0
    studio.rest("DELETE", f"/v1/shares/{share['id']}")
    assert httpx.head(studio.url + place).status_code == 410


def test_what_is_no_link_is_not_there(studio: Studio) -> None:
    for secret in ("rushes_share_" + "0" * 32, "..%2f..", "x" * 3000, "%00"):
        answer = httpx.get(f"{studio.url}/s/{secret}")
        assert answer.status_code in (400, 404)
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


def test_the_page_renews_the_address_of_the_video(windows: Windows, studio: Studio, film: Any) -> None:
    place, share = shared(studio, film)
    window = windows(signed_in=False)
    window.allow("404", "410", "net::ERR")
    page = window.page
    # What was signed first has ended when the player comes for it.
    page.route("**/media/**.mp4?*", lambda route: route.fulfill(status=404), times=1)
    with page.expect_response(lambda answer: ".mp4" in answer.url and answer.status == 206):
        page.goto(place)
    plays(page)
    paused(page)
    at = page.evaluate(THE_TIME)
    with page.expect_response(lambda answer: ".mp4" in answer.url and answer.ok):
        page.evaluate("document.querySelector('video').dispatchEvent(new Event('error'))")
    until(page, f"Math.abs({THE_TIME} - {at}) < 0.05 && document.querySelector('video').readyState >= 2")
    assert views(studio, share) == 1
    studio.rest("DELETE", f"/v1/shares/{share['id']}")
    plays(page)
    paused(page)
    page.evaluate("document.querySelector('video').dispatchEvent(new Event('error'))")
    expect(page.get_by_role("alert")).to_contain_text("the link has ended")


def test_an_owner_makes_a_link_and_takes_it_back(windows: Windows, studio: Studio, film: Any) -> None:
    window = windows(permissions=["clipboard-read", "clipboard-write"])
    window.allow("422")
    page = window.page
    page.goto(f"/films/{film['id']}/shares")
    assert browser.axe(page) == []
    if not page.get_by_role("button", name="Make the link").is_visible():
        page.get_by_text("New link").click()
    page.get_by_label("Passphrase").fill("short")
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("alert")).to_have_text("Passphrase should be 8 to 200 characters, or empty for none.")
    page.get_by_label("Passphrase").fill(WORDS)
    page.get_by_label("Ends after").select_option("30")
    page.get_by_label("Let people keep the file").check()
    page.get_by_role("button", name="Make the link").click()
    made = page.get_by_label("The new link")
    expect(made).to_have_value(re.compile(f"^{re.escape(studio.url)}/s/rushes_share_[0-9a-f]{{32}}$"))
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == made.input_value()
    assert browser.axe(page) == []
    newest = page.locator("[data-share]").first
    expect(newest).to_contain_text("passphrase")
    expect(newest).to_contain_text("download")
    newest.get_by_role("button", name="Revoke").click()
    expect(newest).to_contain_text("Taken back")
    page.goto(f"/films/{film['id']}/shares")
    expect(page.get_by_label("The new link")).to_have_count(0)
    expect(page.locator("[data-share]").first).to_contain_text("Taken back")


def test_all_of_it_works_without_scripts(windows: Windows, studio: Studio, film: Any) -> None:
    take = film["edit_list"]["cuts"][1]["take_id"]
    owner = windows(java_script_enabled=False).page
    owner.goto(f"/takes/{take}/shares")
    owner.get_by_role("button", name="Make the link").click()
    place = owner.get_by_label("The new link").input_value()
    outside = windows(signed_in=False, java_script_enabled=False)
    outside.allow("410")
    stranger = outside.page
    stranger.goto(place)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Pier")
    owner.get_by_role("button", name="Revoke").click()
    expect(owner.locator("[data-share]")).to_contain_text("Taken back")
    answer = stranger.goto(place)
    assert answer is not None
    assert answer.status == 410


def test_strangers_do_not_see_who_has_which_links(windows: Windows, film: Any) -> None:
    page = windows(signed_in=False).page
    page.goto(f"/films/{film['id']}/shares")
    expect(page).to_have_url(re.compile("/signin"))
