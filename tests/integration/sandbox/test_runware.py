import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.sandbox import callers, conftest

SMALL = {
    "taskType": "videoInference",
    "model": "sandbox:1@1",
    "positivePrompt": "A boat at dawn.",
    "duration": 1,
    "width": 640,
    "height": 360,
    "deliveryMethod": "async",
    "includeCost": True,
}


class Client(callers.Caller):
    async def send(self, *tasks: dict[str, Any], ref: str = "sub_6") -> httpx.Response:
        return await self.http.post("/runware/v1", json=tasks, headers={"x-client-request-id": ref})

    async def create(self, id: str | None = None, **more: Any) -> httpx.Response:
        return await self.send(SMALL | {"taskUUID": id or str(uuid.uuid4())} | more)

    async def response(self, id: str) -> httpx.Response:
        return await self.send({"taskType": "getResponse", "taskUUID": id})

    async def ended(self, id: str) -> Any:
        async def over() -> Any:
            told = (await self.response(id)).json()
            return None if told["data"] and told["data"][0]["status"] == "processing" else told

        return await callers.until(over)


Make = Callable[..., Client]


@pytest.fixture
async def client(lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(Client, lent) as make:
        yield make


async def test_a_task_from_create_to_its_video(sandbox: Any) -> None:
    id = str(uuid.uuid4())
    async with callers.calling(Client, sandbox) as make:
        caller = make()
        frames = [{"inputImage": callers.data_url()}]
        settings = {"sandbox": {"generateAudio": False}}
        created = await caller.create(id, frameImages=frames, providerSettings=settings, seed=11)
        assert created.json() == {"data": [{"taskType": "videoInference", "taskUUID": id}]}
        assert (await caller.response(id)).json()["data"] == [
            {"taskType": "videoInference", "taskUUID": id, "status": "processing"}
        ]
        (done,) = (await caller.ended(id))["data"]
        assert (done["status"], done["cost"], done["seed"], done["taskUUID"]) == ("success", 0.1, 11, id)
        reel = (await caller.http.get(done["videoURL"], headers={"authorization": ""})).content
    callers.check_silent_red(reel)
    assert [(line["event"], line["client_ref"]) for line in sandbox.ledger()] == [
        ("create", "sub_6"),
        ("done", "sub_6"),
        ("charge", "sub_6"),
    ]
    assert [line["client_ref"] for line in sandbox.posts()] == ["sub_6"]


async def test_a_task_uuid_is_good_for_one_task(client: Make) -> None:
    caller, id = client(), str(uuid.uuid4())
    answers = await asyncio.gather(*(caller.create(id) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    (fault,) = next(answer.json()["errors"] for answer in answers if answer.status_code == 400)
    assert (fault["code"], fault["taskUUID"], fault["parameter"]) == ("conflictTaskUUID", id, "taskUUID")
    assert (await caller.create(id.upper())).status_code == 400
    assert [event for event in caller.events() if event != "post"] == ["create", "done", "charge"]


async def test_what_one_key_has_used_and_made_no_other_key_knows(client: Make) -> None:
    one, other, id = client(), client(), str(uuid.uuid4())
    await one.create(id)
    assert (await other.response(id)).json()["errors"][0]["code"] == "notFound"
    assert (await other.create(id)).json()["data"][0]["taskUUID"] == id
    assert (await other.ended(id))["data"][0]["taskUUID"] == id
    assert [caller.events().count("charge") for caller in (one, other)] == [1, 1]


async def test_a_lost_create_is_found_by_sending_it_again(client: Make) -> None:
    caller, id = client("+drop_reply"), str(uuid.uuid4())
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.create(id)
    assert (await caller.create(id)).json()["errors"][0]["code"] == "conflictTaskUUID"
    assert (await caller.ended(id))["data"][0]["status"] == "success"
    assert caller.events().count("charge") == 1


async def test_a_late_create_and_its_replay_are_one_task(client: Make) -> None:
    caller, id = client("+late_create(0.2)"), str(uuid.uuid4())
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await caller.create(id)
    assert (await caller.response(id)).json()["errors"][0]["code"] == "notFound"
    await callers.until(lambda: _found(caller, id))
    await asyncio.sleep(0.3)  # by now the second has come as well
    assert (await caller.create(id)).json()["errors"][0]["code"] == "conflictTaskUUID"
    assert caller.events().count("charge") == 1


async def _found(caller: Client, id: str) -> bool:
    return (await caller.response(id)).status_code == 200


async def test_a_task_uuid_is_remembered_over_a_restart(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path, RUSHES_SANDBOX_INSTANT="true")
    await process.start()
    id = str(uuid.uuid4())
    async with callers.calling(Client, process) as make:
        caller, other = make(), make("+fails")
        for one in (caller, other):
            await one.create(id)
        await process.end(signal.SIGKILL)
        await process.start()
        assert (await caller.create(id)).json()["errors"][0]["code"] == "conflictTaskUUID"
        assert (await caller.response(id)).json()["data"][0]["status"] == "success"
        assert (await other.response(id)).json()["errors"][0]["code"] == "providerFailure"
    assert await process.end(signal.SIGTERM) == 0


async def test_failures_are_errors_of_their_task(client: Make) -> None:
    for disaster, code, cost in (
        ("filtered", "invalidProviderContent", 0),
        ("fails", "providerFailure", 0),
        ("fails_charged", "providerFailure", 0.1),
    ):
        caller, id = client(f"+{disaster}"), str(uuid.uuid4())
        await caller.create(id)
        told = await caller.ended(id)
        (fault,) = told["errors"]
        assert (told["data"], fault["code"], fault["taskUUID"], fault["cost"]) == ([], code, id, cost)
        assert (fault["status"], fault["taskType"]) == ("error", "videoInference")
    caller, id = client("+empty_success"), str(uuid.uuid4())
    await caller.create(id)
    (done,) = (await caller.ended(id))["data"]
    assert (done["status"], "videoURL" in done) == ("success", False)


async def test_several_polls_go_in_one_request(client: Make) -> None:
    caller, ids = client(), [str(uuid.uuid4()) for _ in range(3)]
    for id in ids[:2]:
        await caller.create(id)
    told = await caller.send(*({"taskType": "getResponse", "taskUUID": id} for id in ids))
    assert told.status_code == 200
    assert [one["taskUUID"] for one in told.json()["data"]] == ids[:2]
    assert [(one["code"], one["taskUUID"]) for one in told.json()["errors"]] == [("notFound", ids[2])]
    assert (await caller.response(ids[2])).status_code == 404
    assert caller.events().count("post") == 2


async def test_the_archive_and_the_account_are_free(client: Make) -> None:
    caller, id = client(), str(uuid.uuid4())
    await caller.create(id, frameImages=[{"inputImage": callers.data_url(), "frame": "first"}])
    (details,) = (await caller.send({"taskType": "getTaskDetails", "taskUUID": id})).json()["data"]
    assert details["request"][0]["positivePrompt"] == SMALL["positivePrompt"]
    assert details["response"]["data"][0]["status"] == "success"
    account = {"taskType": "accountManagement", "taskUUID": str(uuid.uuid4()), "operation": "getDetails"}
    assert (await caller.send(account)).json()["data"][0]["balance"] == 999.9
    refused = await caller.http.post("/runware/v1", json=[account], headers={"authorization": ""})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, "invalidApiKey")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"taskUUID": "7"}, "invalidTaskUUID", "UUIDs"),
    ({"model": "google:3@0"}, "invalidModel", "sandbox:1@1"),
    ({"positivePrompt": None}, "missingPositivePrompt", "not empty"),
    ({"duration": 60}, "invalidDuration", "1 to 15"),
    ({"width": 642}, "invalidWidth", "in steps of 8"),
    ({"deliveryMethod": "sync"}, "invalidDeliveryMethod", "async"),
    ({"numberResults": 2}, "invalidNumberResults", "1 to 1"),
    (
        {"frameImages": [{"inputImage": "https://example.com/a.png"}]},
        "invalidFrameImages.inputImage",
        "fetches nothing",
    ),
    ({"ttl": 1}, "invalidTtl", "60"),
    ({"webhookURL": "x"}, "invalidWebhookURL", "http"),
]


