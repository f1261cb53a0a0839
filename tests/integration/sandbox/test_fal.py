import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.integration.sandbox import callers

SMALL = {"prompt": "A boat at dawn.", "duration": "1", "resolution": "360p"}
SUBMIT = "/fal/sandbox/reel"
HISTORY = "/fal/v1/models/requests/by-endpoint"


class Client(callers.Caller):
    scheme = "Key"

    async def submit(self, path: str = SUBMIT, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return await self.http.post(path, json=SMALL | more, headers=headers)

    async def result(self, **more: Any) -> httpx.Response:
        """Submit, wait, and get what came of it."""
        told = (await self.submit(**more)).json()
        await self.ended(told)
        return await self.http.get(told["response_url"])

    async def ended(self, told: dict[str, Any]) -> Any:
        async def completed() -> Any:
            status = await self.http.get(told["status_url"])
            return status.json() if status.status_code == 200 else None

        return await callers.until(completed)


Make = Callable[..., Client]


@pytest.fixture
async def client(lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(Client, lent) as make:
        yield make


async def test_a_request_from_submit_to_its_file(sandbox: Any) -> None:
    async with callers.calling(Client, sandbox) as make:
        caller = make()
        path = f"{SUBMIT}/image-to-video?fal_webhook=http%3A%2F%2F127.0.0.1%3A9%2F%3Fattempt%3Dsub_7%26sig%3Dx"
        told = (await caller.submit(path, image_url=callers.data_url(), generate_audio=False, seed=7)).json()
        one = f"{sandbox.url}/fal/sandbox/reel/requests/{told['request_id']}"
        assert told["status"] == "IN_QUEUE"
        urls = told["response_url"], told["status_url"], told["cancel_url"]
        assert urls == (one, f"{one}/status", f"{one}/cancel")
        early, status = await caller.http.get(one), await caller.http.get(f"{one}/status")
        assert (early.status_code, early.json()["detail"]) == (400, "Request is still in progress")
        assert (status.status_code, status.json()["status"] in ("IN_QUEUE", "IN_PROGRESS")) == (202, True)
        assert (await caller.ended(told))["metrics"]["inference_time"] > 0
        assert (await caller.http.get(f"{one}/status?logs=1")).json()["logs"] == []
        result = await caller.http.get(one)
        video = result.json()["video"]
        reel = (await caller.http.get(video["url"], headers={"authorization": ""})).content
    assert (result.headers["x-fal-billable-units"], result.json()["seed"]) == ("1", 7)
    assert (video["width"], video["height"], video["fps"], video["file_size"]) == (640, 360, 24, len(reel))
    callers.check_silent_red(reel)
    assert [(line["event"], line["client_ref"], line["micros"]) for line in sandbox.ledger()] == [
        ("create", "sub_7", 0),
        ("done", "sub_7", 0),
        ("charge", "sub_7", 100_000),
    ]
    assert [line["client_ref"] for line in sandbox.posts()] == ["sub_7"]


async def test_a_cancel_is_asked_for_and_too_late_once_it_has_ended(client: Make) -> None:
    caller = client("+never_done")
    told = (await caller.submit()).json()
    cancels = [await caller.http.put(told["cancel_url"]) for _ in range(2)]
    assert [(one.status_code, one.json()["status"]) for one in cancels] == [
        (202, "CANCELLATION_REQUESTED"),
        (400, "ALREADY_COMPLETED"),
    ]
    assert (await caller.ended(told))["error_type"] == "client_cancelled"
    result = await caller.http.get(told["response_url"])
    assert (result.status_code, result.headers["x-fal-error-type"]) == (499, "client_cancelled")
    assert (await caller.http.put(told["cancel_url"].replace("fal_", "fal_0"))).status_code == 404
    assert caller.events() == ["post", "create", "cancel"]
    deaf = client("+slow(0.3)+cancel_ignored")
    told = (await deaf.submit()).json()
    assert (await deaf.http.put(told["cancel_url"])).status_code == 202
    assert "error" not in await deaf.ended(told)
    assert deaf.events()[-1] == "charge"


async def test_completed_is_not_success(client: Make) -> None:
    kinds = {
        "filtered": (422, "content_policy_violation", "false"),
        "fails": (500, "internal_server_error", "true"),
        "fails_charged": (500, "internal_server_error", "true"),
    }
    for disaster, (status, kind, retryable) in kinds.items():
        caller = client(f"+{disaster}")
        told = (await caller.submit()).json()
        ended = await caller.ended(told)
        result = await caller.http.get(told["response_url"])
        assert (ended["status"], ended["error_type"]) == ("COMPLETED", kind)
        assert (result.status_code, result.headers["x-fal-retryable"]) == (status, retryable)
        assert result.json()["detail"][0]["type"] == kind
        assert ("charge" in caller.events()) == (disaster == "fails_charged")
    empty = client("+empty_success")
    assert (await empty.result()).json()["video"] is None


async def test_refusals_have_the_shapes_of_the_queue_and_of_models(client: Make) -> None:
    refused = await client("+refused").submit()
    assert (refused.status_code, refused.json()["detail"][0]["type"]) == (422, "content_policy_violation")
    busy = await client("+busy").submit()
    assert (busy.status_code, busy.json()["error_type"]) == (503, "runner_scheduling_failure")
    assert busy.headers["x-fal-error-type"] == "runner_scheduling_failure"
    throttled = await client("+throttled").submit()
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "2")
    assert isinstance(throttled.json()["detail"], str)
    gone = await client("+gone").submit()
    assert (gone.status_code, "is no longer available" in gone.json()["detail"]) == (404, True)
    revoked = client("+key_revoked")
    told = (await revoked.submit()).json()
    answers = [await revoked.http.get(url) for url in (told["status_url"], "/fal/v1/models/pricing")]
    assert [one.status_code for one in answers] == [401, 401]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": " "}, "prompt", "not empty"),
    ({"duration": 16}, "duration", "1 to 15"),
    ({"resolution": "4k"}, "resolution", "360p, 480p, 720p, 1080p"),
    ({"aspect_ratio": "2:1"}, "aspect_ratio", "16:9, 9:16, 1:1, 4:3, 3:4"),
    ({"seed": -1}, "seed", "0 to 4294967295"),
    ({"generate_audio": "maybe"}, "generate_audio", "true, false"),
    ({"image_url": "https://example.com/a.png"}, "image_url", "fetches nothing"),
    ({"end_image_url": "data:image/png;base64,bm8="}, "end_image_url", "PNG, JPEG or WebP"),
]


