import asyncio
import base64
import hashlib
import hmac
import json
import signal
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.sandbox import callers, conftest

ROOT = "/replicate/v1"
CREATE = f"{ROOT}/models/sandbox/reel/predictions"
SMALL = {"prompt": "A boat at dawn.", "duration": 1, "resolution": "360p"}


class Client(callers.Caller):
    async def create(self, headers: dict[str, str] | None = None, **asked: Any) -> httpx.Response:
        extra = {name: asked.pop(name) for name in ("webhook", "webhook_events_filter") if name in asked}
        return await self.http.post(CREATE, json={"input": SMALL | asked} | extra, headers=headers)

    async def ended(self, prediction: dict[str, Any]) -> Any:
        async def over() -> Any:
            found = (await self.http.get(prediction["urls"]["get"])).json()
            return None if found["status"] in ("starting", "processing") else found

        return await callers.until(over)


Make = Callable[..., Client]


@pytest.fixture
async def client(lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(Client, lent) as make:
        yield make


async def test_a_prediction_from_create_to_its_output(sandbox: Any) -> None:
    async with callers.calling(Client, sandbox) as make:
        caller = make()
        headers = {"x-client-request-id": "sub_3"}
        created = await caller.create(headers, image=callers.data_url(), generate_audio=False, seed=4)
        told = created.json()
        assert (created.status_code, told["output"], told["error"], told["source"]) == (201, None, None, "api")
        assert told["status"] in ("starting", "processing")
        assert told["urls"]["cancel"] == f"{told['urls']['get']}/cancel"
        done = await caller.ended(told)
        assert (done["status"], done["data_removed"]) == ("succeeded", False)
        assert done["input"]["image"] == callers.data_url()[:32] + "…"
        assert done["completed_at"] > done["created_at"]
        reel = (await caller.http.get(done["output"], headers={"authorization": ""})).content
    callers.check_silent_red(reel)
    assert [(line["event"], line["client_ref"]) for line in sandbox.ledger()] == [
        ("create", "sub_3"),
        ("done", "sub_3"),
        ("charge", "sub_3"),
    ]
    assert sandbox.ledger()[0]["seed"] == 4


async def test_an_hour_after_its_end_input_and_output_are_removed(tmp_path: Path) -> None:
    process = conftest.Process(tmp_path, RUSHES_SANDBOX_INSTANT="true")
    await process.start()
    async with callers.calling(Client, process) as make:
        done = (await make().create()).json()
    await process.end(signal.SIGKILL)
    _two_hours_pass(tmp_path)
    await process.start()
    try:
        async with callers.calling(Client, process) as make:
            late = (await make().http.get(f"{ROOT}/predictions/{done['id']}")).json()
            output = await make().http.get(f"{process.url}{httpx.URL(done['output']).path}")
    finally:
        await process.end(signal.SIGKILL)
    assert (late["status"], late["data_removed"]) == ("succeeded", True)
    assert (late["input"], late["output"], late["logs"]) == ({}, None, None)
    assert output.status_code == 403


def _two_hours_pass(home: Path) -> None:
    for name, moment in (("ledger", "at"), ("orders", "created_at")):
        path = home / f"{name}.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line[moment] = (datetime.fromisoformat(line[moment]) - timedelta(hours=2)).isoformat()
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


async def test_a_lost_create_is_found_in_the_list_by_its_webhook(client: Make) -> None:
    caller = client()
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.create(prompt="[[drop_reply]] A boat.", webhook="http://127.0.0.1:9/?attempt=sub_5")
    await caller.create(prompt="[[list_lag(600)]] A boat.")
    await caller.create(prompt="[[never_done]] A boat.")
    listed = (await caller.http.get(f"{ROOT}/predictions")).json()
    assert [one["status"] for one in listed["results"]] == ["processing", "succeeded"]
    found = listed["results"][1]
    assert (found["webhook"], found["input"]["prompt"]) == (
        "http://127.0.0.1:9/?attempt=sub_5",
        "[[drop_reply]] A boat.",
    )
    assert caller.lines()[0]["client_ref"] == "sub_5"
    for asked, count in (({"created_after": found["created_at"]}, 2), ({"created_before": found["created_at"]}, 0)):
        assert len((await caller.http.get(f"{ROOT}/predictions", params=asked)).json()["results"]) == count
    assert (await client().http.get(f"{ROOT}/predictions")).json()["results"] == []


async def test_the_list_has_pages_of_a_hundred(client: Make) -> None:
    caller = client()
    created = await asyncio.gather(*(caller.create() for _ in range(101)))
    first = (await caller.http.get(f"{ROOT}/predictions")).json()
    second = (await caller.http.get(first["next"])).json()
    listed = [one["id"] for one in first["results"] + second["results"]]
    assert sorted(listed) == sorted(one.json()["id"] for one in created)
    assert (len(first["results"]), len(second["results"]), second["next"]) == (100, 1, None)


async def test_a_cancel_stops_it_and_an_ended_one_stays(client: Make) -> None:
    caller = client()
    running = (await caller.create(prompt="[[never_done]] A boat.")).json()
    for _ in range(2):
        canceled = (await caller.http.post(running["urls"]["cancel"])).json()
        assert (canceled["id"], canceled["status"], canceled["output"]) == (running["id"], "canceled", None)
    done = (await caller.create()).json()
    assert (await caller.http.post(done["urls"]["cancel"])).json()["status"] == "succeeded"
    assert (await caller.http.post(f"{ROOT}/predictions/nothing/cancel")).status_code == 404
    for disasters, status in (("+slow(0.3)+cancel_ignored", "succeeded"), ("+never_done+cancel_charged", "canceled")):
        caller = client(disasters)
        running = (await caller.create()).json()
        await caller.http.post(running["urls"]["cancel"])
        assert (await caller.ended(running))["status"] == status
        assert caller.events()[-1] == "charge"


async def test_a_create_may_wait_for_the_end(client: Make) -> None:
    caller = client("+slow(0.3)")
    waited = await caller.create(headers={"prefer": "wait=5"})
    assert waited.json()["status"] == "succeeded"
    unfinished = await client("+never_done").create(headers={"prefer": "wait=1"})
    assert (unfinished.status_code, unfinished.json()["status"]) == (201, "processing")
    assert (await caller.create(headers={"prefer": "wait=61"})).status_code == 422


async def test_failures_are_told_in_a_sentence(client: Make) -> None:
    for disaster, said in (("filtered", "flagged as sensitive"), ("fails", "could not be rendered")):
        prediction = (await client(f"+{disaster}").create()).json()
        assert (prediction["status"], prediction["output"], said in prediction["error"]) == ("failed", None, True)
    empty = (await client("+empty_success").create()).json()
    assert (empty["status"], empty["output"]) == ("succeeded", None)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "not empty"),
    ({"duration": "long"}, "1 to 15"),
    ({"aspect_ratio": "5:4"}, "16:9"),
    ({"image": "https://example.com/a.png"}, "fetches nothing"),
    ({"webhook": "nowhere"}, "http"),
    ({"webhook_events_filter": ["finished"]}, "start, output, logs, completed"),
]