async def test_a_wrong_parameter_is_named_with_what_is_allowed(client: Make) -> None:
    caller = client()
    for wrong, code, allowed in REFUSED:
        refused = await caller.create(**wrong)
        (fault,) = refused.json()["errors"]
        assert (refused.status_code, fault["code"], fault["taskType"]) == (400, code, "videoInference")
        assert allowed in fault["message"]
    assert [event for event in caller.events() if event != "post"] == []
    unknown = await caller.send({"taskType": "imageInference", "taskUUID": str(uuid.uuid4())})
    assert unknown.json()["errors"][0]["code"] == "invalidTaskType"
    two = SMALL | {"taskUUID": str(uuid.uuid4())}
    assert (await caller.send(two, two)).json()["errors"][0]["code"] == "tooManyTasks"
    assert (await caller.http.post("/runware/v1", json={})).json()["errors"][0]["code"] == "invalidJson"
    moderated = await client("+refused").create()
    assert (moderated.status_code, moderated.json()["errors"][0]["code"]) == (400, "invalidProviderContent")
    throttled = await client("+throttled(date)").create()
    assert (throttled.status_code, "GMT" in throttled.headers["retry-after"]) == (429, True)


async def test_a_callback_says_what_a_poll_says(client: Make) -> None:
    async with callers.mailbox() as box:
        caller, id = client(), str(uuid.uuid4())
        await caller.create(id, webhookURL=f"{box.url}?attempt=sub_2")
        letter = await box.letter()
        assert letter.json() == (await caller.response(id)).json()
        assert caller.lines()[0]["client_ref"] == "sub_2"
