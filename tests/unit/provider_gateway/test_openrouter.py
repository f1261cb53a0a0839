import datetime
import hmac
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import openrouter
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
HOME = providers.Endpoint("there", "https://openrouter.example/api/v1", desks.KEY)
CONTENT = "https://openrouter.example/api/v1/videos/job-1/content?index=0"
BEARER = {"Authorization": f"Bearer {desks.KEY}"}
SECRET = "a secret of the workspace"


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def seller(desk: desks.Desk) -> AsyncIterator[openrouter.OpenRouter]:
    seller = openrouter.OpenRouter(desk.endpoint("/api/v1/", webhook_secret=SECRET), providers.Capabilities())
    yield seller
    await seller.close()


async def test_an_order_is_one_post(desk: desks.Desk, seller: openrouter.OpenRouter) -> None:
    desk.says("POST /api/v1/videos", {"id": "gen-vid-1", "polling_url": "/api/v1/videos/gen-vid-1"}, 202)
    order = desks.order(seed=0, audio=False, callback_url="https://us.example/cb")
    assert await seller.create(order) == providers.Accepted("gen-vid-1")
    assert desk.only.headers["authorization"] == f"Bearer {desks.KEY}"
    assert desk.only.headers["x-client-request-id"] == "sub_01JD"
    assert desk.only.body == {
        "model": "maker/reel",
        "prompt": "A boat.",
        "duration": 3,
        "aspect_ratio": "16:9",
        "resolution": "360p",
        "seed": 0,
        "generate_audio": False,
        "session_id": "sub_01JD",
        "callback_url": "https://us.example/cb",
    }


def test_frames_are_listed_by_their_place() -> None:
    fields = openrouter.fields(desks.order(), "data:one", "data:two")
    assert fields["frame_images"] == [
        {"type": "image_url", "image_url": {"url": "data:one"}, "frame_type": "first_frame"},
        {"type": "image_url", "image_url": {"url": "data:two"}, "frame_type": "last_frame"},
    ]
    assert len(openrouter.fields(desks.order(), "data:one")["frame_images"]) == 1
    assert "frame_images" not in openrouter.fields(desks.order())


async def test_a_frame_that_cannot_be_read_means_not_sent(desk: desks.Desk, seller: openrouter.OpenRouter) -> None:
    assert isinstance(await seller.create(desks.order(first_frame=Path("/nowhere"))), providers.NotSent)
    assert desk.asked == []


def read(status: str, **more: Any) -> providers.PollOutcome:
    return openrouter.read({"id": "job-1", "status": status, **more}, HOME, 2.0)


@pytest.mark.parametrize("status", ["pending", "queued", "in_progress", "processing", "IN_PROGRESS", "something new"])
def test_a_job_on_its_way_is_pending(status: str) -> None:
    assert read(status) == providers.Pending(2.0)


def test_the_key_s_own_address_is_taken_before_a_signed_one() -> None:
    signed = "https://storage.example/a.mp4?sig=secret"
    both = read("completed", unsigned_urls=[CONTENT], urls=[signed], usage={"cost": Decimal("0.4")})
    assert both == providers.Done(CONTENT, BEARER, cost_micros=400_000)
    expires = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
    alone = read("completed", urls=[signed], expires_at=1795255200)
    assert alone == providers.Done(signed, {}, expires)


def test_the_key_goes_nowhere_else() -> None:
    elsewhere = "https://openrouter.example.evil/api/v1/videos/job-1/content"
    signed = "https://openrouter.example/signed"
    assert read("completed", unsigned_urls=[elsewhere], urls=[signed]) == providers.Done(signed, BEARER)
    assert isinstance(read("completed", unsigned_urls=[elsewhere]), providers.Failed)


@pytest.mark.parametrize("urls", [None, [], {}, ["/relative"], [5], "odd"])
def test_an_end_without_a_video_was_filtered(urls: Any) -> None:
    outcome = read("completed", unsigned_urls=urls, urls=urls, usage={"cost": 0})
    assert isinstance(outcome, providers.Failed)
    assert "filtered" in outcome.message
    assert (outcome.charged, outcome.cost_micros) == (False, 0)


