import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import av
import httpx
import PIL.Image
import pytest
from google import genai

FORM = {"type": "video", "duration": "3s", "resolution": "360p", "aspect_ratio": "9:16", "delivery": "uri"}


@pytest.fixture
async def client(sandbox: Any) -> AsyncIterator[Any]:
    options = {"base_url": sandbox.url, "retry_options": {"attempts": 1}}
    client = genai.Client(api_key="key", http_options=options)  # type: ignore[arg-type]
    yield client.aio
    await client.aio.aclose()
    client.close()


async def create(client: Any, **more: Any) -> Any:
    asked = {"model": "sandbox-omni-1", "background": True, "input": "A boat at dawn.", "response_format": FORM}
    return await client.interactions.create(**(asked | more))


async def finished(client: Any, id: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            interaction = await client.interactions.get(id)
            if interaction.status not in ("queued", "in_progress"):
                return interaction
            await asyncio.sleep(0.05)


async def test_an_interaction_from_create_to_its_file(client: Any, sandbox: Any) -> None:
    created = await create(client, generation_config={"seed": 9}, labels={"submission": "sub_1"})
    done = await finished(client, created.id)
    assert (created.status, done.status, done.usage.total_output_tokens) == ("queued", "completed", 3 * 5792)
    uri = done.output_video.uri
    assert uri == f"{sandbox.url}/v1beta/files/{created.id.removeprefix('v1_')}:download?alt=media"
    async with httpx.AsyncClient(headers={"x-goog-api-key": "key"}) as http:
        content = (await http.get(uri)).content
        file = (await http.get(uri.removesuffix(":download?alt=media"))).json()
        assert (await http.get(uri, headers={"x-goog-api-key": ""})).status_code == 401
        assert (await http.get(f"{sandbox.url}/v1beta/files/missing")).json()["error"]["code"] == "not_found"
    with av.open(io.BytesIO(content)) as reel:
        video = reel.streams.video[0]
        assert (video.width, video.height, video.frames) == (360, 640, 72)
    assert (file["state"], file["mimeType"], file["sizeBytes"]) == ("ACTIVE", "video/mp4", str(len(content)))
    lines = sandbox.ledger()
    assert [(line["event"], line["client_ref"], line["micros"]) for line in lines] == [
        ("create", "sub_1", 0),
        ("done", "sub_1", 0),
        ("charge", "sub_1", 300_000),
    ]
    assert lines[0]["seed"] == 9


async def test_a_first_frame_inline_and_in_the_foreground(client: Any) -> None:
    picture = io.BytesIO()
    PIL.Image.new("RGB", (64, 36), (30, 200, 30)).save(picture, "PNG")
    given = [
        {"type": "text", "text": "A boat."},
        {"type": "image", "mime_type": "image/png", "data": base64.b64encode(picture.getvalue()).decode()},
    ]
    done = await create(
        client,
        input=given,
        background=False,
        generation_config={"video_config": {"task": "image_to_video"}},
        response_format=FORM | {"delivery": "inline"},
    )
    with av.open(io.BytesIO(base64.b64decode(done.output_video.data))) as reel:
        red, green, _ = next(reel.decode(video=0)).to_ndarray(format="rgb24").mean((0, 1))
    assert green > 180
    assert red < 50


async def test_what_is_cancelled_or_deleted_is_not_charged(client: Any, sandbox: Any) -> None:
    first, second = await create(client), await create(client, input="A ship.")
    assert (await client.interactions.cancel(first.id)).status == "cancelled"
    await client.interactions.delete(second.id)
    with pytest.raises(Exception, match="There is no interaction"):
        await client.interactions.get(second.id)
    assert sandbox.events(first.id) == ["create", "cancel"]
    assert sandbox.events(second.id) == ["create", "delete"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"response_format": FORM | {"duration": "2s"}}, "minimum allowed 3s, maximum allowed 15s"),
    ({"response_format": FORM | {"resolution": "4k"}}, "360p, 720p, 1080p"),
    ({"response_format": FORM | {"aspect_ratio": "1:1"}}, "16:9, 9:16"),
    ({"response_format": FORM | {"delivery": "post"}}, "inline, uri"),
    ({"input": " "}, "not empty"),
    ({"generation_config": {"video_config": {"task": "extend"}}}, "text_to_video, image_to_video"),
    ({"generation_config": {"video_config": {"task": "image_to_video"}}}, "needs an image"),
    ({"labels": {"submission": "x" * 64}}, "63 characters"),
    ({"model": "gemini-omni-1.2-flash"}, "sandbox-omni-1"),
]


async def test_a_wrong_field_is_refused_with_what_is_allowed(client: Any, sandbox: Any) -> None:
    for wrong, said in REFUSED:
        with pytest.raises(Exception, match=said):
            await create(client, **wrong)
    assert sandbox.ledger() == []
