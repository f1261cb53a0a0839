"""Who a browser is: signed in by a ticket, a token or an OpenID provider, and never by another site's page."""

import base64
import json
import re
import time
import urllib.parse
from typing import Annotated

import fastapi
from starlette import requests

from libs import rpc
from rushes.access.v1 import session_service_pb2 as pb
from services.studio import assets, door
from services.studio import web as studio
from services.studio.pages import faults
from services.studio.pages import site as sites
from services.studio.rest import calls

HERE = {"sec-fetch-site": "same-origin"}
COOKIE = "rushes_session"


async def who(browser):
    """Who the browser is, as REST says it."""
    answer = await browser.get("/v1/session")
    return (answer.status_code, answer.json().get("subject"), answer.json().get("name", ""))


def alert(page):
    found = re.search(r'role="alert">([^<]*)<', page.text)
    return found[1] if found else ""


async def test_a_ticket_opens_one_browser_once(place):
    ticket = await place.ticket()
    async with place.browser() as mine, place.browser() as theirs:
        page = await mine.post("/signin", data={"token": ticket, "next": "/readyz"}, headers=HERE)
        assert str(page.url).endswith("/readyz")
        assert await who(mine) == (200, "ada", "Ada")
        cookie = page.history[0].headers["set-cookie"]
        assert re.fullmatch(
            rf"{COOKIE}=rushes_session_[\w-]{{43}}; HttpOnly; Max-Age=43[12]\d\d; Path=/; SameSite=lax", cookie
        )
        again = await theirs.post("/signin", data={"token": ticket}, headers=HERE)
        assert (again.status_code, "rushes studio" in alert(again)) == (401, True)
        assert (await who(theirs))[0] == 401
        assert ticket not in again.text
        twice = await mine.post("/signin", data={"token": ticket}, headers=HERE)
        assert twice.url.path == "/", "who opens the same address twice is in already"


async def test_a_token_is_exchanged_for_what_can_be_ended(place):
    async with place.browser() as browser:
        await browser.post("/signin", data={"token": f" {place.token(sub='bob')}\n"}, headers=HERE)
        first = browser.cookies[COOKIE]
        assert first.startswith("rushes_session_")
        await browser.post("/signin", data={"token": place.token()}, headers=HERE)
        assert await who(browser) == (200, "ada", "")
        page = await browser.post("/signout", headers=HERE)
        assert (page.url.path, dict(browser.cookies)) == ("/signin", {})
        listed = await place.sessions.ListSessions(
            pb.ListSessionsRequest(), metadata=rpc.bearer(place.token(roles=["owner"]))
        )
        assert not listed.sessions, "neither that which was replaced nor that which was left goes on"
        narrow = place.token(scope="rushes:access:read rushes:storyboard:read")
        await browser.post("/signin", data={"token": narrow}, headers=HERE)
        assert browser.cookies[COOKIE] == narrow, "a token that is limited stays so"
    assert ("acme/ada", "session") in place.counted


async def test_what_is_no_token_lets_nobody_in(place):
    async with place.browser() as browser:
        for token in ("", "nonsense", "rushes_token_x", "rushes_session_y", "ü", "a b", "x" * 7000):
            page = await browser.post("/signin", data={"token": token, "next": "/p/1"}, headers=HERE)
            told = (page.status_code, "not accepted" in alert(page), dict(browser.cookies))
            assert told == (401, True, {}), token[:20]
            assert 'value="/p/1"' in page.text


async def test_who_tries_too_often_waits(place):
    async with place.browser() as browser:
        for attempt in range(21):
            page = await browser.post("/signin", data={"token": f"{attempt:022}"}, headers=HERE)
            assert page.status_code == (401 if attempt < 20 else 429)
        assert (page.headers["retry-after"], "Wait a minute" in alert(page)) == ("7", True)


async def test_what_is_left_of_a_limit_is_said_with_every_answer_that_counts(place):
    headers = {"authorization": f"Bearer {place.token(roles=['owner'])}"}
    async with place.browser() as browser:
        for wish, status in (({"name": "Ada"}, 201), ({"name": "x" * 5000}, 422)):
            told = await browser.post("/v1/tickets", json=wish, headers=headers)
            left = 20 - len(place.counted)
            assert (told.status_code, told.headers["ratelimit-policy"]) == (status, '"session";q=20;w=60')
            assert told.headers["ratelimit"] == f'"session";r={left};t={3 * (20 - left)}'
        assert "ratelimit" not in (await browser.get("/v1/session", headers=headers)).headers
        wish, once = {"name": "n", "role": "ROLE_VIEWER"}, {"idempotency-key": "one token"}
        first, again = [await browser.post("/v1/tokens", json=wish, headers=headers | once) for _ in range(2)]
        assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.json()["api_token"], again.json()["secret"]) == (first.json()["api_token"], "")
        other = await browser.post("/v1/tokens", json=wish | {"name": "m"}, headers=headers | once)
        assert (other.status_code, other.json()["reason"]) == (422, "REQUEST_ID_REUSED")
        listed = await browser.get("/v1/tokens", headers=headers)
        assert listed.headers["etag"].startswith('W/"')
        seen = headers | {"if-none-match": listed.headers["etag"]}
        assert (await browser.get("/v1/tokens", headers=seen)).status_code == 304


