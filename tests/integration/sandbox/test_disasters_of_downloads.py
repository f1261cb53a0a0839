import asyncio
import io
from typing import Any

import av
import httpx
import pytest


async def made(client: Any) -> tuple[str, bytes]:
    """A job of this client, and the clip as every job without a disaster has it."""
    honest = (await client.create("A boat. [[price(1)]]")).json()["id"]
    return (await client.create()).json()["id"], (await client.http.get(f"/clips/{honest}.mp4")).content


async def test_a_file_may_end_half_way_and_say_nothing_of_it(speak: Any) -> None:
    client = speak()
    _, whole = await made(client)
    id = (await client.create("[[truncated(1)]] A boat.")).json()["id"]
    first, second = await client.download(id), await client.download(id)
    assert first.content == whole[: len(whole) // 2]
    assert first.headers["content-length"] == str(len(first.content))
    assert second.content == whole


async def test_a_connection_may_end_before_the_length_it_promised(speak: Any) -> None:
    client = speak()
    _, whole = await made(client)
    id = (await client.create("[[wrong_length]] A boat.")).json()["id"]
    async with client.http.stream("GET", client.download_path(id)) as answer:
        assert answer.headers["content-length"] == str(len(whole))
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            await answer.aread()


async def test_a_page_may_come_instead_of_the_clip(speak: Any) -> None:
    client = speak("+wrong_type")
    answer = await client.download((await client.create()).json()["id"])
    assert (answer.status_code, answer.content[:9]) == (200, b"<!doctype")


async def test_nothing_may_come_instead_of_the_clip(speak: Any) -> None:
    client = speak("+zero_bytes(2)")
    id = (await client.create()).json()["id"]
    answers = [await client.download(id) for _ in range(3)]
    assert [(one.status_code, len(one.content) > 0) for one in answers] == [(200, False), (200, False), (200, True)]


async def test_a_clip_may_come_in_drips(speak: Any) -> None:
    client = speak("+slow_drip(200)")
    async with client.http.stream("GET", client.download_path((await client.create()).json()["id"])) as answer:
        pieces = answer.aiter_raw()
        assert {len(await anext(pieces)) for _ in range(3)} == {20}
        assert int(answer.headers["content-length"]) > 1000


async def test_an_address_may_expire(speak: Any) -> None:
    client = speak("+url_expires(0.2)")
    id = (await client.create()).json()["id"]
    async with asyncio.timeout(20):
        while (answer := await client.download(id)).status_code != 403:
            assert answer.status_code == 200
    assert (await client.poll(id)).json()["status"] == "completed"


async def test_an_address_may_be_gone_for_a_while(speak: Any) -> None:
    client = speak("+url_gone(2)")
    id = (await client.create()).json()["id"]
    assert [(await client.download(id)).status_code for _ in range(3)] == [404, 404, 200]


async def test_a_clip_may_have_moved_to_another_host(speak: Any) -> None:
    client = speak()
    _, whole = await made(client)
    answer = await client.download((await client.create("[[moves_host]] A boat.")).json()["id"])
    there = httpx.URL(answer.headers["location"])
    assert (answer.status_code, there.host) == (302, "localhost")
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(there)).content == whole


async def test_a_redirect_may_lead_where_nobody_should_go(speak: Any) -> None:
    for disaster, leads_to in (("redirect_private", "http://169.254.169.254/"), ("redirect_loop", "http://127.0.0.1:")):
        client = speak(f"+{disaster}")
        id = (await client.create()).json()["id"]
        answer = await client.download(id)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(leads_to)
    assert answer.headers["location"] == str(answer.url)


async def test_every_clip_has_an_address_without_a_key(speak: Any, lent: Any) -> None:
    client = speak()
    id, whole = await made(client)
    async with httpx.AsyncClient(base_url=lent.url) as anyone:
        assert (await anyone.get(f"/clips/{id}.mp4")).content == whole
        assert (await anyone.get("/clips/nothing.mp4")).status_code == 404
    with av.open(io.BytesIO(whole)) as reel:
        assert reel.streams.video[0].frames == 24
