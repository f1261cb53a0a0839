import base64
import datetime
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import google
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
HOME = providers.Endpoint("there", "https://films.example", "secret-key-1")
SECRET = "whsec_" + base64.b64encode(b"a secret").decode()
LINK = {"type": "video", "uri": "https://films.example/v1beta/files/x:download?alt=media", "mime_type": "video/mp4"}
JOB = {"id": "v1_x", "object": "interaction", "status": "in_progress"}


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def seller(desk: desks.Desk) -> AsyncIterator[google.GoogleInteractions]:
    endpoint = desk.endpoint(webhook_secret=SECRET)
    seller = google.GoogleInteractions(endpoint, providers.Capabilities())
    yield seller
    await seller.close()


async def test_an_order_is_one_post(desk: desks.Desk, seller: google.GoogleInteractions) -> None:
    desk.says("POST /v1/interactions", JOB)
    order = desks.order(seed=0, callback_url="https://us.example/cb")
    assert await seller.create(order) == providers.Accepted("v1_x")
    assert desk.only.headers["x-goog-api-key"] == desks.KEY
    assert desk.only.headers["x-client-request-id"] == "sub_01JD"
    assert "idempotency-key" not in desk.only.headers
    assert desk.only.body == {
        "model": "maker/reel",
        "background": True,
        "input": "A boat.",
        "generation_config": {"video_config": {"task": "text_to_video"}, "seed": 0},
        "labels": {"submission": "sub_01jd"},
        "response_format": {
            "type": "video",
            "aspect_ratio": "16:9",
            "duration": "3s",
            "resolution": "360p",
            "delivery": "uri",
        },
        "webhook_config": {"uris": ["https://us.example/cb"], "user_metadata": {"submission": "sub_01JD"}},
    }


async def test_frames_are_told_apart(desk: desks.Desk, seller: google.GoogleInteractions, tmp_path: Path) -> None:
    desk.says("POST /v1/interactions", JOB)
    first, last = tmp_path / "first", tmp_path / "last"
    first.write_bytes(b"\x89PNG of a boat")
    last.write_bytes(b"\xff\xd8\xff of a shore")
    await seller.create(desks.order(first_frame=first, last_frame=last))
    await seller.create(desks.order(first_frame=first))
    assert desk.asked[0].body["generation_config"]["video_config"] == {"task": "image_to_video"}
    both, one = (asked.body["input"][0]["content"] for asked in desk.asked)
    assert [part.get("mime_type") for part in both] == ["image/png", "image/jpeg", None]
    assert base64.b64decode(both[1]["data"]) == last.read_bytes()
    assert both[2]["text"] == "<FIRST_FRAME> <LAST_FRAME> A boat."
    assert [part["type"] for part in one] == ["image", "text"]
    assert one[1]["text"] == "A boat."


@pytest.mark.parametrize(
    ("width", "height", "aspect", "resolution"),
    [(640, 360, "16:9", "360p"), (720, 1280, "9:16", "720p"), (3840, 2160, "16:9", "4k"), (720, 720, "1:1", "720p")],
)
def test_a_body_names_shape_and_side(width: int, height: int, aspect: str, resolution: str) -> None:
    form = google.fields(desks.order(width=width, height=height))["response_format"]
    assert (form["aspect_ratio"], form["resolution"], form["duration"]) == (aspect, resolution, "3s")


def interaction(status: str, *contents: Any, **more: Any) -> providers.PollOutcome:
    steps = [{"type": "user_input"}, "odd", {"type": "model_output", "content": list(contents)}]
    return google.read({"id": "v1_x", "status": status, "steps": steps, **more}, HOME, 2.0)


def test_an_interaction_ends_with_a_link() -> None:
    key = {"x-goog-api-key": "secret-key-1"}
    assert interaction("completed", {"type": "text", "text": "Here."}, LINK) == providers.Done(LINK["uri"], key)
    elsewhere = {"type": "video", "uri": "https://storage.example/x"}
    assert interaction("incomplete", elsewhere) == providers.Done("https://storage.example/x", {})
    for status in ("queued", "in_progress", "requires_action", "something new"):
        assert interaction(status) == providers.Pending(2.0)