async def test_a_scene_that_is_sent_twice_is_added_once(place):
    headers = {"authorization": f"Bearer {place.token(roles=['owner'])}"}
    scene, once = {"scene": {"subject": "A lantern", "duration": "4s"}}, {"idempotency-key": "one scene"}
    async with place.browser() as browser:
        board = (await browser.post("/v1/storyboards", json={"name": "Twice"}, headers=headers)).headers["location"]
        told = [await browser.post(f"{board}/scenes", json=scene, headers=headers | once) for _ in range(2)]
        assert [(it.status_code, "idempotency-replayed" in it.headers) for it in told] == [(201, False), (201, True)]
        first, again = (it.json() for it in told)
        assert (again["scene_id"], len(again["storyboard"]["scenes"])) == (first["scene_id"], 1)
        await browser.post(f"{board}/scenes", json=scene, headers=headers)
        assert len((await browser.get(board, headers=headers)).json()["scenes"]) == 2


async def test_an_expired_token_and_one_without_a_role_are_told_apart(place):
    async with place.browser() as browser:
        late = place.token(iat=int(time.time()) - 700, exp=int(time.time()) - 600)
        assert "have ended" in alert(await browser.post("/signin", data={"token": late}, headers=HERE))
        page = await browser.post("/signin", data={"token": place.token(roles=[])}, headers=HERE)
        assert (page.status_code, "no role here" in alert(page)) == (403, True)


async def test_a_guest_begins_and_takes_along_what_they_made(place):
    async with place.browser() as browser:
        page = await browser.post("/signin/guest", headers=HERE)
        board = page.url.path.removeprefix("/p/")
        assert board.startswith("sb_")
        front = (await browser.get("/house")).text
        assert "You are a guest" in front
        assert 'href="/ops"' not in front
        assert 'href="/settings"' not in front
        assert (await browser.get(f"/v1/storyboards/{board}")).status_code == 200
        await browser.post("/signin", data={"token": place.token()}, headers=HERE)
        assert (await browser.get(f"/v1/storyboards/{board}")).status_code == 200
        assert await who(browser) == (200, "ada", "")
        assert "You are a guest" not in (await browser.get("/house")).text


async def test_the_head_says_who_looks(place):
    async with place.browser() as browser:
        for roles, shown in (["editor"], "Editor · acme"), (["owner", "operator"], "Operator, owner · acme"):
            token = place.token(sub="<b>Eve</b>", roles=roles)
            page = (await browser.get("/house", headers={"authorization": f"Bearer {token}"})).text
            assert "&lt;b&gt;Eve&lt;/b&gt;" in page
            assert shown in page
            assert ('href="/ops"' in page) == ("operator" in roles)
        assert "Sign out" not in (await browser.get("/house")).text


async def at_the_provider(browser, next="/readyz"):
    """From the sign-in page to where the provider sends the browser back: that address."""
    page = await browser.get(f"/signin?next={next}")
    (link,) = re.findall(r'href="(/signin/with\?[^"]+)"', page.text)
    there = await browser.get(link, follow_redirects=False)
    assert urllib.parse.urlsplit(there.headers["location"]).path == "/authorize"
    return (await browser.get(there.headers["location"], follow_redirects=False)).headers["location"]


async def test_a_provider_signs_in(place):
    async with place.browser() as browser:
        page = await browser.get(await at_the_provider(browser))
        assert str(page.url) == f"{place.url}/readyz"
        assert await who(browser) == (200, "ada", "Ada Lovelace")
        assert list(browser.cookies) == [COOKIE]
        assert browser.cookies[COOKIE].startswith("rushes_session_")
        await browser.get(await at_the_provider(browser))
        assert place.openid.asked == ["facts", "keys"], "what it says of itself is remembered"
        place.openid.turn_key("two")
        refused = await browser.get(await at_the_provider(browser))
        assert "No key of Example ID" in alert(refused), "keys are not asked for more often than every 30 seconds"


