"""The studio's pages over real HTTP: what runs, and the media behind signed addresses."""

import asyncio
import base64
import datetime
import importlib.resources
import pathlib
import re
import urllib.parse

import httpx
import pytest

from libs import blobs, rpc, web
from services.studio import web as studio
from tests import ports

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
CLIP = bytes(range(256)) * 64
KEY = "t/acme/films/film_1/film.mp4"


class Studio:
    """A studio that listens, its media store, and a browser."""

    def __init__(self, address, store, client):
        self.address, self.store, self.client = address, store, client
        self.now = NOW

    async def get(self, address, **headers):
        """What a browser gets."""
        return await self.client.get(address, headers=headers)

    def sign(self, key=KEY, seconds=60, name=None):
        return self.store.sign(key, seconds, name, NOW)


@pytest.fixture
async def channels(serve):
    """A service that serves, one that does not, and one that is not there."""

    async def never():
        return False

    doors = {"storyboard": await serve("storyboard"), "job": await serve("job", ready=never)}
    nowhere = rpc.connect(f"127.0.0.1:{ports.free()}")
    yield {name: door.channel for name, door in doors.items()} | {"compiler": nowhere}
    await nowhere.close()


@pytest.fixture
async def open_studio(channels, tmp_path):
    address = f"127.0.0.1:{ports.free()}"
    store = blobs.open_store(f"{(tmp_path / 'blobs').as_uri()}?public=http://{address}&secret=s3cret")
    (tmp_path / "film.mp4").write_bytes(CLIP)
    await store.put_file(KEY, tmp_path / "film.mp4", "video/mp4")
    stop = asyncio.Event()
    client = httpx.AsyncClient(base_url=f"http://{address}", transport=httpx.AsyncHTTPTransport(retries=6))
    made = Studio(address, store, client)
    app = studio.build(channels, store, lambda: made.now)
    running = asyncio.create_task(web.serve(app, address)(stop))
    async with client:
        yield made
    stop.set()
    await running


async def test_the_house_says_what_runs(open_studio):
    page = await open_studio.get("/house")
    assert page.status_code == 200
    states = re.findall(r'<th scope="row">(\w+)</th>\s*<td class="(\w+)">([^<]+)</td>', page.text)
    assert states == [
        ("storyboard", "ok", "● serving"),
        ("job", "bad", "✕ away"),
        ("compiler", "bad", "✕ away"),
    ]
    (style,) = re.findall(r'href="(/static/[^"]+css)"', page.text)
    got = await open_studio.get(style)
    assert got.headers["content-type"].startswith("text/css")
    assert "immutable" in got.headers["cache-control"]
    old = re.sub("/static/[^/]+", "/static/0123456789ab", style)
    assert (await open_studio.get(old)).headers["cache-control"] == "no-store"
    assert not re.search(r"<script>|<style|\bstyle=|\bon\w+=", page.text)


async def test_a_signed_address_gives_the_film_under_its_name(open_studio):
    got = await open_studio.get(open_studio.sign(name="The Letter, Ö & 雨.mp4"))
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, CLIP, "video/mp4")
    disposition = got.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''")
    assert urllib.parse.unquote(disposition.partition("''")[2]) == "The Letter, Ö & 雨.mp4"
    assert "content-disposition" not in (await open_studio.get(open_studio.sign())).headers


async def test_its_head_tells_its_size(open_studio):
    got = await open_studio.client.head(open_studio.sign(name="film.mp4"))
    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", str(len(CLIP)))
    assert (await open_studio.client.head("/house")).status_code == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-99", 0, 99), ("bytes=16000-", 16000, 16383), ("bytes=-10", 16374, 16383)]
)
async def test_a_part_of_it(open_studio, asked, first, last):
    got = await open_studio.get(open_studio.sign(), range=asked)
    assert (got.status_code, got.content) == (206, CLIP[first : last + 1])
    assert got.headers["content-range"] == f"bytes {first}-{last}/{len(CLIP)}"


async def test_a_part_that_is_not_there(open_studio):
    got = await open_studio.get(open_studio.sign(), range="bytes=20000-")
    assert (got.status_code, got.headers["content-range"].endswith(f"/{len(CLIP)}")) == (416, True)


async def test_an_address_lives_as_long_as_it_was_signed_for(open_studio):
    address = open_studio.sign(seconds=60)
    open_studio.now = NOW + datetime.timedelta(seconds=59)
    assert (await open_studio.get(address)).status_code == 200
    open_studio.now = NOW + datetime.timedelta(seconds=60)
    gone = await open_studio.get(address)
    assert (gone.status_code, "ask for the film again" in gone.text) == (404, True)


async def test_nothing_but_the_signed_address_works(open_studio):
    address = open_studio.sign(name="film.mp4")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    absent = open_studio.sign("t/acme/films/film_2/film.mp4")
    wrong = [
        address.replace("film_1", "film_2"),
        address.replace("name=film.mp4", "name=other.mp4"),
        address.replace(f"expires={query['expires']}", f"expires={int(query['expires']) + 1}"),
        address.replace(query["signature"], "0" * 64),
        address.replace(query["signature"], "ü"),
        absent,
    ]
    for bad in wrong:
        assert (await open_studio.get(bad)).status_code == 404, bad
    for path in ("/media/../secret?expires=9999999999&signature=x", "/media/%2e%2e/secret?expires=1&signature=x"):
        assert (await open_studio.get(path)).status_code == 404
    for unsigned in ("", "?expires=soon&signature=x", f"?expires={query['expires']}"):
        assert (await open_studio.get(f"/media/{KEY}{unsigned}")).status_code in (404, 422)


