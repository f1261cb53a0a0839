import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import runware
from tests.unit.provider_gateway import desk as desks

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OURS = runware.task_id("sub_01JD")
POST = "POST /v1"
ABOUT = {"taskType": "videoInference", "taskUUID": OURS}
URL = "https://vm.runware.ai/video/a.mp4"


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def seller(desk: desks.Desk) -> AsyncIterator[runware.Runware]:
    seller = runware.Runware(desk.endpoint("/v1"), providers.Capabilities())
    yield seller
    await seller.close()


def test_a_task_s_id_is_made_from_its_submission() -> None:
    assert OURS == "638ddb3e-fd4b-4ded-9e08-cbb4057ec3e9"  # a change of it would make lost orders untraceable
    assert uuid.UUID(OURS).version == 4
    assert runware.task_id("sub_01JE") != OURS


async def test_an_order_is_one_post_of_one_task(desk: desks.Desk, seller: runware.Runware) -> None:
    desk.says(POST, {"data": [ABOUT]})
    order = desks.order(seed=0, negative_prompt="rain", callback_url="https://us.example/cb", wire_model="maker:1@1")
    assert await seller.create(order) == providers.Accepted(OURS)
    assert desk.only.headers["authorization"] == f"Bearer {desks.KEY}"
    assert desk.only.headers["x-client-request-id"] == "sub_01JD"
    assert desk.only.body == [
        {
            "taskType": "videoInference",
            "taskUUID": OURS,
            "model": "maker:1@1",
            "positivePrompt": "A boat.",
            "negativePrompt": "rain",
            "duration": 3,
            "width": 640,
            "height": 360,
            "seed": 0,
            "deliveryMethod": "async",
            "numberResults": 1,
            "includeCost": True,
            "ttl": 604_800,
            "webhookURL": "https://us.example/cb",
        }
    ]


def test_frames_and_sound_go_where_the_model_has_them() -> None:
    order = desks.order(audio=False, first_frame=Path("/any.png"))
    task = runware.fields(order, "data:one", "data:two")
    assert task["inputs"] == {
        "frameImages": [{"image": "data:one", "frame": "first"}, {"image": "data:two", "frame": "last"}]
    }
    form = {"audio": "settings.audio", "framed_omits": "width height", "frames": "frameImages", "picture": "inputImage"}
    older = runware.fields(desks.order(audio=False, first_frame=Path("/any.png"), form=form), "data:one")
    assert older["frameImages"] == [{"inputImage": "data:one", "frame": "first"}]
    assert older["settings"] == {"audio": False}
    assert not {"inputs", "width", "height"} & set(older)


async def test_a_frame_that_cannot_be_read_means_not_sent(desk: desks.Desk, seller: runware.Runware) -> None:
    assert isinstance(await seller.create(desks.order(first_frame=Path("/nowhere"))), providers.NotSent)
    assert desk.asked == []


def conflict(id: str | None = OURS) -> dict[str, Any]:
    return {"data": [], "errors": [{"code": "conflictTaskUUID", "message": "It was used before.", "taskUUID": id}]}


async def test_a_repeated_order_is_the_one_that_was_taken(desk: desks.Desk, seller: runware.Runware) -> None:
    desk.says(POST, conflict(), 400)
    assert await seller.create(desks.order()) == providers.Accepted(OURS)


@pytest.mark.parametrize("id", ["of-another", None])
async def test_a_conflict_over_another_task_is_a_refusal(
    desk: desks.Desk, seller: runware.Runware, id: str | None
) -> None:
    desk.says(POST, conflict(id), 400)
    assert await seller.create(desks.order()) == providers.Rejected("It was used before.")


@pytest.mark.parametrize(
    ("code", "body", "outcome"),
    [
        (400, {"errors": [{"code": "invalidDuration", "message": "1 to 15."}]}, providers.Rejected("1 to 15.")),
        (
            402,
            {"errors": [{"code": "x", "message": "Empty."}]},
            providers.Rejected("Empty.", passing=True, account=True),
        ),
        (200, {"data": [{"taskUUID": "of-another"}]}, None),
        (200, {"data": [], "errors": [{"code": "x", "message": "It broke.", "taskUUID": OURS}]}, None),
        (200, {"data": {}}, None),
        (500, {"errors": [{"code": "x", "message": "It broke."}]}, None),
    ],
)
async def test_only_a_refusal_is_a_refusal(
    desk: desks.Desk, seller: runware.Runware, code: int, body: Any, outcome: providers.Rejected | None
) -> None:
    desk.says(POST, body, code)
    found = await seller.create(desks.order())
    assert found == outcome if outcome else isinstance(found, providers.Unknown)


def told(task: dict[str, Any], name: str = "data") -> providers.PollOutcome | None:
    return runware.told({name: ["odd", {"taskUUID": "of-another", "status": "error"}, ABOUT | task]}, OURS, desks.KEY)


@pytest.mark.parametrize("status", ["processing", "something new"])
def test_a_task_on_its_way_is_pending(status: str) -> None:
    assert told({"status": status}) == providers.Pending()


def test_a_made_clip_has_its_address_and_its_cost() -> None:
    done = told({"status": "success", "videoURL": URL, "cost": Decimal("0.42")})
    assert done == providers.Done(URL, {}, cost_micros=420_000)
    assert told({"status": "success", "videoURL": URL}) == providers.Done(URL, {})
    assert told({"status": "success", "videoURL": URL, "cost": -1}) == providers.Done(URL, {})