async def test_an_answer_is_good_once_and_for_one_browser(place):
    async with place.browser() as browser, place.browser() as other:
        back = await at_the_provider(browser)
        stolen = await other.get(back)
        assert (stolen.status_code, "no sign-in that was begun in this browser" in alert(stolen)) == (401, True)
        forged = await browser.get(re.sub("state=[^&]+", "state=forged", back))
        assert (forged.status_code, "no sign-in" in alert(forged), dict(browser.cookies)) == (401, True, {})
        assert "no sign-in" in alert(await browser.get(back)), "whoever failed begins again"
        back = await at_the_provider(browser)
        away = browser.cookies["rushes_signin"]
        await browser.get(back)
        assert "no sign-in" in alert(await browser.get(back))
        browser.cookies.set("rushes_signin", away, domain="127.0.0.1")
        replayed = await browser.get(back)
        assert (replayed.status_code, "used already" in alert(replayed)) == (401, True)
        for broken in ("", "e30", base64.urlsafe_b64encode(json.dumps([1, 2, 3, 4]).encode()).decode(), "%%%", "ü"):
            answer = await other.get(back, headers={"cookie": f"rushes_signin={broken}".encode()})
            assert answer.status_code == 401, broken


OTHERS = {
    "another audience": ({"id_claims": {"aud": "another"}}, "cannot be believed"),
    "many audiences, none responsible": ({"id_claims": {"aud": ["studio", "another"]}}, "meant for another program"),
    "another responsible": ({"id_claims": {"azp": "another"}}, "meant for another program"),
    "another nonce": ({"id_claims": {"nonce": "seen before"}}, "belongs to another sign-in"),
    "no nonce": ({"id_claims": {"nonce": None}}, "belongs to another sign-in"),
    "another issuer": ({"id_claims": {"iss": "https://else.example"}}, "cannot be believed"),
    "expired": ({"id_claims": {"exp": 1_000_000_000}}, "cannot be believed"),
    "another's access token": ({"id_claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "do not belong together"),
    "no signature": ({"answer": {"id_token": "e30.e30."}}, "No key of Example ID"),
    "no id token": ({"answer": {"id_token": None}}, "gave no token"),
    "an opaque access token": (
        {"answer": {"access_token": "opaque"}, "id_claims": {"at_hash": None}},
        "its token is not accepted here",
    ),
    "an access token for others": ({"access_claims": {"aud": "other-api"}}, "its token is not accepted here"),
    "an access token without a tenant": ({"access_claims": {"tenant": None}}, "its token is not accepted here"),
}


async def test_what_a_provider_says_for_others_is_refused(place):
    honest = {"id_claims": {}, "access_claims": {}, "answer": {}}
    async with place.browser() as browser:
        for name, (lies, told) in OTHERS.items():
            vars(place.openid).update(honest | lies)
            page = await browser.get(await at_the_provider(browser))
            assert (page.status_code, told in alert(page), dict(browser.cookies)) == (401, True, {}), (
                name,
                alert(page),
            )
            assert "Continue with Example ID" in page.text
        vars(place.openid).update(honest)
        page = await browser.get((await at_the_provider(browser)).replace("iss=http", "iss=https"))
        assert "another provider" in alert(page)
        back = re.sub("code=[^&]+", "error=access_denied", await at_the_provider(browser))
        assert "access_denied" in alert(await browser.get(back))
        vars(place.openid)["person"] = place.openid.person | {"roles": []}
        page = await browser.get(await at_the_provider(browser))
        assert (page.status_code, "no role here" in alert(page)) == (403, True)


async def test_a_provider_that_is_away_is_said_to_be(place):
    place.openid.away = True
    async with place.browser() as browser:
        page = await browser.get("/signin/with")
        assert (page.status_code, "cannot be asked now" in alert(page), page.headers["retry-after"]) == (503, True, "1")
        place.openid.away = False
        assert (await browser.get(await at_the_provider(browser))).url.path == "/readyz"


FOREIGN = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "", "origin": "http://evil.example"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "file://"},
    {"origin": ""},
    {},
]


