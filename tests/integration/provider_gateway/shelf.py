"""A server of one clip that cuts, lies and vanishes as planned, and a fetcher in reach of it."""

import asyncio
import contextlib
import dataclasses

import pytest
from aiohttp import web

from libs import blobs
from services.provider_gateway import domain, downloads, fetch
from tests.unit.provider_gateway import servers

MOST = 1 << 20
SIGNATURE = "sig=canary"


def submission(name="sub_one", **more):
    """A paid one; of what it is otherwise, nothing matters here."""
    fields = {field.name: None for field in dataclasses.fields(domain.Submission)}
    return domain.Submission(**fields | {"id": name, "tenant_id": "acme", "last_frame_wanted": False} | more)


class Shelf:
    """A server of one file: it does what is planned for the first requests, then what it should."""

    def __init__(self, content, *plan, etag='"one"'):
        self.content, self.plan, self.etag, self.asked = content, list(plan), etag, []

    async def serve(self, request):
        self.asked.append(request.headers)
        if self.plan:
            return await self.plan.pop(0)(self, request)
        return self.answer(request)

    @property
    def spans(self):
        """The parts that were asked for."""
        return [headers.get("Range") for headers in self.asked]

    def answer(self, request):
        span, condition = request.http_range, request.headers.get("If-Range")
        etag = {"ETag": self.etag} if self.etag else {}
        if span.start is None or condition != self.etag:
            return web.Response(body=self.content, headers=etag)
        return web.Response(status=206, body=self.content[span.start :], headers=etag | self.of(span.start))

    def of(self, start, total=None):
        return {"Content-Range": f"bytes {start}-{len(self.content) - 1}/{total or len(self.content)}"}


def says(status, body=b"", **headers):
    """Answer with this."""

    async def turn(shelf, request):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return turn


def breaks(after, declared=True):
    """Begin as it should, and hang up after so many bytes."""

    async def turn(shelf, request):
        response = web.StreamResponse(headers={"ETag": shelf.etag} if shelf.etag else {})
        if declared:
            response.content_length = len(shelf.content)
        await response.prepare(request)
        await response.write(shelf.content[:after])
        await asyncio.sleep(0.01)
        request.transport.close()
        return response

    return turn


class Home:
    """A fetcher, a shelf in reach of it, and what it keeps."""

    def __init__(self, folder, shelf, port, fetcher):
        self.folder, self.shelf, self.port, self.fetcher = folder, shelf, port, fetcher
        self.place = f"http://127.0.0.1:{port}/v1"

    async def bring(self, of=None, headers=None, path=f"/clip?{SIGNATURE}", **more):
        return await self.fetcher.fetch(of or submission(), self.place + path, headers or {}, home=self.place, **more)

    async def fails(self, match, fault=fetch.FetchFailed, **more):
        """It fails in these words, which hold no address, and nothing is kept."""
        kept = self.kept()
        with pytest.raises(fault, match=match) as failure:
            await self.bring(**more)
        for secret in ("127.0.0.1", str(self.port), SIGNATURE, "http:"):
            assert secret not in str(failure.value)
        assert self.kept() == kept
        return failure.value

    def kept(self):
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def waiting(self):
        return {path.name: path.stat().st_size for path in self.fetcher.folder.iterdir()}


@contextlib.asynccontextmanager
async def at_home(folder, content, *plan, store=None, most=MOST, pace=None, **more):
    shelf = Shelf(content, *plan, **more)
    async with servers.serving(shelf.serve) as port:
        door = downloads.Egress(pace)
        fetcher = fetch.Fetcher(blobs.open_store(store or (folder / "kept").as_uri()), most, door)
        try:
            yield Home(folder / "kept", shelf, port, fetcher)
        finally:
            await fetcher.close()
