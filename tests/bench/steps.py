"""`python -m tests.bench.steps`: the processor time of each step of a film, beside a plain encode of the same clips."""

import argparse
import asyncio
import functools
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from services.compiler import cut, edit, film, mux, orders, probe, proof, sheet, sprite, verify
from tests.bench import reels

_FADE = 12  # frames
T = TypeVar("T")


class Clock:
    """Adds up what steps of one name have used, of all threads, in seconds."""

    def __init__(self) -> None:
        self.used: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        """Do it."""
        began = time.process_time()
        done = work()
        self.used[name] = self.used.get(name, 0.0) + time.process_time() - began
        return done


def steps(clips: Sequence[Path], folder: Path, fade: int) -> Mapping[str, float]:
    """Make a film as its worker does, one step after the other; what each has used."""
    clock, names = Clock(), [f"clip{number}" for number in range(len(clips))]
    for name, clip in zip(names, clips, strict=True):
        (folder / name).hardlink_to(clip)
    found = {
        name: film.Found(name, clock("look into clips", functools.partial(probe.probe, folder / name)))
        for name in names
    }
    join = edit.Join(edit.JoinKind.CROSSFADE, fade) if fade else None
    scenes = [edit.Scene(name, name, "") for name in names]
    entries = tuple(edit.Entry(scene, scene.scene_id, join=join if n else None) for n, scene in enumerate(scenes))
    plan = film.plan(edit.Edit("Bench", entries), found)
    for recipe in plan.pieces.values():
        clock(type(recipe).__name__, functools.partial(cut.work, orders.Order(folder, make=(recipe,)), _unheard))
    target, whole = folder / orders.FILM, plan.film
    clock("join", lambda: mux.join(whole, folder, target, _unheard))
    prints = [proof.read(folder / one.source) for one in whole.proofs]
    clock("look through", lambda: verify.film(target, whole, prints, folder / whole.sound))
    clock("look through", lambda: verify.loudness(folder / whole.sound, whole))
    scenes = [still for one in prints for still in one.scenes]
    small = [still for one in prints for still in one.small]
    clock("stills", lambda: sheet.draw(whole, scenes, folder / orders.CONTACT_SHEET))
    clock("stills", lambda: sprite.draw(whole, small, folder / orders.SPRITE))
    return clock.used


def _unheard(told: Any) -> None:
    pass


async def _base(clips: Sequence[Path], target: Path) -> float:
    """What plain encoding uses, whoever else is busy."""
    before = os.times()
    await (await reels.encoded(clips, target)).wait()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print a table of both kinds of film."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clips", type=int, default=12)
    asked = arguments.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="rushes-bench-") as name:
        folder = Path(name)
        clips = reels.shoot(folder, asked.clips, 8)
        base = asyncio.run(_base(clips, folder / "plain.mp4"))
        print(f"{asked.clips} clips of 8 s; a plain encode uses {base:.1f} s\n")
        print("| film | step | CPU-s | of the plain encode |\n|---|---|---|---|")
        for kind, fade in (("straight cuts", 0), ("crossfades", _FADE)):
            room = folder / kind
            room.mkdir()
            used = steps(clips, room, fade)
            for step, seconds in [*used.items(), ("all", sum(used.values()))]:
                print(f"| {kind} | {step} | {seconds:.2f} | {seconds / base:.3f} |")


if __name__ == "__main__":
    main()
