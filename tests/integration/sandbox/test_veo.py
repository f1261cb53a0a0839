import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from google import genai
from google.oauth2 import credentials

from tests.integration.sandbox import callers

NAME = "projects/film/locations/us-central1/publishers/google/models/sandbox-veo-1"
MODEL = f"/vertex/v1beta1/{NAME}"
BUCKET = "/vertex/storage/v1/b/reels/o"
SMALL = {"sampleCount": 1, "durationSeconds": 4, "storageUri": "gs://reels/attempts/sub_4/"}


class Client(callers.Caller):
    async def predict(self, prompt: str = "A boat at dawn.", **more: Any) -> httpx.Response:
        asked = {"instances": [{"prompt": prompt}], "parameters": SMALL | more}
        headers = {"x-client-request-id": "sub_4"}
        return await self.http.post(f"{MODEL}:predictLongRunning", json=asked, headers=headers)

    async def fetch(self, name: str) -> httpx.Response:
        return await self.http.post(f"{MODEL}:fetchPredictOperation", json={"operationName": name})

    async def objects(self, **query: Any) -> Any:
        return (await self.http.get(BUCKET, params=query)).json()


Make = Callable[..., Client]


@pytest.fixture
async def client(lent: Any) -> AsyncIterator[Make]:
    async with callers.calling(Client, lent) as make:
        yield make


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_the_sdk_makes_a_video_into_a_bucket(sandbox: Any) -> None:
    sdk = genai.Client(
        vertexai=True,
        project="film",
        location="us-central1",
        credentials=credentials.Credentials(token="key"),
        http_options={"base_url": f"{sandbox.url}/vertex", "headers": {"x-client-request-id": "sub_4"}},  # type: ignore[arg-type]
    )
    first = genai.types.Image(image_bytes=callers.red_png(), mime_type="image/png")
    source = genai.types.GenerateVideosSource(prompt="A boat.", image=first)
    config = genai.types.GenerateVideosConfig(
        number_of_videos=1,
        duration_seconds=4,
        generate_audio=False,
        seed=3,
        output_gcs_uri="gs://reels/attempts/sub_4/",
    )
    aio = sdk.aio
    operation = await aio.models.generate_videos(model="sandbox-veo-1", source=source, config=config)
    assert (operation.name or "").startswith(f"{NAME}/operations/")
    async with asyncio.timeout(60):
        while not operation.done:
            await asyncio.sleep(0.1)
            operation = await aio.operations.get(operation)
    await aio.aclose()
    sdk.close()
    assert operation.response
    (made,) = operation.response.generated_videos or []
    assert made.video
    async with callers.calling(Client, sandbox) as make:
        caller = make()
        (stored,) = (await caller.objects(prefix="attempts/sub_4/"))["items"]
        assert made.video.uri == f"gs://reels/{stored['name']}"
        reel = await caller.http.get(stored["mediaLink"])
        assert (stored["size"], reel.status_code) == (str(len(reel.content)), 200)
        assert (await caller.http.get(stored["mediaLink"], headers={"authorization": ""})).status_code == 401
    callers.check_silent_red(reel.content)
    assert [(line["event"], line["client_ref"], line["seed"]) for line in sandbox.ledger()] == [
        ("create", "sub_4", 3),
        ("done", "sub_4", 3),
        ("charge", "sub_4", 3),
    ]
    assert [line["client_ref"] for line in sandbox.posts()] == ["sub_4"]


async def test_a_lost_create_is_found_under_its_prefix(client: Make) -> None:
    caller = client("+drop_reply")
    prefix = f"attempts/{caller.key[:8]}/"
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.predict(storageUri=f"gs://reels/{prefix}")
    (stored,) = (await caller.objects(prefix=prefix))["items"]
    assert (stored["contentType"], stored["bucket"]) == ("video/mp4", "reels")
    reel = await caller.http.get(f"{BUCKET}/{stored['name'].replace('/', '%2F')}?alt=media")
    assert (reel.status_code, reel.headers["content-type"]) == (200, "video/mp4")
    assert (await caller.http.get(stored["selfLink"])).json() == stored
    assert (await caller.http.get(stored["selfLink"].removesuffix("%2Fsample_0.mp4"))).status_code == 404
    assert "items" not in await caller.objects(prefix="attempts/other/")
    elsewhere = BUCKET.replace("reels", "other")
    assert "items" not in (await caller.http.get(elsewhere, params={"prefix": prefix})).json()
    missing = await caller.http.get(f"{BUCKET}/attempts%2Fother.mp4?alt=media")
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")


