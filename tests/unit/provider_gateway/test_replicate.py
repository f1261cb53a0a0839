import base64
import datetime
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import replicate
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
HOME = providers.Endpoint("there", "https://replicate.example/v1", desks.KEY)
INPUT = {"prompt": "A boat.", "duration": 3, "aspect_ratio": "16:9", "resolution": "360p", "generate_audio": True}
LIST = "GET /v1/predictions"
KEY = b"the secret of webhooks"


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def seller(desk: desks.Desk) -> AsyncIterator[replicate.Replicate]:
    secret = "whsec_" + base64.b64encode(KEY).decode()
    seller = replicate.Replicate(desk.endpoint("/v1", webhook_secret=secret), providers.Capabilities())
    yield seller
    await seller.close()


async def test_an_order_is_one_post_of_the_model_s_input(desk: desks.Desk, seller: replicate.Replicate) -> None:
    desk.says("POST /v1/models/maker/reel/predictions", {"id": "p1", "status": "starting"}, 201)
    assert await seller.create(desks.order(callback_url="https://us.example/cb")) == providers.Accepted("p1")
    assert desk.only.headers["authorization"] == f"Bearer {desks.KEY}"
    assert desk.only.headers["x-client-request-id"] == "sub_01JD"
    assert "prefer" not in desk.only.headers
    webhook = {"webhook": "https://us.example/cb", "webhook_events_filter": ["completed"]}
    assert desk.only.body == {"input": INPUT} | webhook
    assert replicate.fields(desks.order()) == {"input": INPUT}


async def test_frames_go_in_under_the_model_s_names(
    desk: desks.Desk, seller: replicate.Replicate, tmp_path: Path
) -> None:
    still = tmp_path / "still.jpg"
    still.write_bytes(b"jpeg")
    desk.says("POST /v1/models/maker/reel/predictions", {"id": "p1"}, 201)
    form = {"first_frame": "first_frame_image", "last_frame": ""}
    outcome = await seller.create(desks.order(first_frame=still, last_frame=still, form=form))
    assert outcome == providers.Accepted("p1")
    assert desk.only.body["input"] == INPUT | {"first_frame_image": "data:image/jpeg;base64,anBlZw=="}


async def test_frames_that_replicate_cannot_take_are_not_sent(
    desk: desks.Desk, seller: replicate.Replicate, tmp_path: Path
) -> None:
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG" + bytes(4_600_000))
    outcome = await seller.create(desks.order(first_frame=still))
    assert isinstance(outcome, providers.Rejected)
    assert not outcome.passing
    assert isinstance(await seller.create(desks.order(first_frame=Path("/nowhere"))), providers.NotSent)
    assert desk.asked == []


def read(status: str, **more: Any) -> providers.PollOutcome:
    return replicate.read({"id": "p1", "status": status, **more}, HOME, 2.0)


@pytest.mark.parametrize("status", ["starting", "processing", "something new"])
def test_a_prediction_on_its_way_is_pending(status: str) -> None:
    assert read(status, output=["https://partial.example/a.png"]) == providers.Pending(2.0)


@pytest.mark.parametrize("output", ["https://replicate.delivery/a.mp4", ["https://replicate.delivery/a.mp4", "more"]])
def test_a_made_clip_is_fetched_without_the_key(output: Any) -> None:
    assert read("succeeded", output=output) == providers.Done("https://replicate.delivery/a.mp4", {})


def test_a_clip_at_the_api_takes_the_key() -> None:
    own = "https://replicate.example/v1/files/a"
    assert read("succeeded", output=own) == providers.Done(own, {"Authorization": f"Bearer {desks.KEY}"})


@pytest.mark.parametrize("output", [None, [], "", "/relative", {"video": "https://a.example/b"}, [None]])
def test_an_end_without_a_video_was_filtered(output: Any) -> None:
    outcome = read("succeeded", output=output)
    assert isinstance(outcome, providers.Failed)
    assert "filtered" in outcome.message
    assert outcome.charged is None


def test_a_clip_that_was_deleted_is_paid_and_gone() -> None:
    outcome = read("succeeded", output=None, data_removed=True)
    assert isinstance(outcome, providers.Failed)
    assert (outcome.charged, outcome.retryable) == (True, False)


@pytest.mark.parametrize(
    ("status", "error", "failed"),
    [
        ("failed", "Out of memory.", providers.Failed("Out of memory.")),
        ("failed", None, providers.Failed("The provider does not say why.")),
        (
            "failed",
            "Prediction interrupted; please retry (code: PA)",
            providers.Failed("Prediction interrupted; please retry (code: PA)", retryable=True),
        ),
        ("failed", "Flagged. Please try again. (E005)", providers.Failed("Flagged. Please try again. (E005)")),
        ("canceled", None, providers.Failed("The provider cancelled the job.", cancelled=True)),
        (
            "aborted",
            "Deadline.",
            providers.Failed("The provider ended the job before it began.", retryable=True, charged=False),
        ),
    ],
)
def test_a_prediction_that_ended_badly(status: str, error: str | None, failed: providers.Failed) -> None:
    assert read(status, error=error) == failed


async def test_polls_ask_at_home_whatever_the_id_says(desk: desks.Desk, seller: replicate.Replicate) -> None:
    desk.says("GET /v1/predictions/p1", {"id": "p1", "status": "starting"})
    assert await seller.poll("p1") == providers.Pending()
    assert await seller.poll("p1/cancel") == providers.Missing()


@pytest.mark.parametrize(
    ("code", "body"), [(200, []), (200, {"id": "p1"}), (500, {"id": "p1", "status": "failed"}), (403, {})]
)
async def test_no_prediction_is_no_answer(desk: desks.Desk, seller: replicate.Replicate, code: int, body: Any) -> None:
    desk.says("GET /v1/predictions/p1", body, code)
    with pytest.raises(providers.ProviderAway):
        await seller.poll("p1")


