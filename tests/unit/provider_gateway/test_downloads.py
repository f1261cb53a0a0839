"""Addresses that providers name: the public ones are reached as they are, and nothing inside is ever called."""

import asyncio
import contextlib
import gzip
import socket

import aiohttp
import pytest
from aiohttp import web

from libs import egress
from services.provider_gateway import downloads
from tests.unit.provider_gateway import addresses, servers

REFUSALS = (egress.Refused, aiohttp.InvalidURL, aiohttp.ClientConnectorDNSError)


@pytest.fixture
def sink():
    with servers.sink() as listener:
        yield listener


@contextlib.asynccontextmanager
async def door(**more):
    """The way out; what cannot be resolved here is nowhere."""
    made = downloads.Egress(**{"resolver": servers.Names()} | more)
    try:
        yield made
    finally:
        await made.close()


async def body(way, url, most_bytes=1 << 20, credentials=(), headers=(), home=""):
    """Status and bytes of an answer."""
    async with way.get(url, dict(credentials), dict(headers), home) as answer:
        return answer.status, b"".join([chunk async for chunk in answer.chunks(most_bytes)])


def knows():
    return servers.Names(**{name: turns * 9 for name, turns in addresses.NAMES.items()})


def test_the_corpus_is_large():
    assert len(set(addresses.CORPUS)) > 300


async def test_nothing_inside_is_called_when_a_provider_names_it(sink):
    port = sink.getsockname()[1]
    async with door(resolver=knows()) as way:
        for payload in addresses.CORPUS:
            with pytest.raises(REFUSALS) as refusal:
                await body(way, payload.replace("{port}", str(port)))
            assert not isinstance(refusal.value, egress.Refused) or "127" not in str(refusal.value)
    assert servers.callers(sink) == 0


async def test_nothing_inside_is_called_when_a_provider_redirects_there(sink):
    """From the endpoint's own server, which may be private; it is no way to another one, even on the same host."""
    port, asked = sink.getsockname()[1], []

    async def redirect(request):
        if "n" not in request.query:
            return web.Response(status=410, text="at home again")
        asked.append(request.query["n"])
        where = addresses.CORPUS[int(request.query["n"])].replace("{port}", str(port))
        return web.Response(status=302, headers={"Location": where})

    sendable = [n for n, one in enumerate(addresses.CORPUS) if one.isprintable() and one.strip() and "://" in one]
    async with servers.serving(redirect) as home, door(resolver=knows()) as way:
        for number in sendable:
            with contextlib.suppress(*REFUSALS):
                answer = await body(way, f"http://127.0.0.1:{home}/?n={number}", home=f"http://127.0.0.1:{home}/v1")
                assert answer == (410, b"at home again"), addresses.CORPUS[number]
    assert len(asked) >= len(sendable) > 300
    assert servers.callers(sink) == 0


def test_a_client_that_trusts_its_resolver_calls_the_sink(sink):
    """Or the two tests above prove nothing."""
    port = sink.getsockname()[1]
    for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1", *addresses.DISGUISED]:
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            socket.create_connection((host, port), timeout=0.5).close()
    assert servers.callers(sink) > 20


@pytest.fixture(scope="module")
def trust(tmp_path_factory):
    """TLS for a server that is all the public hosts of these tests, and for clients that believe it."""
    return servers.identity(tmp_path_factory.mktemp("trust"), "cdn.example", "other.example")


def loopback(*turns):
    """As if this machine were a public one."""
    return {"may_reach": lambda number: number == "127.0.0.1", "resolver": servers.Names(**dict(turns))}


ONE = [["127.0.0.1"]] * 20
BOTH = [("cdn_example", ONE), ("other_example", ONE)]


async def test_a_name_is_asked_for_once_and_kept_for_tls_and_for_the_server(trust):
    seen = []

    async def note(request):
        peer = request.transport.get_extra_info("ssl_object")
        seen.append((request.headers["Host"], peer.version() is not None))
        return web.Response(text="clip")

    names = servers.Names(cdn_example=ONE)
    server, client = trust
    server.sni_callback = lambda _, name, __: seen.append(name)
    async with servers.serving(note, server) as port, door(**loopback() | {"resolver": names, "tls": client}) as way:
        assert await body(way, f"https://cdn.example:{port}/") == (200, b"clip")
    server.sni_callback = None
    assert seen == ["cdn.example", (f"cdn.example:{port}", True)]
    assert names.asked == ["cdn.example"]


