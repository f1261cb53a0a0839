import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import av
import httpx
import openai
import PIL.Image
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:.*shut down.*:DeprecationWarning")
SMALL: dict[str, Any] = {"model": "sandbox-reel-1", "seconds": "1", "size": "320x180"}


@pytest.fixture
async def client(sandbox: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="key", base_url=f"{sandbox.url}/v1", max_retries=0) as client:
        yield client


async def finished(client: openai.AsyncOpenAI, id: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            video = await client.videos.retrieve(id)
            if video.status in ("completed", "failed"):
                return video
            await asyncio.sleep(0.05)


async def test_a_video_from_create_to_delete(client: openai.AsyncOpenAI, sandbox: Any) -> None:
    created = await client.videos.create(
        prompt="A boat at dawn.", **SMALL, extra_body={"seed": 7}, extra_headers={"X-Client-Request-Id": "sub_1"}
    )
    assert (created.object, created.status, created.seconds, created.size) == ("video", "queued", "1", "320x180")
    video = await finished(client, created.id)
    assert (video.status, video.progress, video.prompt, video.error) == ("completed", 100, "A boat at dawn.", None)
    content = (await client.videos.download_content(video.id)).read()
    with av.open(io.BytesIO(content)) as reel:
        assert (reel.streams.video[0].frames, reel.streams.audio[0].rate) == (24, 48_000)
    thumbnail = (await client.videos.download_content(video.id, variant="thumbnail")).read()
    with PIL.Image.open(io.BytesIO(thumbnail)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (320, 180))
    assert (await client.videos.delete(video.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.videos.retrieve(video.id)
    lines = sandbox.ledger()
    assert [line["event"] for line in lines] == ["create", "done", "charge", "delete"]
    assert [line["micros"] for line in lines] == [0, 0, 100_000, 0]
    assert {line["client_ref"] for line in lines} == {"sub_1"}
    assert {line["key_sha256"] for line in lines} == {hashlib.sha256(b"key").hexdigest()}
    assert (lines[0]["seed"], lines[0]["size"], lines[1]["clip_sha256"]) == (
        7,
        "320x180",
        hashlib.sha256(content).hexdigest(),
    )


async def test_a_first_frame_and_no_sound(client: openai.AsyncOpenAI) -> None:
    picture = io.BytesIO()
    PIL.Image.new("RGB", (64, 36), (200, 30, 30)).save(picture, "PNG")
    created = await client.videos.create(
        prompt="A boat.",
        input_reference=("first.png", picture.getvalue(), "image/png"),
        **SMALL,
        extra_body={"generate_sound": "false"},
    )
    video = await finished(client, created.id)
    with av.open(io.BytesIO((await client.videos.download_content(video.id)).read())) as reel:
        assert [stream.type for stream in reel.streams] == ["video"]
        red, green, _ = next(reel.decode(video=0)).to_ndarray(format="rgb24").mean((0, 1))
        assert red > 180
        assert green < 50


async def test_the_list_is_paged_both_ways(client: openai.AsyncOpenAI) -> None:
    ids = [(await client.videos.create(prompt=f"Boat {n}.", **SMALL)).id for n in range(3)]
    assert [video.id async for video in client.videos.list(limit=2)] == ids[::-1]
    first = await client.videos.list(limit=2, order="asc")
    assert ([video.id for video in first.data], first.has_more) == (ids[:2], True)
    second = await client.videos.list(limit=2, order="asc", after=first.last_id or "")
    assert ([video.id for video in second.data], second.has_more) == (ids[2:], False)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"model": "sora-2"}, "model", "'sandbox-reel-1'"),
    ({"seconds": "21"}, "seconds", "1 to 20"),
    ({"size": "1280x721"}, "size", "128 to 1920"),
    ({"extra_body": {"seed": "x"}}, "seed", "whole numbers"),
    ({"extra_body": {"generate_sound": "maybe"}}, "generate_sound", "'true' and 'false'"),
    ({"prompt": "  "}, "prompt", "Missing required parameter"),
    ({"input_reference": ("a.png", b"no picture", "image/png")}, "input_reference", "PNG, JPEG or WebP"),
]


async def test_a_wrong_field_is_named_with_what_is_allowed(client: openai.AsyncOpenAI, sandbox: Any) -> None:
    for wrong, param, allowed in REFUSED:
        with pytest.raises(openai.BadRequestError, match=allowed) as refused:
            await client.videos.create(**({"prompt": "A boat."} | SMALL | wrong))
        assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")
    assert sandbox.ledger() == []


async def test_without_a_key_nothing_is_done(sandbox: Any) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        refused = await http.post("/v1/videos", json={"prompt": "A boat."})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_json_is_taken_too_and_content_resumes(client: openai.AsyncOpenAI, sandbox: Any) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"authorization": "Bearer key"}) as http:
        asked = {"prompt": "A boat.", "seconds": 1, "size": "128x128", "input_reference": {"image_url": _data_url()}}
        id = (await http.post("/v1/videos", json=asked)).json()["id"]
        await finished(client, id)
        whole = await http.get(f"/v1/videos/{id}/content")
        rest = await http.get(
            f"/v1/videos/{id}/content", headers={"range": "bytes=1000-", "if-range": whole.headers["etag"]}
        )
        assert whole.headers["content-length"] == str(len(whole.content))
        assert (rest.status_code, rest.content) == (206, whole.content[1000:])
        same = await http.get(f"/v1/videos/{id}/content", headers={"if-none-match": whole.headers["etag"]})
        assert same.status_code == 304
        assert (await http.get(f"/v1/videos/{id}/content?variant=spritesheet")).status_code == 400
        assert (await http.post("/v1/videos", json=asked | {"input_reference": {"file_id": "f"}})).status_code == 400
        assert (await http.post("/v1/videos", content=b"{", headers=_JSON)).json()["error"]["code"] == "invalid_json"


_JSON = {"content-type": "application/json"}


def _data_url() -> str:
    picture = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(picture, "PNG")
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()


@pytest.mark.filterwarnings("ignore:.*shut down.*:DeprecationWarning")
async def test_an_instant_sandbox_is_done_at_once(instant: Any) -> None:
    async with openai.AsyncOpenAI(api_key="key", base_url=f"{instant.url}/v1", max_retries=0) as client:
        videos = await asyncio.gather(*(client.videos.create(prompt=f"Boat {n}.", **SMALL) for n in range(20)))
        assert {video.status for video in videos} == {"completed"}
        content = (await client.videos.download_content(videos[7].id)).read()
    with av.open(io.BytesIO(content)) as reel:
        assert reel.streams.video[0].frames == 24
    assert sorted(line["event"] for line in instant.ledger()) == ["charge"] * 20 + ["create"] * 20 + ["done"] * 20
