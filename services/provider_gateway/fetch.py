"""Brings a paid clip home: downloads it within limits, looks into it, and keeps it in the blob store."""

import asyncio
import hashlib
import pathlib
import tempfile
from collections.abc import Mapping

import httpx

from libs import blobs
from services.provider_gateway import domain, media

_CHUNK_BYTES = 1 << 20
_SILENCE_S = 30.0
_WHOLE_S = 900.0


class FetchFailed(Exception):
    """The clip did not arrive whole; the message says why, without addresses."""


class Fetcher:
    """Downloads to a folder of its own, then keeps; nothing is held whole in memory."""

    def __init__(self, store: blobs.Blobs, max_bytes: int) -> None:
        self._store, self._max_bytes = store, max_bytes
        self._client = httpx.AsyncClient(
            follow_redirects=False, timeout=httpx.Timeout(_SILENCE_S, connect=10), trust_env=False
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def fetch(self, submission: domain.Submission, url: str, headers: Mapping[str, str]) -> domain.Clip:
        """Download, verify and keep one clip, always under the same key. Raises FetchFailed."""
        with tempfile.TemporaryDirectory(prefix="rushes-fetch-") as folder:
            path = pathlib.Path(folder) / "clip.mp4"
            try:
                async with asyncio.timeout(_WHOLE_S):
                    await self._download(url, headers, path)
                facts = await asyncio.to_thread(media.probe, path)
            except (httpx.HTTPError, OSError, TimeoutError, media.NotAClip) as fault:
                raise FetchFailed(str(fault) if isinstance(fault, media.NotAClip) else type(fault).__name__) from fault
            clip = await self._keep(f"t/{submission.tenant_id}/clips/{submission.id}.mp4", path, "video/mp4")
            last = await self._keep_last_frame(submission, path) if submission.last_frame_wanted else None
        return domain.Clip(clip, facts.seconds, facts.width, facts.height, last)

    async def still(self, key: str, path: pathlib.Path) -> None:
        """Copy a kept still to a local file."""
        await self._store.get_file(key, path)

    async def _download(self, url: str, headers: Mapping[str, str], path: pathlib.Path) -> None:
        async with self._client.stream("GET", url, headers=dict(headers)) as response:
            if response.status_code != httpx.codes.OK:
                raise FetchFailed(f"the provider answered {response.status_code}")
            received = 0
            with path.open("wb") as file:
                async for chunk in response.aiter_bytes(_CHUNK_BYTES):
                    received += len(chunk)
                    if received > self._max_bytes:
                        raise FetchFailed(f"it is larger than {self._max_bytes} bytes")
                    await asyncio.to_thread(file.write, chunk)
        announced = response.headers.get("content-length")
        if announced and "content-encoding" not in response.headers and int(announced) != received:
            raise FetchFailed(f"{received} of {announced} bytes arrived")

    async def _keep_last_frame(self, submission: domain.Submission, path: pathlib.Path) -> domain.Media:
        still = path.with_suffix(".png")
        try:
            await asyncio.to_thread(media.save_last_frame, path, still)
        except media.NotAClip as fault:
            raise FetchFailed(str(fault)) from fault
        return await self._keep(f"t/{submission.tenant_id}/clips/{submission.id}.last.png", still, "image/png")

    async def _keep(self, key: str, path: pathlib.Path, content_type: str) -> domain.Media:
        digest = await asyncio.to_thread(_sha256, path)
        kept = await self._store.put_file(key, path, content_type)
        return domain.Media(key, content_type, kept.size, digest)


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
