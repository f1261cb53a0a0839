"""The main job by REST alone, as somebody does it who has read the OpenAPI document: board, plan, film, bytes."""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

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
    assert (await rest.post("/v1/storyboards", json=board, headers=once)).json()["id"] == made["id"]

    plan = (await rest.post(f"{place}:plan")).json()
    assert (plan["clips"], plan["most_you_can_pay"]["micros"]) == (3, "300000")
    wanted = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"]}
    unsafe = await rest.post(f"{place}/productions", json=wanted)
    assert (unsafe.status_code, unsafe.json()["reason"]) == (400, "IDEMPOTENCY_KEY_MISSING")
    paid = key()
    accepted = await rest.post(f"{place}/productions", json=wanted, headers=paid)
    assert accepted.status_code == 202, accepted.text
    again = await rest.post(f"{place}/productions", json=wanted, headers=paid)
    assert again.json()["id"] == accepted.json()["id"]

    production = accepted.headers["location"]
    events = await told(rest, f"{production}/events")
    assert (events[0][1], events[-1][1]) == ("snapshot", "production")
    assert events[-1][2]["state"] == "STATE_SUCCEEDED"
    assert [event for _, _, event in await told(rest, f"{production}/events", **{"last-event-id": events[-1][0]})] == []
    rest_of_it = await told(rest, f"{production}/events", **{"last-event-id": events[len(events) // 2][0]})
    assert rest_of_it[-1][0] == events[-1][0]

    ended = (await rest.get(production)).json()
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
