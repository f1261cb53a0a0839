"""The worker process itself: real processes, real clips."""

import asyncio
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from services.compiler import cutter, domain, film, orders
from tests.unit.compiler import footage


def test_orders_survive_the_line() -> None:
    order = orders.Order(
        "Ein “Film”\n",
        (orders.Source(film.Scene("sc_1", "take_1", "Ä"), Path("/tmp/a b.mp4")),),
        film.Wish((1280, 720), Fraction(24000, 1001)),
        Path("/tmp/work"),
    )
    assert orders.read_order(orders.order_line(order)) == order
    plain = orders.Order("Film", (), film.Wish(), Path("/tmp"))
    assert orders.read_order(orders.order_line(plain)) == plain


@pytest.mark.parametrize(
    "said",
    [0.25, orders.Made(48, 1280, 720, Fraction(30000, 1001), 2, 1), orders.Broken("No space left", "Traceback …")],
)
def test_what_is_said_survives_the_line(said: orders.Said) -> None:
    assert orders.read_said(orders.said_line(said).encode()) == said


def test_refusals_survive_the_line() -> None:
    for refusal in (
        domain.ClipUnreadable(scene_id="sc_1", take_id="take_1", title="Dawn", problem="is damaged"),
        domain.FilmNotAsPlanned(check="the title"),
    ):
        again = orders.read_said(orders.said_line(refusal).encode())
        assert (type(again), str(again)) == (type(refusal), str(refusal))


async def test_a_worker_cuts_a_film_and_tells_how_far_it_is(tmp_path: Path) -> None:
    clips = [footage.shoot(tmp_path / "a.mp4"), footage.shoot(tmp_path / "b.mp4", footage.Take(size=(320, 192)))]
    told: list[float] = []
    made = await cutter.run(footage.order(tmp_path, *clips), told.append, 60)
    assert made == orders.Made(48, 160, 96, Fraction(24), 1, 1)
    assert told == sorted(told)
    assert set(os.listdir(tmp_path)) > {orders.FILM, orders.POSTER, orders.CONTACT_SHEET}


async def test_a_refusal_comes_through(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a clip")
    with pytest.raises(domain.ClipUnreadable, match="is no MP4 file"):
        await cutter.run(footage.order(tmp_path, tmp_path / "a.mp4"), print, 60)


async def test_a_fault_of_the_machine_is_told_apart(tmp_path: Path) -> None:
    clip = footage.shoot(tmp_path / "a.mp4")
    with pytest.raises(cutter.WorkerBroke, match="No such file or directory"):
        await cutter.run(footage.order(tmp_path / "absent", clip), print, 60)


async def test_a_worker_that_is_late_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")  # opening it waits for a writer for ever
    with pytest.raises(cutter.WorkerLate, match=r"within 0.5 seconds"):
        await cutter.run(footage.order(tmp_path, tmp_path / "a.mp4"), print, 0.5)
    assert nobody_reads(tmp_path / "a.mp4")


async def test_a_worker_nobody_wants_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    running = asyncio.create_task(cutter.run(footage.order(tmp_path, tmp_path / "a.mp4"), print, 60))
    writer = await asyncio.to_thread(os.open, tmp_path / "a.mp4", os.O_WRONLY)  # the worker has come to the clip
    running.cancel()
    await asyncio.wait([running])
    os.close(writer)
    assert running.cancelled()
    assert nobody_reads(tmp_path / "a.mp4")


async def test_a_worker_that_dies_is_noticed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    running = asyncio.create_task(cutter.run(footage.order(tmp_path, tmp_path / "a.mp4"), print, 60))
    writer = await asyncio.to_thread(os.open, tmp_path / "a.mp4", os.O_WRONLY)
    os.kill(child_with(tmp_path / "a.mp4"), signal.SIGKILL)
    with pytest.raises(cutter.WorkerDied, match="exit code -9"):
        await running
    os.close(writer)


async def test_a_worker_ends_with_the_service_that_started_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.compiler.worker", stdin=asyncio.subprocess.PIPE, env=cutter._environment()
    )
    assert process.stdin
    process.stdin.write(orders.order_line(footage.order(tmp_path, tmp_path / "a.mp4")))
    writer = await asyncio.to_thread(os.open, tmp_path / "a.mp4", os.O_WRONLY)
    process.stdin.close()  # as the kernel does for a service that is killed
    assert await process.wait() == 1
    os.close(writer)


def nobody_reads(fifo: Path) -> bool:
    """Whether no process has the pipe open for reading."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return True
    return False


def child_with(fifo: Path) -> int:
    """The process, other than this, that has the pipe open."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            opened = {os.readlink(entry) for entry in folder.iterdir()}
        except OSError:
            continue
        if str(fifo) in opened and int(folder.parent.name) != os.getpid():
            return int(folder.parent.name)
    raise AssertionError("nobody has it open")