def test_an_interaction_that_was_filtered() -> None:
    filtered = interaction("completed", {"type": "text", "text": "I cannot."})
    assert isinstance(filtered, providers.Failed)
    assert "filtered" in filtered.message
    assert filtered.charged is None


def test_an_interaction_with_the_clip_inside() -> None:
    inline = interaction("completed", {"type": "video", "data": "AAAA"})
    assert isinstance(inline, providers.Failed)
    assert inline.charged is True


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"errors": [{"code": "internal", "message": "It broke."}]}, providers.Failed("It broke.", retryable=True)),
        ({"error": {"code": "blocked", "message": "Not this."}}, providers.Failed("Not this.")),
        ({"errors": "odd"}, providers.Failed("The provider ended the job as failed.")),
    ],
)
def test_an_interaction_that_failed(more: Any, failed: providers.Failed) -> None:
    assert interaction("failed", **more) == failed


def test_an_interaction_that_was_stopped() -> None:
    assert interaction("cancelled") == providers.Failed("The provider ended the job as cancelled.", cancelled=True)


@pytest.mark.parametrize(
    ("state", "status", "outcome"),
    [
        ("ACTIVE", 200, providers.Done),
        ("PROCESSING", 200, providers.Pending),
        ("FAILED", 200, providers.Failed),
        ("ACTIVE", 404, providers.Done),
        ("ACTIVE", 503, providers.Done),
    ],
)
async def test_a_clip_is_done_once_its_file_can_be_had(
    desk: desks.Desk, seller: google.GoogleInteractions, state: str, status: int, outcome: type
) -> None:
    file = f"{desk.url}/v1beta/files/x"
    output = {"type": "model_output", "content": [{"type": "video", "uri": f"{file}:download?alt=media"}]}
    desk.says("GET /v1/interactions/v1_x", {**JOB, "status": "completed", "steps": [output]})
    desk.says("GET /v1beta/files/x", {"name": "files/x", "state": state}, status)
    told = await seller.poll("v1_x")
    assert isinstance(told, outcome)
    if isinstance(told, providers.Failed):
        assert told.charged
    assert [asked.headers["x-goog-api-key"] for asked in desk.asked] == [desks.KEY] * 2


async def test_a_file_elsewhere_is_nobody_s_to_ask_for(desk: desks.Desk, seller: google.GoogleInteractions) -> None:
    elsewhere = "https://files.example/v1beta/files/x:download?alt=media"
    output = {"type": "model_output", "content": [{"type": "video", "uri": elsewhere}]}
    desk.says("GET /v1/interactions/v1_x", {**JOB, "status": "completed", "steps": [output]})
    assert await seller.poll("v1_x") == providers.Done(elsewhere, {})


async def test_a_cancel_is_a_post(desk: desks.Desk, seller: google.GoogleInteractions) -> None:
    question = "POST /v1/interactions/v1_x/cancel"
    for status in (200, 400, 404, 503):
        desk.says(question, {}, status)
    for _ in range(3):
        await seller.cancel("v1_x")
    with pytest.raises(providers.ProviderAway):
        await seller.cancel("v1_x")


async def test_a_check_takes_not_found_for_an_answer(desk: desks.Desk, seller: google.GoogleInteractions) -> None:
    question = "GET /v1/interactions/v1_none"
    desk.says(question, {"error": {"code": 404, "status": "NOT_FOUND", "message": "No such interaction."}}, 404)
    desk.says(question, b"<html>nothing here</html>", 404)
    refused = {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}
    desk.says(question, {"error": refused}, 400)
    await seller.check()
    with pytest.raises(providers.ProviderAway):
        await seller.check()
    with pytest.raises(providers.KeyRefused):
        await seller.check()


async def test_a_callback_names_the_job(seller: google.GoogleInteractions) -> None:
    body = json.dumps({"type": "interaction.completed", "data": {"id": "v1_x"}}).encode()
    stamp = str(int(NOW.timestamp()))
    mac = base64.b64encode(hmac.digest(b"a secret", f"wh_1.{stamp}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": "wh_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}
    assert await seller.hint(headers, body, NOW) == providers.Hint("wh_1", "v1_x")
    with pytest.raises(providers.HintInvalid):
        await seller.hint(headers, body + b" ", NOW)
