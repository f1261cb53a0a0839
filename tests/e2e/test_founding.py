"""The addresses of the founding documents, as their clients use them, with their faults repaired."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.cli import house

CHARACTER = {"id": "c1", "name": "Sarah Chen", "age": "30", "profile": "a red scarf"}
SCENE = {"id": "s1", "subject": "Sarah on the pier", "action": "she opens a letter", "duration": 1}


@pytest.fixture
async def app(of: house.House) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {of.token.read_text().strip()}"}
    async with httpx.AsyncClient(base_url=f"http://{of.address('studio')}", headers=headers, timeout=30) as client:
        yield client


async def done(app: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            told: dict[str, Any] = (await app.get(f"/api/video/status/{job_id}")).json()
            if told["status"] in ("completed", "failed"):
                return told
            await asyncio.sleep(0.1)


async def test_storyboards_are_kept(app: httpx.AsyncClient) -> None:
    wanted = {"name": "The Pier", "presetKey": "noir", "character": CHARACTER, "scenes": [SCENE]}
    made = (await app.post("/api/storyboards", json=wanted)).json()["storyboard"]
    place = f"/api/storyboards/{made['id']}"
    assert (made["name"], made["presetKey"], made["scenes"][0]["subject"]) == ("The Pier", "noir", SCENE["subject"])
    assert made["character"]["identity_tag"].startswith("character:sarah-chen_id:")
    named = (await app.patch(place, json={"name": "The Long Pier"})).json()["storyboard"]
    assert (named["name"], named["scenes"]) == ("The Long Pier", made["scenes"])
    rest = (await app.get(f"/v1/storyboards/{made['id']}")).json()
    await app.patch(place, json={"scenes": [*named["scenes"], {"subject": "A gull", "duration": 1}]})
    after = (await app.get(f"/v1/storyboards/{made['id']}")).json()
    assert [it["id"] for it in after["scenes"]][:1] == [it["id"] for it in rest["scenes"]]
    assert len(after["scenes"]) == 2
    stale = await app.patch(place, json={"name": "Mine"}, headers={"if-match": rest["etag"]})
    assert stale.status_code == 200, "another field than the one that has changed since"
    found = (await app.get("/api/storyboards", params={"q": "mine", "userId": "somebody else"})).json()["storyboards"]
    assert made["id"] in [it["id"] for it in found]
    assert (await app.get(place)).json()["storyboard"]["videoJobs"] == []
    assert (await app.delete(place)).json()["message"] == "Storyboard deleted"
    gone = await app.get(place)
    assert (gone.status_code, gone.json()["error"]) == (404, "Storyboard not found")


async def test_a_scene_becomes_a_video(app: httpx.AsyncClient) -> None:
    asked = {"scene": SCENE, "character": CHARACTER, "presetKey": "cinematic", "size": "640x360"}
    made = (await app.post("/api/video/generate", json=asked)).json()
    assert (made["success"], made["estimatedCost"]) == (True, 0.1), made
    assert "Sarah on the pier" in made["prompt"]
    told = await done(app, made["jobId"])
    assert (told["status"], told["progress"], told["cost"]) == ("completed", 100, 0.1)
    for address in (told["videoUrl"], told["thumbnailUrl"]):
        assert (await app.get(address)).status_code == 200
    video = (await app.get(f"/api/videos/{made['jobId']}")).json()
    assert (video["status"], video["asset"]["resolution"]) == ("completed", "640x360")
    media = (await app.get(f"/api/videos/{made['jobId']}/media")).json()
    assert (await app.get(media["url"], headers={"range": "bytes=0-9"})).status_code == 206
    assert (await app.get(f"/api/videos/{made['jobId']}/sora-status")).json()["status"] == "completed"
    reset = await app.post(f"/api/videos/{made['jobId']}/reset-sora")
    assert (reset.status_code, reset.json()["error"]) == (400, "Cannot reset completed generation")
    assert made["jobId"] in [it["jobId"] for it in (await app.get("/api/videos")).json()["videos"]]
    plain = await app.post("/api/videos", json={"prompt": "A kite", "size": "640x360", "duration": 1, "format": "mp4"})
    assert (plain.status_code, plain.json()["status"] in ("queued", "in_progress")) == (202, True), plain.text


async def test_what_is_wrong_is_said(app: httpx.AsyncClient) -> None:
    for body in (
        {},
        {"scene": SCENE, "apiKey": "sk-secret"},
        {"scene": {"action": "nobody"}},
        {"scene": SCENE, "size": 7},
    ):
        refused = await app.post("/api/video/generate", json=body)
        assert (refused.status_code, bool(refused.json()["error"])) == (400, True), refused.text
        assert "sk-secret" not in refused.text
    missing = await app.get("/api/video/status/job_nothing")
    assert (missing.status_code, missing.json()["error"]) == (404, "Job not found")
    assert (await app.get("/api/storyboards", headers={"authorization": ""})).status_code == 401
    again = await app.post("/api/admin/queue/retry/job_nothing")
    assert (again.status_code, again.json()["error"]) == (404, "Job not found or cannot be retried")


async def test_operators_see_the_queue(app: httpx.AsyncClient) -> None:
    queue = (await app.get("/api/admin/queue")).json()
    assert set(queue["stats"]) == {"waiting", "active", "delayed", "total", "completed", "failed"}
    assert queue["healthy"] is True
    health = await app.get("/api/health/worker", headers={"authorization": ""})
    assert (health.status_code, health.json()["healthy"]) == (200, True)
