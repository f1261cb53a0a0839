"""Files at hand on this disk: real files, real links, real locks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from libs import blobs
from services.compiler import cutter, shelf, workroom


class Source:
    """Where files come from; counts how often each is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str, size: int = 100) -> shelf.Fetch:
        async def fetch(path: Path) -> None:
            self.asked.append(name)
            await asyncio.sleep(0)
            await asyncio.to_thread(path.write_bytes, b"x" * size)

        return fetch


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("shelf", "one", "two")]
    for folder in made:
        folder.mkdir()
    return made


async def test_what_many_need_at_once_is_fetched_once(folders: list[Path]) -> None:
    place, one, two = folders
    kept, source = shelf.Shelf(place, 1000), Source()
    await asyncio.gather(*(kept.lay("acme", "ab", folder, source("ab")) for folder in (one, two)))
    assert source.asked == ["ab"]
    assert (one / "ab").samefile(two / "ab")


async def test_a_file_known_by_its_key_alone_is_kept_under_its_digest(folders: list[Path]) -> None:
    place, one, two = folders
    kept, source = shelf.Shelf(place, 1000), Source()
    digest = await kept.take("acme", "t/acme/clips/1.mp4", one, source("key"))
    assert os.listdir(one) == [digest]
    await kept.lay("acme", digest, two, source("digest"))
    assert source.asked == ["key"]


async def test_what_others_have_removed_meanwhile_is_passed_over(folders: list[Path]) -> None:
    place, one, _ = folders
    (place / "gone").symlink_to("nowhere")  # it is listed, and is not there
    await shelf.Shelf(place, 0).lay("acme", "ab", one, Source()("ab"))
    assert (one / "ab").exists()


async def test_what_was_not_used_for_longest_goes_first_and_never_what_is_in_use(folders: list[Path]) -> None:
    place, one, two = folders
    kept, source = shelf.Shelf(place, 250), Source()
    for age, name in ((30, "in-use"), (20, "old"), (10, "new")):
        await kept.lay("acme", name, one, source(name))
        os.utime(next(place.glob(f"*-{name}")), times=(0, 1_000_000_000 - age))
        if name != "in-use":
            (one / name).unlink()
    await kept.lay("acme", "newest", two, source("newest"))
    assert {path.name.partition("-")[2] for path in place.iterdir()} == {"in-use", "newest"}
    (one / "in-use").unlink()
    await kept.lay("acme", "again", two, source("again"))
    assert {path.name.partition("-")[2] for path in place.iterdir()} == {"newest", "again"}


async def test_nothing_of_one_tenant_is_laid_before_another(folders: list[Path]) -> None:
    place, one, two = folders
    kept, source = shelf.Shelf(place, 1000), Source()
    await kept.lay("acme", "ab", one, source("ab"))
    await kept.lay("other", "ab", two, source("ab"))
    assert source.asked == ["ab", "ab"]
    assert not (one / "ab").samefile(two / "ab")


async def test_a_failed_fetch_leaves_nothing(folders: list[Path]) -> None:
    place, one, _ = folders
    kept = shelf.Shelf(place, 1000)

    async def fails(path: Path) -> None:
        raise blobs.BlobMissing(key="ab")

    with pytest.raises(blobs.BlobMissing):
        await kept.lay("acme", "ab", one, fails)
    assert (os.listdir(place), os.listdir(one)) == ([], [])


async def test_a_disk_that_is_nearly_full_is_left_alone(folders: list[Path]) -> None:
    """As if five of four parts of it should stay free."""
    place, one, two = folders
    source = Source()
    await shelf.Shelf(place, 1000).lay("acme", "ab", one, source("ab"))
    (one / "ab").unlink()
    with pytest.raises(blobs.StorageFull):
        await shelf.Shelf(place, 1000, free_share=7.0).lay("acme", "cd", two, source("cd"))
    assert (source.asked, os.listdir(place)) == (["ab"], [])


async def test_an_orders_folder_is_gone_afterwards(tmp_path: Path) -> None:
    room = workroom.Workroom(tmp_path, "me")
    async with room.order() as folder, room.order() as other:
        assert folder != other
        (folder / "film.mp4").touch()
    assert os.listdir(room.folder / "orders") == []
    room.close()
    assert os.listdir(tmp_path) == []


def test_a_link_that_a_worker_left_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"secret")
    assert workroom.left(tmp_path / "file") == tmp_path / "file"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "absent"):
        with pytest.raises(OSError, match=name):
            workroom.left(tmp_path / name)


def test_what_a_killed_replica_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    living = workroom.Workroom(tmp_path, "living")
    (tmp_path / "rushes-home").mkdir()
    code = f"""
import os, pathlib, signal
from services.compiler import workroom
workroom.Workroom(pathlib.Path({str(tmp_path)!r}), "dead")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], env=cutter._environment(), check=False)
    assert (tmp_path / "rushes-compiler-dead").exists()
    workroom.Workroom(tmp_path, "next").close()
    left = ["rushes-compiler-living", "rushes-compiler-living.lock", "rushes-home"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    living.close()
