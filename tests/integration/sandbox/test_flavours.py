import asyncio
import io
from typing import Any

import av
import httpx


async def test_vllm_answers_for_a_failed_job_with_its_error(speak_openai: Any) -> None:
    for disaster, status in (("fails", 500), ("filtered", 400)):
        server = speak_openai(f"+vllm+{disaster}")
        id = (await server.create()).json()["id"]
        answer = await server.poll(id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
        assert (answer.json()["id"], answer.json()["status"]) == (id, "failed")
        assert (await server.download(id)).status_code == 422


async def test_vllm_has_no_content_before_the_end_and_stops_what_is_deleted(speak_openai: Any) -> None:
    server = speak_openai("+vllm+never_done")
    id = (await server.create()).json()["id"]
    early = await server.download(id)
    assert (early.status_code, "still in-progress" in early.text) == (404, True)
    assert (await server.cancel(id)).json() == {"id": id, "object": "video.deleted", "deleted": True}
    assert server.events() == ["post", "create", "delete"]


async def test_sglang_gives_the_clip_at_an_address_of_its_storage(speak_openai: Any) -> None:
    server = speak_openai("+sglang")
    job = (await server.create()).json()
    assert (await server.download(job["id"])).status_code == 400
    assert (await server.http.get(f"/v1/videos/{job['id']}/content?variant=video")).status_code == 404
    async with httpx.AsyncClient() as anyone:
        content = (await anyone.get(job["url"])).content
    with av.open(io.BytesIO(content)) as reel:
        assert reel.streams.video[0].frames == 24


async def test_sglang_forgets_a_job_without_stopping_it(speak_openai: Any) -> None:
    server = speak_openai("+sglang+slow(0.2)")
    running = (await server.create()).json()
    assert running["url"] is None
    assert (await server.cancel(running["id"])).json()["status"] == "deleted"
    assert (await server.poll(running["id"])).status_code == 404
    await server.until("charge")
    failed = (await server.create("A boat. [[fails]]")).json()["id"]
    assert list((await server.ended(failed))["error"]) == ["message"]


async def test_litellm_renames_jobs_and_leaves_much_out(speak_openai: Any) -> None:
    server = speak_openai("+litellm+slow(0.3)")
    created = (await server.create()).json()
    assert (created["status"], created["created_at"], created["seconds"]) == ("processing", 0, None)
    assert len(created["id"]) > 100
    early = await server.download(created["id"])
    assert (early.status_code, "still processing" in early.text) == (400, True)
    async with asyncio.timeout(20):
        while (job := (await server.poll(created["id"])).json())["status"] == "processing":
            assert job["id"] == created["id"]
    assert (await server.download(created["id"])).headers["content-type"] == "video/mp4"
    assert (await server.http.get("/v1/videos")).status_code == 405
    assert (await server.cancel(created["id"])).status_code == 405
    assert (await server.poll("video_nothing")).status_code == 404