async def test_refusals_are_a_detail(client: Make) -> None:
    caller = client()
    for wrong, allowed in REFUSED:
        refused = await caller.create(**wrong)
        assert (refused.status_code, refused.json()["title"]) == (422, "Input validation failed")
        assert allowed in refused.json()["detail"]
    assert (await caller.http.post(CREATE.replace("reel", "other"), json={"input": SMALL})).status_code == 404
    assert caller.events() == []
    by_version = await caller.http.post(f"{ROOT}/predictions", json={"version": "sandbox/reel", "input": SMALL})
    assert by_version.status_code == 201
    assert (await caller.http.post(f"{ROOT}/predictions", json={"input": SMALL})).status_code == 422
    throttled = await client("+throttled(text)").create()
    assert throttled.status_code == 429
    assert throttled.json()["detail"] == "Request was throttled. Your rate limit resets in ~2s."


async def test_a_key_is_checked_for_nothing(client: Make) -> None:
    caller = client()
    assert (await caller.http.get(f"{ROOT}/account")).json()["username"] == "sandbox"
    refused = await caller.http.get(f"{ROOT}/account", headers={"authorization": ""})
    assert (refused.status_code, refused.json()["title"]) == (401, "Unauthenticated")
    assert (await caller.http.get(f"{ROOT}/models/sandbox/reel")).json()["owner"] == "sandbox"
    assert (await client("+gone").http.get(f"{ROOT}/models/sandbox/reel")).status_code == 404
    assert caller.events() == []


async def test_a_callback_is_signed_with_the_secret_of_the_account(client: Make) -> None:
    async with callers.mailbox() as box:
        caller = client()
        await caller.create(webhook=box.url, webhook_events_filter=["start"])
        created = (await caller.create(webhook=box.url, webhook_events_filter=["completed"])).json()
        letter = await box.letter()
        assert (letter.json()["id"], letter.json()["output"]) == (created["id"], created["output"])
        secret = (await caller.http.get(f"{ROOT}/webhooks/default/secret")).json()["key"].removeprefix("whsec_")
        signed = ".".join([letter.headers["webhook-id"], letter.headers["webhook-timestamp"], letter.body.decode()])
        mac = hmac.new(base64.b64decode(secret), signed.encode(), hashlib.sha256).digest()
        assert letter.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