def prediction(id: str, made: datetime.datetime = NOW, **changes: Any) -> dict[str, Any]:
    created_at = made.isoformat().replace("+00:00", "Z")
    told = {"id": id, "model": "maker/reel", "status": "starting", "created_at": created_at, "input": INPUT}
    return told | changes


async def test_a_lost_order_is_found_by_its_callback_or_its_input(
    desk: desks.Desk, seller: replicate.Replicate
) -> None:
    first = [
        prediction("by its callback", webhook="https://us.example/cb?1", input={}),
        prediction("of another callback", webhook="https://us.example/cb?2"),
        prediction("by its input"),
        prediction("of another input", input=INPUT | {"seed": 1, "prompt": "A car."}),
        prediction("with a frame", input=INPUT | {"image": "https://replicate.delivery/in.png"}),
        prediction("of another model", model="maker/other"),
        prediction("later", NOW + 3 * MINUTE),
        prediction("deleted", input={}, data_removed=True),
        {"id": "odd"},
    ]
    desk.says(LIST, {"results": first, "next": f"{desk.url}/v1/predictions?cursor=2"})
    desk.says(LIST, {"results": [prediction("on the second page")], "next": None})
    order = desks.order(callback_url="https://us.example/cb?1")
    found = await seller.find(order, NOW - 2 * MINUTE, NOW + 2 * MINUTE)
    assert found == ["by its callback", "by its input", "on the second page"]
    assert [asked.query for asked in desk.asked] == [
        {"created_after": "2026-11-21T09:58:00+00:00", "created_before": "2026-11-21T10:02:00+00:00"},
        {"cursor": "2"},
    ]


async def test_a_list_that_leads_away_or_never_ends_finds_nothing(
    desk: desks.Desk, seller: replicate.Replicate
) -> None:
    desk.says(LIST, {"results": [prediction("p1")], "next": "https://evil.example/v1/predictions?cursor=2"})
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW - MINUTE, NOW + MINUTE)
    desk.answers.clear()
    desk.says(LIST, {"results": [prediction("p1")], "next": f"{desk.url}/v1/predictions?cursor=1"})
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW - MINUTE, NOW + MINUTE)
    assert len(desk.asked) == 1 + 20


@pytest.mark.parametrize(("code", "body"), [(429, {}), (500, {}), (404, {}), (200, []), (200, {"results": None})])
async def test_a_list_that_does_not_come_is_no_answer(
    desk: desks.Desk, seller: replicate.Replicate, code: int, body: Any
) -> None:
    desk.says(LIST, body, code)
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW - MINUTE, NOW + MINUTE)
    with pytest.raises(providers.ProviderAway):
        await seller.poll_many(["p1"])


async def test_many_are_polled_with_the_list_as_far_as_needed(desk: desks.Desk, seller: replicate.Replicate) -> None:
    first = [prediction("p1"), prediction("of others"), prediction("p2", status="canceled")]
    desk.says(LIST, {"results": first, "next": f"{desk.url}/v1/predictions?cursor=2"})
    cancelled = providers.Failed("The provider cancelled the job.", cancelled=True)
    assert await seller.poll_many(["p1", "p2"]) == {"p1": providers.Pending(), "p2": cancelled}
    assert len(desk.asked) == 1
    desk.says(LIST, {"results": [], "next": None})
    assert await seller.poll_many(["p1", "nowhere"]) == {"p1": providers.Pending()}
    assert len(desk.asked) == 1 + 2


@pytest.mark.parametrize("code", [200, 404])
async def test_a_cancel_that_was_heard_is_done(desk: desks.Desk, seller: replicate.Replicate, code: int) -> None:
    desk.says("POST /v1/predictions/p1/cancel", prediction("p1"), code)
    await seller.cancel("p1")
    assert desk.only.content == b""


async def test_a_cancel_that_was_not_heard_is_told(desk: desks.Desk, seller: replicate.Replicate) -> None:
    desk.says("POST /v1/predictions/p1/cancel", {"detail": "Not now."}, 502)
    with pytest.raises(providers.ProviderAway):
        await seller.cancel("p1")


async def test_a_key_is_checked_with_its_account(desk: desks.Desk, seller: replicate.Replicate) -> None:
    desk.says("GET /v1/account", {"type": "user", "username": "us"})
    await seller.check()
    desk.answers.clear()
    desk.says("GET /v1/account", {"title": "Unauthenticated", "detail": "No.", "status": 401}, 401)
    with pytest.raises(providers.KeyRefused):
        await seller.check()


def callback(job: Any) -> tuple[dict[str, str], bytes]:
    body, sent = json.dumps(job).encode(), str(int(NOW.timestamp()))
    mac = base64.b64encode(hmac.digest(KEY, f"msg_1.{sent}.".encode() + body, "sha256")).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": sent, "webhook-signature": f"v1,{mac}"}, body


async def test_a_callback_holds_the_prediction(seller: replicate.Replicate) -> None:
    headers, body = callback(prediction("p1", status="succeeded"))
    assert await seller.hint(headers, body, NOW) == providers.Hint("msg_1", "p1")
    with pytest.raises(providers.HintInvalid):
        await seller.hint(headers, body, NOW + 6 * MINUTE)


@pytest.mark.parametrize("job", [[], {}, {"id": "p1"}, {"id": 5, "status": "x"}])
async def test_a_signed_callback_must_name_a_prediction(seller: replicate.Replicate, job: Any) -> None:
    headers, body = callback(job)
    with pytest.raises(providers.HintInvalid):
        await seller.hint(headers, body, NOW)
