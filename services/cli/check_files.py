"""What the media store promises about clips: every one that a submission names is there as it was, and no other."""

import asyncio
import datetime
import hashlib
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import minio
import urllib3

from services.cli import check_gateway, exits

_OF_A_CLIP = re.compile(r"t/[^/]+/clips/([^./]+)\.(mp4|thumb\.jpg|last\.png)")


class Kept(NamedTuple):
    """A stored file: its size in bytes, and how many seconds ago it was written."""

    size: int
    age_s: float


class Shelf(Protocol):
    """A media store that can be looked through."""

    def listing(self) -> dict[str, Kept]:
        """Every file of a tenant by its key."""

    def sha256(self, key: str) -> str:
        """The digest of a file, in hex."""

    def unfinished(self) -> dict[str, float]:
        """What a writer left half done, by name, and how many seconds ago."""


class Folder:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._now = folder, time.time()

    def listing(self) -> dict[str, Kept]:
        """See Shelf."""
        return {key: Kept(size, age) for key, size, age in self._files() if not Path(key).name.startswith(".")}

    def sha256(self, key: str) -> str:
        """See Shelf."""
        with (self._folder / key).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def unfinished(self) -> dict[str, float]:
        """See Shelf."""
        return {key: age for key, _, age in self._files() if Path(key).name.startswith(".")}

    def _files(self) -> Iterator[tuple[str, int, float]]:
        for path in (self._folder / "t").rglob("*"):
            try:
                status = path.stat()
            except FileNotFoundError:  # it was just renamed
                continue
            if path.is_file():
                yield str(path.relative_to(self._folder)), status.st_size, self._now - status.st_mtime


class Bucket:
    """The files in a bucket; their digests are those that were stored with them."""

    def __init__(self, client: minio.Minio, bucket: str) -> None:
        self._client, self._bucket, self._now = client, bucket, time.time()

    def listing(self) -> dict[str, Kept]:
        """See Shelf."""
        found = self._client.list_objects(self._bucket, prefix="t/", recursive=True)
        return {str(one.object_name): Kept(one.size or 0, self._age_s(one.last_modified)) for one in found}

    def sha256(self, key: str) -> str:
        """See Shelf."""
        headers = self._client.stat_object(self._bucket, key).metadata or {}
        return str(headers.get("x-amz-meta-sha256", ""))

    def unfinished(self) -> dict[str, float]:
        """See Shelf."""
        found = self._client._list_multipart_uploads(self._bucket, prefix="t/").uploads
        return {one.object_name: self._age_s(one.initiated_time) for one in found}

    def _age_s(self, written: datetime.datetime | None) -> float:
        return self._now - written.timestamp() if written else 0.0


def open_shelf(url: str) -> Shelf:
    """The store at an address as services are told it. Raises Ended."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        return Folder(Path(urllib.request.url2pathname(parts.path)))
    if parts.scheme != "s3":
        raise exits.Ended("The media store should be file:///folder or s3://access:secret@host/bucket.")
    options = dict(urllib.parse.parse_qsl(parts.query))
    client = minio.Minio(
        parts.netloc.rpartition("@")[2],
        access_key=urllib.parse.unquote(parts.username or "") or None,
        secret_key=urllib.parse.unquote(parts.password or "") or None,
        secure=options.get("secure", "true") == "true",
        region=options.get("region", "us-east-1"),
        http_client=urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60)),
    )
    return Bucket(client, parts.path.strip("/"))


async def findings(
    shelf: Shelf, submissions: Mapping[str, check_gateway.Submission], grace_s: float
) -> list[check_gateway.Found]:
    """Every promise, and what breaks it."""
    return await asyncio.to_thread(_findings, shelf, submissions, grace_s)


def _findings(
    shelf: Shelf, submissions: Mapping[str, check_gateway.Submission], grace_s: float
) -> list[check_gateway.Found]:
    named = {media["key"]: media for one in submissions.values() for media in _media(one)}
    kept = {key: file for key, file in shelf.listing().items() if _OF_A_CLIP.fullmatch(key)}
    lost = tuple(wrong for key, media in named.items() for wrong in _faults(shelf, kept, key, media))
    orphans = tuple(
        key for key in kept.keys() - named.keys() if kept[key].age_s > grace_s and _is_over(submissions, key)
    )
    halves = tuple(name for name, age_s in shelf.unfinished().items() if age_s > grace_s)
    return [
        ("every stored clip is there, whole and unchanged", len(named), lost),
        ("every clip that is there is named by its submission", len(kept), orphans),
        ("no file is left half written", len(kept), halves),
    ]


def _media(one: check_gateway.Submission) -> Iterator[Mapping[str, Any]]:
    for name in ("media", "last_frame", "thumbnail"):
        if one.clip and one.clip.get(name):
            yield one.clip[name]


def _faults(shelf: Shelf, kept: Mapping[str, Kept], key: str, media: Mapping[str, Any]) -> Iterator[str]:
    if key not in kept:
        yield f"{key} is missing"
    elif kept[key].size != media["size_bytes"] or shelf.sha256(key) != media["sha256"]:
        yield f"{key} is not what was stored"


def _is_over(submissions: Mapping[str, check_gateway.Submission], key: str) -> bool:
    """Whether nobody is bringing this clip home any more."""
    name = _OF_A_CLIP.fullmatch(key)
    one = submissions.get(name[1]) if name else None
    return one is None or one.state in check_gateway.FINAL