def test_an_end_without_a_video_was_filtered() -> None:
    outcome = told({"status": "success", "cost": Decimal("0.1")})
    assert isinstance(outcome, providers.Failed)
    assert "filtered" in outcome.message
    assert (outcome.charged, outcome.cost_micros) == (True, 100_000)


@pytest.mark.parametrize("name", ["data", "errors"])
@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"code": "invalidProviderContent", "message": "Flagged."}, providers.Failed("Flagged.")),
        ({"code": "timeoutProvider", "message": "Too slow."}, providers.Failed("Too slow.", retryable=True)),
        ({"code": "x", "message": "No.", "cost": 0}, providers.Failed("No.", charged=False, cost_micros=0)),
        ({}, providers.Failed("The provider does not say why.")),
    ],
)
def test_a_task_that_ended_badly(name: str, more: dict[str, Any], failed: providers.Failed) -> None:
    assert told({"status": "error"} | more, name) == failed


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": []}, {"data": [{"taskUUID": "of-another"}]}])
def test_nothing_is_told_of_a_task_that_is_not_named(body: Any) -> None:
    assert runware.told(body, OURS, desks.KEY) is None


def archive(response: dict[str, Any]) -> dict[str, Any]:
    told = {"taskType": "getTaskDetails", "taskUUID": OURS, "request": [ABOUT], "response": response}
    return {"data": [told]}


NO_SUCH = {"data": [], "errors": [{"code": "notFound", "message": "There is no such task.", "taskUUID": OURS}]}


@pytest.mark.parametrize(("code", "unknown"), [(200, {"data": []}), (200, NO_SUCH), (404, NO_SUCH), (400, NO_SUCH)])
async def test_the_archive_tells_of_what_is_no_longer_active(
    desk: desks.Desk, seller: runware.Runware, code: int, unknown: dict[str, Any]
) -> None:
    desk.says(POST, unknown, code)
    desk.says(POST, archive({"data": [ABOUT | {"status": "success", "videoURL": URL}]}))
    assert await seller.poll(OURS) == providers.Done(URL, {})
    assert [asked.body for asked in desk.asked] == [
        [{"taskType": "getResponse", "taskUUID": OURS}],
        [{"taskType": "getTaskDetails", "taskUUID": OURS}],
    ]


@pytest.mark.parametrize("response", [{}, {"data": [ABOUT]}, conflict()])
async def test_an_archive_without_an_end_means_pending(
    desk: desks.Desk, seller: runware.Runware, response: dict[str, Any]
) -> None:
    desk.says(POST, {"data": []})
    desk.says(POST, archive(response))
    assert await seller.poll(OURS) == providers.Pending()


async def test_what_nobody_knows_is_missing(desk: desks.Desk, seller: runware.Runware) -> None:
    desk.says(POST, NO_SUCH, 404)
    assert await seller.poll(OURS) == providers.Missing()
    assert await seller.find(desks.order(), NOW, NOW + MINUTE) == []


@pytest.mark.parametrize(
    ("code", "body"), [(401, NO_SUCH), (500, NO_SUCH), (503, {}), (200, "<html>"), (200, []), (302, {})]
)
async def test_no_answer_says_nothing_of_the_task(
    desk: desks.Desk, seller: runware.Runware, code: int, body: Any
) -> None:
    desk.says(POST, body, code)
    for asking in (seller.poll(OURS), seller.find(desks.order(), NOW, NOW), seller.poll_many([OURS])):
        with pytest.raises(providers.ProviderAway):
            await asking


async def test_being_asked_too_often_finds_nothing_and_fails_nothing(desk: desks.Desk, seller: runware.Runware) -> None:
    desk.says(POST, {"errors": [{"code": "rateLimitExceeded", "message": "Slow down."}]}, 429, retry_after="7")
    assert await seller.poll(OURS) == providers.Pending(7)
    with pytest.raises(providers.ProviderAway):
        await seller.find(desks.order(), NOW, NOW)


@pytest.mark.parametrize("status", ["processing", "error"])
async def test_a_lost_order_is_found_under_its_own_id(desk: desks.Desk, seller: runware.Runware, status: str) -> None:
    desk.says(POST, {"data": [ABOUT | {"status": status}]})
    assert await seller.find(desks.order(), NOW, NOW) == [OURS]


async def test_many_are_polled_a_hundred_at_a_time(desk: desks.Desk, seller: runware.Runware) -> None:
    ids = [runware.task_id(str(number)) for number in range(150)]
    going = [{"taskUUID": id, "status": "processing"} for id in ids if id != ids[3]]
    desk.says(POST, {"data": going, "errors": [{"code": "notFound", "taskUUID": ids[3]}]})
    known = await seller.poll_many(ids)
    assert known == {id: providers.Pending() for id in ids if id != ids[3]}
    assert [len(asked.body) for asked in desk.asked] == [100, 50]


async def test_a_key_is_checked_with_its_account(desk: desks.Desk, seller: runware.Runware) -> None:
    desk.says(POST, {"data": [{"taskType": "accountManagement", "balance": 5}]})
    await seller.check()
    (task,) = desk.only.body
    assert (task["taskType"], task["operation"]) == ("accountManagement", "getDetails")
    desk.answers.clear()
    desk.says(POST, {"errors": [{"code": "invalidApiKey", "message": "Invalid API key."}]}, 401)
    with pytest.raises(providers.KeyRefused):
        await seller.check()


def test_a_body_is_json_of_one_list() -> None:
    assert json.loads(json.dumps([runware.fields(desks.order())]))[0]["taskUUID"] == OURS
