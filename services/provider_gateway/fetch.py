"""Brings a paid clip home: downloads it within limits, looks into it, and keeps it in the blob store."""

import asyncio
import contextlib
import errno
import hashlib
import logging
import pathlib
import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp

from libs import blobs, egress, errors, failpoints
from services.provider_gateway import domain, downloads, intake, media, viewing

log = logging.getLogger(__name__)

_GONE = {403, 404, 410}  # 403: what storages answer for a signed address that has expired
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CHUNK_BYTES = 1 << 20
_VIEWERS = 2  # short clips take turns at one; the other is for when it hangs, or has a long clip
_SPAN = re.compile(r"bytes (\d+)-\d+/(\d+)")


class FetchFailed(Exception):
    """The clip did not arrive whole; the message says why, without addresses."""


class ClipGone(FetchFailed):
    """The provider says that it has the clip no more."""


class Fetcher:
    """Downloads to `folder`, its own, then keeps; nothing is held whole in memory. Needs a running event loop.

    What a broken download has brought waits there for the next try of this process; another process begins anew.
    """

    def __init__(self, store: blobs.Blobs, max_bytes: int, door: downloads.Egress | None = None) -> None:
        self._store, self._max_bytes, self._door = store, max_bytes, door or downloads.Egress()
        self._viewers = viewing.Viewers(_VIEWERS)
        self._intake = intake.Intake(store, self._viewers)
        self._scratch_space = tempfile.TemporaryDirectory(prefix="rushes-gateway-")
        self.folder = pathlib.Path(self._scratch_space.name)
        self._parts: dict[str, _Part] = {}

    async def close(self) -> None:
        """Give the connections and the scratch space back."""
        await self._door.close()
        self._viewers.close()
        self._scratch_space.cleanup()

    async def fetch(
        self, submission: domain.Submission, url: str, headers: Mapping[str, str], home: str = "", seconds: float = 0.0
    ) -> domain.Clip:
        """Download, verify and keep one clip, always under the same keys. Raises FetchFailed.

        `headers` go to the origin of `url` alone; `home` is the endpoint's own address, which may be private. A clip
        with less than half of the `seconds` that were ordered is noted, and kept: it is paid for.
        """
        with _told(), self._part(submission.id) as part:
            if not part.is_whole:
                await self._download(part, url, headers, home)
            clip = await self._kept(submission, part)
            if clip.seconds < seconds / 2:
                log.warning("clip_short", extra={"submission_id": submission.id, "seconds": round(clip.seconds, 3)})
            return clip

    async def _kept(self, submission: domain.Submission, part: "_Part") -> domain.Clip:
        try:
            clip = await self._intake.take(submission, part)
        except media.NotAClip:
            part.forget()
            raise
        failpoints.reach("fetch.kept")
        if clip.media.sha256 != part.sha256:
            part.forget()
            raise FetchFailed("what was kept is not what arrived; look at the disks")
        return clip

    @contextlib.asynccontextmanager
    async def still(self, key: str) -> AsyncIterator[pathlib.Path | None]:
        """A kept still as a local file, inside the block; None for no key."""
        with self._scratch(pathlib.PurePosixPath(key).suffix) as path:
            if key:
                await self._store.get_file(key, path)
            yield path if key else None

    @contextlib.contextmanager
    def _scratch(self, suffix: str) -> Iterator[pathlib.Path]:
        path = self.folder / (uuid.uuid4().hex + suffix)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _part(self, submission_id: str) -> Iterator["_Part"]:
        """What there is of the clip; forgotten at the end, unless the next try can go on with it."""
        part = self._parts.pop(submission_id, None)
        if part is None or not part.is_usable:
            part = _Part(self.folder / f"{submission_id}.part")
        try:
            yield part
        except BaseException as fault:
            if part.is_usable and not _is_full(fault):
                self._parts[submission_id] = part
                self._make_room()
            else:
                part.forget()
            raise
        part.forget()

    def _make_room(self) -> None:
        """Some wait in vain, for another process went on: together they take no more room than one clip may."""
        while sum(part.received for part in self._parts.values()) > self._max_bytes:
            self._parts.pop(next(iter(self._parts))).forget()

    async def _download(self, part: "_Part", url: str, headers: Mapping[str, str], home: str) -> None:
        async with self._door.get(url, headers, part.wish(), home) as answer:
            part.begin(answer)
            if (part.total or 0) > self._max_bytes:
                raise FetchFailed(f"it is larger than {self._max_bytes} bytes")
            try:
                async for chunk in answer.chunks(self._max_bytes - part.received):
                    if part.add(chunk) >= _CHUNK_BYTES:
                        await asyncio.to_thread(part.save)
                    failpoints.reach("fetch.chunk")
            except BaseException:
                await asyncio.to_thread(part.save)
                raise
            part.end()
        failpoints.reach("fetch.whole")


