"""What a house is filled with before its pages are looked at: real films of the stand-in, and whatever can go wrong."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from libs import ids
from rushes.compiler.v1 import events_pb2
from services.cli import postgres
from tests.contract import rooms
from tests.studio import conftest

EXAMPLE = rooms.ROOT / "docs/examples/the-letter.yaml"
PASSPHRASE = "rain on the pier"
KEY = "sk-secret-key-that-is-never-shown-4F2A"
LOST = {"model": "sandbox/openrouter-reel", "subject": "A man in a long coat [[drop_reply]] [[webhook_none]]"}
"""A scene whose answer is lost, sold by one who has no list and does not call back: it stays unknown."""

_BURY = """
    INSERT INTO dead_letters (event_id, subject, payload, headers, reason, attempts, tenant_id, place, settled_by, note)
    VALUES ($1, $2, $3, '{}', 'KeyError', 8, 'local', 'services/job/events.py:1 on_film', '', '')"""
_ENDED = ("STATE_SUCCEEDED", "STATE_FAILED", "STATE_CANCELED", "STATE_NEEDS_PICK")
_PATIENCE_S = 300


def furnish(studio: conftest.Studio) -> dict[str, str]:
    """Fill it; the ids that pages are about."""
    letter = _letter(studio)
    film = film_of(studio, letter)["film_id"]
    pier = studio.project(name="Pier", scenes=_PIER)["id"]
    production = film_of(studio, pier, takes=2)["id"]
    harbour = studio.project(name="Harbour at night", scenes=_HARBOUR)["id"]
    begin(studio, harbour)
    bury(studio)
    boards = {
        "letter": letter,
        "pier": pier,
        "harbour": harbour,
        "sketch": _edited(studio),
        "tried": _edited(studio),
        "empty": studio.project(name="Blank", scenes=[])["id"],
    }
    links = {"share": _share(studio, film), "closed": _share(studio, film, passphrase=PASSPHRASE)}
    told = {"film": film, "production": production, "hook": office(studio), "scene": _twice(studio, pier)}
    return boards | links | told | {"job": _failed(studio, production)}


def begin(studio: conftest.Studio, board: str, **options: Any) -> dict[str, Any]:
    """A production of it, ordered and paid with play money."""
    plan = studio.rest("POST", f"/v1/storyboards/{board}:plan", {"options": options})
    told = {"quote_id": plan["quote_id"], "plan_digest": plan["digest"], "options": options}
    made: dict[str, Any] = studio.rest("POST", f"/v1/storyboards/{board}/productions", told)
    return made


def film_of(studio: conftest.Studio, board: str, **options: Any) -> dict[str, Any]:
    """Its production once nothing more happens by itself, or only what is unknown is left."""
    production = begin(studio, board, **options)["id"]

    def settled() -> Any:
        now = studio.rest("GET", f"/v1/productions/{production}")
        jobs = studio.rest("GET", f"/v1/jobs?{urlencode({'production_id': production})}")["jobs"]
        lost = [it for it in jobs if it["submission_state"] == "UNKNOWN"]
        busy = [it for it in jobs if it["state"] in ("STATE_WAITING", "STATE_RUNNING")]
        return now if now["state"] in _ENDED or (lost and len(lost) == len(busy)) else None

    found: dict[str, Any] = until(settled)
    return found


def until(look: Callable[[], Any]) -> Any:
    """What it finds, in the end."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError("It does not come to an end.")
        time.sleep(0.2)
    return found