async def test_a_wrong_field_is_named_with_what_is_allowed(client: Make) -> None:
    caller = client()
    for wrong, field, allowed in REFUSED:
        refused = await caller.submit(**wrong)
        fault = refused.json()["detail"][0]
        assert (refused.status_code, fault["loc"]) == (422, ["body", field])
        assert allowed in fault["msg"]
    assert (await caller.submit(path=f"{SUBMIT}/image-to-video")).json()["detail"][0]["loc"] == ["body", "image_url"]
    assert (await caller.submit(path="/fal/fal-ai/wan")).status_code == 404
    wrong_header = await caller.submit(headers={"x-fal-object-lifecycle-preference": "{}"})
    assert wrong_header.status_code == 422
    assert caller.events() == []
    assert (await caller.http.post(SUBMIT, json=SMALL, headers={"authorization": "Bearer k"})).status_code == 401


async def test_a_lost_create_is_found_in_the_history(client: Make) -> None:
    caller = client()
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.submit(prompt="[[drop_reply]] A boat.", seed=5)
    await caller.submit(prompt="[[fails]] A boat.")
    await caller.submit(prompt="[[never_done]] A boat.")
    await caller.submit(prompt="[[list_lag(600)]] A boat.")
    asked = {"endpoint_id": "sandbox/reel", "expand": "payloads"}
    history = (await caller.http.get(HISTORY, params=asked)).json()
    assert [one["status_code"] for one in history["items"]] == [500, 200]
    found = history["items"][1]
    assert found["json_input"] == SMALL | {"prompt": "[[drop_reply]] A boat.", "seed": 5}
    assert (await caller.http.get(found["json_output"]["video"]["url"])).status_code == 200
    assert caller.events().count("charge") == 2  # the one that no list shows yet as well

    ok = (await caller.http.get(HISTORY, params={"endpoint_id": "sandbox/reel", "status": "success"})).json()["items"]
    assert [one["request_id"] for one in ok] == [found["request_id"]]
    assert "json_input" not in ok[0]
    pages = [(await caller.http.get(HISTORY, params={"limit": 1, "cursor": at})).json() for at in (0, 1)]
    assert [(page["has_more"], page["next_cursor"]) for page in pages] == [(True, "1"), (False, None)]
    early = await caller.http.get(HISTORY, params={"end": found["sent_at"]})
    assert (early.json()["items"], (await caller.http.get(HISTORY, params={"end": "soon"})).status_code) == ([], 422)
    assert (await client().http.get(HISTORY, params=asked)).json()["items"] == []


async def test_a_callback_is_signed_with_the_published_key(client: Make) -> None:
    async with callers.mailbox() as box:
        caller = client()
        for prompt, status in (("A boat.", "OK"), ("[[filtered]] A boat.", "ERROR")):
            await caller.submit(path=f"{SUBMIT}?fal_webhook={box.url}", prompt=prompt)
            letter = await box.letter()
            told, headers = letter.json(), letter.headers
            assert (told["status"], "video" in told["payload"]) == (status, status == "OK")
            assert headers["x-fal-webhook-request-id"] == told["request_id"]
            key = (await caller.http.get("/fal/.well-known/jwks.json")).json()["keys"][0]["x"]
            signed = [headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
            message = "\n".join([*signed, hashlib.sha256(letter.body).hexdigest()]).encode()
            public = ed25519.Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key + "="))
            public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message)


async def test_media_is_thrown_away_when_the_create_says_so(client: Make) -> None:
    caller = client()
    kept = await caller.result(headers={"x-fal-object-lifecycle-preference": '{"expiration_duration_seconds":600}'})
    gone = await caller.result(headers={"x-fal-object-lifecycle-preference": '{"expiration_duration_seconds":1}'})
    assert (await caller.http.get(kept.json()["video"]["url"])).status_code == 200

    async def is_gone() -> bool:
        return (await caller.http.get(gone.json()["video"]["url"])).status_code == 403

    await callers.until(is_gone)


async def test_prices_and_models_are_listed(client: Make) -> None:
    caller = client()
    price = (await caller.http.get("/fal/v1/models/pricing?endpoint_id=sandbox/reel")).json()["prices"]
    assert price == [{"endpoint_id": "sandbox/reel", "unit_price": 0.1, "unit": "seconds", "currency": "USD"}]
    models = (await caller.http.get("/fal/v1/models")).json()["models"]
    assert [one["endpoint_id"] for one in models] == [
        SUBMIT[5:],
        f"{SUBMIT[5:]}/text-to-video",
        f"{SUBMIT[5:]}/image-to-video",
    ]
    assert (await caller.http.get("/fal/v1/models/pricing?endpoint_id=fal-ai/wan")).status_code == 404