class _Part:
    """A clip on its way into a file: so many of its bytes are there, with this digest, of what `etag` names."""

    total: int | None

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.received, self.total, self.is_whole = 0, None, False
        self._etag, self._digest = "", hashlib.sha256()
        self._unsaved: list[bytes] = []
        self._saved = 0

    @property
    def is_usable(self) -> bool:
        """Whether the next try can go on where this one stopped."""
        return (self.is_whole or bool(self._etag and self.received)) and self.path.exists()

    @property
    def sha256(self) -> str:
        """Of what is there."""
        return self._digest.hexdigest()

    def wish(self) -> dict[str, str]:
        """The headers that ask for the rest, if it is still the same file."""
        return {"Range": f"bytes={self.received}-", "If-Range": self._etag} if self.is_usable else {}

    def begin(self, answer: downloads.Answer) -> None:
        """Go on or begin anew, as the answer says. Raises FetchFailed."""
        if answer.status == 200:
            self._begin_anew()
            etag = answer.headers.get("ETag", "")
            self._etag, self.total = etag if etag.startswith('"') else "", answer.length
        elif answer.status in (206, 416):
            if not self._goes_on(answer):
                self.forget()
                raise FetchFailed("the provider did not go on with the same file")
        elif answer.status in _GONE:
            raise ClipGone(f"the provider answered {answer.status}")
        else:
            raise FetchFailed(f"the provider answered {answer.status}")

    def _goes_on(self, answer: downloads.Answer) -> bool:
        span = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
        if span is None or answer.headers.get("ETag", self._etag) != self._etag:
            return False
        known, self.total = self.total, int(span[2])
        return self.is_usable and int(span[1]) == self.received and known in (None, self.total)

    def add(self, chunk: bytes) -> int:
        """Take it in; how many bytes are to be saved now."""
        self._unsaved.append(chunk)
        self.received += len(chunk)
        return self.received - self._saved

    def save(self) -> None:
        """Write down what has come. Blocks: call it in a thread."""
        content, self._unsaved = b"".join(self._unsaved), []
        with self.path.open("r+b" if self._saved else "wb") as file:
            file.seek(self._saved)
            file.write(content)
        self._digest.update(content)
        self._saved += len(content)

    def end(self) -> None:
        """No more comes. Raises FetchFailed when some is missing."""
        if self.total not in (None, self.received):
            why = f"{self.received} of {self.total} bytes arrived"
            self.forget()
            raise FetchFailed(why)
        self.is_whole = True

    def forget(self) -> None:
        """Throw away what is there."""
        self.path.unlink(missing_ok=True)
        self._begin_anew()


def _is_full(fault: BaseException) -> bool:
    return isinstance(fault, OSError) and fault.errno in _FULL


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Says what went wrong without addresses, which are in the messages of what went wrong before."""
    try:
        yield
    except (egress.Refused, media.NotAClip, viewing.ViewerDied, errors.Unavailable) as fault:
        raise FetchFailed(str(fault)) from None
    except (aiohttp.ClientError, OSError) as fault:
        if _is_full(fault):
            raise FetchFailed("the disk for downloads is full; free some space and it goes on by itself") from None
        raise FetchFailed(f"the download broke off: {type(fault).__name__}") from None
