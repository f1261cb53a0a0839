"""The workers themselves: real processes, real clips."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from libs import blobs
from services.compiler import cutter, domain, edit, film, orders, recipes
from tests.unit.compiler import footage

PROFILE = recipes.Profile(160, 96, Fraction(30000, 1001))
SOUND = recipes.Sound(Fraction(24), 24, (), None, (), -14.0)
HOUSE = recipes.House("ab" * 32, PROFILE, 30, edit.Fit.PAD, 1)
FACTS = film.Facts(
    *(160, 96, Fraction(24), 24, Fraction(1), "h264", "High", "yuv420p", b"\x01\x64\x00"),
    *(True, True, 0, "bt709", 2, (0, 12), True),
)


@pytest.fixture
async def workers() -> AsyncIterator[cutter.Cutter]:
    made = cutter.Cutter(2, 1 << 30)
    yield made
    await made.close()


def order_of(folder: Path, *clips: Path) -> orders.Order:
    """To look into these clips."""
    return orders.Order(folder, probe=tuple(footage.laid(folder, clips)))


def stuck(folder: Path) -> orders.Order:
    """An order that waits for a writer to its clip for ever."""
    os.mkfifo(folder / "pipe")
    (folder / "pipe").chmod(0o644)  # whatever this process masks
    return orders.Order(folder, probe=("pipe",))


async def come_to(folder: Path) -> None:
    """Wait until a worker has come to the clip of a `stuck` order."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):  # nobody reads yet
                os.open(folder / "pipe", os.O_WRONLY | os.O_NONBLOCK)
                return
            await asyncio.sleep(0.02)


def test_orders_survive_the_line() -> None:
    order = orders.Order(Path("/tmp/a “b”\n"), ("ab",), ("cd",), (HOUSE, SOUND))
    assert orders.read_order(orders.order_line(order)) == order
    assert orders.read_order(orders.order_line(orders.Order(Path("/tmp")))) == orders.Order(Path("/tmp"))


@pytest.mark.parametrize(
    "said",
    [
        orders.Share(0.25),
        orders.Probed("ab", FACTS),
        orders.Probed("ab", None),
        orders.Made("ab"),
        orders.Done(),
        orders.Unusable("ab", "is damaged"),
        orders.Broken("No space left", "Traceback …"),
    ],
)
def test_what_is_said_survives_the_line(said: orders.Said) -> None:
    assert orders.read_said(orders.said_line(said).encode()) == said


def test_refusals_survive_the_line() -> None:
    refusal = domain.FilmNotAsPlanned(check="the title")
    again = orders.read_said(orders.said_line(refusal))
    assert (type(again), str(again)) == (type(refusal), str(refusal))


async def test_a_worker_makes_what_is_ordered_and_tells_how_far_it_is(workers: cutter.Cutter, tmp_path: Path) -> None:
    clips = [footage.shoot(tmp_path / "a.mp4"), footage.shoot(tmp_path / "b.mp4", footage.Take(size=(320, 192)))]
    (tmp_path / "work").mkdir()
    plan = footage.planned(tmp_path / "work", footage.listed(clips))
    told: list[orders.Said] = []
    made = (*plan.pieces.values(), plan.film)
    await workers.run(orders.Order(tmp_path / "work", make=made), told.append, 60)
    assert [said.address for said in told if isinstance(said, orders.Made)] == [recipes.address(one) for one in made]
    shares = [said.done for said in told if isinstance(said, orders.Share)]
    assert shares == sorted(shares)
    assert set(os.listdir(tmp_path / "work")) > {orders.FILM, orders.POSTER, orders.CONTACT_SHEET}


async def test_what_is_found_in_a_clip_comes_through(workers: cutter.Cutter, tmp_path: Path) -> None:
    order = order_of(tmp_path, footage.shoot(tmp_path / "a.mp4"))
    told: list[orders.Said] = []
    await workers.run(order, told.append, 60)
    (found,) = told
    assert isinstance(found, orders.Probed)
    assert found.facts
    assert (found.facts.frames, found.facts.parameters[:1]) == (24, b"\x01")


