"""Media files under keys: in a folder, or in S3."""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import re
import secrets
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

import minio
import urllib3

from libs import errors

_KEY = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,199}(/[a-z0-9_][a-z0-9_.-]{0,199})*")
_TAKEN_AT_ONCE = 8
_CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".json": "application/json",
    ".zip": "application/zip",
}


class BlobMissing(errors.NotFound):
    """No file is stored as {key}."""


class StorageFull(errors.Unavailable):
    """The disk or bucket for media is full; free some space and this goes on by itself."""


class StorageUnavailable(errors.Unavailable):
    """The media store refused or did not answer ({why}); check that it is up and its bucket exists."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file: its size in bytes, and its sha256 in hex where the store keeps it."""

    key: str
    size: int
    content_type: str
    sha256: str | None = None


class Draft(NamedTuple):
    """A file to be stored under this key."""

    key: str
    path: Path
    content_type: str


class Blobs(Protocol):
    """A store of files. Keys are lower-case segments joined by `/`: Invalid is raised for others."""

    async def put_file(self, key: str, path: Path, content_type: str) -> Blob:
        """Store the file, whole or not at all; the Blob has its sha256. May raise StorageFull."""

    def take_files(self, drafts: Sequence[Draft]) -> list[Blob]:
        """As put_file for each in turn, but what is taken may be gone from its path. Blocks: call it in a thread."""

    async def get_file(self, key: str, path: Path) -> None:
        """Copy the stored file to `path`, whole or not at all. Raises BlobMissing, StorageFull."""

    async def stat(self, key: str) -> Blob:
        """What is stored. Raises BlobMissing."""

    async def delete(self, key: str) -> None:
        """Forget the file; that there is none is no error."""

    def sign(self, key: str, expires_s: int, filename: str | None, now: datetime) -> str:
        """An address that anyone may read for so many seconds; a browser saves it as `filename` if given."""


def open_store(url: str) -> Blobs:
    """The store at `file:///folder?public=http://host:port&secret=…` or
    `s3://access:secret@host:port/bucket?region=…&secure=false&public=https://host`.

    A folder's `public` and `secret` are needed only to sign. Raises ValueError, never with the address in it.
    """
    parts = urllib.parse.urlsplit(url)
    options = dict(urllib.parse.parse_qsl(parts.query))
    if parts.scheme == "file" and parts.path:
        folder = Path(urllib.request.url2pathname(parts.path))
        return FolderStore(folder, options.get("public", ""), options.get("secret", ""))
    bucket = parts.path.strip("/")
    if parts.scheme == "s3" and parts.hostname and bucket:
        return _open_s3(parts, bucket, options)
    raise ValueError("the address of the media store should be file:///folder or s3://access:secret@host/bucket")


def disposition(filename: str) -> str:
    """The Content-Disposition header that makes a browser save the file under this name."""
    return f"attachment; filename*=UTF-8''{urllib.parse.quote(filename, safe='')}"


