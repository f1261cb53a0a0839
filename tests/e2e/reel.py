"""Looks at a finished film as a projectionist does: every picture is decoded."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from tests.e2e import boards


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A scene of the film: where it starts in seconds, and how many pictures are shown before the next one."""

    title: str
    start_s: float
    frames: int


@dataclasses.dataclass(frozen=True)
class Reel:
    """What was found in the file; `jumps` are the mean changes of a pixel from each picture to the next."""

    title: str
    size: tuple[int, int]
    chapters: Sequence[Chapter]
    jumps: Sequence[float]
    sound_s: float


def watch(path: Path) -> Reel:
    """Decode the whole film."""
    with av.open(str(path)) as film:
        starts = [(str(one["metadata"]["title"]), float(one["start"] * one["time_base"])) for one in film.chapters()]
        pictures = [(float(frame.time or 0), frame.to_ndarray(format="gray")) for frame in film.decode(video=0)]
        film.seek(0)
        samples = [frame.samples for frame in film.decode(audio=0)]
        ends = [start for _, start in starts[1:]] + [float("inf")]
        return Reel(
            title=film.metadata["title"],
            size=(film.streams.video[0].width, film.streams.video[0].height),
            chapters=[
                Chapter(title, start, sum(start <= time + 1e-6 < end for time, _ in pictures))
                for (title, start), end in zip(starts, ends, strict=True)
            ],
            jumps=[
                float(np.abs(after.astype(int) - before).mean())
                for (_, before), (_, after) in itertools.pairwise(pictures)
            ],
            sound_s=sum(samples) / (film.streams.audio[0].rate or 1),
        )


def check(path: Path, title: str) -> None:
    """The film of such a board: right to the picture, with chapters, sound, and the seam where it was asked for."""
    found = watch(path)
    assert (found.title, found.size) == (title, (640, 360))
    of_a_second = boards.FRAMES_PER_SCENE
    assert found.chapters == [
        Chapter("Ebb", 0, of_a_second),
        Chapter("Flood", 1, of_a_second),
        Chapter("Night", 2, of_a_second),
    ]
    assert len(found.jumps) == boards.SCENES * of_a_second - 1
    seam, cut = found.jumps[of_a_second - 1], found.jumps[2 * of_a_second - 1]
    assert seam < cut / 2, f"the second scene does not open on the last frame of the first: {seam:.1f}, {cut:.1f}"
    assert abs(found.sound_s - boards.SCENES) < 0.05
    for still in (path.with_suffix(".poster.jpg"), path.with_suffix(".contact.jpg")):
        with av.open(str(still)) as picture:
            assert next(picture.decode(video=0)).width >= 640
