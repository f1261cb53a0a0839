"""The main job by REST alone, as somebody does it who has read the OpenAPI document: board, plan, film, bytes."""

import hashlib
import io
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as image

from services.cli import house
from tests.e2e import boards, reel

SCENES = [
    {"title": "Ebb", "subject": "A rowing boat on wet sand", "duration": "1s", "seed": "11"},
    {
        "title": "Flood",
        "subject": "The water lifts the boat",
        "duration": "1s",
        "seed": "12",
        "seam": "SEAM_LAST_FRAME",
    },
    {"title": "Night", "subject": "A lantern in a dark kitchen", "duration": "1s", "seed": "13"},
]


@pytest.fixture
async def rest(of: house.House) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the studio as the person of the house."""
    headers = {"authorization": f"Bearer {of.token.read_text().strip()}"}
    async with httpx.AsyncClient(base_url=f"http://{of.address('studio')}", headers=headers, timeout=30) as client:
        yield client


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


async def told(client: httpx.AsyncClient, address: str, **headers: str) -> list[tuple[str, str, Any]]:
    """All events of a stream that ends: id, name, data."""
    events, one = [], dict[str, str]()
    async with client.stream("GET", address, headers=headers, timeout=120) as response:
        if response.status_code == 204:
            return []
        assert response.headers["content-type"].startswith("text/event-stream"), await response.aread()
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                one[name] = value
            elif not line and "event" in one:
                events.append((one["id"], one["event"], json.loads(one["data"])))
                one = {}
    return events


async def test_a_film_by_rest_alone(rest: httpx.AsyncClient, tmp_path: Path) -> None:
    board = {"name": "By REST", "size": {"width": 640, "height": 360}, "scenes": SCENES}
    once = key()
    created = await rest.post("/v1/storyboards", json=board, headers=once)
    assert created.status_code == 201, created.text
    made = created.json()
    place = created.headers["location"]
    assert place == f"/v1/storyboards/{made['id']}"
    assert created.headers["etag"] == f'"{made["etag"]}"'
    repeated = await rest.post("/v1/storyboards", json=board, headers=once)
    assert (repeated.json()["id"], repeated.headers["idempotency-replayed"]) == (made["id"], "true")
    assert "idempotency-replayed" not in created.headers

    plan = (await rest.post(f"{place}:plan")).json()
    assert (plan["clips"], plan["most_you_can_pay"]["micros"]) == (3, "300000")
    wanted = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"]}
    unsafe = await rest.post(f"{place}/productions", json=wanted)
    assert (unsafe.status_code, unsafe.json()["reason"]) == (400, "IDEMPOTENCY_KEY_MISSING")
    paid = key()
    accepted = await rest.post(f"{place}/productions", json=wanted, headers=paid)
    assert accepted.status_code == 202, accepted.text
    again = await rest.post(f"{place}/productions", json=wanted, headers=paid)
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (accepted.json()["id"], "true")

    production = accepted.headers["location"]
    first = await begun(rest, f"{place}/events")
    assert first["event"] in ("job", "production")
    assert (await begun(rest, f"{place}/events", **{"last-event-id": first["id"]}))["event"] in ("job", "production")
    events = await told(rest, f"{production}/events")
    assert (events[0][1], events[-1][1]) == ("snapshot", "production")
    assert events[-1][2]["state"] == "STATE_SUCCEEDED"
    assert [event for _, _, event in await told(rest, f"{production}/events", **{"last-event-id": events[-1][0]})] == []
    rest_of_it = await told(rest, f"{production}/events", **{"last-event-id": events[len(events) // 2][0]})
    assert rest_of_it[-1][0] == events[-1][0]

    now = await rest.get(production)
    assert (await rest.get(production, headers={"if-none-match": now.headers["etag"]})).status_code == 304
    ended = now.json()
    await streams_end(rest, f"/v1/films/{ended['film_id']}", f"/v1/submissions/{ended['jobs'][0]['submission_id']}")
    film = (await rest.get(f"/v1/films/{ended['film_id']}")).json()
    led = await rest.get(f"/v1/films/{film['id']}:media")
    assert (led.status_code, led.headers["location"]) == (307, led.json()["url"])
    async with httpx.AsyncClient() as anybody:
        whole = (await anybody.get(led.json()["url"])).content
        part = await anybody.get(led.json()["url"], headers={"range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, whole[:100])
    assert hashlib.sha256(whole).hexdigest() == film["video"]["sha256"]
    (tmp_path / "film.mp4").write_bytes(whole)
    for form, ending in (("poster", "poster.jpg"), ("contact_sheet", "contact.jpg")):
        still = await rest.get(f"/v1/films/{film['id']}:media", params={"format": form}, follow_redirects=True)
        (tmp_path / f"film.{ending}").write_bytes(still.content)
    reel.check(tmp_path / "film.mp4", "By REST")
    takes = (await rest.get(f"{place}/takes", params={"page_size": 2})).json()
    more = (await rest.get(f"{place}/takes", params={"page_size": 2, "page_token": takes["next_page_token"]})).json()
    assert (len(takes["takes"]), len(more["takes"]), more["next_page_token"]) == (2, boards.SCENES - 2, "")
    for format in ("mp4", "poster"):
        clip = await rest.get(f"/v1/takes/{takes['takes'][0]['id']}:media", params={"format": format})
        async with httpx.AsyncClient() as anybody:
            assert (await anybody.get(clip.json()["url"])).status_code == 200
    long = await rest.get(f"/v1/takes/{takes['takes'][0]['id']}:media", params={"title": "a" * 201})
    assert (long.status_code, long.json()["errors"][0]["parameter"]) == (422, "title")
    await are_shown(rest, f"/v1/films/{film['id']}", f"/v1/takes/{takes['takes'][0]['id']}")


async def streams_end(rest: httpx.AsyncClient, *things: str) -> None:
    """What has ended is told once, and to whoever has heard it not again: 204, so that a browser stops."""
    for address in things:
        ((last, _, thing),) = await told(rest, f"{address}/events")
        assert thing["id"] == address.rpartition("/")[2]
        assert await told(rest, f"{address}/events", **{"last-event-id": last}) == []


async def begun(rest: httpx.AsyncClient, address: str, **headers: str) -> dict[str, str]:
    """The first event of a stream that does not end."""
    one = dict[str, str]()
    async with rest.stream("GET", address, headers=headers) as response:
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            one |= {name: value} if name else {}
            if "data" in one:
                break
    return one


async def are_shown(rest: httpx.AsyncClient, *things: str) -> None:
    """To anybody who has a link, as long as it has not ended."""
    for thing in things:
        made = (await rest.post(f"{thing}/shares", json={"allow_download": True})).json()
        assert [one["id"] for one in (await rest.get(f"{thing}/shares")).json()["shares"]] == [made["share"]["id"]]
        async with httpx.AsyncClient(base_url=rest.base_url, timeout=30, follow_redirects=True) as anybody:
            page = await anybody.get(f"/s/{made['secret']}")
            assert (page.status_code, made["share"]["title"] in page.text) == (200, True)
            (kept,) = re.findall(r'href="([^"]+/download[^"]+)"', page.text)
            saved = await anybody.get(kept, headers={"range": "bytes=0-9"})
            assert (saved.status_code, "attachment" in saved.headers["content-disposition"]) == (206, True)
            gone = (await rest.delete(f"/v1/shares/{made['share']['id']}")).json()
            assert (gone["views"], bool(gone["revoke_time"])) == ("1", True)
            assert (await anybody.get(f"/s/{made['secret']}")).status_code == 410
    wrong = await rest.post(f"{things[1]}/shares", json={"take": {"title": "Mine"}, "passphrase": "short"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/take")


async def test_a_storyboard_is_edited(rest: httpx.AsyncClient) -> None:
    place = (await rest.post("/v1/storyboards", json={"name": "Edited", "scenes": SCENES[:1]})).headers["location"]
    first = await rest.get(place)
    assert (await rest.get(place, headers={"if-none-match": first.headers["etag"]})).status_code == 304
    blind = await rest.patch(place, json={"name": "Blind"})
    assert (blind.status_code, blind.json()["reason"]) == (428, "IF_MATCH_MISSING")
    seen = {"if-match": first.headers["etag"]}
    assert (await rest.patch(place, json={"name": "Mine", "logline": "A boat."}, headers=seen)).json()["name"] == "Mine"
    stale = await rest.patch(place, json={"name": "Theirs"}, headers=seen)
    assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
    told = stale.json()
    assert (told["reason"], told["charged"], told["instance"]) == ("STORYBOARD_CHANGED", {"state": "none"}, place)
    assert told["errors"][0]["pointer"] == "/name"
    assert told["remedies"][0] == {"rel": "read", "title": "Read it as it is now", "method": "GET", "href": place}
    assert (await rest.get(told["type"])).json()["reason"] == "STORYBOARD_CHANGED"
    cleared = await rest.patch(place, json={"logline": None}, headers={"if-match": "*"})
    assert (cleared.json()["logline"], cleared.json()["name"]) == ("", "Mine")
    assert (await rest.patch(place, json={}, headers={"if-match": "*"})).status_code == 422
    for tag in (b"\xff", b'"1-a", "1-b"'):
        odd = await rest.patch(place, json={"name": "Odd"}, headers={"if-match": tag})
        assert (odd.status_code, odd.json()["errors"][0]["header"]) == (400, "If-Match")

    added = (await rest.post(f"{place}/characters", json={"name": "Ada", "profile": "a red scarf"})).json()
    ada = added["characters"][0]
    scene = added["scenes"][0]["id"]
    cast = await rest.patch(f"{place}/scenes/{scene}", json={"cast": ["Ada"]}, headers={"if-match": "*"})
    assert cast.json()["scenes"][0]["cast"] == ["Ada"]
    gone = await rest.delete(f"{place}/characters/{ada['id']}", headers={"if-match": "*"})
    assert (gone.status_code, gone.json()["errors"][0]["pointer"]) == (422, "/scenes/0/cast/0"), gone.text
    older = {"if-match": "*"}
    changed = await rest.patch(f"{place}/characters/{ada['id']}", json={"profile": "a blue scarf"}, headers=older)
    assert changed.json()["characters"][0] == ada | {"profile": "a blue scarf"}
    assert (await rest.post(f"{place}:undo")).json()["characters"][0]["profile"] == "a red scarf"
    history = (await rest.get(f"{place}/revisions")).json()["revisions"]
    assert [it["origin"] for it in history][:2] == ["Undo", "UpdateStoryboard"]


async def test_everything_that_is_wrong_is_told_at_once(rest: httpx.AsyncClient) -> None:
    board = {"name": 7, "scenes": [{"subject": "A boat", "duration": "long", "seam": "GLUE"}], "sizes": []}
    refused = await rest.post("/v1/storyboards", json=board)
    assert refused.status_code == 422
    assert [it["pointer"] for it in refused.json()["errors"]] == [
        "/name",
        "/scenes/0/duration",
        "/scenes/0/seam",
        "/sizes",
    ]
    rules = await rest.post("/v1/storyboards", json={"name": "", "scenes": [{"subject": "", "duration": "90s"}]})
    assert (rules.status_code, rules.json()["reason"]) == (422, "BAD_REQUEST")
    pointers = [it["pointer"] for it in rules.json()["errors"]]
    assert pointers == ["/name", "/scenes/0/duration", "/scenes/0/subject"], rules.text
    query = await rest.get("/v1/jobs", params={"page_size": "many", "colour": "red"})
    assert [it["parameter"] for it in query.json()["errors"]] == ["page_size", "colour"]
    assert (await rest.post("/v1/storyboards", content=b"{")).status_code == 400
    assert (await rest.post("/v1/storyboards", content=b"{}", headers={"content-type": "text/xml"})).status_code == 415
    assert (await rest.put("/v1/storyboards", json={})).headers["allow"] == "GET, POST"
    assert (await rest.get("/v1/nothing")).json()["reason"] == "ROUTE_NOT_FOUND"
    nobody = await rest.get("/v1/jobs", headers={"authorization": ""})
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="rushes"')
    model = (await rest.get("/v1/models/sandbox/reel-1")).json()
    assert model == (await rest.get("/v1/models/sandbox%2Freel-1")).json()


async def test_files_go_in_and_out(rest: httpx.AsyncClient, tmp_path: Path) -> None:
    text = boards.write(tmp_path, "In and out").read_bytes()
    where = {"format": "FILE_FORMAT_YAML"}
    yaml = {"content-type": "application/yaml"}
    door, only = "/v1/storyboards:import", {"validate_only": "true"}
    looked = await rest.post(door, content=text, params=where | only, headers=yaml)
    assert (looked.status_code, looked.json()["storyboard"]["id"]) == (200, "")
    made = (await rest.post(door, content=text, params=where, headers=yaml)).json()["storyboard"]
    place = f"/v1/storyboards/{made['id']}"
    file = await rest.get(f"{place}:export", params={"format": "FILE_FORMAT_FOUNTAIN"})
    assert "A rowing boat on wet sand" in file.text
    assert "in-and-out.fountain" in file.headers["content-disposition"]
    char = (await rest.post(f"{place}/characters", json={"name": "Ada"})).json()["characters"][0]["id"]
    picture = io.BytesIO()
    image.new("RGB", (300, 200), "teal").save(picture, "PNG")
    still = {"content-type": "image/png"}
    shown = await rest.post(f"{place}/things/{char}/references", content=picture.getvalue(), headers=still)
    assert shown.json()["characters"][0]["references"][0]["sha256"] == hashlib.sha256(picture.getvalue()).hexdigest()
    wrong = await rest.post(f"{place}/things/{char}/references", content=b"no picture", headers=still)
    assert wrong.status_code == 422
    sound = await rest.post("/v1/sounds", content=b"no sound", headers={"content-type": "audio/wav"})
    assert sound.status_code == 422


async def test_a_stream_with_nothing_to_tell_begins_at_once(rest: httpx.AsyncClient) -> None:
    async with rest.stream("GET", "/v1/jobs/events") as response:
        assert response.status_code == 200
        assert await anext(response.aiter_lines()) == "retry: 1000"
    assert (await rest.get("/v1/productions/prod_nothing/events")).json()["reason"] == "PRODUCTION_NOT_FOUND"
    nobody = {"authorization": "", "content-type": "audio/wav"}
    assert (await rest.get("/v1/jobs/events", headers=nobody)).status_code == 401
    assert (await rest.post("/v1/sounds", content=b"any", headers=nobody)).status_code == 401
    assert (await rest.post("/v1/videos", json={"prompt": "A kite"}, headers={"authorization": ""})).status_code == 401
