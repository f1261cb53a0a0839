import base64
import datetime
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway import providers
from services.provider_gateway.providers import openai_videos
from tests.unit.provider_gateway import desk as desks

NOW = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
SINCE, UNTIL = NOW - datetime.timedelta(minutes=2), NOW + datetime.timedelta(minutes=2)
HOME = providers.Endpoint("there", "https://films.example/v1/", "secret-key-1")
CONTENT = "https://films.example/v1/videos/job-1/content"
BEARER = {"Authorization": "Bearer secret-key-1"}
SECRET = "whsec_" + base64.b64encode(b"a secret").decode()
JOB = {"id": "job-1", "object": "video", "status": "queued"}

Build = Callable[..., openai_videos.OpenAIVideos]


@pytest.fixture
async def desk() -> AsyncIterator[desks.Desk]:
    async with desks.opened() as desk:
        yield desk


@pytest.fixture
async def build(desk: desks.Desk) -> AsyncIterator[Build]:
    made = list[openai_videos.OpenAIVideos]()

    def at(capabilities: providers.Capabilities | None = None, **flags: Any) -> openai_videos.OpenAIVideos:
        endpoint = desk.endpoint("/v1", flags=flags, webhook_secret=SECRET)
        made.append(openai_videos.OpenAIVideos(endpoint, capabilities or providers.Capabilities()))
        return made[-1]

    yield at
    for seller in made:
        await seller.close()


async def test_an_order_is_a_form(desk: desks.Desk, build: Build, tmp_path: Path) -> None:
    desk.says("POST /v1/videos", JOB)
    still = tmp_path / "still.png"
    still.write_bytes(b"\x89PNG of a boat")
    order = desks.order(first_frame=still, callback_url="https://us.example/cb", seed=0)
    assert await build(json_create=True).create(order) == providers.Accepted("job-1")
    headers, content = desk.only.headers, desk.only.content.decode(errors="replace")
    assert headers["authorization"] == f"Bearer {desks.KEY}"
    assert headers["x-client-request-id"] == "sub_01JD"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert "idempotency-key" not in headers
    for name, value in {
        "seconds": "3",
        "size": "640x360",
        "seed": "0",
        "callback_url": "https://us.example/cb",
    }.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n' in content
    assert 'name="input_reference"; filename="first_frame.png"\r\nContent-Type: image/png' in content


async def test_an_order_is_json_where_that_is_taken(desk: desks.Desk, build: Build) -> None:
    desk.says("POST /v1/videos", JOB)
    seller = build(
        providers.Capabilities(idempotency_s=60),
        json_create=True, seconds_type="int", query="custom_llm_provider=a%20b", key_header="api-key",
    )  # fmt: skip
    assert await seller.create(desks.order()) == providers.Accepted("job-1")
    asked = desk.only
    assert asked.body == {"model": "maker/reel", "prompt": "A boat.", "seconds": 3, "size": "640x360"}
    assert asked.query == {"custom_llm_provider": "a b"}
    assert (asked.headers["api-key"], asked.headers["idempotency-key"]) == (desks.KEY, "sub_01JD")
    assert "authorization" not in asked.headers


