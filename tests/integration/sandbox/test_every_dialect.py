import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.integration.sandbox import callers

GOING, DONE = "going", "done"
VEO = "/vertex/v1beta1/projects/p/locations/l/publishers/google/models/sandbox-veo-1"


class Fal(callers.Caller):
    scheme = "Key"

    async def create(self, prompt: str = "A boat.", callback: str = "", ref: str = "sub_1") -> httpx.Response:
        asked = {"prompt": prompt, "duration": 1}
        hook, name = {"fal_webhook": callback}, {"x-client-request-id": ref}
        return await self.http.post("/fal/sandbox/reel", params=hook, json=asked, headers=name)

    def job(self, created: httpx.Response) -> Any:
        return created.json().get("response_url")

    async def poll(self, job: Any) -> Any:
        status = await self.http.get(f"{job}/status")
        return {202: GOING, 200: DONE}.get(status.status_code, status.status_code)

    async def link(self, job: Any) -> Any:
        return (await self.http.get(job)).json()["video"]["url"]


class OpenRouter(callers.Caller):
    async def create(self, prompt: str = "A boat.", callback: str = "", ref: str = "sub_1") -> httpx.Response:
        asked = {"model": "sandbox/reel-1", "prompt": prompt, "duration": 1, "callback_url": callback}
        return await self.http.post("/openrouter/api/v1/videos", json=asked, headers={"x-client-request-id": ref})

    def job(self, created: httpx.Response) -> Any:
        return created.json().get("polling_url")

    async def poll(self, job: Any) -> Any:
        video = await self.http.get(job)
        told = {"pending": GOING, "in_progress": GOING, "completed": DONE}
        return told[video.json()["status"]] if video.is_success else video.status_code

    async def link(self, job: Any) -> Any:
        return (await self.http.get(job)).json()["unsigned_urls"][0]


class Replicate(callers.Caller):
    async def create(self, prompt: str = "A boat.", callback: str = "", ref: str = "sub_1") -> httpx.Response:
        asked = {"input": {"prompt": prompt, "duration": 1}, "webhook": callback}
        path = "/replicate/v1/models/sandbox/reel/predictions"
        return await self.http.post(path, json=asked, headers={"x-client-request-id": ref})

    def job(self, created: httpx.Response) -> Any:
        return created.json().get("id")

    async def poll(self, job: Any) -> Any:
        prediction = await self.http.get(f"/replicate/v1/predictions/{job}")
        told = {"starting": GOING, "processing": GOING, "succeeded": DONE}
        return told[prediction.json()["status"]] if prediction.is_success else prediction.status_code

    async def link(self, job: Any) -> Any:
        return (await self.http.get(f"/replicate/v1/predictions/{job}")).json()["output"]


class Runware(callers.Caller):
    async def create(self, prompt: str = "A boat.", callback: str = "", ref: str = "sub_1") -> httpx.Response:
        task = {"taskType": "videoInference", "taskUUID": str(uuid.uuid4()), "model": "sandbox:1@1", "duration": 1}
        task |= {"positivePrompt": prompt, "width": 640, "height": 360, "deliveryMethod": "async"}
        task |= {"webhookURL": callback}
        return await self.http.post("/runware/v1", json=[task], headers={"x-client-request-id": ref})

    def job(self, created: httpx.Response) -> Any:
        return next((one.get("taskUUID") for one in created.json()["data"]), None)

    async def poll(self, job: Any) -> Any:
        told = await self._told(job)
        statuses = {"processing": GOING, "success": DONE}
        return statuses[told.json()["data"][0]["status"]] if told.is_success else told.status_code

    async def link(self, job: Any) -> Any:
        return (await self._told(job)).json()["data"][0]["videoURL"]

    async def _told(self, job: Any) -> httpx.Response:
        return await self.http.post("/runware/v1", json=[{"taskType": "getResponse", "taskUUID": job}])


class Veo(callers.Caller):
    async def create(self, prompt: str = "A boat.", callback: str = "", ref: str = "sub_1") -> httpx.Response:
        form = {"durationSeconds": 4, "storageUri": f"gs://reels/{self.key[:16]}/"}
        asked = {"instances": [{"prompt": prompt}], "parameters": form}
        return await self.http.post(f"{VEO}:predictLongRunning", json=asked, headers={"x-client-request-id": ref})

    def job(self, created: httpx.Response) -> Any:
        return created.json().get("name")

    async def poll(self, job: Any) -> Any:
        operation = await self.http.post(f"{VEO}:fetchPredictOperation", json={"operationName": job})
        told = DONE if operation.json().get("done") else GOING
        return told if operation.is_success else operation.status_code

    async def link(self, job: Any) -> Any:
        stored = await self.http.get("/vertex/storage/v1/b/reels/o", params={"prefix": f"{self.key[:16]}/"})
        return stored.json()["items"][0]["mediaLink"]


Make = Callable[..., Any]


