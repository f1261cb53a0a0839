import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.sandbox import webhooks
from tests.integration.sandbox import callers

ROOT = "/openrouter/api/v1"
SMALL = {"model": "sandbox/reel-1", "prompt": "A boat at dawn.", "duration": 1, "resolution": "360p"}


class Client(callers.Caller):
    async def create(self, **more: Any) -> httpx.Response:
        return await self.http.post(f"{ROOT}/videos", json=SMALL | more, headers={"x-client-request-id": "sub_8"})

    async def ended(self, created: httpx.Response) -> Any:
        async def over() -> Any:
            job = (await self.http.get(created.json()["polling_url"])).json()
            return None if job["status"] in ("pending", "in_progress") else job

        return await callers.until(over)


Make = Callable[..., Client]


@pytest.fixture
async def client(lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(Client, lent) as make:
        yield make


async def test_a_video_from_create_to_its_contents(sandbox: Any) -> None:
    async with callers.calling(Client, sandbox) as make:
        caller = make()
        frame = {"type": "image_url", "image_url": {"url": callers.data_url()}, "frame_type": "first_frame"}
        created = await caller.create(frame_images=[frame], generate_audio=False)
        id = created.json()["id"]
        assert (created.status_code, created.json()) == (
            202,
            {"id": id, "polling_url": f"{ROOT}/videos/{id}", "status": "pending"},
        )
        assert id.startswith("gen-vid-")
        early = await caller.http.get(f"{ROOT}/videos/{id}/content")
        assert (early.status_code, early.json()["error"]["code"]) == (404, 404)
        job = await caller.ended(created)
        assert (job["status"], job["usage"]) == ("completed", {"cost": 0.1, "is_byok": False})
        with_key = await caller.http.get(job["unsigned_urls"][0])
        no_key = {"authorization": ""}
        signed = await caller.http.get(job["urls"][0], headers=no_key)
        assert (await caller.http.get(job["unsigned_urls"][0], headers=no_key)).status_code == 401
        assert (await caller.http.get(job["unsigned_urls"][0].replace("=0", "=1"))).status_code == 400
        assert (await caller.http.get(f"{ROOT}/key")).json()["data"]["usage"] == 0.1
    assert with_key.content == signed.content
    callers.check_silent_red(signed.content)
    lines = sandbox.ledger()
    assert [(line["event"], line["client_ref"]) for line in lines] == [
        ("create", "sub_8"),
        ("done", "sub_8"),
        ("charge", "sub_8"),
    ]
    assert job["expires_at"] - 24 * 3600 > 0
    assert [line["client_ref"] for line in sandbox.posts()] == ["sub_8"]


async def test_the_catalogue_says_what_a_create_may_ask_for(client: Make) -> None:
    caller = client()
    (model,) = (await caller.http.get(f"{ROOT}/videos/models")).json()["data"]
    assert model["pricing_skus"] == {"duration_seconds": "0.1"}
    for size in model["supported_sizes"]:
        assert (await caller.create(size=size)).status_code == 202
    for duration in model["supported_durations"]:
        assert (await caller.create(duration=duration)).status_code == 202
    retired = client("+gone")
    assert (await retired.http.get(f"{ROOT}/videos/models")).json()["data"] == []
    assert (await retired.create()).status_code == 404


async def test_work_without_a_video_says_why_and_what_it_cost(client: Make) -> None:
    for disaster, said, cost in (
        ("filtered", "content filter", 0),
        ("fails", "could not generate", 0),
        ("fails_charged", "could not generate", 0.1),
    ):
        caller = client(f"+{disaster}")
        job = await caller.ended(await caller.create())
        assert (job["status"], said in job["error"], job["usage"]["cost"]) == ("failed", True, cost)
        assert "urls" not in job
        assert (await caller.http.get(f"{ROOT}/key")).json()["data"]["usage"] == cost
    caller = client("+empty_success")
    job = await caller.ended(await caller.create())
    assert (job["status"], "urls" in job, "unsigned_urls" in job) == ("completed", False, False)
    dear = client("+price(3)")
    assert (await dear.ended(await dear.create()))["usage"]["cost"] == 0.3


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": "google/veo-3.1"}, "sandbox/reel-1"),
    ({"prompt": ""}, "not empty"),
    ({"duration": 0}, "1 to 15"),
    ({"size": "10x10"}, "1280x720"),
    ({"resolution": "4K"}, "1080p"),
    ({"input_references": [{"type": "image_url"}]}, "frame_images"),
    ({"frame_images": "a"}, "list of objects"),
    ({"frame_images": [{"frame_type": "middle"}]}, "first_frame, last_frame"),
    ({"frame_images": [{"frame_type": "first_frame"}]}, "data:image/png"),
    ({"callback_url": "ftp://x"}, "http"),
]


async def test_refusals_have_one_envelope(client: Make) -> None:
    caller = client()
    for wrong, allowed in REFUSED:
        refused = await caller.create(**wrong)
        fault = refused.json()["error"]
        assert (refused.status_code, fault["code"]) == (400, 400)
        assert allowed in fault["message"]
    assert caller.events() == []
    for disaster, status in (("refused", 400), ("busy", 503), ("throttled", 429)):
        refused = await client(f"+{disaster}").create()
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, status)
    assert (await client("+refused").create()).json()["error"]["metadata"] == {"reasons": ["content_policy"]}
    assert (await caller.http.get(f"{ROOT}/key", headers={"authorization": ""})).status_code == 401
    assert (await caller.http.get(f"{ROOT}/videos/gen-vid-0")).status_code == 404


async def test_a_lost_create_is_told_by_its_signed_callback(client: Make) -> None:
    async with callers.mailbox() as box:
        caller = client("+drop_reply")
        with pytest.raises(httpx.RemoteProtocolError):
            await caller.create(callback_url=f"{box.url}?attempt=sub_9")
        letter = await box.letter()
        event, headers = letter.json(), letter.headers
        assert (letter.path, event["type"]) == ("/hook?attempt=sub_9", "video.generation.completed")
        job = event["data"]
        assert headers["x-openrouter-idempotency-key"] == f"{job['id']}-completed"
        stamp, signature = (part.partition("=")[2] for part in headers["x-openrouter-signature"].split(","))
        secret = webhooks.secret(hashlib.sha256(caller.key.encode()).hexdigest()).hex().encode()
        assert hmac.new(secret, f"{stamp},".encode() + letter.body, "sha256").hexdigest() == signature
        assert (await caller.http.get(job["unsigned_urls"][0])).status_code == 200
        assert {line["client_ref"] for line in caller.lines()} == {"sub_9"}
        await client().create(prompt="[[fails]] A boat.", callback_url=box.url)
        assert (await box.letter()).json()["type"] == "video.generation.failed"
