"""Brings a paid clip home: downloads it within limits, looks into it, and keeps it in the blob store."""

import asyncio
import contextlib
import pathlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp

from libs import blobs
from services.provider_gateway import domain, media

_CHUNK_BYTES = 1 << 20
_SILENCE_S = 30.0
_WHOLE_S = 900.0
_GONE = {403, 404, 410}  # 403: what storages answer for a signed address that has expired


class FetchFailed(Exception):
    """The clip did not arrive whole; the message says why, without addresses."""


class ClipGone(FetchFailed):
    """The provider says that it has the clip no more."""


class Fetcher:
    """Downloads to a folder of its own, then keeps; nothing is held whole in memory. Needs a running event loop."""

    def __init__(self, store: blobs.Blobs, max_bytes: int) -> None:
        self._store, self._max_bytes = store, max_bytes
        self._folder = tempfile.TemporaryDirectory(prefix="rushes-gateway-")
        # aiohttp: a download costs a tenth of the CPU that it costs with the SDKs' client.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_WHOLE_S, sock_connect=10, sock_read=_SILENCE_S), auto_decompress=False
        )

    async def close(self) -> None:
        """Give the connections and the scratch space back."""
        await self._session.close()
        self._folder.cleanup()

    async def fetch(self, submission: domain.Submission, url: str, headers: Mapping[str, str]) -> domain.Clip:
        """Download, verify and keep one clip, always under the same key. Raises FetchFailed."""
        with self._scratch(".mp4") as path:
            try:
                await self._download(url, headers, path)
                facts = await asyncio.to_thread(media.probe, path)
            except (aiohttp.ClientError, OSError, TimeoutError, media.NotAClip) as fault:
                raise FetchFailed(str(fault) if isinstance(fault, media.NotAClip) else type(fault).__name__) from fault
            clip = await self._keep(f"t/{submission.tenant_id}/clips/{submission.id}.mp4", path, "video/mp4")
            last = await self._keep_last_frame(submission, path) if submission.last_frame_wanted else None
        return domain.Clip(clip, facts.seconds, facts.width, facts.height, last)

    @contextlib.asynccontextmanager
    async def still(self, key: str) -> AsyncIterator[pathlib.Path | None]:
        """A kept still as a local file, inside the block; None for no key."""
        with self._scratch(pathlib.PurePosixPath(key).suffix) as path:
            if key:
                await self._store.get_file(key, path)
            yield path if key else None

    @contextlib.contextmanager
    def _scratch(self, suffix: str) -> Iterator[pathlib.Path]:
        path = pathlib.Path(self._folder.name) / (uuid.uuid4().hex + suffix)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _download(self, url: str, headers: Mapping[str, str], path: pathlib.Path) -> None:
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                fault = ClipGone if response.status in _GONE else FetchFailed
                raise fault(f"the provider answered {response.status}")
            received = 0
            with path.open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    received += len(chunk)
                    if received > self._max_bytes:
                        raise FetchFailed(f"it is larger than {self._max_bytes} bytes")
                    await asyncio.to_thread(file.write, chunk)
            if response.content_length not in (None, received):
                raise FetchFailed(f"{received} of {response.content_length} bytes arrived")

    async def _keep_last_frame(self, submission: domain.Submission, path: pathlib.Path) -> domain.Media:
        with self._scratch(".png") as still:
            try:
                await asyncio.to_thread(media.save_last_frame, path, still)
            except media.NotAClip as fault:
                raise FetchFailed(str(fault)) from fault
            return await self._keep(f"t/{submission.tenant_id}/clips/{submission.id}.last.png", still, "image/png")

    async def _keep(self, key: str, path: pathlib.Path, content_type: str) -> domain.Media:
        kept = await self._store.put_file(key, path, content_type)
        return domain.Media(key, content_type, kept.size, kept.sha256 or "")
