import base64
import datetime
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.provider_gateway import providers
from services.provider_gateway.providers import exchange, fal
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
INPUT = {
    "prompt": "A boat.",
    "duration": 3,
    "aspect_ratio": "16:9",
    "resolution": "360p",
    "generate_audio": True,
}
JOB = "maker/reel#req-1"
STATUS, RESULT = "GET /maker/reel/requests/req-1/status", "GET /maker/reel/requests/req-1"
HISTORY = "GET /v1/models/requests/by-endpoint"
HOME = providers.Endpoint("fal", "https://queue.fal.run", desks.KEY)


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def seller(desk: desks.Desk) -> AsyncIterator[fal.Fal]:
    seller = fal.Fal(desk.endpoint(), providers.Capabilities())
    yield seller
    await seller.close()


def queued(url: str, app: str) -> dict[str, Any]:
    one = f"{url}/{app}/requests/req-1"
    told = {"request_id": "req-1", "status": "IN_QUEUE", "queue_position": 0}
    return told | {"response_url": one, "status_url": f"{one}/status", "cancel_url": f"{one}/cancel"}


async def test_an_order_is_one_post_with_its_headers(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says("POST /maker/reel/text-to-video", queued(desk.url, "maker/reel"))
    order = desks.order(
        wire_model="maker/reel/text-to-video", callback_url="https://us.example/cb?attempt=sub_01JD&x=1"
    )
    assert await seller.create(order) == providers.Accepted(JOB)
    asked = desk.only
    assert asked.query == {"fal_webhook": "https://us.example/cb?attempt=sub_01JD&x=1"}
    assert asked.body == INPUT
    wanted = {
        "authorization": f"Key {desks.KEY}",
        "content-type": "application/json",
        "x-client-request-id": "sub_01JD",
        "x-fal-no-retry": "1",
        "x-fal-object-lifecycle-preference": '{"expiration_duration_seconds": 2592000}',
    }
    assert {name: asked.headers[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("status_url", "named"),
    [
        ("{url}/other/app/requests/req-1/status", "other/app#req-1"),
        ("{url}/workflows/maker/reel/requests/req-1/status", "workflows/maker/reel#req-1"),
        ("https://evil.example/evil/app/requests/req-1/status", "maker/reel#req-1"),
        ("{url}.evil.example/evil/app/requests/req-1/status", "maker/reel#req-1"),
        ("{url}/strange", "maker/reel#req-1"),
        (None, "maker/reel#req-1"),
    ],
)
async def test_a_job_is_named_by_the_address_of_its_status(
    desk: desks.Desk, seller: fal.Fal, status_url: str | None, named: str
) -> None:
    told = {"request_id": "req-1", "status_url": status_url and status_url.format(url=desk.url)}
    desk.says("POST /maker/reel/pro/fast", told)
    assert await seller.create(desks.order(wire_model="maker/reel/pro/fast")) == providers.Accepted(named)


@pytest.mark.parametrize(
    ("model", "app"),
    [
        ("fal-ai/kling-video/v3/pro/text-to-video", "fal-ai/kling-video"),
        ("bytedance/seedance-2.5/text-to-video", "bytedance/seedance-2.5"),
        ("workflows/us/film/fast", "workflows/us/film"),
        ("comfy/us/film", "comfy/us/film"),
        ("one", "one"),
    ],
)
def test_addresses_hold_owner_and_app_only(model: str, app: str) -> None:
    assert fal.app_of(model) == app


@pytest.mark.parametrize("shown", ["req-1", "maker/reel#req-1"])
async def test_a_person_need_not_know_the_app(seller: fal.Fal, shown: str) -> None:
    assert seller.called(desks.order(wire_model="maker/reel/fast"), shown) == "maker/reel#req-1"


@pytest.mark.parametrize("told", [{}, {"request_id": ""}, {"request_id": 7}, [], None])
async def test_an_answer_without_an_id_leaves_it_open(desk: desks.Desk, seller: fal.Fal, told: Any) -> None:
    desk.says("POST /maker/reel", told)
    assert isinstance(await seller.create(desks.order()), providers.Unknown)


async def test_frames_go_in_as_data_and_may_choose_the_model(desk: desks.Desk, seller: fal.Fal, tmp_path: Path) -> None:
    first, last = tmp_path / "first.png", tmp_path / "last.jpg"
    first.write_bytes(b"\x89PNG one")
    last.write_bytes(b"two")
    desk.says("POST /maker/reel/image-to-video", queued(desk.url, "maker/reel"))
    form = {"framed_model": "maker/reel/image-to-video", "framed_omits": "shape", "first_frame": "start_image_url"}
    order = desks.order(wire_model="maker/reel/text-to-video", form=form, first_frame=first, last_frame=last)
    assert await seller.create(order) == providers.Accepted(JOB)
    body = desk.only.body
    assert body["start_image_url"] == f"data:image/png;base64,{base64.b64encode(first.read_bytes()).decode()}"
    assert body["end_image_url"] == f"data:image/jpeg;base64,{base64.b64encode(b'two').decode()}"
    assert "aspect_ratio" not in body


async def test_a_frame_that_cannot_be_read_means_not_sent(desk: desks.Desk, seller: fal.Fal) -> None:
    outcome = await seller.create(desks.order(last_frame=Path("/nowhere.png")))
    assert isinstance(outcome, providers.NotSent)
    assert desk.asked == []


@pytest.mark.parametrize("status", ["IN_QUEUE", "IN_PROGRESS", "SOMETHING_NEW"])
@pytest.mark.parametrize("code", [200, 202])
async def test_a_request_on_its_way_is_pending(desk: desks.Desk, seller: fal.Fal, status: str, code: int) -> None:
    desk.says(STATUS, {"status": status}, code)
    assert await seller.poll(JOB) == providers.Pending()
    assert desk.only.headers["authorization"] == f"Key {desks.KEY}"


async def test_a_made_clip_is_fetched_without_the_key_from_anywhere_else(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says(STATUS, {"status": "COMPLETED", "metrics": {"inference_time": 3.5}})
    desk.says(RESULT, {"video": {"url": "https://v3.fal.media/files/a.mp4", "duration": 3}, "seed": 1})
    desk.says(RESULT, {"video": {"url": f"{desk.url}/files/a.mp4"}})
    assert await seller.poll(JOB) == providers.Done("https://v3.fal.media/files/a.mp4", {})
    at_home = {"Authorization": f"Key {desks.KEY}"}
    assert await seller.poll(JOB) == providers.Done(f"{desk.url}/files/a.mp4", at_home)


@pytest.mark.parametrize(
    "result", [{}, {"video": None}, {"video": {}}, {"video": {"url": "/relative"}}, {"video": "odd"}]
)
async def test_an_end_without_a_video_was_filtered(desk: desks.Desk, seller: fal.Fal, result: Any) -> None:
    desk.says(STATUS, {"status": "COMPLETED"})
    desk.says(RESULT, result)
    outcome = await seller.poll(JOB)
    assert isinstance(outcome, providers.Failed)
    assert "filtered" in outcome.message
    assert (outcome.charged, outcome.retryable) == (None, False)


def answered(status: int, body: Any, **headers: str) -> exchange.Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange.Answer(status, named, json.dumps(body).encode())


def ended(status: dict[str, Any], answer: exchange.Answer) -> providers.PollOutcome:
    return fal.ended({"status": "COMPLETED"} | status, answer, exchange.parsed(answer), HOME)


def model_fault(kind: str) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": "It cannot be.", "type": kind, "input": "the prompt"}]}


@pytest.mark.parametrize(
    ("status", "answer", "failed"),
    [
        ({}, answered(422, model_fault("value_error")), providers.Failed("It cannot be.")),
        ({}, answered(422, {"detail": "It cannot be."}), providers.Failed("It cannot be.")),
        ({}, answered(400, model_fault("value_error")), providers.Failed("It cannot be.")),
        (
            {},
            answered(422, model_fault("content_policy_violation"), x_fal_retryable="false"),
            providers.Failed("It cannot be. Change the prompt."),
        ),
        (
            {"error": "It broke.", "error_type": "internal_server_error"},
            answered(500, model_fault("internal_server_error"), x_fal_retryable="true"),
            providers.Failed("It broke.", retryable=True),
        ),
        (
            {"error": "No runner.", "error_type": "runner_scheduling_failure"},
            answered(503, {"detail": "No runner.", "error_type": "runner_scheduling_failure"}),
            providers.Failed("No runner.", retryable=True, charged=False),
        ),
        (
            {"error": "Too slow.", "error_type": "startup_timeout"},
            answered(401, {"detail": "No key."}),
            providers.Failed("Too slow.", retryable=True, charged=False),
        ),
        (
            {"error": "Cancelled.", "error_type": "client_cancelled"},
            answered(499, {"detail": "Cancelled.", "error_type": "client_cancelled"}),
            providers.Failed("Cancelled.", cancelled=True),
        ),
    ],
)
def test_a_failure_is_read_by_its_type(
    status: dict[str, Any], answer: exchange.Answer, failed: providers.Failed
) -> None:
    assert ended(status, answer) == failed


@pytest.mark.parametrize("code", [401, 403, 408, 500, 502, 503, 504, 302])
def test_trouble_with_the_question_never_fails_paid_work(code: int) -> None:
    with pytest.raises(providers.ProviderAway):
        ended({}, answered(code, {"detail": "Not now.", "error_type": "internal_error"}))


def test_an_unfinished_result_after_all_never_fails_paid_work() -> None:
    with pytest.raises(providers.ProviderAway):
        ended({}, answered(400, {"detail": "Request is still in progress"}))
    assert ended({}, answered(429, {"detail": "Slow down."}, retry_after="7")) == providers.Pending(7)
    assert ended({}, answered(404, {"detail": "Not found."})) == providers.Missing()


async def test_unknown_names_are_missing(desk: desks.Desk, seller: fal.Fal) -> None:
    assert await seller.poll(JOB) == providers.Missing()
    assert await seller.poll("maker/reel#../../secret?") == providers.Missing()
    assert [asked.path for asked in desk.asked] == [
        "/maker/reel/requests/req-1/status",
        "/maker/reel/requests/../../secret?/status",
    ]
    assert await seller.poll("req-1") == providers.Missing()
    assert len(desk.asked) == 2


@pytest.mark.parametrize("code", [200, 202, 400, 404])
async def test_a_cancel_that_was_heard_is_done(desk: desks.Desk, seller: fal.Fal, code: int) -> None:
    desk.says("PUT /maker/reel/requests/req-1/cancel", {"status": "CANCELLATION_REQUESTED"}, code)
    await seller.cancel(JOB)
    assert len(desk.asked) == 1


async def test_a_cancel_that_was_not_heard_is_told(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says("PUT /maker/reel/requests/req-1/cancel", {"detail": "Not now."}, 503)
    with pytest.raises(providers.ProviderAway):
        await seller.cancel(JOB)


def item(id: str, sent: datetime.datetime, **changes: Any) -> dict[str, Any]:
    told = {"request_id": id, "endpoint_id": "maker/reel/fast", "sent_at": sent.isoformat().replace("+00:00", "Z")}
    return told | {"ended_at": NOW.isoformat(), "status_code": 200, "json_input": INPUT | changes}


async def test_a_lost_order_is_found_by_its_input_and_its_time(desk: desks.Desk, seller: fal.Fal) -> None:
    first = [
        item("ours", NOW),
        item("later", NOW + 3 * MINUTE),
        item("earlier", NOW - 3 * MINUTE),
        item("of another prompt", NOW, prompt="A car."),
        item("of another seed", NOW, seed=7, duration=5),
        item("with a frame", NOW, image_url="https://us.example/a.png"),
        item("without its input", NOW) | {"json_input": None},
        {"request_id": "odd"},
        "odd",
    ]
    desk.says(HISTORY, {"items": first, "has_more": True, "next_cursor": "Mg=="})
    desk.says(HISTORY, {"items": [item("ours too", NOW, extra="of the model")], "has_more": False, "next_cursor": None})
    order = desks.order(wire_model="maker/reel/fast")
    found = await seller.find(order, NOW - 2 * MINUTE, NOW + 2 * MINUTE)
    assert found == ["maker/reel#ours", "maker/reel#ours too"]
    first_page, second_page = (asked.query for asked in desk.asked)
    assert first_page == {
        "endpoint_id": "maker/reel/fast",
        "start": "2026-11-21T09:58:00+00:00",
        "expand": "payloads",
        "limit": "100",
    }
    assert second_page == first_page | {"cursor": "Mg=="}


async def test_an_order_with_a_frame_is_found_under_the_model_for_frames(desk: desks.Desk, seller: fal.Fal) -> None:
    framed = item("ours", NOW, image_url="data:image/png;base64,iVBO…")
    desk.says(HISTORY, {"items": [framed, item("without", NOW)], "has_more": False})
    order = desks.order(form={"framed_model": "maker/reel/image-to-video"}, first_frame=Path("/any.png"))
    assert await seller.find(order, NOW - MINUTE, NOW + MINUTE) == ["maker/reel#ours"]
    assert desk.only.query["endpoint_id"] == "maker/reel/image-to-video"


async def test_a_history_that_cannot_be_read_to_its_end_finds_nothing(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says(HISTORY, {"items": [item("ours", NOW)], "has_more": True, "next_cursor": "again"})
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW - MINUTE, NOW + MINUTE)
    assert len(desk.asked) == 20


@pytest.mark.parametrize(("code", "body"), [(429, {}), (500, {}), (404, {}), (200, []), (200, {"items": None})])
async def test_a_history_that_does_not_come_is_no_answer(
    desk: desks.Desk, seller: fal.Fal, code: int, body: Any
) -> None:
    desk.says(HISTORY, body, code)
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW - MINUTE, NOW + MINUTE)


async def test_a_key_is_checked_with_the_history(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says(HISTORY, {"items": []})
    desk.says(HISTORY, {"error": {"type": "not_found", "message": "No such model."}}, 404)
    await seller.check()
    await seller.check()
    for code, fault in ((401, providers.KeyRefused), (403, providers.KeyRefused), (500, providers.ProviderAway)):
        desk.answers.clear()
        desk.says(HISTORY, {"error": {"message": f"No: {desks.KEY}"}}, code)
        with pytest.raises(fault) as refused:
            await seller.check()
        assert desks.KEY not in str(refused.value)


SIGNER = ed25519.Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def jwks(signer: ed25519.Ed25519PrivateKey) -> dict[str, Any]:
    x = base64.urlsafe_b64encode(signer.public_key().public_bytes_raw()).decode().rstrip("=")
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}


def callback(body: bytes, signer: ed25519.Ed25519PrivateKey = SIGNER) -> dict[str, str]:
    sent = str(int(NOW.timestamp()))
    message = "\n".join(["req-1", "user", sent, hashlib.sha256(body).hexdigest()]).encode()
    said = {"Request-Id": "req-1", "User-Id": "user", "Timestamp": sent, "Signature": signer.sign(message).hex()}
    return {f"X-Fal-Webhook-{name}": value for name, value in said.items()}


BODY = json.dumps({"request_id": "req-1", "gateway_request_id": "req-1", "status": "OK", "payload": {}}).encode()


async def test_a_callback_is_verified_with_keys_that_are_asked_for_once(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says("GET /.well-known/jwks.json", jwks(SIGNER))
    for _ in range(3):
        assert await seller.hint(callback(BODY), BODY, NOW) == providers.Hint("req-1", "")
    assert "authorization" not in desk.only.headers


async def test_new_keys_are_asked_for_once_a_minute(desk: desks.Desk, seller: fal.Fal) -> None:
    old = ed25519.Ed25519PrivateKey.generate()
    desk.says("GET /.well-known/jwks.json", jwks(old))
    for _ in range(3):
        with pytest.raises(providers.HintInvalid):
            await seller.hint(callback(BODY), BODY, NOW)
    assert len(desk.asked) == 1
    desk.answers["GET /.well-known/jwks.json"].clear()
    desk.says("GET /.well-known/jwks.json", jwks(SIGNER))
    later = NOW + datetime.timedelta(seconds=61)
    assert await seller.hint(callback(BODY), BODY, later) == providers.Hint("req-1", "")
    assert len(desk.asked) == 2


async def test_known_keys_outlast_a_provider_that_is_away(desk: desks.Desk, seller: fal.Fal) -> None:
    desk.says("GET /.well-known/jwks.json", jwks(SIGNER))
    await seller.hint(callback(BODY), BODY, NOW)
    desk.answers["GET /.well-known/jwks.json"] = [(503, b"<html>", {})]
    with pytest.raises(providers.HintInvalid):
        await seller.hint(callback(BODY + b" "), BODY, NOW + datetime.timedelta(seconds=61))
    assert await seller.hint(callback(BODY), BODY, NOW) == providers.Hint("req-1", "")