async def test_a_bucket_has_pages_and_only_what_is_done(client: Make) -> None:
    caller = client()
    prefix = f"{caller.key[:8]}/"
    for prompt in ("A boat.", "A ship.", "[[never_done]] A raft.", "[[fails]] A raft.", "[[list_lag(600)]] A raft."):
        await caller.predict(prompt, storageUri=f"gs://reels/{prefix}")
    first = await caller.objects(prefix=prefix, maxResults=1)
    second = await caller.objects(prefix=prefix, maxResults=1, pageToken=first["nextPageToken"])
    assert len({page["items"][0]["name"] for page in (first, second)}) == 2
    assert "nextPageToken" not in second


async def test_without_a_bucket_the_bytes_are_in_the_operation(client: Make) -> None:
    caller = client()
    name = (await caller.predict(storageUri=None)).json()["name"]
    (video,) = (await caller.fetch(name)).json()["response"]["videos"]
    assert base64.b64decode(video["bytesBase64Encoded"])[4:8] == b"ftyp"


async def test_an_operation_tells_how_it_went(client: Make) -> None:
    filtered = client("+filtered")
    done = (await filtered.fetch((await filtered.predict()).json()["name"])).json()
    assert (done["done"], done["response"]["raiMediaFilteredCount"], "videos" in done["response"]) == (True, 1, False)
    assert "Support codes" in done["response"]["raiMediaFilteredReasons"][0]
    fails = client("+fails")
    done = (await fails.fetch((await fails.predict()).json()["name"])).json()
    assert (done["done"], done["error"]["code"], "response" in done) == (True, 13, False)
    empty = client("+empty_success")
    assert (await empty.fetch((await empty.predict()).json()["name"])).json()["response"] == {}
    never = client("+never_done")
    name = (await never.predict()).json()["name"]
    assert (await never.fetch(name)).json() == {"name": name}
    assert (await never.fetch(f"{NAME}/operations/veo_0")).status_code == 404
    assert (await never.fetch("projects/other/operations/veo_0")).status_code == 400
    missing = client("+id_missing")
    assert (await missing.predict()).json() == {}


async def test_a_retired_model_is_seen_for_nothing(client: Make) -> None:
    for path in (MODEL, "/vertex/v1beta1/publishers/google/models/sandbox-veo-1"):
        assert (await client().http.get(path)).json()["name"] == "publishers/google/models/sandbox-veo-1"
        gone = await client("+gone").http.get(path)
        assert (gone.status_code, gone.json()["error"]["status"]) == (404, "NOT_FOUND")
    other = await client().http.get(MODEL.replace("sandbox-veo-1", "veo-3.0-generate-001"))
    assert (other.status_code, "veo-3.0-generate-001` was not found" in other.json()["error"]["message"]) == (404, True)
    retired = await client("+gone").predict()
    assert (retired.status_code, retired.json()["error"]["status"]) == (404, "NOT_FOUND")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "not empty"),
    ({"sampleCount": 2}, "'2'"),
    ({"durationSeconds": 5}, "4 to 8 in steps of 2"),
    ({"durationSeconds": 4, "resolution": "1080p"}, "8 at 1080p"),
    ({"resolution": "4k"}, "720p, 1080p"),
    ({"aspectRatio": "1:1"}, "16:9, 9:16"),
    ({"storageUri": "s3://reels/"}, "gs://BUCKET/PREFIX"),
]


async def test_a_wrong_parameter_is_named_with_what_is_allowed(client: Make) -> None:
    caller = client()
    for wrong, allowed in REFUSED:
        refused = await caller.predict(**wrong)
        fault = refused.json()["error"]
        assert (refused.status_code, fault["code"], fault["status"]) == (400, 400, "INVALID_ARGUMENT")
        assert allowed in fault["message"]
    linked = {"instances": [{"prompt": "A boat.", "image": {"gcsUri": "gs://a/b.png"}}], "parameters": SMALL}
    assert (await caller.http.post(f"{MODEL}:predictLongRunning", json=linked)).status_code == 400
    assert caller.events() == []
    throttled = (await client("+throttled(google)").predict()).json()["error"]
    assert (throttled["status"], throttled["details"][0]["retryDelay"]) == ("RESOURCE_EXHAUSTED", "2s")
    assert (await client("+busy").predict()).json()["error"]["status"] == "UNAVAILABLE"
    assert (await caller.http.get(MODEL, headers={"authorization": ""})).json()["error"]["status"] == "UNAUTHENTICATED"