async def test_another_site_s_page_changes_nothing(place):
    async with place.browser() as browser:
        await browser.post("/signin", data={"token": place.token()}, headers=HERE)
        ours = [HERE, {"sec-fetch-site": "none"}, {"origin": place.url}]
        for sent in FOREIGN:
            made = await browser.post("/v1/storyboards", json={"name": "Theirs"}, headers=sent)
            assert (made.status_code, made.json()["reason"]) == (401, "TOKEN_MISSING"), sent
            for path, form in (("/signout", {}), ("/signin", {"token": place.token(sub="eve")}), ("/signin/guest", {})):
                page = await browser.post(path, data=form, headers=sent)
                assert page.status_code == 403, (path, sent)
                assert "Another site sent this request" in page.text
            assert (await browser.get("/v1/session", headers=sent)).json()["subject"] == "ada", "to look is no change"
        for sent in ours:
            assert (await browser.post("/v1/storyboards", json={"name": "Ours"}, headers=sent)).status_code == 201
        listed = (await browser.get("/v1/storyboards")).json()["storyboards"]
        assert [board["name"] for board in listed] == ["Ours"] * len(ours)
        bearer = {"authorization": f"Bearer {place.token()}", "sec-fetch-site": "cross-site"}
        assert (await browser.post("/v1/storyboards", json={"name": "Program"}, headers=bearer)).status_code == 201


async def test_a_way_back_leads_nowhere_else(place):
    async with place.browser() as browser:
        for next in (
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "\t//evil.example",
            "/\t/evil.example",
        ):
            form = {"token": place.token(), "next": next}
            page = await browser.post("/signin", data=form, headers=HERE, follow_redirects=False)
            assert (page.status_code, page.headers["location"]) == (303, "/"), next


async def test_behind_a_proxy_that_ends_tls_cookies_are_of_this_host_alone(place):
    by = door.Door(url="https://films.example")
    app = studio.build({"storyboard": place.channel}, place.store, place.now, by)
    async with place.another(app) as browser:
        forms = {"token": await place.ticket(), "next": "/readyz"}
        ours, theirs = {"origin": "https://films.example"}, {"origin": str(browser.base_url).rstrip("/")}
        for wrong in (theirs, {"origin": "http://films.example"}, {"origin": "https://films.example.evil"}):
            assert (await browser.post("/signin", data=forms, headers=wrong)).status_code == 403
        page = await browser.post("/signin", data=forms, headers=ours, follow_redirects=False)
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-rushes_session=rushes_session_")
        assert cookie.endswith("; HttpOnly; Max-Age=43199; Path=/; SameSite=lax; Secure") or "Max-Age=43200" in cookie
        secret = cookie.partition("=")[2].partition(";")[0]
        for name, status in (("__Host-rushes_session", 200), (COOKIE, 401)):
            answer = await browser.get("/v1/session", headers={"cookie": f"a=b{{}}; {name}={secret}; c"})
            assert answer.status_code == status, "what a neighbour of the host can set is not believed"
    async with place.browser() as browser:
        told = {"x-forwarded-proto": "https", "forwarded": "proto=https", "x-forwarded-host": "evil.example"}
        page = await browser.post("/signin", data={"token": await place.ticket()}, headers=HERE | told)
        assert list(browser.cookies) == [COOKIE], "headers that anybody may send are not believed"


async def test_a_session_that_ends_at_work_loses_nothing(place):
    of = calls.Services({"storyboard": place.channel}, place.store, place.now)
    site = sites.Site(of, assets.Assets(), door.Door())
    app = fastapi.FastAPI()
    faults.attach(app, site)

    async def work(request: requests.Request, words: Annotated[str, fastapi.Form()] = "") -> None:
        await site.ask(request, "sessions.GetCaller", pb.GetCallerRequest())

    app.add_api_route("/work", work, methods=["GET", "POST"])
    async with place.another(app) as browser:
        typed = {"api_key": "sk-of-somebody", "words": '<She turns> & "goes"', "more": "ü"}
        page = await browser.post("/work", data=typed, headers=HERE)
        assert (page.status_code, 'action="/work"' in page.text) == (401, True)
        assert 'name="words" value="&lt;She turns&gt; &amp; &#34;goes&#34;"' in page.text
        assert 'name="more" value="ü"' in page.text
        assert "sk-of-somebody" not in page.text
        foreign = await browser.post("/work", data=typed, headers={"sec-fetch-site": "cross-site"})
        assert (foreign.status_code, "She turns" in foreign.text) == (403, False)
        for method in ("GET", "POST"):
            part = await browser.request(method, "/work", headers=HERE | {"hx-request": "true"})
            told = part.headers["hx-trigger"], part.headers["hx-reswap"], part.text
            assert (part.status_code, told) == (401, ("signed-out", "none", ""))
        looked = await browser.get("/work?scene=3", follow_redirects=False)
        assert (looked.status_code, looked.headers["location"]) == (303, "/signin?next=%2Fwork%3Fscene%3D3")