class FolderStore:
    """Files in a folder. Who serves the addresses it signs calls `verify_signature`, then `path_of`."""

    def __init__(self, folder: Path, public: str = "", secret: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._public, self._secret = folder, public.rstrip("/"), secret

    def path_of(self, key: str) -> Path:
        """Where the file of this key is, or would be."""
        return self._folder / _checked(key)

    async def put_file(self, key: str, path: Path, content_type: str) -> Blob:
        """See Blobs. The content type is told by the extension of the key."""
        return await asyncio.to_thread(self._put, key, path)

    def take_files(self, drafts: Sequence[Draft]) -> list[Blob]:
        """See Blobs. Files on the same disk are renamed, once all of them are safe on it."""
        targets = [self.path_of(draft.key) for draft in drafts]
        with _room():
            facts = [_saved(draft.path) for draft in drafts]
            unsaved = {folder for parent in {target.parent for target in targets} for folder in _made(parent)}
            for draft, target in zip(drafts, targets, strict=True):
                _move(draft.path, target)
            for folder in unsaved:
                _fsync_folder(folder)
        return [_blob(draft.key, *found) for draft, found in zip(drafts, facts, strict=True)]

    async def get_file(self, key: str, path: Path) -> None:
        """See Blobs."""
        await self.stat(key)
        await asyncio.to_thread(self._get, key, path)

    async def stat(self, key: str) -> Blob:
        """See Blobs."""
        try:
            status = await asyncio.to_thread(self.path_of(key).stat)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobMissing(key=key) from None
        return Blob(key, status.st_size, _content_type(key))

    async def delete(self, key: str) -> None:
        """See Blobs."""
        await asyncio.to_thread(self.path_of(key).unlink, missing_ok=True)

    def sign(self, key: str, expires_s: int, filename: str | None, now: datetime) -> str:
        """See Blobs. Raises ValueError when the store was opened without a secret or a public address."""
        if not self._public:
            raise ValueError("the media store has no `public` address to sign for")
        expires = int(now.timestamp()) + expires_s
        name = filename or ""
        query = {"expires": expires, "name": name, "signature": self._signature(key, expires, name)}
        return f"{self._public}/media/{_checked(key)}?{urllib.parse.urlencode(query)}"

    def verify_signature(self, key: str, expires: int, name: str, signature: str, now: datetime) -> bool:
        """Whether `sign` made this address and it has not expired."""
        right = hmac.compare_digest(self._signature(key, expires, name).encode(), signature.encode())
        return right and now.timestamp() < expires

    def _signature(self, key: str, expires: int, name: str) -> str:
        if not self._secret:
            raise ValueError("the media store has no `secret` to sign with")
        return hmac.new(self._secret.encode(), f"{key}\n{expires}\n{name}".encode(), "sha256").hexdigest()

    def _put(self, key: str, path: Path) -> Blob:
        target = self.path_of(key)
        with _room():
            unsaved = _made(target.parent)
            facts = _copy(path, target)
            for folder in unsaved:
                _fsync_folder(folder)
        return _blob(key, *facts)

    def _get(self, key: str, path: Path) -> None:
        with _scratch(path) as temporary:
            shutil.copyfile(self.path_of(key), temporary)
            os.replace(temporary, path)


class S3Store:
    """Files in a bucket. `signer` is the same store under the address that browsers know."""

    def __init__(self, client: minio.Minio, signer: minio.Minio, bucket: str) -> None:
        self._client, self._signer, self._bucket = client, signer, bucket

    def make_bucket(self) -> None:
        """Make the bucket if there is none. Blocks. Raises StorageUnavailable."""
        with _s3_faults(self._bucket):
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)

    async def put_file(self, key: str, path: Path, content_type: str) -> Blob:
        """See Blobs."""
        return await asyncio.to_thread(self._put, _checked(key), path, content_type)

    def take_files(self, drafts: Sequence[Draft]) -> list[Blob]:
        """See Blobs."""
        with futures.ThreadPoolExecutor(_TAKEN_AT_ONCE) as threads:
            return list(threads.map(lambda draft: self._put(_checked(draft.key), *draft[1:]), drafts))

    async def get_file(self, key: str, path: Path) -> None:
        """See Blobs."""
        await asyncio.to_thread(self._get, _checked(key), path)

    async def stat(self, key: str) -> Blob:
        """See Blobs."""
        return await asyncio.to_thread(self._stat, _checked(key))

    async def delete(self, key: str) -> None:
        """See Blobs."""
        with _s3_faults(key):
            await asyncio.to_thread(self._client.remove_object, self._bucket, _checked(key))

    def sign(self, key: str, expires_s: int, filename: str | None, now: datetime) -> str:
        """See Blobs. At most seven days."""
        headers = {"response-content-disposition": disposition(filename)} if filename else {}
        return self._signer.presigned_get_object(
            self._bucket,
            _checked(key),
            expires=timedelta(seconds=expires_s),
            response_headers=dict(headers),
            request_date=now.astimezone(UTC),
        )

    def _put(self, key: str, path: Path, content_type: str) -> Blob:
        with open(path, "rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        with _s3_faults(key):
            self._client.fput_object(self._bucket, key, str(path), content_type, {"sha256": sha256})
        return Blob(key, path.stat().st_size, content_type, sha256)

    def _get(self, key: str, path: Path) -> None:
        with _scratch(path) as temporary, _s3_faults(key):
            self._client.fget_object(self._bucket, key, str(path), tmp_file_path=str(temporary))

    def _stat(self, key: str) -> Blob:
        with _s3_faults(key):
            found = self._client.stat_object(self._bucket, key)
        headers = found.metadata or {}
        content_type = found.content_type or "application/octet-stream"
        return Blob(key, found.size or 0, content_type, headers.get("x-amz-meta-sha256"))


def _open_s3(parts: urllib.parse.SplitResult, bucket: str, options: dict[str, str]) -> S3Store:
    def client(host: str, secure: bool) -> minio.Minio:
        return minio.Minio(
            host,
            access_key=urllib.parse.unquote(parts.username or "") or None,
            secret_key=urllib.parse.unquote(parts.password or "") or None,
            secure=secure,
            region=options.get("region", "us-east-1"),  # named, so that signing asks nobody
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=60),
                retries=urllib3.Retry(3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
            ),
        )

    inside = client(parts.netloc.rpartition("@")[2], options.get("secure", "true") == "true")
    if "public" not in options:
        return S3Store(inside, inside, bucket)
    public = urllib.parse.urlsplit(options["public"])
    return S3Store(inside, client(public.netloc, public.scheme == "https"), bucket)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        should = "should be lower-case segments of a-z, 0-9, `_`, `-` and `.`, joined by `/`"
        raise errors.Invalid([errors.Violation("key", should)])
    return key


def _blob(key: str, sha256: str, size: int) -> Blob:
    return Blob(key, size, _content_type(key), sha256)


def _content_type(key: str) -> str:
    return _CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream")


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    # Beside the target, so that renaming it there is atomic; no key begins with a dot, so it is never served.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with _room():
            yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _made(folder: Path) -> list[Path]:
    """The folders to be synced once a file is in this one: itself always, those above it when they are new."""
    unsaved, last = [folder], folder
    while not last.is_dir():
        last = last.parent
        unsaved.append(last)
    if len(unsaved) > 1:
        folder.mkdir(parents=True, exist_ok=True)
    return unsaved


def _copy(path: Path, target: Path) -> tuple[str, int]:
    with _scratch(target) as temporary:
        shutil.copyfile(path, temporary)
        facts = _saved(temporary)
        os.replace(temporary, target)
    return facts


def _move(path: Path, target: Path) -> None:
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(path, target)


def _saved(path: Path) -> tuple[str, int]:
    """The sha256 and the size of a file that is on the disk now."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return digest, file.tell()


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _s3_faults(key: str) -> Iterator[None]:
    try:
        yield
    except minio.error.S3Error as error:
        if error.code == "NoSuchKey":
            raise BlobMissing(key=key) from None
        if error.code == "XMinioStorageFull":
            raise StorageFull from error
        raise StorageUnavailable(why=error.code) from error
    except (minio.error.MinioException, urllib3.exceptions.HTTPError) as error:
        raise StorageUnavailable(why=type(error).__name__) from error
