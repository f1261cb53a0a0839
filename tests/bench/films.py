"""`python -m tests.bench.films`: what a film costs beside a plain encode of the same clips, all in one run."""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import psutil

from libs import blobs, rpc
from rushes.compiler.v1 import compiler_service_pb2, film_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.cli import client, environment, house
from tests.bench import home, reels

_LOOK_EVERY_S = 0.05
_FADE = 12  # frames
_CALL_S = 600
_TENANT = "local"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds on the wall, CPU seconds, and the most memory at one time in bytes."""

    wall_s: float
    cpu_s: float
    peak: int


class Bench:
    """A house with a compiler, and clips in its store."""

    def __init__(self, of: house.House, services: client.Client) -> None:
        self._services = services
        self._files = blobs.open_store(environment.blobs_url(of))
        self._compiler = next(int(str(one["pid"])) for one in home.processes(of) if one["name"] == "compiler")

    async def keep(self, clips: Sequence[Path]) -> list[str]:
        """Store the clips under new keys, so that nothing is known of them."""
        keys = [f"t/{_TENANT}/bench/{uuid.uuid4().hex}" for _ in clips]
        for key, clip in zip(keys, clips, strict=True):
            await self._files.put_file(key, clip, "video/mp4")
        return keys

    async def film(self, keys: Sequence[str], fade: int = 0, title: str = "Bench") -> Cost:
        """Have a film cut and wait for it."""
        wanted = edit_list_pb2.EditList(title=title)
        for number, key in enumerate(keys):
            cut = wanted.cuts.add(scene_id=f"sc_{number}", take_id=f"take_{number}", clip=media_pb2.Blob(key=key))
            if fade and number:
                cut.join.kind, cut.join.frames = edit_list_pb2.Join.KIND_CROSSFADE, fade
        async with _counted(self._compiler) as cost:
            await self._cut(wanted)
        return cost()

    async def _cut(self, wanted: edit_list_pb2.EditList) -> None:
        request = compiler_service_pb2.CreateFilmRequest(request_id=str(uuid.uuid4()), edit_list=wanted)
        film = (await self._services.call(self._services.films.CreateFilm, request)).film
        watch = compiler_service_pb2.WatchFilmRequest(film_id=film.id)
        metadata = rpc.bearer(self._services.token)
        async for news in self._services.films.WatchFilm(watch, timeout=_CALL_S, metadata=metadata):
            film = news.film if news.HasField("film") else film
        if film.state != film_pb2.Film.STATE_COMPLETED:
            raise SystemExit(f"the film was not made: {film.error.message}")


@contextlib.asynccontextmanager
async def _counted(pid: int) -> AsyncIterator[Callable[[], Cost]]:
    """What a process and its children use inside the block; ask at the end."""
    process, peak, began, used = psutil.Process(pid), 0, time.monotonic(), _cpu(pid)
    idle = _memory(process)

    async def look() -> None:
        nonlocal peak
        while True:
            peak = max(peak, _memory(process))
            await asyncio.sleep(_LOOK_EVERY_S)

    looking = asyncio.create_task(look())
    try:
        yield lambda: Cost(time.monotonic() - began, _cpu(pid) - used, peak - idle)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _cpu(pid: int) -> float:
    """Of the process and all that came from it, whoever has waited for them."""
    total = 0.0
    for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += int(one.memory_full_info().uss)
    return total


async def _plain(started: Awaitable[asyncio.subprocess.Process]) -> Cost:
    """What an encoder in a process of its own uses."""
    began, before, peak = time.monotonic(), os.times(), 0
    running = await started
    ended = asyncio.create_task(running.wait())
    while not ended.done():
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, _memory(psutil.Process(running.pid)))
        await asyncio.wait([ended], timeout=_LOOK_EVERY_S)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.monotonic() - began, used, peak)


async def main() -> None:
    """Measure everything some times over, and print the medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--growth", action="store_true", help="also 12, 48 and 120 clips of two seconds")
    asked = arguments.parse_args()
    os.environ |= {"RUSHES_LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory(prefix="rushes-bench-") as name:
        folder = Path(name)
        clips = await asyncio.to_thread(reels.shoot, folder, 13, 8)
        async with home.running(("compiler", "studio")) as of, client.connect(of) as services:
            bench = Bench(of, services)
            runs = [await _round(bench, folder, clips) for _ in range(asked.runs)]
            _report(runs)
            if asked.growth:
                await _growth(bench, folder)


async def _round(bench: Bench, folder: Path, clips: Sequence[Path]) -> dict[str, Cost]:
    twelve, target = clips[:12], folder / "plain.mp4"
    plain, faded = await bench.keep(twelve), await bench.keep(twelve)
    costs = {
        "plain encode": await _plain(reels.encoded(twelve, target)),
        "straight cuts": await bench.film(plain),
        "one filter graph": await _plain(reels.crossfaded(twelve, 8, _FADE, target)),
        "crossfades": await bench.film(faded, _FADE),
    }
    changed = [*faded[:6], *await bench.keep(clips[12:]), *faded[7:]]
    costs["one scene changed"] = await bench.film(changed, _FADE)
    costs["another title"] = await bench.film(changed, _FADE, "Another")
    costs["nothing changed"] = await bench.film(changed, _FADE, "Another")
    return costs


_BASES = {"straight cuts": "plain encode", "plain encode": "plain encode"}


def _report(runs: Sequence[dict[str, Cost]]) -> None:
    print(f"12 clips of 8 s, 1280x720 at 24, sound; {os.cpu_count()} cores, medians of {len(runs)} runs\n")
    print("| film | seconds | of its base | CPU, of its base | memory |\n|---|---|---|---|---|")
    for name in runs[0]:
        base = _BASES.get(name, "one filter graph")
        wall_s = statistics.median(run[name].wall_s for run in runs)
        peak = statistics.median(run[name].peak for run in runs)
        wall = statistics.median(run[name].wall_s / run[base].wall_s for run in runs)
        cpu = statistics.median(run[name].cpu_s / run[base].cpu_s for run in runs)
        print(f"| {name} | {wall_s:.2f} | {wall:.3f} | {cpu:.3f} | {int(peak) >> 20} MiB |")


async def _growth(bench: Bench, folder: Path) -> None:
    print("\n| clips of 2 s, crossfades | seconds | a clip | memory |\n|---|---|---|---|")
    clips = await asyncio.to_thread(reels.shoot, folder, 120, 2)
    for count in (12, 48, 120):
        cost = await bench.film(await bench.keep(clips[:count]), _FADE)
        print(f"| {count} | {cost.wall_s:.1f} | {cost.wall_s / count:.3f} | {cost.peak >> 20} MiB |")


if __name__ == "__main__":
    asyncio.run(main())
