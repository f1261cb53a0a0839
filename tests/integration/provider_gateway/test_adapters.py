"""What every adapter promises, with the real SDKs inside: against the sandbox, and against servers that misbehave."""

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.provider_gateway import catalogue, providers
from services.provider_gateway.providers import registry

KEY = "key-for-the-contract"
DIALECTS = {"openai_videos": ("/v1", "sandbox-reel-1"), "google_interactions": ("", "sandbox-omni-1")}
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

Build = Callable[[str], providers.Provider]


@pytest.fixture(params=DIALECTS)
def dialect(request: Any) -> str:
    return str(request.param)


@pytest.fixture
async def build(dialect: Any) -> AsyncIterator[Build]:
    async with contextlib.AsyncExitStack() as closing:

        def at(url: str) -> providers.Provider:
            endpoint = providers.Endpoint("there", url + DIALECTS[dialect][0], KEY)
            seller = registry.build(dialect, endpoint, providers.Capabilities(idempotent=True))
            closing.push_async_callback(seller.close)
            return seller

        yield at


@pytest.fixture
def order(dialect: str, request: Any) -> providers.Order:
    return providers.Order(
        submission_id=f"sub_{request.node.name}",
        wire_model=DIALECTS[dialect][1],
        prompt="A lighthouse at dusk, the camera pushes in.",
        negative_prompt="",
        seconds=3,
        width=640,
        height=360,
        seed=7,
        audio=True,
    )


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: Any) -> Iterator[tuple[str, Path]]:
    """The sandbox as its own process: its address, and its ledger."""
    home = tmp_path_factory.mktemp("sandbox")
    url = f"http://127.0.0.1:{free_port()}"
    told = {
        "RUSHES_LISTEN": url.removeprefix("http://"),
        "RUSHES_METRICS_LISTEN": "127.0.0.1:0",
        "RUSHES_SANDBOX_HOME": str(home),
        "RUSHES_SANDBOX_LATENCY": "0",
    }
    with (
        subprocess.Popen([sys.executable, "-m", "services.sandbox"], env=os.environ | told) as process,
        httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client,
    ):
        assert client.get(f"{url}/healthz").status_code == 200
        yield url, home / "ledger.jsonl"
        process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def finished(seller: providers.Provider, job_id: str) -> providers.PollOutcome:
    async with asyncio.timeout(15):
        while True:
            outcome = await seller.poll(job_id)
            if not isinstance(outcome, providers.Pending):
                return outcome
            await asyncio.sleep(0.05)


async def test_order_poll_and_fetch(
    build: Build, order: providers.Order, sandbox: tuple[str, Path], tmp_path: Path
) -> None:
    url, ledger = sandbox
    first_frame = tmp_path / "still.png"
    first_frame.write_bytes(DOT)
    seller = build(url)
    accepted = await seller.create(dataclasses.replace(order, first_frame=first_frame))
    assert isinstance(accepted, providers.Accepted)
    done = await finished(seller, accepted.provider_job_id)
    assert isinstance(done, providers.Done)
    async with httpx.AsyncClient() as client:
        clip = await client.get(done.url, headers=done.headers)
        stranger = await client.get(done.url)
    assert clip.status_code == 200
    assert clip.headers["content-type"] == "video/mp4"
    assert clip.content[4:8] == b"ftyp"
    assert stranger.status_code == 401
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    (created,) = [line for line in lines if line["event"] == "create" and line["id"] == accepted.provider_job_id]
    assert (created["client_ref"], created["seed"]) == (order.submission_id, 7)
    assert (created["seconds"], created["size"]) == (3, "640x360")
    assert sum(line["event"] == "create" and line["client_ref"] == order.submission_id for line in lines) == 1


async def test_wrong_order_is_rejected_in_the_provider_s_words(
    build: Build, order: providers.Order, sandbox: tuple[str, Path]
) -> None:
    outcome = await build(sandbox[0]).create(dataclasses.replace(order, width=100, height=100))
    assert isinstance(outcome, providers.Rejected)
    assert not outcome.retryable
    assert "Supported values are" in outcome.message


async def test_unknown_job_is_missing(build: Build, sandbox: tuple[str, Path]) -> None:
    seller = build(sandbox[0])
    assert await seller.poll("video_../nowhere?") == providers.Missing()
    assert await seller.poll("v1_nowhere") == providers.Missing()


@dataclasses.dataclass
class Server:
    """Reads whole requests, and says the same to all; None hangs up."""

    answer: bytes | None
    url: str = ""
    connections: int = 0
    requests: list[str] = dataclasses.field(default_factory=list)
    asked: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                if not (first := await reader.readexactly(1)).isalpha():
                    return  # not HTTP
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body.decode())
                self.asked.set()
                writer.write(self.answer or b"")
                await writer.drain()
                if self.answer is None or b"connection: close" in self.answer:
                    return


def answer(status: str, body: str, *headers: str) -> bytes:
    content_type = "application/json" if body.startswith("{") else "text/html"
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