async def test_a_name_that_changes_its_mind_is_caught(trust, sink):
    """What was checked is what is called; the next connection asks, and is checked, again."""
    names = servers.Names(cdn_example=[["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2"]])

    async def close(request):
        return web.Response(text="clip", headers={"Connection": "close"})

    server, client = trust
    async with servers.serving(close, server) as port, door(**loopback() | {"resolver": names, "tls": client}) as way:
        assert (await body(way, f"https://cdn.example:{port}/"))[0] == 200
        for place in (port, port, sink.getsockname()[1]):
            with pytest.raises(egress.Refused, match="not public"):
                await body(way, f"https://cdn.example:{place}/")
    assert len(names.asked) == 4
    assert servers.callers(sink) == 0


@pytest.mark.parametrize("user", ["me", "me:word", ":word", ":", "me%40example"])
async def test_an_address_with_a_user_in_it_is_not_called(user):
    async def answer(request):
        raise AssertionError("it must not come to a request")

    async with servers.serving(answer) as port, door() as way:
        with pytest.raises(egress.Refused, match="user"):
            await body(way, f"http://{user}@127.0.0.1:{port}/", home=f"http://127.0.0.1:{port}")


async def test_a_certificate_for_another_name_is_not_believed(trust):
    async def note(request):
        raise AssertionError("it must not come to a request")

    server, client = trust
    names = servers.Names(foreign_example=ONE)
    async with servers.serving(note, server) as port, door(**loopback() | {"resolver": names, "tls": client}) as way:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await body(way, f"https://foreign.example:{port}/", credentials={"x-goog-api-key": "canary"})


async def test_credentials_stay_at_the_first_origin(trust):
    """And do not come back with it: the way there led through strangers."""
    seen = []

    async def around(request):
        seen.append((request.host.split(":")[0], request.headers.get("X-Api-Key"), request.headers.get("Range")))
        further = {
            "/": "/same",
            "/same": f"https://other.example:{port}/away",
            "/away": f"https://cdn.example:{port}/back",
        }
        if request.path == "/back":
            return web.Response(text="clip")
        return web.Response(status=307, headers={"Location": further[request.path]})

    server, client = trust
    async with servers.serving(around, server) as port, door(**loopback(*BOTH) | {"tls": client}) as way:
        url, key, span = f"https://cdn.example:{port}/", {"X-Api-Key": "canary"}, {"Range": "bytes=3-"}
        assert await body(way, url, credentials=key, headers=span) == (200, b"clip")
    assert seen == [
        ("cdn.example", "canary", "bytes=3-"),
        ("cdn.example", "canary", "bytes=3-"),
        ("other.example", None, "bytes=3-"),
        ("cdn.example", None, "bytes=3-"),
    ]


async def test_credentials_do_not_go_to_another_port_or_scheme(trust):
    seen = []

    async def note(request):
        seen.append(dict(request.headers))
        return web.Response(text="clip")

    async with servers.serving(note, trust[0]) as port:

        async def away(request):
            return web.Response(status=302, headers={"Location": f"https://cdn.example:{port}/"})

        key = {"Authorization": "Bearer canary", "X-Goog-Api-Key": "canary", "Cookie": "canary"}
        async with servers.serving(away) as home, door(**loopback(*BOTH) | {"tls": trust[1]}) as way:
            place = f"http://127.0.0.1:{home}/v1"
            assert await body(way, place, credentials=key, home=place) == (200, b"clip")
    assert "canary" not in str(seen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("hops", "arrives"), [(0, True), (5, True), (6, False)])
async def test_at_most_five_redirects(status, hops, arrives):
    async def down(request):
        left = int(request.query["left"])
        headers = {"Location": f"?left={left - 1}"} if left else {}
        return web.Response(status=status if left else 200, headers=headers)

    async with servers.serving(down) as port, door() as way:
        place = f"http://127.0.0.1:{port}/v1/clip"
        if arrives:
            assert (await body(way, f"{place}?left={hops}", home=place))[0] == 200
        else:
            with pytest.raises(egress.Refused, match="redirects"):
                await body(way, f"{place}?left={hops}", home=place)


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "/"}])
async def test_a_redirect_to_itself_ends(headers):
    async def again(request):
        return web.Response(status=302, headers=headers)

    async with servers.serving(again) as port, door() as way:
        with pytest.raises(egress.Refused, match="redirects"):
            await body(way, f"http://127.0.0.1:{port}/", home=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("home", "same"),
    [
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1:{port}/v1/", True),
        ("HTTP://127.0.0.1:{port}/v1", True),
        ("https://127.0.0.1:{port}/v1", False),
        ("http://127.0.0.1/v1", False),
        ("http://localhost:{port}/v1", False),
        ("http://127.0.0.1.example:{port}/v1", False),
        ("", False),
    ],
)
async def test_only_the_endpoints_own_origin_may_be_private(home, same):
    async def answer(request):
        return web.Response(text="clip")

    async with servers.serving(answer) as port, door() as way:
        if same:
            assert (await body(way, f"http://127.0.0.1:{port}/clip", home=home.format(port=port)))[0] == 200
        else:
            with pytest.raises(egress.Refused):
                await body(way, f"http://127.0.0.1:{port}/clip", home=home.format(port=port))


