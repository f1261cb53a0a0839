import hashlib
import socket
import tempfile
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import blobs, errors

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BYTES = bytes(range(256)) * 9000  # more than two chunks


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "house" / "media"


@pytest.fixture
def store(folder: Path) -> blobs.FolderStore:
    opened = blobs.open_store(f"{folder.as_uri()}?public=http://127.0.0.1:8080/&secret=hush")
    assert isinstance(opened, blobs.FolderStore)
    return opened


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_file_goes_in_and_comes_out_whole(
    store: blobs.FolderStore, folder: Path, clip: Path, tmp_path: Path
) -> None:
    kept = await store.put_file("acme/clips/clip_1.mp4", clip, "video/mp4")
    assert kept == blobs.Blob("acme/clips/clip_1.mp4", len(BYTES), "video/mp4", hashlib.sha256(BYTES).hexdigest())
    await store.get_file("acme/clips/clip_1.mp4", tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == BYTES
    assert files_in(folder) == [store.path_of("acme/clips/clip_1.mp4")]


@pytest.mark.parametrize("elsewhere", [None, "/dev/shm"], ids=["on the same disk", "from another"])
def test_files_that_are_given_away_are_all_kept(
    store: blobs.FolderStore, folder: Path, tmp_path: Path, elsewhere: str | None
) -> None:
    with tempfile.TemporaryDirectory(dir=elsewhere or tmp_path) as scratch:
        drafts = []
        for name in ("a/one.mp4", "a/two.jpg", "b/one.mp4"):
            path = Path(scratch) / name.replace("/", "-")
            path.write_bytes(BYTES + name.encode())
            drafts.append(blobs.Draft(f"acme/{name}", path, "video/mp4"))
        kept = store.take_files(drafts)
    for draft, blob in zip(drafts, kept, strict=True):
        content = BYTES + draft.key.removeprefix("acme/").encode()
        assert (folder / draft.key).read_bytes() == content
        assert (blob.key, blob.size, blob.sha256) == (draft.key, len(content), hashlib.sha256(content).hexdigest())
    assert len(files_in(folder)) == 3
    assert store.take_files([]) == []


def test_where_one_cannot_be_kept_none_is_taken(store: blobs.FolderStore, folder: Path, clip: Path) -> None:
    (folder / "in").write_text("the way")
    drafts = [blobs.Draft("a.mp4", clip, "video/mp4"), blobs.Draft("in/a.mp4", clip, "video/mp4")]
    with pytest.raises(OSError, match="in"):
        store.take_files(drafts)
    assert clip.read_bytes() == BYTES
    assert files_in(folder) == [folder / "in"]


async def test_the_last_file_put_is_the_one_kept(store: blobs.FolderStore, clip: Path, tmp_path: Path) -> None:
    await store.put_file("film.mp4", clip, "video/mp4")
    (tmp_path / "shorter.mp4").write_bytes(b"short")
    await store.put_file("film.mp4", tmp_path / "shorter.mp4", "video/mp4")
    assert (await store.stat("film.mp4")).size == 5


@pytest.mark.parametrize(
    ("key", "content_type"),
    [("a.mp4", "video/mp4"), ("a.b.jpg", "image/jpeg"), ("a", "application/octet-stream")],
)
async def test_the_extension_tells_the_content_type(
    store: blobs.FolderStore, clip: Path, key: str, content_type: str
) -> None:
    await store.put_file(key, clip, content_type)
    assert (await store.stat(key)).content_type == content_type


async def test_what_is_not_there_is_missing(store: blobs.FolderStore, clip: Path, tmp_path: Path) -> None:
    await store.put_file("a", clip, "application/octet-stream")
    for key in ("b", "a/b"):
        with pytest.raises(blobs.BlobMissing, match=f"No file is stored as {key}") as missing:
            await store.stat(key)
        assert missing.value.kind is errors.NotFound
    with pytest.raises(blobs.BlobMissing):
        await store.get_file("b", tmp_path / "b")
    assert not (tmp_path / "b").exists()


async def test_deleting_twice_is_deleting_once(store: blobs.FolderStore, clip: Path) -> None:
    await store.put_file("a.mp4", clip, "video/mp4")
    await store.delete("a.mp4")
    await store.delete("a.mp4")
    with pytest.raises(blobs.BlobMissing):
        await store.stat("a.mp4")


async def test_a_put_that_fails_leaves_nothing(store: blobs.FolderStore, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put_file("clips/a.mp4", tmp_path / "nowhere.mp4", "video/mp4")
    assert files_in(folder) == []


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    def overflow() -> None:
        with blobs._scratch(tmp_path / "a.mp4") as temporary:
            temporary.write_bytes(b"half")
            with open("/dev/full", "wb", buffering=0) as full:
                full.write(b"rest")

    with pytest.raises(blobs.StorageFull, match="free some space"):
        overflow()
    assert list(tmp_path.iterdir()) == []


BAD_KEYS = ["", "/a", "a/", "a//b", "..", "a/../b", "a/./b", ".hidden", "A.mp4", "a b", "a\n", "a\\b", "x" * 201]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_that_is_no_key(store: blobs.FolderStore, clip: Path, key: str) -> None:
    with pytest.raises(errors.Invalid, match="key: should be"):
        await store.put_file(key, clip, "video/mp4")
    with pytest.raises(errors.Invalid):
        store.sign(key, 60, None, NOW)


@given(key=st.text(alphabet="ab0_.-/%", max_size=12))
def test_no_key_leaves_the_folder(key: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = blobs.FolderStore(tmp_path_factory.getbasetemp())
    try:
        path = store.path_of(key)
    except errors.Invalid:
        return
    assert path.resolve().is_relative_to(tmp_path_factory.getbasetemp().resolve())
    assert path != tmp_path_factory.getbasetemp()


def signed(store: blobs.Blobs, filename: str | None) -> tuple[str, dict[str, str]]:
    parts = urllib.parse.urlsplit(store.sign("film/film.mp4", 60, filename, NOW))
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(urllib.parse.parse_qsl(parts.query, True))


@given(name=st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_signed_address_opens_one_file_for_a_time(name: str | None, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = blobs.FolderStore(tmp_path_factory.getbasetemp(), "http://127.0.0.1:8080", "hush")
    address, query = signed(store, name)
    expires, signature = int(query["expires"]), query["signature"]
    assert address == "http://127.0.0.1:8080/media/film/film.mp4"

    def opens(key: str = "film/film.mp4", later: int = 59, until: int = expires, title: str = query["name"]) -> bool:
        return store.verify_signature(key, until, title, signature, NOW + timedelta(seconds=later))

    assert opens()
    assert not opens(later=60)
    assert not opens(key="film/other.mp4")
    assert not opens(until=expires + 3600)
    assert not opens(title=query["name"] + "x")


def test_another_secret_signs_otherwise(store: blobs.FolderStore, folder: Path) -> None:
    _, query = signed(store, "my film.mp4")
    other = blobs.FolderStore(folder, "http://127.0.0.1:8080", "other")
    assert not other.verify_signature("film/film.mp4", int(query["expires"]), query["name"], query["signature"], NOW)
    assert not store.verify_signature("film/film.mp4", int(query["expires"]), query["name"], "\u00e9", NOW)


def test_a_store_without_a_secret_never_signs(folder: Path) -> None:
    with pytest.raises(ValueError, match="secret"):
        blobs.open_store(f"{folder.as_uri()}?public=http://a").sign("a.mp4", 60, None, NOW)
    with pytest.raises(ValueError, match="public"):
        blobs.open_store(f"{folder.as_uri()}?secret=hush").sign("a.mp4", 60, None, NOW)


@pytest.mark.parametrize("url", ["", "file://", "s3://access:hush@host", "https://hush@host/bucket", "/tmp/hush"])
def test_an_address_that_is_no_store_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="should be file:///folder or s3://") as refused:
        blobs.open_store(url)
    assert "hush" not in str(refused.value)


def test_s3_signs_for_the_address_browsers_know() -> None:
    store = blobs.open_store("s3://ac%2Fcess:hush@s3:9000/media?secure=false&region=eu&public=https://cdn.example")
    address, query = signed(store, 'a "film"\r\n.mp4')
    assert address == "https://cdn.example/media/film/film.mp4"
    assert query["X-Amz-Credential"] == "ac/cess/20261120/eu/s3/aws4_request"
    assert (query["X-Amz-Date"], query["X-Amz-Expires"]) == ("20261120T120000Z", "60")
    assert query["response-content-disposition"] == "attachment; filename*=UTF-8''a%20%22film%22%0D%0A.mp4"


async def test_s3_out_of_reach_says_so(clip: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: every connection is refused
        store = blobs.open_store(f"s3://access:hush@127.0.0.1:{taken.getsockname()[1]}/media?secure=false")
        with pytest.raises(blobs.StorageUnavailable) as refused:
            await store.put_file("a.mp4", clip, "video/mp4")
    assert refused.value.kind is errors.Unavailable
    assert "hush" not in str(refused.value)