def office(studio: conftest.Studio) -> str:
    """Keys, budgets, webhooks and tokens; the id of the endpoint that hears of it."""
    studio.rest("POST", "/v1/credentials", {"endpoint": "fal", "name": "studio", "key": KEY})
    studio.rest("POST", "/v1/credentials", {"endpoint": "gemini", "name": "second unit", "key": f"g-{KEY[:-4]}9C01"})
    studio.rest("PUT", "/v1/budgets", {"limit": _usd(400), "period": "PERIOD_MONTH"})
    play = {"currency": "XTS", "micros": "5200000"}
    studio.rest("PUT", "/v1/budgets", {"limit": play, "period": "PERIOD_DAY"})
    hook = {"url": "http://127.0.0.1:9/rushes", "description": "the render wall", "event_types": ["production.*"]}
    made = studio.rest("POST", "/v1/webhooks", hook)["webhook_endpoint"]
    studio.rest("POST", f"/v1/webhooks/{made['id']}:test")
    studio.rest("POST", "/v1/tokens", {"name": "nightly renders", "role": "ROLE_SERVICE"})
    reader = {"name": "dailies screen", "role": "ROLE_VIEWER", "scopes": ["rushes:job:read"]}
    studio.rest("POST", "/v1/tokens", reader)
    id: str = made["id"]
    return id


def bury(studio: conftest.Studio) -> str:
    """A dead letter of the job service, about a film that is nowhere; the event's id."""
    event_id, event = ids.new("evt"), events_pb2.FilmProgressed(tenant_id="local", film_id=ids.new("film"))

    async def write() -> None:
        connection = await postgres.connect(studio.house, database="job")
        try:
            await connection.execute(_BURY, event_id, event.DESCRIPTOR.full_name, event.SerializeToString())
        finally:
            await connection.close()

    conftest.aside(write())
    return event_id


def _letter(studio: conftest.Studio) -> str:
    """The example, with each of its scenes one second long."""
    text = EXAMPLE.read_text().replace("duration: 4", "duration: 1").encode()
    place = f"/v1/storyboards:import?{urlencode({'format': 'FILE_FORMAT_YAML'})}"
    told = {"authorization": f"Bearer {studio.token}", "content-type": "application/yaml"}
    answer = httpx.post(studio.url + place, content=text, headers=told, timeout=30).raise_for_status()
    made: str = answer.json()["storyboard"]["id"]
    return made


def _edited(studio: conftest.Studio) -> str:
    """A storyboard that nothing was made of, and that has been changed once."""
    board = studio.project(name="Sketch")
    scene = f"/v1/storyboards/{board['id']}/scenes/{board['scenes'][0]['id']}"
    studio.rest("PATCH", scene, {"subject": "A man opens a letter at dusk"}, **{"if-match": "*"})
    id: str = board["id"]
    return id


def _twice(studio: conftest.Studio, board: str) -> str:
    """A scene of it that has more than one take."""
    takes = studio.rest("GET", f"/v1/storyboards/{board}/takes")["takes"]
    scenes = [it["scene_id"] for it in takes]
    return max(scenes, key=scenes.count)


def _failed(studio: conftest.Studio, production: str) -> str:
    """A job of it that came to nothing."""
    jobs = studio.rest("GET", f"/v1/jobs?{urlencode({'production_id': production})}")["jobs"]
    return next(str(it["id"]) for it in jobs if it["state"] == "STATE_FAILED")


def _share(studio: conftest.Studio, film: str, **terms: Any) -> str:
    """The secret of a link to it."""
    told: str = studio.rest("POST", f"/v1/films/{film}/shares", {"allow_download": True, **terms})["secret"]
    return told


def _usd(units: int) -> dict[str, str]:
    return {"currency": "USD", "micros": str(units * 1_000_000)}


_PIER = [
    {"title": "Fog", "subject": "A wooden pier that ends in fog, gulls on its posts", "duration": "1s"},
    {"title": "The stranger", "duration": "1s", **LOST},
    {"title": "The knife", "subject": "A blade on wet planks [[filtered]]", "duration": "1s"},
    {"title": "The boat", "subject": "A rowing boat bumps against the ladder", "duration": "1s"},
    {"title": "Nobody", "subject": "The pier again, empty, the light gone", "duration": "1s"},
]
_HARBOUR = [
    {"title": f"Crane {number}", "subject": f"Harbour crane {number} against the night [[slow(900)]]", "duration": "1s"}
    for number in range(1, 7)
]