async def test_every_answer_tells_the_browser_to_trust_nothing_else(open_studio):
    for address in ("/", "/healthz", "/static/studio.css", "/nowhere", "/media/x", open_studio.sign(), "/s/secret"):
        headers = (await open_studio.get(address)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        named_to = "no-referrer" if address.startswith("/s/") else "same-origin"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", named_to)
        assert (headers["cross-origin-opener-policy"], "camera=()" in headers["permissions-policy"]) == (
            "same-origin",
            True,
        )
        shown_by = "cross-origin" if "/media/" in address else "same-origin"
        assert headers["cross-origin-resource-policy"] == shown_by
        assert "server" not in headers


async def test_it_is_alive(open_studio):
    got = await open_studio.get("/healthz")
    assert (got.status_code, got.text) == (200, "ok\n")
    ready = await open_studio.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"storyboard": True, "job": False, "compiler": False})


async def test_a_service_that_is_away_is_a_problem_with_a_remedy(open_studio):
    got = await open_studio.get("/v1/films", authorization="Bearer nobody's")
    told = got.json()
    assert (got.status_code, got.headers["content-type"]) == (503, "application/problem+json")
    assert (told["status"], told["instance"], told["charged"]) == (503, "/v1/films", {"state": "none"})
    assert told["remedies"][0]["rel"] == "wait"
    assert (told["reason"], told["retryable"], got.headers["retry-after"]) == ("SERVICE_AWAY", True, "1")
    approval = "/v1/productions/prod_1:approve"
    spent = await open_studio.client.post(approval, headers={"authorization": "Bearer nobody's"})
    assert (spent.status_code, spent.json()["charged"]) == (503, {"state": "unknown"})


async def test_a_link_cannot_be_shown_while_the_compiler_is_away(open_studio):
    for place in ("/s/secret", "/s/secret/video?ticket=1"):
        got = await open_studio.get(place)
        assert (got.status_code, "cannot be shown just now" in got.text) == (503, True)
        assert got.headers["x-robots-tag"] == "noindex, nofollow"


async def test_projects_say_which_service_is_away(open_studio, channels):
    channels["storyboard"] = channels["compiler"]
    got = await open_studio.get("/", authorization="Bearer nobody's")
    assert (got.status_code, "Can't reach the storyboard service" in got.text) == (503, True)
    states = re.findall(r'<th scope="row">(\w+)</th><td class="(\w+)">', got.text)
    assert states == [("storyboard", "bad"), ("job", "bad"), ("compiler", "bad")]
    assert 'href="/">Try again' in got.text


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(open_studio):
    got = await open_studio.client.post("/import", content=bytes(4_000_001))
    assert (got.status_code, "2 MB" in got.text) == (413, True)


async def test_no_form_is_read_without_an_end(open_studio):
    async def long():
        for _ in range(11):
            yield b"token=" + bytes(100_000)

    headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    for address in ("/signin", "/p/sb_1/quote"):
        got = await open_studio.client.post(address, content=long(), headers=headers | {"authorization": "Bearer x"})
        assert (got.status_code, "send less at once" in got.text) == (413, True), got.text


async def test_what_the_framework_refuses_is_a_problem_too(open_studio):
    for address, method, status, reason in (
        ("/v1", "GET", 404, "ROUTE_NOT_FOUND"),
        ("/v1/storyboards", "TRACE", 405, "METHOD_NOT_ALLOWED"),
        ("/api/nothing", "GET", 404, "ROUTE_NOT_FOUND"),
    ):
        got = await open_studio.client.request(method, address)
        assert (got.status_code, got.json()["reason"], got.json()["charged"]["state"]) == (status, reason, "none")
        assert got.json()["remedies"]
    for address, method, status in (("/nothing", "GET", 404), ("/signin", "PUT", 405), ("/static/nothing", "GET", 404)):
        got = await open_studio.client.request(method, address)
        assert (got.status_code, got.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_what_a_stranger_left_in_the_cookie_is_not_said(open_studio):
    for left in ("nonsense", base64.urlsafe_b64encode(b'["Sign in here", "Go", "https://elsewhere.example"]').decode()):
        page = await open_studio.get("/house", cookie=f"rushes_said={left}")
        assert (page.status_code, "elsewhere" in page.text) == (200, False)


def test_the_example_is_the_one_of_the_documents():
    ours = importlib.resources.files("services.studio").joinpath("example.yaml")
    assert ours.read_bytes() == pathlib.Path("docs/examples/the-letter.yaml").read_bytes()


async def test_the_document_is_served(open_studio):
    first = await open_studio.get("/v1/openapi.json")
    etag, document = first.headers["etag"], first.json()
    for seen in (etag, f'"other", W/{etag}', "*"):
        again = await open_studio.get("/v1/openapi.json", **{"if-none-match": seen})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert document["openapi"] == "3.1.0"
    for reason, meaning in document["x-problems"].items():
        assert (await open_studio.get(f"/v1/problems/{reason}")).json() == {"reason": reason, "meaning": meaning}
    assert (await open_studio.get("/v1/problems/NONE")).status_code == 404