Serve = Callable[[bytes | None], Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as closing:

        async def start(said: bytes | None) -> Server:
            server = Server(said)
            listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            closing.callback(listener.close)
            server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            return server

        yield start


JOB = '{"id": "job-1", "object": "video", "status": "queued"}'
BUSY = '{"error": {"code": "too_many_requests", "message": "Slow down."}}'


async def test_nobody_there_means_not_sent(build: Build, order: providers.Order) -> None:
    seller = build(f"http://127.0.0.1:{free_port()}")
    assert isinstance(await seller.create(order), providers.NotSent)
    with pytest.raises(providers.ProviderAway):
        await seller.poll("job-1")


async def test_no_tls_means_not_sent(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(None)
    outcome = await build(server.url.replace("http:", "https:")).create(order)
    assert isinstance(outcome, providers.NotSent)
    assert server.requests == []


async def test_unreadable_first_frame_means_not_sent(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(answer("200 OK", JOB))
    outcome = await build(server.url).create(dataclasses.replace(order, first_frame=Path("/nowhere.png")))
    assert isinstance(outcome, providers.NotSent)
    assert server.connections == 0


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="hangs-up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{", id="breaks-off"),
        pytest.param(answer("503 Service Unavailable", BUSY), id="503"),
        pytest.param(answer("408 Request Timeout", BUSY), id="408"),
        pytest.param(answer("302 Found", "", "location: /v1/elsewhere"), id="302"),
        pytest.param(answer("307 Temporary Redirect", JOB, "location: /v1/elsewhere"), id="307"),
        pytest.param(answer("200 OK", "<html>Sign in</html>"), id="html"),
        pytest.param(answer("200 OK", '{"object": "video"}'), id="no-id"),
        pytest.param(answer("403 Forbidden", "<html>Firewall</html>"), id="403-of-somebody-else"),
        pytest.param(answer("200 OK", "{" + " " * (9 << 20)), id="endless"),
    ],
)
async def test_no_answer_means_unknown_and_one_request(
    build: Build, order: providers.Order, serve: Serve, said: bytes | None
) -> None:
    server = await serve(said)
    outcome = await build(server.url).create(order)
    assert isinstance(outcome, providers.Unknown)
    assert len(server.requests) == server.connections == 1
    assert KEY not in outcome.why
    assert "://" not in outcome.why


async def test_busy_provider_says_when(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(answer("429 Too Many Requests", BUSY, "retry-after: 7"))
    seller = build(server.url)
    assert await seller.create(order) == providers.Rejected("Slow down.", retryable=True, retry_after_s=7, passing=True)
    assert await seller.poll("job-1") == providers.Pending(7)
    assert len(server.requests) == 2


async def test_refused_key_is_not_repeated(build: Build, order: providers.Order, serve: Serve) -> None:
    said = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})
    server = await serve(answer("401 Unauthorized", said))
    seller = build(server.url)
    outcome = await seller.create(order)
    assert isinstance(outcome, providers.Rejected)
    assert KEY not in outcome.message
    with pytest.raises(providers.ProviderAway) as fault:
        await seller.poll("job-1")
    assert KEY not in str(fault.value)


async def test_orders_go_on_connections_of_their_own(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(answer("200 OK", JOB))
    seller = build(server.url)
    for _ in range(2):
        assert await seller.create(order) == providers.Accepted("job-1")
    assert (server.connections, len(server.requests)) == (2, 2)
    for _ in range(3):
        assert await seller.poll("job-1") == providers.Pending()
    assert (server.connections, len(server.requests)) == (3, 5)


async def test_order_names_its_submission(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(answer("200 OK", JOB))
    await build(server.url).create(dataclasses.replace(order, submission_id="sub_01JD"))
    (request,) = server.requests
    assert re.search("^idempotency-key: sub_01JD\r$", request, re.IGNORECASE | re.MULTILINE)
    assert re.search('(?s)^x-client-request-id: sub_01JD\r$|"submission": ?"sub_01jd"', request, re.I | re.M)


async def test_cancelled_order_stays_cancelled(build: Build, order: providers.Order, serve: Serve) -> None:
    server = await serve(b"")
    creating = asyncio.create_task(build(server.url).create(order))
    async with asyncio.timeout(5):
        await server.asked.wait()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert len(server.requests) == 1


async def test_sellers_of_an_installation() -> None:
    offer = catalogue.load(Path(catalogue.__file__).with_name("catalogue.yaml"))
    installed = {"sandbox-openai": ("http://127.0.0.1:7080/v1", KEY), "gemini": ("", KEY)}
    sellers = registry.sellers(offer, installed)
    assert {name: seller.capabilities.idempotent for name, seller in sellers.items()} == {
        "sandbox-openai": True,
        "gemini": False,
    }
    for seller in sellers.values():
        await seller.close()
    with pytest.raises(registry.EndpointsInvalid) as fault:
        registry.sellers(
            offer, {"nowhere": ("http://a", KEY), "openai-compatible": ("", KEY), "gemini": ("ftp://a", KEY)}
        )
    assert [one.field for one in fault.value.violations] == [
        "endpoints.nowhere",
        "endpoints.openai-compatible.base_url",
        "endpoints.gemini.base_url",
    ]