async def test_every_call_carries_key_and_query(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos/job-1", {**JOB, "status": "completed"})
    done = await build(query="custom_llm_provider=azure", key_header="api-key", variant_names=True).poll("job-1")
    assert done == providers.Done(
        f"{desk.url}/v1/videos/job-1/content?variant=video&custom_llm_provider=azure", {"api-key": desks.KEY}
    )
    assert (desk.only.query, desk.only.headers["api-key"]) == ({"custom_llm_provider": "azure"}, desks.KEY)


async def test_a_create_can_be_done_at_once(desk: desks.Desk, build: Build) -> None:
    desk.says("POST /v1/videos", {**JOB, "status": "completed"})
    outcome = await build().create(desks.order())
    assert isinstance(outcome, providers.Accepted)
    assert outcome.done == providers.Done(
        f"{desk.url}/v1/videos/job-1/content", {"Authorization": f"Bearer {desks.KEY}"}
    )


def test_a_form_holds_only_what_was_asked_for() -> None:
    assert openai_videos.fields(desks.order()) == {
        "model": "maker/reel",
        "prompt": "A boat.",
        "seconds": "3",
        "size": "640x360",
    }
    more = openai_videos.fields(desks.order(negative_prompt="rain", seed=0, audio=False))
    assert {name: more[name] for name in ("negative_prompt", "seed", "generate_sound")} == {
        "negative_prompt": "rain",
        "seed": "0",
        "generate_sound": "false",
    }


def read(job: dict[str, Any]) -> providers.PollOutcome:
    return openai_videos.read({"id": "job-1", **job}, HOME, 2.0)


@pytest.mark.parametrize(
    "status", ["queued", "pending", "submitted", "in_progress", "processing", "RUNNING", "new one", None]
)
def test_pending(status: str | None) -> None:
    assert read({"status": status}) == providers.Pending(2.0)


@pytest.mark.parametrize("status", ["completed", "succeeded", "success", "done"])
def test_done_is_fetched_with_the_key_at_home_only(status: str) -> None:
    assert read({"status": status}) == providers.Done(CONTENT, BEARER)
    assert read({"status": status, "url": "/relative", "urls": []}) == providers.Done(CONTENT, BEARER)
    assert read({"status": status, "url": "https://cdn.example/a.mp4"}) == providers.Done(
        "https://cdn.example/a.mp4", {}
    )
    assert read({"status": status, "urls": ["https://cdn.example/b"]}) == providers.Done("https://cdn.example/b", {})
    at_home = read({"status": status, "url": "https://films.example:443/c"})
    assert isinstance(at_home, providers.Done)
    assert at_home.headers == BEARER
    for url in ["http://films.example/c", "https://films.example@evil.example/", "https://films.example.evil/"]:
        assert read({"status": status, "url": url}) == providers.Done(url, {})


def test_done_until_it_expires() -> None:
    done = read({"status": "completed", "expires_at": 1795255200})
    assert isinstance(done, providers.Done)
    assert done.expires_at == NOW


@pytest.mark.parametrize(
    ("error", "message", "retryable"),
    [
        ({"code": "moderation_blocked", "message": "Not this."}, "Not this.", False),
        ({"code": "server_error", "message": "Try again."}, "Try again.", True),
        ({"code": 500, "message": "Out of memory."}, "Out of memory.", True),
        ({"code": 400}, "400", False),
        ({"code": ["odd"]}, "['odd']", False),
        ("Just words.", "Just words.", False),
        (None, "The provider does not say why.", False),
    ],
)
def test_failed(error: Any, message: str, retryable: bool) -> None:
    assert read({"status": "failed", "error": error}) == providers.Failed(message, retryable)


@pytest.mark.parametrize(
    ("status", "cancelled"), [("cancelled", True), ("canceled", True), ("deleted", True), ("expired", False)]
)
def test_ended(status: str, cancelled: bool) -> None:
    said = f"The provider ended the job as {status}."
    assert read({"status": status}) == providers.Failed(said, cancelled=cancelled)


async def test_a_failed_job_may_come_with_the_status_of_its_error(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos/job-1", {**JOB, "status": "failed", "error": {"code": 422, "message": "No."}}, 422)
    desk.says("GET /v1/videos/job-2", {"detail": "Video not found"}, 404)
    assert await build().poll("job-1") == providers.Failed("No.")
    assert await build().poll("job-2") == providers.Missing()


def listed(*ids: int, **more: Any) -> dict[str, Any]:
    """Jobs of a list; the higher the id, the younger."""
    jobs = [listed_job(id, created_at=int(NOW.timestamp()) + id - 1000) for id in ids]
    return {"object": "list", "data": jobs, "has_more": True, **more}


def listed_job(id: Any, **more: Any) -> dict[str, Any]:
    job = {"id": id, "object": "video", "status": "completed", "created_at": int(NOW.timestamp())}
    return job | {"model": "maker/reel", "prompt": "A boat.", "seconds": "3", "size": "640x360"} | more


async def test_many_are_polled_by_the_list(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos", listed(9, 8))
    desk.says("GET /v1/videos", listed(7, 6))
    told = await build().poll_many(["8", "7"])
    assert {id: type(outcome) for id, outcome in told.items()} == {"8": providers.Done, "7": providers.Done}
    assert [asked.query for asked in desk.asked] == [
        {"limit": "100", "order": "desc"},
        {"limit": "100", "order": "desc", "after": "8"},
    ]


async def test_the_list_is_read_no_longer_than_it_pays(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos", listed(9, 8))
    assert await build().poll_many(["1", "2", "3"]) == {}
    assert len(desk.asked) == 3
    assert (await build().poll_many(["8", "1"])).keys() == {"8"}
    assert len(desk.asked) == 5, "one page in vain costs as much as asking for the one that is left"
    assert await build().poll_many([]) == {}
    assert len(desk.asked) == 5


async def test_the_list_ends(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos", listed(9, has_more=False))
    assert (await build().poll_many(["9", "1", "2", "3"])).keys() == {"9"}
    assert len(desk.asked) == 1


@pytest.mark.parametrize("page", [b"<html>", [], {"data": {}}, {"data": [1]}, {"data": [{}]}])
async def test_what_is_no_list_proves_nothing(desk: desks.Desk, build: Build, page: Any) -> None:
    desk.says("GET /v1/videos", page)
    with pytest.raises(providers.ProviderAway):
        await build().poll_many(["1"])
    with pytest.raises(providers.ProviderAway):
        await build().find(desks.order(), SINCE, UNTIL)


async def test_a_lost_order_is_found_by_what_it_asked_for(desk: desks.Desk, build: Build) -> None:
    page = {
        "data": [
            listed_job("ours"),
            listed_job("twin", seconds=3),
            listed_job("sparse", model=None, seconds=None, size=None),
            listed_job("other-prompt", prompt="A ship."),
            listed_job("other-model", model="other"),
            listed_job("longer", seconds="4"),
            listed_job("larger", size="1280x720"),
            listed_job("later", created_at=int(UNTIL.timestamp()) + 1),
            listed_job("earlier", created_at=int(SINCE.timestamp()) - 1),
        ],
        "has_more": False,
    }
    desk.says("GET /v1/videos", page)
    assert set(await build().find(desks.order(), SINCE, UNTIL)) == {"ours", "twin", "sparse"}


@pytest.mark.parametrize("vague", [{"prompt": None}, {"created_at": 0}, {"created_at": None}])
async def test_a_list_that_does_not_say_what_its_jobs_are_proves_nothing(
    desk: desks.Desk, build: Build, vague: dict[str, Any]
) -> None:
    desk.says("GET /v1/videos", {"data": [listed_job("ours"), listed_job("vague", **vague)], "has_more": False})
    with pytest.raises(providers.ProviderAway, match="does not say"):
        await build().find(desks.order(), SINCE, UNTIL)
    assert await build().find(desks.order(prompt="A ship.", seconds=5), SINCE, UNTIL) == []


async def test_the_list_is_read_as_far_back_as_the_order_can_be(desk: desks.Desk, build: Build) -> None:
    old = int(SINCE.timestamp()) - 10
    desk.says("GET /v1/videos", {"data": [listed_job("a"), listed_job("b", created_at=old + 20)], "has_more": True})
    desk.says("GET /v1/videos", {"data": [listed_job("c"), listed_job("d", created_at=old)], "has_more": True})
    assert await build().find(desks.order(), SINCE, UNTIL) == ["a", "b", "c"]
    assert len(desk.asked) == 2


async def test_a_list_in_the_wrong_order_is_read_to_its_end(desk: desks.Desk, build: Build) -> None:
    old = int(SINCE.timestamp()) - 10
    first = [listed_job("a", created_at=old - 5), listed_job("b", created_at=old)]
    desk.says("GET /v1/videos", {"data": first, "has_more": True})
    desk.says("GET /v1/videos", {"data": [listed_job("ours")], "has_more": False})
    assert await build().find(desks.order(), SINCE, UNTIL) == ["ours"]


async def test_an_endless_list_proves_nothing(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos", {"data": [listed_job("other", prompt="A ship.")], "has_more": True})
    with pytest.raises(providers.ProviderAway, match="pages"):
        await build().find(desks.order(), SINCE, UNTIL)


async def test_a_cancel_deletes_only_what_is_under_way(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos/job-1", JOB)
    desk.says("GET /v1/videos/job-1", {"detail": "Video not found"}, 404)
    desk.says("DELETE /v1/videos/job-1", {"id": "job-1", "deleted": True})
    desk.says("GET /v1/videos/job-2", {**JOB, "status": "completed"})
    seller = build()
    await seller.cancel("job-1")
    told = await seller.poll("job-1")
    assert isinstance(told, providers.Failed)
    assert told.cancelled
    await seller.cancel("job-2")
    assert [asked.method for asked in desk.asked] == ["GET", "DELETE", "GET", "GET"]


@pytest.mark.parametrize("status", [404, 409])
async def test_a_cancel_may_come_too_late(desk: desks.Desk, build: Build, status: int) -> None:
    desk.says("GET /v1/videos/job-1", JOB)
    desk.says("DELETE /v1/videos/job-1", {"detail": "Cancellation in progress"}, status)
    seller = build()
    await seller.cancel("job-1")
    assert await seller.poll("job-1") == providers.Pending()


async def test_a_cancel_may_not_be_heard(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos/job-1", JOB)
    desk.says("DELETE /v1/videos/job-1", b"", 503)
    with pytest.raises(providers.ProviderAway):
        await build().cancel("job-1")


async def test_a_check_reads_the_list_or_the_models(desk: desks.Desk, build: Build) -> None:
    desk.says("GET /v1/videos", listed())
    await build().check()
    desk.answers.clear()
    desk.says("GET /v1/videos", {"detail": "Method Not Allowed"}, 405)
    desk.says("GET /v1/models", {"data": []})
    await build().check()
    desk.says("GET /v1/models", {"error": {"message": f"Bad key {desks.KEY}."}}, 401)
    desk.answers["GET /v1/models"].pop(0)
    with pytest.raises(providers.KeyRefused) as fault:
        await build().check()
    assert desks.KEY not in str(fault.value)


async def test_a_callback_names_the_job(build: Build) -> None:
    body = json.dumps({"type": "video.completed", "data": {"id": "job-1"}}).encode()
    stamp = str(int(NOW.timestamp()))
    mac = base64.b64encode(hmac.digest(b"a secret", f"wh_1.{stamp}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": "wh_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}
    assert await build().hint(headers, body, NOW) == providers.Hint("wh_1", "job-1")
    with pytest.raises(providers.HintInvalid):
        await build().hint(headers, body + b" ", NOW)
