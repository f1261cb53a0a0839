"""Paid clips brought home from servers that cut, lie, drip, move and vanish."""

import asyncio
import gzip
import hashlib
import logging

import pytest
from aiohttp import web

from services.provider_gateway import domain, downloads, fetch
from tests.integration.provider_gateway.shelf import at_home, breaks, says, submission
from tests.unit.provider_gateway import clips, servers

PAGE = b"<!doctype html><html><title>Sign in to continue</title></html>"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The bytes of a clip of two seconds."""
    return clips.shoot(tmp_path_factory.mktemp("clip") / "clip.mp4", size=(640, 360)).read_bytes()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


async def test_a_clip_comes_home_with_its_pictures(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        found = await home.bring(submission(last_frame_wanted=True), {"X-Api-Key": "canary"}, seconds=2)
        assert (found.seconds, found.width, found.height) == (2, 640, 360)
        for media, name in ((found.media, ".mp4"), (found.thumbnail, ".thumb.jpg"), (found.last_frame, ".last.png")):
            content = (home.folder / media.key).read_bytes()
            assert media.key == f"t/acme/clips/sub_one{name}"
            assert (media.size_bytes, media.sha256) == (len(content), sha256(content))
        assert (home.folder / found.media.key).read_bytes() == clip
        assert found.thumbnail.content_type == "image/jpeg"
        assert home.shelf.asked[0]["X-Api-Key"] == "canary"
        assert home.waiting() == {}
        assert (await home.bring()).last_frame is None
        folder = home.fetcher.folder
    assert not folder.exists()


async def test_clips_that_come_together_are_kept_together_and_fail_alone(tmp_path, clip):
    """Of five at once, one is no clip, and for one there is no place."""
    async with at_home(tmp_path, clip, says(200, PAGE)) as home:
        (home.folder / "t/other").parent.mkdir(parents=True)
        (home.folder / "t/other").write_text("in the way")
        wanted = [submission(f"sub_{number}") for number in range(4)] + [submission("sub_4", tenant_id="other")]
        found = await asyncio.gather(*(home.bring(one) for one in wanted), return_exceptions=True)
        kept = [one for one in found if isinstance(one, domain.Clip)]
        assert len(kept) >= 3
        assert all(isinstance(one, domain.Clip | fetch.FetchFailed) for one in found)
        for one in kept:
            assert (home.folder / one.media.key).read_bytes() == clip
            assert sha256((home.folder / one.thumbnail.key).read_bytes()) == one.thumbnail.sha256
        assert isinstance(found[-1], fetch.FetchFailed)
        assert set(home.waiting()) <= {"sub_4.part"}


@pytest.mark.parametrize("declared", [True, False], ids=["with a length", "in chunks"])
async def test_a_broken_download_goes_on_where_it_broke(tmp_path, clip, declared):
    """Twice, and from a new address: the old one may have expired."""
    async with at_home(tmp_path, clip, breaks(2000, declared)) as home:
        await home.fails("broke off", path="/old?sig=canary")
        assert home.waiting() == {"sub_one.part": 2000}
        home.shelf.plan = [says(503), says(403)]
        await home.fails("503")
        await home.fails("403", fetch.ClipGone)
        found = await home.bring(path="/new?sig=canary")
        assert (home.folder / found.media.key).read_bytes() == clip
        assert found.media.sha256 == sha256(clip)
        assert home.shelf.spans == [None, *["bytes=2000-"] * 3]
        assert home.shelf.asked[-1]["If-Range"] == '"one"'
        assert home.waiting() == {}


@pytest.mark.parametrize("etag", ["", 'W/"one"', "one"], ids=["no etag", "weak", "malformed"])
async def test_what_cannot_be_known_again_is_fetched_anew(tmp_path, clip, etag):
    async with at_home(tmp_path, clip, breaks(2000), etag=etag) as home:
        await home.fails("broke off")
        assert home.waiting() == {}
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert home.shelf.spans == [None, None]


async def test_a_clip_that_was_made_anew_is_not_joined_to_the_old_one(tmp_path, clip):
    other = clips.shoot(tmp_path / "other.mp4", 24, size=(320, 180)).read_bytes()
    async with at_home(tmp_path, clip, breaks(2000)) as home:
        await home.fails("broke off")
        home.shelf.content, home.shelf.etag = other, '"two"'
        assert (await home.bring()).media.sha256 == sha256(other)


async def test_a_server_that_knows_no_parts_sends_it_all_again(tmp_path, clip):
    async with at_home(tmp_path, clip, breaks(2000), says(200, clip)) as home:
        await home.fails("broke off")
        assert (await home.bring()).media.sha256 == sha256(clip)


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 1999-{last}/{size}"},
        {"Content-Range": "bytes 0-{last}/{size}"},
        {"Content-Range": "bytes 2000-{last}/{more}"},
        {"Content-Range": "bytes 2000-{last}/*"},
        {"Content-Range": "bytes 2000-{last}/{size}", "ETag": '"two"'},
        {"Content-Range": "pages 2000-{last}/{size}"},
        {},
    ],
)
async def test_a_part_that_is_not_the_rest_is_not_joined(tmp_path, clip, lie):
    facts = {"last": len(clip) - 1, "size": len(clip), "more": len(clip) + 1}
    headers = {name.replace("-", "_"): value.format(**facts) for name, value in lie.items()}
    async with at_home(tmp_path, clip, breaks(2000), says(206, clip[2000:], **headers)) as home:
        await home.fails("broke off")
        await home.fails("same file")
        assert home.waiting() == {}
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert home.shelf.spans == [None, "bytes=2000-", None]


@pytest.mark.parametrize("rest", [2001, 2500], ids=["one byte short", "much short"])
async def test_a_rest_that_is_too_short_is_noticed(tmp_path, clip, rest):
    async with at_home(tmp_path, clip, breaks(2000)) as home:
        await home.fails("broke off")
        home.shelf.plan = [says(206, clip[rest:], ETag='"one"', Content_Range=home.shelf.of(2000)["Content-Range"])]
        await home.fails("bytes arrived")
        assert (await home.bring()).media.sha256 == sha256(clip)


@pytest.mark.parametrize("status", [206, 416])
async def test_a_part_that_was_not_asked_for_is_refused(tmp_path, clip, status):
    span = f"bytes 0-{len(clip) - 1}/{len(clip)}"
    async with at_home(tmp_path, clip, says(status, clip, Content_Range=span)) as home:
        await home.fails("same file")
        assert (await home.bring()).media.sha256 == sha256(clip)


async def test_a_range_that_is_refused_begins_anew(tmp_path, clip):
    async with at_home(tmp_path, clip, breaks(2000), says(416, Content_Range=f"bytes */{len(clip)}")) as home:
        await home.fails("broke off")
        await home.fails("same file")
        assert (await home.bring()).media.sha256 == sha256(clip)


@pytest.mark.parametrize(
    "body",
    [b"", PAGE, b'{"error": "expired"}', b"#EXTM3U\n#EXTINF:2,\nfile:///etc/hostname\n", bytes(5000), "cut", "gzip"],
    ids=["nothing", "a page", "json", "a playlist", "zeros", "a clip without its end", "a packed clip"],
)
async def test_what_is_no_clip_is_not_kept_and_not_gone_on_with(tmp_path, clip, body):
    whole = {"cut": clip[:-1000], "gzip": gzip.compress(clip)}.get(body, body)
    async with at_home(tmp_path, clip, says(200, whole, ETag='"one"')) as home:
        await home.fails("cannot be decoded|not taken")
        assert home.waiting() == {}
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert home.shelf.spans == [None, None]


async def test_an_end_without_a_length_is_not_believed(tmp_path):
    """Neither a length nor chunks: the end of the connection is the end of the file, wherever it comes."""
    clip = clips.shoot(tmp_path / "clip.mp4", muxer={"movflags": "+faststart"}).read_bytes()

    async def old_server(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + clip[: -1 if cut else None])
        writer.close()

    server = await asyncio.start_server(old_server, "127.0.0.1", 0)
    async with server, at_home(tmp_path, clip) as home:
        home.place = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        cut = True
        await home.fails("cut short")
        cut = False
        assert (await home.bring()).media.sha256 == sha256(clip)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_clip_that_is_gone(tmp_path, clip, status):
    async with at_home(tmp_path, clip, says(status, PAGE)) as home:
        await home.fails(str(status), fetch.ClipGone)


@pytest.mark.parametrize("status", [202, 204, 304, 400, 401, 409, 425, 429, 500, 503])
async def test_other_answers_say_nothing_of_the_clip(tmp_path, clip, status):
    async with at_home(tmp_path, clip, says(status)) as home:
        assert not isinstance(await home.fails(str(status)), fetch.ClipGone)


@pytest.mark.parametrize("declared", [True, False], ids=["and says so", "and does not say so"])
async def test_a_clip_that_is_too_large(tmp_path, clip, declared):
    """When it says so, its bytes are not waited for."""
    sent = 1 if declared else len(clip)
    async with at_home(tmp_path, clip, breaks(sent, declared), most=3000, etag="") as home:
        await home.fails("larger")
        assert home.waiting() == {}


async def test_a_rest_that_makes_it_too_large(tmp_path, clip):
    lie = says(206, clip[2000:4000], Content_Range="bytes 2000-2999/3000")
    async with at_home(tmp_path, clip, breaks(2000, declared=False), lie, most=3000) as home:
        await home.fails("broke off")
        await home.fails("larger")


async def test_a_server_that_is_away(tmp_path, clip):
    with servers.sink() as listener:
        port = listener.getsockname()[1]
    async with at_home(tmp_path, clip) as home:
        home.port, home.place = port, f"http://127.0.0.1:{port}/v1"
        await home.fails("broke off")


@pytest.mark.parametrize(
    "where", ["http://169.254.169.254/latest", "https://10.0.0.1/", "file:///etc/hostname", "/v1/x"]
)
async def test_a_redirect_to_the_inside_is_not_followed(tmp_path, clip, where):
    async with at_home(tmp_path, clip, *[says(302, Location=where)] * 9) as home:
        await home.fails("redirects" if where.startswith("/") else "not")


async def test_a_private_address_that_is_not_the_endpoints_is_not_called(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        for other in ("", "http://127.0.0.1:1/v1", "https://api.example/v1"):
            with pytest.raises(fetch.FetchFailed, match="not https and not at its endpoint"):
                await home.fetcher.fetch(submission(), f"{home.place}/clip", {"X-Api-Key": "canary"}, home=other)
        assert not home.shelf.asked


async def test_a_dripping_server_loses_its_place_and_not_what_it_brought(tmp_path, clip):
    async def drip(shelf, request):
        response = web.StreamResponse(headers={"ETag": shelf.etag})
        await response.prepare(request)
        for at in range(0, len(clip), 100):
            await response.write(clip[at : at + 100])
            await asyncio.sleep(0.05)
        return response

    async with at_home(tmp_path, clip, drip, pace=downloads.Pace(grace_s=0.1, least_bytes_per_s=50_000)) as home:
        await home.fails("more slowly")
        assert home.waiting()["sub_one.part"] >= 100
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert home.shelf.spans[1] is not None


async def test_a_full_disk_leaves_nothing_behind_and_says_what_to_do(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        (home.fetcher.folder / "sub_one.part").symlink_to("/dev/full")
        await home.fails("free some space")
        assert home.waiting() == {}
        assert (await home.bring()).media.sha256 == sha256(clip)


async def test_a_store_that_is_away_costs_no_second_download(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        home.folder.mkdir(exist_ok=True)
        (home.folder / "t").write_text("in the way")
        for _ in range(2):
            await home.fails("broke off")
        assert home.waiting() == {"sub_one.part": len(clip)}
        (home.folder / "t").unlink()
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert len(home.shelf.asked) == 1


async def test_a_store_that_does_not_answer_says_so(tmp_path, clip):
    async with at_home(tmp_path, clip, store="s3://key:word@127.0.0.1:1/clips?secure=false") as home:
        await home.fails("media store")


async def test_bytes_that_change_between_the_network_and_the_store_are_noticed(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        home.folder.mkdir(exist_ok=True)
        (home.folder / "t").write_text("in the way")
        await home.fails("broke off")
        (home.folder / "t").unlink()
        part = home.fetcher.folder / "sub_one.part"
        part.write_bytes(clip[:-1] + bytes([clip[-1] ^ 1]))
        with pytest.raises(fetch.FetchFailed, match="not what arrived"):
            await home.bring()
        assert (await home.bring()).media.sha256 == sha256(clip)
        assert (home.folder / "t/acme/clips/sub_one.mp4").read_bytes() == clip


async def test_what_is_broken_takes_no_more_room_than_one_clip(tmp_path, clip):
    async with at_home(tmp_path, clip, *[breaks(len(clip) // 3 + 1)] * 4, most=len(clip)) as home:
        for name in ("sub_a", "sub_b", "sub_c"):
            await home.fails("broke off", of=submission(name))
        assert home.waiting() == dict.fromkeys(["sub_b.part", "sub_c.part"], len(clip) // 3 + 1)


async def test_a_clip_that_is_much_too_short_is_noted_and_kept(tmp_path, clip, caplog):
    async with at_home(tmp_path, clip) as home:
        with caplog.at_level(logging.WARNING):
            await home.bring(seconds=4)
            assert not caplog.records
            found = await home.bring(seconds=5)
        (record,) = caplog.records
        assert (record.message, record.submission_id, record.seconds) == ("clip_short", "sub_one", 2.0)
        assert (home.folder / found.media.key).read_bytes() == clip


async def test_a_still_is_lent_for_as_long_as_it_is_needed(tmp_path, clip):
    async with at_home(tmp_path, clip) as home:
        key = (await home.bring(submission(last_frame_wanted=True))).last_frame.key
        async with home.fetcher.still(key) as still:
            assert still.read_bytes() == (home.folder / key).read_bytes()
            assert still.suffix == ".png"
        async with home.fetcher.still("") as nothing:
            assert nothing is None
        assert home.waiting() == {}