@pytest.mark.parametrize(
    ("cost", "micros"),
    [
        (Decimal("0.1234567"), 123_457),
        (2, 2_000_000),
        (Decimal("1e-7"), 1),
        (Decimal(-1), None),
        (0.5, None),
        ("x", None),
    ],
)
def test_a_cost_is_exact_and_never_negative(cost: Any, micros: int | None) -> None:
    done = read("completed", unsigned_urls=[CONTENT], usage={"cost": cost})
    assert isinstance(done, providers.Done)
    assert done.cost_micros == micros


@pytest.mark.parametrize(
    ("status", "more", "failed"),
    [
        ("failed", {"error": "It broke."}, providers.Failed("It broke.")),
        ("failed", {"error": {"message": "It broke."}}, providers.Failed("It broke.")),
        ("failed", {}, providers.Failed("The provider ended the job as failed.")),
        (
            "failed",
            {"error": "It broke.", "usage": {"cost": 0}},
            providers.Failed("It broke.", charged=False, cost_micros=0),
        ),
        (
            "failed",
            {"error": "It broke.", "usage": {"cost": Decimal("0.1")}},
            providers.Failed("It broke.", charged=True, cost_micros=100_000),
        ),
        ("cancelled", {}, providers.Failed("The provider ended the job as cancelled.", cancelled=True)),
        ("expired", {"usage": "odd"}, providers.Failed("The provider ended the job as expired.")),
    ],
)
def test_a_job_that_ended_badly(status: str, more: dict[str, Any], failed: providers.Failed) -> None:
    assert read(status, **more) == failed


async def test_polls_ask_at_home_whatever_the_id_says(desk: desks.Desk, seller: openrouter.OpenRouter) -> None:
    desk.says("GET /api/v1/videos/job-1", {"id": "job-1", "status": "pending"}, retry_after="9")
    assert await seller.poll("job-1") == providers.Pending(9)
    assert await seller.poll("../key?") == providers.Missing()
    assert desk.asked[1].path == "/api/v1/videos/../key?"  # quoted on the wire, so that it is one name


@pytest.mark.parametrize(
    ("code", "body"), [(200, []), (200, {}), (200, {"status": 5}), (500, {"status": "failed"}), (401, {})]
)
async def test_no_job_is_no_answer(desk: desks.Desk, seller: openrouter.OpenRouter, code: int, body: Any) -> None:
    desk.says("GET /api/v1/videos/job-1", body, code)
    with pytest.raises(providers.ProviderAway):
        await seller.poll("job-1")


async def test_a_key_is_checked_where_it_is_described(desk: desks.Desk, seller: openrouter.OpenRouter) -> None:
    desk.says("GET /api/v1/key", {"data": {"label": "sk-or-v1-au7...890"}})
    await seller.check()
    desk.answers.clear()
    desk.says("GET /api/v1/key", {"error": {"code": 401, "message": "No cookie auth credentials found"}}, 401)
    with pytest.raises(providers.KeyRefused):
        await seller.check()


def callback(event: Any) -> tuple[dict[str, str], bytes]:
    body, sent = json.dumps(event).encode(), str(int(NOW.timestamp()))
    mac = hmac.digest(SECRET.encode(), f"{sent},".encode() + body, "sha256").hex()
    return {"X-OpenRouter-Signature": f"t={sent},v1={mac}", "X-OpenRouter-Idempotency-Key": "of anybody"}, body


async def test_a_callback_is_named_by_what_is_signed(seller: openrouter.OpenRouter) -> None:
    headers, body = callback({"type": "video.generation.completed", "data": {"id": "job-1", "status": "completed"}})
    assert await seller.hint(headers, body, NOW) == providers.Hint("job-1-video.generation.completed", "job-1")
    with pytest.raises(providers.HintInvalid):
        await seller.hint(headers, body.replace(b"job-1", b"job-2"), NOW)


@pytest.mark.parametrize("event", [[], {}, {"data": []}, {"data": {"id": ""}}, None])
async def test_a_signed_callback_must_name_a_job(seller: openrouter.OpenRouter, event: Any) -> None:
    headers, body = callback(event)
    with pytest.raises(providers.HintInvalid):
        await seller.hint(headers, body, NOW)
