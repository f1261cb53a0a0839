"""Processes that look into clips: they hang, are killed, and know nothing."""

import asyncio
import contextlib
import os
import shutil
from concurrent import futures

import psutil
import pytest

from libs import blobs
from services.provider_gateway import domain, intake, media, viewing
from tests.integration.provider_gateway.shelf import submission
from tests.unit.provider_gateway import clips


@pytest.fixture
def viewers():
    with contextlib.closing(viewing.Viewers(1)) as some:
        yield some


@pytest.fixture
def clip(tmp_path):
    return clips.shoot(tmp_path / "clip.mp4")


class Arrived:
    """A clip whose last byte is in its file."""

    def __init__(self, path, received=1):
        self.path, self.received = path, received

    def save(self):
        """There is nothing to be saved."""


def theirs():
    return [child for child in psutil.Process().children() if "services.provider_gateway.viewer" in child.cmdline()]


def test_clips_are_looked_into_in_their_order(viewers, tmp_path, clip):
    short = clips.shoot(tmp_path / "short.mp4", 12)
    assert viewers.look([(clip, False), (short, True)]) == [media.Facts(2, *clips.SIZE), media.Facts(0.5, *clips.SIZE)]
    there = {path.name for one in (clip, short) for path in media.stills(one) if path.exists()}
    assert there == {"clip.jpg", "short.jpg", "short.png"}


def test_what_is_wrong_with_a_clip_or_a_disk_is_told_as_it_is(viewers, tmp_path, clip):
    nothing = tmp_path / "nothing.mp4"
    nothing.touch()
    with pytest.raises(media.NotAClip, match="cannot be decoded"):
        viewers.look([(nothing, False)])
    media.stills(clip)[0].symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        viewers.look([(clip, False)])
    assert len(theirs()) == 1


def test_a_viewer_that_was_killed_is_replaced(viewers, clip):
    viewers.look([(clip, False)])
    (first,) = theirs()
    first.kill()
    first.wait()
    assert viewers.look([(clip, False)])
    assert first not in theirs()


def test_a_viewer_knows_no_key_and_has_little_room(viewers, clip, monkeypatch):
    monkeypatch.setenv("RUSHES_VAULT_KEYS", "canary")
    viewers.look([(clip, False)])
    (one,) = theirs()
    assert "PYTHONPATH" in one.environ()
    assert "canary" not in one.environ().values()
    assert one.rlimit(psutil.RLIMIT_AS) == (4 << 30, 4 << 30)


async def test_a_clip_over_which_its_viewer_hangs_takes_no_other_with_it(tmp_path, clip):
    """A pipe that nobody writes into is never read to its end; those after the first three are one question."""
    stuck = tmp_path / "stuck.mp4"
    os.mkfifo(stuck)
    good = [shutil.copy(clip, tmp_path / f"good_{number}.mp4") for number in range(4)]
    with contextlib.closing(viewing.Viewers(1, deadline_s=3)) as viewers:
        keeping = intake.Intake(blobs.FolderStore(tmp_path / "kept"), viewers)
        taken = [keeping.take(submission(path.stem), Arrived(path)) for path in (*good[:3], stuck, good[3])]
        *kept, hung, last = await asyncio.gather(*taken, return_exceptions=True)
    assert isinstance(hung, viewing.ViewerDied)
    assert all(isinstance(one, domain.Clip) for one in (*kept, last))
    assert stuck.exists()


async def test_long_clips_that_wait_for_a_viewer_hold_up_nothing_else(viewers, tmp_path):
    """Downloads and names of hosts need threads as well. A pipe is looked into until somebody has opened its end."""
    asyncio.get_running_loop().set_default_executor(futures.ThreadPoolExecutor(4))
    stuck = [tmp_path / f"stuck_{number}.mp4" for number in range(4)]
    for one in stuck:
        os.mkfifo(one)
    keeping = intake.Intake(blobs.FolderStore(tmp_path / "kept"), viewers)
    taken = [asyncio.create_task(keeping.take(submission(one.stem), Arrived(one, 1 << 30))) for one in stuck]
    async with asyncio.timeout(20):
        await asyncio.sleep(0)
        await asyncio.to_thread(int)
    while not all(one.done() for one in taken):
        for one in stuck:
            with contextlib.suppress(OSError):  # nobody looks into this one now
                os.close(os.open(one, os.O_WRONLY | os.O_NONBLOCK))
        await asyncio.sleep(0.01)
    assert {type(one.exception()) for one in taken} == {media.NotAClip}