@pytest.fixture(params=[Fal, OpenRouter, Replicate, Runware, Veo], ids=lambda kind: kind.__name__.lower())
async def caller(request: pytest.FixtureRequest, lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(request.param, lent) as make:
        yield make


async def test_a_lost_create_is_on_the_wire_once_and_is_paid_once(caller: Make) -> None:
    for disasters in ("+drop_reply", "+late_create(0.1)", "+error_after_create"):
        lost = caller(disasters)
        if disasters == "+error_after_create":
            assert (await lost.create()).status_code == 500
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                await lost.create()

        async def is_paid(lost: Any = lost) -> bool:
            return "charge" in lost.events()

        await callers.until(is_paid)
        assert lost.events() == ["post", "create", "done", "charge"]
        assert {line["client_ref"] for line in lost.lines()} == {"sub_1"}


async def test_a_create_that_was_refused_made_nothing(caller: Make) -> None:
    busy = caller("+busy(2)")
    assert [(await busy.create()).status_code for _ in range(2)] == [503, 503]
    assert (await busy.create()).is_success
    assert (await busy.create(ref="sub_2")).status_code == 503
    assert busy.events().count("create") == 1
    for disasters, status in (("+refused", {400, 422}), ("+gone(410)", {410}), ("+throttled", {429})):
        refused = caller(disasters)
        assert (await refused.create()).status_code in status
        assert refused.events() == ["post"]
    unknown = await caller("+earthquake").create()
    assert (unknown.status_code in (400, 422), "drop_reply" in unknown.text) == (True, True)
    strange = caller("+error_json_200")
    answer = await strange.create()
    assert (answer.status_code, strange.job(answer), strange.events()) == (200, None, ["post"])


async def test_the_answer_may_not_be_about_the_job(caller: Make) -> None:
    nameless = caller("+id_missing")
    created = await nameless.create()
    assert (created.is_success, nameless.job(created)) == (True, None)
    mixed = caller()
    first, second = await mixed.create(), await mixed.create("[[id_collision]] A boat.")
    assert mixed.job(first) == mixed.job(second)
    twice = caller("+duplicate_create")
    assert (await twice.create()).is_success
    assert [one.events().count("charge") for one in (nameless, mixed, twice)] == [1, 2, 2]


async def test_polls_may_lie(caller: Make) -> None:
    hidden = caller("+hidden(2)")
    job = hidden.job(await hidden.create())
    assert [await hidden.poll(job) for _ in range(3)] == [404, 404, DONE]
    flaps = caller("+status_flap")
    job = flaps.job(await flaps.create())
    assert [await flaps.poll(job) for _ in range(3)] == [DONE, GOING, DONE]
    slow = caller("+slow(0.3)")
    job = slow.job(await slow.create())
    assert await slow.poll(job) == GOING

    async def is_done() -> bool:
        return bool(await slow.poll(job) == DONE)

    await callers.until(is_done)
    revoked = caller("+key_revoked")
    assert await revoked.poll(revoked.job(await revoked.create())) == 401


async def test_a_price_may_differ_from_the_quote(caller: Make) -> None:
    plain, dear = caller(), caller("+price(3)")
    for one in (plain, dear):
        await one.create()
    usual, charged = (one.lines()[-1]["micros"] for one in (plain, dear))
    assert (charged, usual > 0) == (3 * usual, True)


async def test_downloads_may_lie(caller: Make) -> None:
    async def download(disasters: str) -> httpx.Response:
        one = caller(disasters)
        answer: httpx.Response = await one.http.get(await one.link(one.job(await one.create())))
        return answer

    whole = await download("")
    assert (whole.headers["content-type"], whole.content[4:8]) == ("video/mp4", b"ftyp")
    assert len((await download("+truncated")).content) == len(whole.content) // 2
    assert (await download("+zero_bytes")).content == b""
    assert (await download("+wrong_type")).content.startswith(b"<!doctype html>")
    assert [(await download(one)).status_code for one in ("+url_gone", "+url_expires(0.001)")] == [404, 403]
    assert (await download("+redirect_private")).headers["location"].startswith("http://169.254.169.254/")
    with pytest.raises(httpx.RemoteProtocolError):
        await download("+wrong_length")


async def test_callbacks_may_come_twice_or_forged_or_early(caller: Make) -> None:
    if isinstance(plain := caller(), Veo):
        assert "callback" not in (await plain.create()).text  # Vertex has none
        return
    async with callers.mailbox() as box:
        await caller("+webhook_none").create(callback=box.url)
        twice = caller("+webhook_twice")
        await twice.create(callback=box.url)
        assert await box.letter() == await box.letter()
        await caller("+webhook_forged").create(callback=box.url)
        assert (await box.letter()).body.endswith(b" ")
        early = await caller("+webhook_early+slow(0.1)").create(callback=f"{box.url}?attempt=sub_9")
        assert (early.is_success, (await box.letter()).path) == (True, "/hook?attempt=sub_9")