async def test_a_file_that_cannot_be_used_is_named(workers: cutter.Cutter, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a clip")
    order = order_of(tmp_path, tmp_path / "a.mp4")
    with pytest.raises(cutter.SourceUnusable, match="is no MP4 file") as caught:
        await workers.run(order, print, 60)
    assert caught.value.source == order.probe[0]


async def test_a_fault_of_the_machine_is_told_apart(workers: cutter.Cutter, tmp_path: Path) -> None:
    with pytest.raises(cutter.WorkerBroke, match="No such file or directory"):
        await workers.run(orders.Order(tmp_path / "absent", probe=("ab",)), print, 60)


@pytest.mark.parametrize("cause", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_is_told_apart(cause: int) -> None:
    said = asyncio.StreamReader()
    said.feed_data(orders.said_line(orders.Broken(os.strerror(cause), "")).encode() + b"\n")
    with pytest.raises(blobs.StorageFull):
        await cutter._listen(said, print)


async def test_a_worker_that_is_late_is_ended(workers: cutter.Cutter, tmp_path: Path) -> None:
    with pytest.raises(cutter.WorkerLate, match=r"within 0.5 seconds"):
        await workers.run(stuck(tmp_path), print, 0.5)
    assert children(workers) == []


async def test_a_worker_nobody_wants_is_ended(workers: cutter.Cutter, tmp_path: Path) -> None:
    running = asyncio.create_task(workers.run(stuck(tmp_path), print, 60))
    await come_to(tmp_path)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert children(workers) == []


async def test_a_worker_that_dies_is_noticed(workers: cutter.Cutter, tmp_path: Path) -> None:
    running = asyncio.create_task(workers.run(stuck(tmp_path), print, 60))
    await come_to(tmp_path)
    (worker,) = children(workers)
    worker.send_signal(signal.SIGKILL)
    with pytest.raises(cutter.WorkerDied, match="it was killed, by hand or because memory ran out"):
        await running


async def test_when_all_workers_die_there_are_new_ones(workers: cutter.Cutter, tmp_path: Path) -> None:
    running = asyncio.create_task(workers.run(stuck(tmp_path), print, 60))
    await come_to(tmp_path)
    (worker,) = children(workers)
    zygote = worker.parent()
    assert zygote
    zygote.send_signal(signal.SIGKILL)
    with pytest.raises(cutter.WorkerDied, match="all workers ended at once"):
        await running
    worker.wait(10)  # which it could not if it lived on
    await workers.run(order_of(tmp_path, footage.shoot(tmp_path / "a.mp4")), print, 60)


async def test_no_more_workers_than_told_and_no_more_memory(workers: cutter.Cutter, tmp_path: Path) -> None:
    """Two may work at once; the third, and one that takes all memory, wait for them."""
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    running = [asyncio.create_task(workers.run(stuck(folder), print, 60, 1 << 20)) for folder in folders[:2]]
    for folder in folders[:2]:
        await come_to(folder)
    third = asyncio.create_task(workers.run(stuck(folders[2]), print, 60, 1 << 40))
    await asyncio.wait([third], timeout=0.2)
    assert len(children(workers)) == 2
    running[0].cancel()
    await asyncio.wait([running[0]])
    await asyncio.wait([third], timeout=0.2)
    assert len(children(workers)) == 1  # there is a worker free, but not the memory
    running[1].cancel()
    await come_to(folders[2])
    third.cancel()
    await asyncio.wait([*running, third])


async def test_a_worker_has_nothing_of_ours_but_its_line(workers: cutter.Cutter, tmp_path: Path) -> None:
    running = asyncio.create_task(workers.run(stuck(tmp_path), print, 60))
    await come_to(tmp_path)
    (worker,) = children(workers)
    assert set(worker.environ()) <= {"PYTHONPATH", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}
    assert worker.nice() > psutil.Process().nice()
    for _ in range(1000):  # a pipe has a reader a moment before that has its number
        if worker.num_fds() >= 4:
            break
        await asyncio.sleep(0.01)
    assert worker.num_fds() == 4  # its line twice, where it complains, and the clip
    running.cancel()
    await asyncio.wait([running])


async def test_workers_end_with_the_service_that_started_them(tmp_path: Path) -> None:
    stuck(tmp_path)
    service = f"""
import asyncio, pathlib
from services.compiler import cutter, orders
order = orders.Order(pathlib.Path({str(tmp_path)!r}), probe=("pipe",))
asyncio.run(cutter.Cutter(1, 0).run(order, print, 60))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", service, env=cutter._environment())
    await come_to(tmp_path)
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) == 2
    process.kill()
    await process.wait()
    assert psutil.wait_procs(below, timeout=10)[1] == []


def children(workers: cutter.Cutter) -> list[psutil.Process]:
    """The workers there are now."""
    zygote = workers._zygote._process
    return psutil.Process(zygote.pid).children() if zygote else []