async def test_proxies_of_the_environment_are_not_asked(sink, monkeypatch):
    async def answer(request):
        return web.Response(text="clip")

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{sink.getsockname()[1]}")
    async with servers.serving(answer) as port, door() as way:
        assert (await body(way, f"http://127.0.0.1:{port}/", home=f"http://127.0.0.1:{port}"))[0] == 200
    assert servers.callers(sink) == 0


async def test_cookies_are_not_kept_and_nothing_is_unpacked():
    bomb, seen = gzip.compress(bytes(1 << 20)), []

    async def answer(request):
        seen.append((request.headers.get("Cookie"), request.headers["Accept-Encoding"]))
        return web.Response(body=bomb, headers={"Set-Cookie": "who=me", "Content-Encoding": "gzip"})

    async with servers.serving(answer) as port, door() as way:
        for _ in range(2):
            assert await body(way, f"http://127.0.0.1:{port}/", home=f"http://127.0.0.1:{port}") == (200, bomb)
    assert seen == [(None, "identity")] * 2


@pytest.mark.parametrize(
    ("tail", "sent"),
    [
        ("/a%2Fb%20c?sig=%2B%2F%3D+/=&X-Amz=a%2fb", "/a%2Fb%20c?sig=%2B%2F%3D+/=&X-Amz=a%2fb"),
        ("/x;y=1,2/~u/(z)!$'*?a[]=1|2", "/x;y=1,2/~u/(z)!$'*?a[]=1|2"),
        ("/katze und hund.mp4", "/katze%20und%20hund.mp4"),
        ("/käse.mp4", "/k%C3%A4se.mp4"),
    ],
)
async def test_a_signed_address_is_sent_as_it_came(tail, sent):
    async def answer(request):
        return web.Response(text=request.raw_path)

    async with servers.serving(answer) as port, door() as way:
        place = f"http://127.0.0.1:{port}"
        assert await body(way, place + tail, home=place) == (200, sent.encode())


async def stream(request, *chunks, pause_s=0.0):
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
        await asyncio.sleep(pause_s)
    return response


async def test_an_answer_may_have_so_many_bytes_and_no_more():
    async def answer(request):
        return await stream(request, *[bytes(1000)] * 10)

    async with servers.serving(answer) as port, door() as way:
        place = f"http://127.0.0.1:{port}"
        assert await body(way, place, 10_000, home=place) == (200, bytes(10_000))
        with pytest.raises(egress.Refused, match="larger"):
            await body(way, place, 9999, home=place)


@pytest.mark.parametrize(
    ("pace", "fault"),
    [
        (downloads.Pace(grace_s=0.05, least_bytes_per_s=1000), egress.Refused),
        (downloads.Pace(silence_s=0.05), aiohttp.SocketTimeoutError),
        (downloads.Pace(whole_s=0.2), TimeoutError),
    ],
    ids=["too slow on average", "silent for too long", "too long in all"],
)
async def test_an_answer_that_drips_is_given_up(pace, fault):
    """Each of the limits alone; without them it would go on for a quarter of an hour."""

    async def drip(request):
        return await stream(request, *[b"."] * 9000, pause_s=0.1)

    async with servers.serving(drip) as port, door(pace=pace) as way:
        place = f"http://127.0.0.1:{port}"
        with pytest.raises(fault):
            await body(way, place, home=place)


async def test_redirects_count_into_the_time_of_the_whole():
    async def slowly(request):
        await asyncio.sleep(0.1)
        return web.Response(status=302, headers={"Location": "/"})

    async with servers.serving(slowly) as port, door(pace=downloads.Pace(whole_s=0.25)) as way:
        place = f"http://127.0.0.1:{port}"
        with pytest.raises(TimeoutError):
            await body(way, place, home=place)
