"""One stream for each open page: what a service says, as small pieces of HTML, at a rate that browsers bear."""

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

import grpc
import grpc.aio
from starlette import requests, responses

_STREAMS = 4
"""For each session: browsers open six connections to a host, and need some for pages."""
_BEAT_S, _PIECES = 0.25, 5
"""So often is something sent, and of so many things: the newest of each, at most twenty a second."""
_PING_S, _AGAIN_S = 5.0, 1.0
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_FOR_GOOD = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND)


class Story(Protocol):
    """What a page follows; it knows what has changed since it was last asked for pieces."""

    def watch(self) -> Any:
        """The call of the service that tells it, from its beginning."""

    def hear(self, told: Any) -> None:
        """Take in one message."""

    def pieces(self, most: int) -> list[str]:
        """HTML of what has changed, of at most so many things; it is inert: no attribute of htmx."""

    def has_news(self) -> bool:
        """Whether there are more pieces."""

    def position(self) -> str:
        """What the reader has seen when there is no news."""

    def away(self, who: str) -> str:
        """HTML that says so, as long as what the page shows may be old; of nobody it is empty."""

    async def who_is_away(self) -> str:
        """Which of those who tell the story, empty for nobody."""


class Streams:
    """The open streams of each session, the oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, list[asyncio.Event]] = defaultdict(list)

    def has_room(self, request: requests.Request) -> bool:
        """Whether this session may open another."""
        return len(self._open.get(_session(request), ())) < _STREAMS

    def take_over(self, request: requests.Request) -> None:
        """Close the oldest, when there is no room for another."""
        if not self.has_room(request):
            self._open[_session(request)].pop(0).set()

    def open(self, request: requests.Request, story: Story) -> responses.Response:
        """The stream of a story, until it ends, its reader leaves, or another takes its place."""
        return responses.StreamingResponse(self._told(_session(request), story), 200, _HEADERS, "text/event-stream")

    async def _told(self, session: str, story: Story) -> AsyncIterator[bytes]:
        closed = asyncio.Event()
        self._open[session].append(closed)
        try:
            yield b"retry: 1000\n\n"
            async for part in _following(story, closed):
                yield part
            yield _event("paused" if closed.is_set() else "end")
        finally:
            with contextlib.suppress(ValueError):
                self._open[session].remove(closed)
            if not self._open[session]:
                del self._open[session]


async def _following(story: Story, closed: asyncio.Event) -> AsyncIterator[bytes]:
    """The story to its end, taken up again whenever whoever tells it comes back."""
    while not closed.is_set():
        try:
            async for part in _once(story, closed):
                yield part
            return
        except grpc.aio.AioRpcError as fault:
            if fault.code() is grpc.StatusCode.UNAUTHENTICATED:
                yield _event("signed-out")
            if fault.code() in _FOR_GOOD:
                return
        yield data([story.away("job")])
        await _first(_AGAIN_S, closed.wait())


async def _once(story: Story, closed: asyncio.Event) -> AsyncIterator[bytes]:
    news, call = asyncio.Event(), story.watch()
    hearing = asyncio.create_task(_hear(call, story, news))
    missed: str | None = None
    try:
        while not closed.is_set() and not (hearing.done() and not story.has_news()):
            if not story.has_news():
                await _first(_PING_S if missed == "" else _AGAIN_S, news.wait(), closed.wait(), _done(hearing))
            if hearing.done() and hearing.exception():
                break
            news.clear()
            away = await story.who_is_away()
            pieces = [story.away(away)] if away != missed else []
            pieces, missed = pieces + story.pieces(_PIECES), away
            yield data(pieces, "" if story.has_news() else story.position()) if pieces else b": ping\n\n"
            await _first(_BEAT_S, closed.wait())
        if hearing.done():
            await hearing
    finally:
        hearing.cancel()
        call.cancel()
        await asyncio.gather(hearing, return_exceptions=True)


async def _hear(call: Any, story: Story, news: asyncio.Event) -> None:
    async for told in call:
        story.hear(told)
        news.set()


async def _done(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


async def _first(timeout_s: float, *waits: Any) -> None:
    """Return when the first of these is over, or the time."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def data(pieces: Iterable[str], position: str = "") -> bytes:
    """Pieces as one message, which htmx puts where each belongs; with the position that a reader comes back with."""
    lines = "".join(pieces).splitlines() or [""]
    head = f"id: {position}\n" if position else ""
    return (head + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


def _event(name: str) -> bytes:
    return f"event: {name}\ndata: {name}\n\n".encode()


def _session(request: requests.Request) -> str:
    return hashlib.sha256(request.headers.get("authorization", "").encode()).hexdigest()
